package chain

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
)

// prepare makes the keys and the genesis, each once.
func (r *Reconciler) prepare(ctx context.Context, s *scope) error {
	return reconcile.Sequence(r.readGenesis, r.readAuthority, r.countNodes, r.keys, r.ensureGenesis)(ctx, s)
}

// readGenesis reads the document, if it is there. Its validators are the chain's
// at birth, whatever the spec says since.
func (r *Reconciler) readGenesis(ctx context.Context, s *scope) error {
	present := &corev1.ConfigMap{}
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: genesisName(s.object.Name)}
	err := r.Client.Get(ctx, key, present)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("reading the genesis: %w", err)
	case !metav1.IsControlledBy(present, s.object):
		return notOwned("ConfigMap", key.Name)
	}
	s.genesis = []byte(present.Data[genesisKey])
	document, hash, err := genesis.Parse(s.genesis)
	if err != nil {
		return err
	}
	s.genesisHash, s.born = hash, len(document.Validators)
	return nil
}

// wanted is how many validators the spec asks for.
func wanted(chain *lucidv1.Chain) int { return int(max(chain.Spec.Network.Validators, 1)) }

// countNodes says how many nodes are to run: those that the spec asks for, and
// those that run already, which may vote until the chain has let them go.
func (r *Reconciler) countNodes(ctx context.Context, s *scope) error {
	peers := &corev1.ConfigMap{}
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: peersName(s.object.Name)}
	err := r.Client.Get(ctx, key, peers)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading the list of peers: %w", err)
	}
	running := len(strings.Fields(peers.Data[peersKey]))
	if running == 0 {
		running = s.born
	}
	s.size = max(wanted(s.object), running)
	return nil
}

// keys reads the validators' public keys, with the secret ones made first for
// those who have none. A genesis that is missing needs those of birth as well.
func (r *Reconciler) keys(ctx context.Context, s *scope) error {
	count := s.size
	if s.genesis == nil {
		count = max(count, s.born)
	}
	s.validators = make([]validator, count)
	for i := range s.validators {
		var err error
		if s.validators[i], err = r.ensureKeys(ctx, s, i); err != nil {
			return err
		}
	}
	return nil
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
	if !metav1.IsControlledBy(secret, s.object) {
		return validator{}, notOwned("Secret", key.Name)
	}
	public, err := r.Network.ValidatorPublicKey(secret.Data[validatorKey])
	if err != nil {
		// The key's text stays out of the error and the log.
		return validator{}, reconcile.Stalled(lucidv1.ReasonInvalid, "Secret %q does not hold a validator's key under %s", key.Name, validatorKey)
	}
	id, err := r.Network.NodeID(secret.Data[nodeKey])
	if err != nil {
		return validator{}, reconcile.Stalled(lucidv1.ReasonInvalid, "Secret %q does not hold a node's key under %s", key.Name, nodeKey)
	}
	return validator{nodeID: id, key: public}, nil
}

// exists reports whether there is a genesis, be it lost.
func (s *scope) exists() bool { return s.row.IsGraduated || s.genesis != nil }

func (r *Reconciler) createKeys(ctx context.Context, s *scope, ordinal int) (*corev1.Secret, error) {
	if ordinal < s.born && s.exists() {
		return nil, reconcile.Stalled(lucidv1.ReasonInvalid,
			"Secret %q with keys that the genesis names is gone; restore it, for no other validator may sign in its place", keysName(s.object.Name, ordinal))
	}
	node, validator, err := r.Network.GenerateKeys()
	if err != nil {
		return nil, fmt.Errorf("generating: %w", err)
	}
	secret := keysSecret(s.object, ordinal, node, validator)
	if err := reconcile.SetOwner(s.object, secret, r.Client.Scheme()); err != nil {
		return nil, err
	}
	if err := r.Client.Create(ctx, secret, FieldOwner); err != nil {
		return nil, fmt.Errorf("creating the Secret: %w", err)
	}
	return secret, nil
}

func notOwned(kind, name string) error {
	return reconcile.Waiting(heightEvery, lucidv1.ReasonNotOwned,
		"%s %q exists and is not owned by this chain; rename or delete it", kind, name)
}

// ensureGenesis builds the document that is missing. What was recorded at
// graduation must come out again.
func (r *Reconciler) ensureGenesis(ctx context.Context, s *scope) error {
	if s.genesis == nil {
		if err := r.createGenesis(ctx, s); err != nil {
			return err
		}
	}
	if s.row.GenesisHash != nil && *s.row.GenesisHash != s.genesisHash {
		return reconcile.Stalled(lucidv1.ReasonGenesisMismatch,
			"the genesis in ConfigMap %q is not the one that the ledger recorded; restore it", genesisName(s.object.Name))
	}
	return nil
}

func (r *Reconciler) createGenesis(ctx context.Context, s *scope) error {
	in, err := s.book.GenesisInput(ctx, s.id)
	if err != nil {
		return refusal(err)
	}
	addresses, err := r.Keystores.Addresses(ctx, s.gateway())
	if err != nil {
		return err
	}
	var pool book.Pool // none on a chain that never had one
	if s.pool != nil {
		pool = *s.pool
	}
	input, err := genesisInput(ctx, addresses, in, pool, s.validators[:s.born], addressOf(s.authority))
	if err != nil {
		return err
	}
	input.ChainID = networkID(s.object, s.row)
	if s.genesis, s.genesisHash, err = genesis.BuildGenesis(input); err != nil {
		return fmt.Errorf("building the genesis: %w", err)
	}
	object := genesisMap(s.object, s.genesis)
	if err := reconcile.SetOwner(s.object, object, r.Client.Scheme()); err != nil {
		return err
	}
	err = r.Client.Create(ctx, object, FieldOwner)
	if apierrors.IsAlreadyExists(err) {
		// Ours that the cache does not hold yet, or a stranger's: look again.
		return reconcile.Waiting(startingRetry, lucidv1.ReasonNetworkStarting, "the live chain is starting")
	}
	if err != nil {
		return fmt.Errorf("creating the genesis: %w", err)
	}
	return nil
}
