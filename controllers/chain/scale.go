package chain

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/livechain"
)

const (
	// joinLag is how many blocks behind a node may be when it begins to vote.
	joinLag = 3
	// changeLife is how long a change of the validators may wait for its block.
	changeLife = 30 * time.Second
)

// readAuthority reads the key that changes the validators, and how many there
// are at birth. Both are made once, before the genesis that names them.
func (r *Reconciler) readAuthority(ctx context.Context, s *scope) error {
	return s.lack(r.ensureAuthority(ctx, s))
}

func (r *Reconciler) ensureAuthority(ctx context.Context, s *scope) error {
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: authorityName(s.object.Name)}
	err := r.Live.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		secret, err = r.createAuthority(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("the chain's authority: %w", err)
	}
	if !s.owns(secret) {
		return s.notOwned("Secret", key.Name)
	}
	born, err := strconv.Atoi(string(secret.Data[authorityBorn]))
	seed := secret.Data[authoritySeed]
	if err != nil || born < 1 || len(seed) != ed25519.SeedSize {
		return reconcile.Waiting(secretRetry, lucidv1.ReasonInvalid, "Secret %q must hold a key of 32 bytes under %s and a number under %s",
			key.Name, authoritySeed, authorityBorn)
	}
	authority := ed25519.NewKeyFromSeed(seed)
	if s.genesis != nil && s.genesis.authority != addressOf(authority) {
		return reconcile.Waiting(secretRetry, lucidv1.ReasonInvalid, "Secret %q holds another key than the genesis names; restore the right one", key.Name)
	}
	s.authority = authority
	if s.genesis == nil {
		s.born = born
	}
	return r.keep(ctx, s, secret)
}

func (r *Reconciler) createAuthority(ctx context.Context, s *scope) (*corev1.Secret, error) {
	if s.exists() {
		return nil, reconcile.Waiting(secretRetry, lucidv1.ReasonSecretNotFound,
			"Secret %q with the key that the genesis names is gone; restore it, for no other may change the validators", authorityName(s.object.Name))
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("generating: %w", err)
	}
	secret := authoritySecret(s.object, private.Seed(), wanted(s.object))
	if err := r.Client.Create(ctx, secret, FieldOwner); err != nil {
		return nil, fmt.Errorf("creating the Secret: %w", err)
	}
	return secret, nil
}

func addressOf(key ed25519.PrivateKey) livechain.Address {
	public, _ := key.Public().(ed25519.PublicKey)
	return livechain.AddressOf(public)
}

// scale brings the validators who vote to those that the spec asks for, one
// change at a time: who comes votes once it has all blocks, and who goes is
// stopped once it votes no more. On a chain with an application of its own it
// waits for that one to bring them there.
func (r *Reconciler) scale(ctx context.Context, s *scope, seen Observation) error {
	if err := r.settle(ctx, s, seen); err != nil {
		return err
	}
	want := wanted(s.object)
	if slices.ContainsFunc(s.validators[:want], func(v validator) bool { return v.key == nil }) {
		return s.missing
	}
	member, ordinal, found := nextChange(seen.Members, s.validators[:want])
	switch {
	case !found:
		return r.scaled(ctx, s)
	case s.object.Spec.Application != nil:
		// It takes no transaction of Lucid's, and may know of no authority.
		return reconcile.Waiting(heightEvery, lucidv1.ReasonApplicationScales,
			"%d validators vote and %d are to: the chain's own application says who does, so have it change them", len(seen.Members), want)
	case s.authority == nil:
		return s.missing
	case member.Power > 0:
		node, err := r.ask(ctx, nodeEndpoint(s.object, ordinal))
		if err != nil || node.CatchingUp || node.Height < seen.Height-joinLag {
			return reconcile.Waiting(r.pace(s), lucidv1.ReasonScaling, "validator %d fetches the blocks before it votes", ordinal)
		}
	}
	return r.send(ctx, s, seen, member)
}

// nextChange finds a validator who is to vote and does not, given by its
// ordinal, else one who does and is not to. How much power one has may follow from
// its work.
func nextChange(voting []Member, want []validator) (change Member, ordinal int, found bool) {
	for i, v := range want {
		if !slices.ContainsFunc(voting, func(m Member) bool { return m.Key.Equal(v.key) }) {
			return Member{Key: v.key, Power: validatorPower}, i, true
		}
	}
	for _, m := range voting {
		if !slices.ContainsFunc(want, func(v validator) bool { return m.Key.Equal(v.key) }) {
			return Member{Key: m.Key}, 0, true
		}
	}
	return Member{}, 0, false
}

// send notes a change and then has the chain make it, in this order: one that was
// sent takes effect some blocks later, and until it has, or can't any more, nobody
// may conclude from who votes now that a node can be stopped.
func (r *Reconciler) send(ctx context.Context, s *scope, seen Observation, member Member) error {
	if seen.Height < 2 {
		return reconcile.Waiting(startingRetry, lucidv1.ReasonScaling, "the first block tells no time")
	}
	expires := seen.Time.Add(changeLife)
	s.peers.change = change{Key: hex.EncodeToString(member.Key), Power: member.Power, Height: seen.Height, Expires: expires.Unix()}
	if err := r.applyPeers(ctx, s); err != nil {
		return err
	}
	network := s.object.Status.Network
	err := r.Network.SetPower(ctx, network.RPCEndpoint, network.ChainID, s.authority, member, expires)
	if errors.Is(err, ErrNotTaken) {
		s.peers.change = change{Height: seen.Height} // there is nothing to wait for
		err = errors.Join(err, r.applyPeers(ctx, s))
	}
	if err != nil {
		return reconcile.Waiting(troubleRetry, lucidv1.ReasonScaling, "the live chain does not take the change of its validators")
	}
	return reconcile.Waiting(startingRetry, lucidv1.ReasonScaling, "%d validators vote and %d are to", len(seen.Members), wanted(s.object))
}

// scaled stops the nodes that vote no more, and tells of the end of a change.
func (r *Reconciler) scaled(ctx context.Context, s *scope) error {
	if want := wanted(s.object); s.size > want {
		s.size = want
		if err := r.run(ctx, s); err != nil {
			return err
		}
	}
	if ready := s.conditions.Get(lucidv1.ConditionReady); ready != nil && (ready.Reason == lucidv1.ReasonScaling || ready.Reason == lucidv1.ReasonApplicationScales) {
		s.tell(lucidv1.ReasonScaled, "Scale", fmt.Sprintf("%d validators vote", s.size))
	}
	return nil
}
