package chain

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
)

const (
	// startingRetry is how often a chain that is starting is asked for its height.
	startingRetry = time.Second
	// heightEvery is how often the height of a running chain is looked at and shown.
	heightEvery = 30 * time.Second
	// observeTimeout bounds one question to a chain.
	observeTimeout = 3 * time.Second
)

// graduate brings a chain whose pool has closed to life: keys and genesis once,
// the node, and when it produces blocks the ledger's mark.
func (r *Reconciler) graduate(ctx context.Context, s *scope) error {
	if s.pool == nil || !s.pool.Closed() {
		before(s)
		return nil
	}
	s.crossed()
	err := reconcile.Sequence(r.prepare, r.run, r.observe)(ctx, s)
	if err != nil && !isHeight(err) && !s.conditions.IsTrue(lucidv1.ConditionGraduated) {
		s.conditions.FromError(lucidv1.ConditionGraduated, err, "", "")
	}
	return err
}

// crossed tells of the threshold once. The condition that remembers it is
// Graduated, whose reason moves on from Trading.
func (s *scope) crossed() {
	previous := s.conditions.Get(lucidv1.ConditionGraduated)
	if previous != nil && previous.Reason != lucidv1.ReasonTrading && previous.Reason != lucidv1.ReasonNotStarted &&
		previous.Reason != lucidv1.ReasonReconciling {
		return
	}
	text := thresholdText(s.pool, s.row.GraduationThreshold)
	s.tell(lucidv1.ReasonThresholdCrossed, "Graduate", text)
	s.conditions.False(lucidv1.ConditionGraduated, lucidv1.ReasonThresholdCrossed, text)
}

// prepare makes the keys and the genesis, each once.
func (r *Reconciler) prepare(ctx context.Context, s *scope) error {
	validator, err := r.keys(ctx, s)
	if err != nil {
		return err
	}
	return r.ensureGenesis(ctx, s, validator)
}

// keys returns the validator's public key. The Secret is created, never
// updated: a second set of keys would be a second validator.
func (r *Reconciler) keys(ctx context.Context, s *scope) (ed25519.PublicKey, error) {
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: keysName(s.object.Name)}
	err := r.Live.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		secret, err = r.createKeys(ctx, s)
	}
	if err != nil {
		return nil, fmt.Errorf("the node's keys: %w", err)
	}
	if !metav1.IsControlledBy(secret, s.object) {
		return nil, notOwned("Secret", key.Name)
	}
	public, err := r.Network.ValidatorPublicKey(secret.Data[validatorKey])
	if err != nil {
		// The key's text stays out of the error and the log.
		return nil, reconcile.Stalled(lucidv1.ReasonInvalid, "Secret %q does not hold a validator's key under %s", key.Name, validatorKey)
	}
	return public, nil
}

func (r *Reconciler) createKeys(ctx context.Context, s *scope) (*corev1.Secret, error) {
	if s.row.IsGraduated {
		return nil, reconcile.Stalled(lucidv1.ReasonInvalid,
			"Secret %q with the chain's keys is gone; restore it, for no other validator may sign its blocks", keysName(s.object.Name))
	}
	node, validator, err := r.Network.GenerateKeys()
	if err != nil {
		return nil, fmt.Errorf("generating: %w", err)
	}
	secret := keysSecret(s.object, node, validator)
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

// ensureGenesis reads the document, or builds it. What was recorded at
// graduation must come out again.
func (r *Reconciler) ensureGenesis(ctx context.Context, s *scope, validator ed25519.PublicKey) error {
	present := &corev1.ConfigMap{}
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: genesisName(s.object.Name)}
	err := r.Client.Get(ctx, key, present)
	switch {
	case apierrors.IsNotFound(err):
		err = r.createGenesis(ctx, s, validator)
	case err == nil && !metav1.IsControlledBy(present, s.object):
		return notOwned("ConfigMap", key.Name)
	case err == nil:
		s.genesis = []byte(present.Data[genesisKey])
		_, s.genesisHash, err = genesis.Parse(s.genesis)
	}
	if err != nil {
		return err
	}
	if s.row.GenesisHash != nil && *s.row.GenesisHash != s.genesisHash {
		return reconcile.Stalled(lucidv1.ReasonGenesisMismatch,
			"the genesis in ConfigMap %q is not the one that the ledger recorded; restore it", key.Name)
	}
	return nil
}

