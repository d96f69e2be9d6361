package chain

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/livechain"
)

// joinLag is how many blocks behind a node may be when it begins to vote.
const joinLag = 3

// readAuthority reads the key that changes the validators, and how many there
// are at birth. Both are made once, before the genesis that names them.
func (r *Reconciler) readAuthority(ctx context.Context, s *scope) error {
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: authorityName(s.object.Name)}
	err := r.Live.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		secret, err = r.createAuthority(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("the chain's authority: %w", err)
	}
	if !metav1.IsControlledBy(secret, s.object) {
		return notOwned("Secret", key.Name)
	}
	born, err := strconv.Atoi(string(secret.Data[authorityBorn]))
	seed := secret.Data[authoritySeed]
	if err != nil || born < 1 || len(seed) != ed25519.SeedSize {
		return reconcile.Stalled(lucidv1.ReasonInvalid, "Secret %q must hold a key of 32 bytes under %s and a number under %s",
			key.Name, authoritySeed, authorityBorn)
	}
	s.authority = ed25519.NewKeyFromSeed(seed)
	if s.genesis == nil {
		s.born = born
	}
	return nil
}

func (r *Reconciler) createAuthority(ctx context.Context, s *scope) (*corev1.Secret, error) {
	if s.exists() {
		return nil, reconcile.Stalled(lucidv1.ReasonInvalid,
			"Secret %q with the key that the genesis names is gone; restore it, for no other may change the validators", authorityName(s.object.Name))
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("generating: %w", err)
	}
	secret := authoritySecret(s.object, private.Seed(), wanted(s.object))
	if err := reconcile.SetOwner(s.object, secret, r.Client.Scheme()); err != nil {
		return nil, err
	}
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
	want := wanted(s.object)
	member, ordinal, found := nextChange(seen.Members, s.validators[:want])
	if !found {
		return r.scaled(ctx, s)
	}
	if s.object.Spec.Application != nil {
		// It takes no transaction of Lucid's, and may know of no authority.
		return reconcile.Waiting(heightEvery, lucidv1.ReasonApplicationScales,
			"%d validators vote and %d are to: the chain's own application says who does, so have it change them", len(seen.Members), want)
	}
	if member.Power > 0 {
		node, err := r.ask(ctx, nodeEndpoint(s.object, ordinal))
		if err != nil || node.CatchingUp || node.Height < seen.Height-joinLag {
			return reconcile.Waiting(startingRetry, lucidv1.ReasonScaling, "validator %d fetches the blocks before it votes", ordinal)
		}
	}
	network := s.object.Status.Network
	if err := r.Network.SetPower(ctx, network.RPCEndpoint, network.ChainID, s.authority, member); err != nil {
		return reconcile.Waiting(troubleRetry, lucidv1.ReasonScaling, "the live chain does not take the change of its validators")
	}
	return reconcile.Waiting(startingRetry, lucidv1.ReasonScaling, "%d validators vote and %d are to", len(seen.Members), want)
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
