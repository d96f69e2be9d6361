package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
)

// secretRetry is when a Secret or a genesis that is missing or wrong is looked at
// again: nothing tells of a Secret that is restored.
const secretRetry = 10 * time.Second

// prepare makes the keys and the genesis, each once.
func (r *Reconciler) prepare(ctx context.Context, s *scope) error {
	return reconcile.Sequence(r.readGenesis, r.readPeers, r.readAuthority, r.keys, r.ensureGenesis)(ctx, s)
}

// wanted is how many validators the spec asks for.
func wanted(chain *lucidv1.Chain) int { return int(max(chain.Spec.Network.Validators, 1)) }

// lack notes what is missing and goes on without it where the chain has its genesis:
// its nodes run on, and only changes of the validators and vouchers need it.
func (s *scope) lack(err error) error {
	var waiting *reconcile.WaitingError
	if s.genesis == nil || !errors.As(err, &waiting) {
		return err
	}
	if s.missing == nil {
		s.missing = err
	}
	return nil
}

// keys says how many nodes are to run, those that the spec asks for and those that
// run already, which may vote until the chain has let them go. It reads their public
// keys, with the secret ones made first for those who have none. A genesis that is
// missing needs those of birth as well.
func (r *Reconciler) keys(ctx context.Context, s *scope) error {
	running := s.peers.nodes
	if running == 0 {
		running = s.born
	}
	s.size = max(wanted(s.object), running)
	count := s.size
	if s.genesis == nil {
		count = max(count, s.born)
	}
	s.validators = make([]validator, count)
	for i := range s.validators {
		found, err := r.ensureKeys(ctx, s, i)
		if err != nil {
			if err := s.lack(err); err != nil {
				return err
			}
			found = s.remembered(i)
		}
		s.validators[i] = found
	}
	return nil
}

// remembered is what is known of a validator whose Secret is not there.
func (s *scope) remembered(ordinal int) (v validator) {
	v.nodeID = s.peers.ids[ordinal]
	if ordinal < len(s.genesis.validators) {
		v.key = s.genesis.validators[ordinal]
	}
	return v
}

// ensureKeys returns one validator's public keys. The Secret is created, never
// updated: a second set of keys would be a second validator.
func (r *Reconciler) ensureKeys(ctx context.Context, s *scope, ordinal int) (validator, error) {
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: keysName(s.object.Name, ordinal)}
	err := r.Live.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		secret, err = r.createKeys(ctx, s, ordinal)
	}
	if err != nil {
		return validator{}, fmt.Errorf("the node's keys: %w", err)
	}
	if !s.owns(secret) {
		return validator{}, s.notOwned("Secret", key.Name)
	}
	public, err := r.Network.ValidatorPublicKey(secret.Data[validatorKey])
	if err != nil {
		// The key's text stays out of the error and the log.
		return validator{}, reconcile.Waiting(secretRetry, lucidv1.ReasonInvalid, "Secret %q does not hold a validator's key under %s", key.Name, validatorKey)
	}
	id, err := r.Network.NodeID(secret.Data[nodeKey])
	if err != nil {
		return validator{}, reconcile.Waiting(secretRetry, lucidv1.ReasonInvalid, "Secret %q does not hold a node's key under %s", key.Name, nodeKey)
	}
	if s.genesis != nil && ordinal < s.born && !s.genesis.validators[ordinal].Equal(public) {
		return validator{}, reconcile.Waiting(secretRetry, lucidv1.ReasonInvalid, "Secret %q holds another validator's key than the genesis names; restore the right one", key.Name)
	}
	return validator{nodeID: id, key: public}, r.keep(ctx, s, secret)
}

// exists reports whether there is a genesis, be it lost.
func (s *scope) exists() bool { return s.row.IsGraduated || s.genesis != nil }

// createKeys makes no keys for whom the genesis names, nor for a node that runs: it
// would go on with the lost ones, which may vote, while the new ones sign nothing.
func (r *Reconciler) createKeys(ctx context.Context, s *scope, ordinal int) (*corev1.Secret, error) {
	name := keysName(s.object.Name, ordinal)
	switch {
	case s.exists() && ordinal < s.born:
		return nil, reconcile.Waiting(secretRetry, lucidv1.ReasonSecretNotFound,
			"Secret %q with keys that the genesis names is gone; restore it, for no other validator may sign in its place", name)
	case s.exists() && ordinal < s.peers.nodes:
		return nil, reconcile.Waiting(secretRetry, lucidv1.ReasonSecretNotFound,
			"Secret %q with the keys of a node that runs is gone; restore it, or let the node go by setting spec.network.validators to %d", name, ordinal)
	}
	node, validator, err := r.Network.GenerateKeys()
	if err != nil {
		return nil, fmt.Errorf("generating: %w", err)
	}
	secret := keysSecret(s.object, ordinal, node, validator)
	if err := r.Client.Create(ctx, secret, FieldOwner); err != nil {
		return nil, fmt.Errorf("creating the Secret: %w", err)
	}
	return secret, nil
}

// readInput reads what the genesis is built from.
func (r *Reconciler) readInput(ctx context.Context, s *scope) (genesis.Input, error) {
	in, err := s.book.GenesisInput(ctx, s.id)
	if err != nil {
		return genesis.Input{}, refusal(err)
	}
	addresses, err := r.Keystores.Addresses(ctx, s.gateway())
	if err != nil {
		return genesis.Input{}, err
	}
	var pool book.Pool // none on a chain that never had one
	if s.pool != nil {
		pool = *s.pool
	}
	input, err := genesisInput(ctx, addresses, in, pool, s.validators[:s.born], addressOf(s.authority))
	input.ChainID = networkID(s.object, s.row)
	return input, err
}