func (r *Reconciler) createGenesis(ctx context.Context, s *scope, validator ed25519.PublicKey) error {
	in, err := s.book.GenesisInput(ctx, s.id)
	if err != nil {
		return refusal(err)
	}
	addresses, err := r.Keystores.Addresses(ctx, s.gateway())
	if err != nil {
		return err
	}
	input, err := genesisInput(ctx, addresses, in, *s.pool, validator)
	if err != nil {
		return err
	}
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

// run keeps the node's objects as built.
func (r *Reconciler) run(ctx context.Context, s *scope) error {
	gateway := &lucidv1.LucidGateway{}
	if err := r.Client.Get(ctx, s.gateway(), gateway); err != nil {
		return fmt.Errorf("reading the gateway: %w", err)
	}
	image := gateway.Spec.Image
	if image == "" {
		image = r.Image
	}
	children := []client.Object{
		headless(s.object), rpc(s.object), statefulSet(s.object, image, gateway.Spec.ImagePullPolicy, s.genesisHash),
	}
	for _, child := range children {
		if err := r.Applier.Apply(ctx, s.object, child); err != nil {
			return err
		}
	}
	s.starting()
	return nil
}

// starting shows where the chain will be found, and tells of it once.
func (s *scope) starting() {
	first := s.object.Status.Network == nil
	if first {
		s.object.Status.Network = &lucidv1.NetworkStatus{}
	}
	network := s.object.Status.Network
	network.ChainID = ObjectName(s.row.ChainName, s.id)
	network.GenesisHash = s.genesisHash
	network.RPCEndpoint = rpcEndpoint(s.object.Name, s.object.Namespace)
	if first && !s.row.IsGraduated {
		text := "the live chain " + network.ChainID + " starts from genesis " + s.genesisHash
		s.tell(lucidv1.ReasonNetworkStarting, "StartNetwork", text)
		s.conditions.False(lucidv1.ConditionGraduated, lucidv1.ReasonNetworkStarting, text)
	}
}

// observe asks the chain how it is, and has it marked once it produces blocks
// from our genesis.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	endpoint := s.object.Status.Network.RPCEndpoint
	asking, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	seen, err := r.Network.Observe(asking, endpoint)
	switch {
	case err != nil:
		return r.unreachable(ctx, s)
	case seen.GenesisHash != s.genesisHash:
		return s.refuse(lucidv1.ConditionNetworkReady, reconcile.Waiting(heightEvery, lucidv1.ReasonGenesisMismatch,
			"the node at %s runs another genesis; its volume belongs to another chain", endpoint))
	case seen.Height < 1:
		return r.unreachable(ctx, s)
	}
	if err := r.mark(ctx, s); err != nil {
		return err
	}
	s.object.Status.Network.Height = r.height(s, seen.Height)
	s.conditions.True(lucidv1.ConditionNetworkReady, lucidv1.ReasonProducingBlocks, "the live chain produces blocks")
	return reconcile.Waiting(heightEvery, reasonHeight, "the height is looked at again")
}

// unreachable is the normal state of a chain that is starting, and a fault of
// one that has run.
func (r *Reconciler) unreachable(ctx context.Context, s *scope) error {
	if ctx.Err() != nil {
		return errors.Join(ctx.Err())
	}
	if s.row.IsGraduated {
		s.marked()
		return s.refuse(lucidv1.ConditionNetworkReady, reconcile.Waiting(5*time.Second, lucidv1.ReasonUnreachable, "the live chain does not answer"))
	}
	return s.refuse(lucidv1.ConditionNetworkReady,
		reconcile.Waiting(startingRetry, lucidv1.ReasonNetworkStarting, "the live chain is starting; no block has been seen yet"))
}

// mark records the live chain in the ledger, once.
func (r *Reconciler) mark(ctx context.Context, s *scope) error {
	network := s.object.Status.Network
	live := chain.Live{ChainID: network.ChainID, GenesisHash: s.genesisHash, RPCEndpoint: network.RPCEndpoint}
	if !s.row.IsGraduated || s.row.RPCEndpoint == nil || *s.row.RPCEndpoint != live.RPCEndpoint {
		if err := s.book.MarkGraduated(ctx, s.id, live); err != nil {
			return refusal(err)
		}
		s.row.IsGraduated, s.row.Status = true, chain.Graduated
	}
	s.object.Status.Status = lucidv1.ChainGraduated
	s.marked()
	return nil
}

func (s *scope) marked() {
	s.happened(lucidv1.ConditionGraduated, lucidv1.ReasonGraduated, "Graduate",
		"the live chain %s is recorded in the ledger with genesis %s", s.object.Status.Network.ChainID, s.genesisHash)
}

// height keeps the height that is shown for heightEvery, however many passes
// there are: NetworkStatus has no time, so the pace is kept per process.
func (r *Reconciler) height(s *scope, seen int64) int64 {
	key := client.ObjectKeyFromObject(s.object)
	now := r.now()
	shown := s.object.Status.Network.Height
	if last, ok := r.heights.Load(key); ok && shown > 0 && now.Sub(last.(time.Time)) < heightEvery-time.Second {
		return shown
	}
	r.heights.Store(key, now)
	return seen
}
