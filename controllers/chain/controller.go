// Package chain brings a Chain object and its row in the ledger together, and
// runs the live chain once the pool has crossed its threshold. The ledger is the
// truth: every pass reads it anew, and nothing is concluded from the status.
package chain

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/livechain"
)

// FieldOwner is the field manager of everything this controller writes.
const FieldOwner = client.FieldOwner("lucid-chain")

const concurrency = 8

// Books hands out the ledgers of gateways.
type Books interface {
	Book(ctx context.Context, gateway types.NamespacedName) (book.Book, error)
}

// Addresses gives people and treasuries a place on live chains.
type Addresses interface {
	// EnsureAddresses returns the addresses of all of these users, with a platform
	// wallet made for whoever has none.
	EnsureAddresses(ctx context.Context, users []uuid.UUID) (map[uuid.UUID]livechain.Address, error)
	// EnsureTreasury returns the address of a chain's treasury, which is no user's.
	EnsureTreasury(ctx context.Context, chainID uuid.UUID) (livechain.Address, error)
}

// Keystores opens the keystore of a gateway: its ledger sealed with the
// platform key of its keystore Secret. A missing Secret is a Waiting error.
type Keystores interface {
	Addresses(ctx context.Context, gateway types.NamespacedName) (Addresses, error)
}

// Network is what a live chain needs besides Kubernetes.
type Network interface {
	// GenerateKeys returns CometBFT's node_key.json and priv_validator_key.json.
	GenerateKeys() (nodeKey, validatorKey []byte, err error)
	// ValidatorPublicKey reads a priv_validator_key.json.
	ValidatorPublicKey(validatorKey []byte) (ed25519.PublicKey, error)
	// NodeID reads a node_key.json.
	NodeID(nodeKey []byte) (string, error)
	// Observe asks the RPC endpoint of a running chain, or of one of its nodes.
	Observe(ctx context.Context, rpcURL string) (Observation, error)
	// SetPower has the authority of a running chain give a validator a power, 0 to
	// take it out, in a block no later than expires. Said again, it changes nothing.
	// An error that is ErrNotTaken says that it never will be done, any other that it
	// may.
	SetPower(ctx context.Context, rpcURL, chainID string, authority ed25519.PrivateKey, member Member, expires time.Time) error
}

// ErrNotTaken says that a chain has refused a change of its validators.
var ErrNotTaken = errors.New("the chain refused the change of its validators")

// Member is a validator who votes.
type Member struct {
	Key   ed25519.PublicKey
	Power int64
}

// Observation is what a running chain says of itself.
type Observation struct {
	Height      int64
	Time        time.Time // of the last block
	ChainID     string
	GenesisHash string   // SHA-256 of the genesis document, lower-case hex
	Application string   // what the application calls itself, at most 64 characters
	AppVersion  int64    // the rules that the application follows
	Signing     int32    // validators in the last commit
	CatchingUp  bool     // the node that was asked fetches blocks that others have
	Members     []Member // of the block of that height
}

// Reconciler reconciles Chains. All fields but Namespace and Now are required.
type Reconciler struct {
	Client    client.Client
	Live      client.Reader // past the cache
	Applier   *reconcile.Applier
	Recorder  events.EventRecorder
	Books     Books
	Keystores Keystores
	Network   Network
	// Image runs in the chains of gateways that name none.
	Image string
	// Namespace is where the operator runs, from which alone it asks chains; none
	// when that is not known.
	Namespace string
	// Wake delivers chains whose ledger changed.
	Wake <-chan event.GenericEvent
	// Now is the clock; time.Now when nil.
	Now func() time.Time

	heights   sync.Map // types.NamespacedName → time.Time of the last height shown
	documents sync.Map // types.NamespacedName → *parsed
}

// In order, so that none is repeated or missed. Secrets are created and read by
// name, never listed or watched.
// +kubebuilder:rbac:groups=apps,resources=statefulsets,verbs=create;delete;get;list;patch;update;watch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=create;get;list;patch;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=create;get;patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=services,verbs=create;delete;get;list;patch;update;watch
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;patch;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=chains,verbs=get;list;patch;update;watch
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=chains/finalizers,verbs=update
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=chains/status,verbs=get;patch;update
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=lucidgateways,verbs=get;list;watch
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=virtualpools,verbs=create;get;list;patch;update;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=create;get;list;patch;watch
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=create;get;list;patch;watch

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("chain").
		For(&lucidv1.Chain{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Owns(&appsv1.StatefulSet{}).
		Owns(&corev1.Service{}).
		Owns(&networkingv1.NetworkPolicy{}).
		// A budget's status changes with its pods.
		Owns(&policyv1.PodDisruptionBudget{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// A pool's status changes with its trades; only its spec is ours.
		Owns(&lucidv1.VirtualPool{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(chainOf)).
		Watches(&lucidv1.LucidGateway{}, handler.EnqueueRequestsFromMapFunc(r.chainsOf),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Channel(r.Wake, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("registering the chain controller: %w", err)
	}
	return nil
}

// chainsOf lists the chains of a gateway, whose image they run.
func (r *Reconciler) chainsOf(ctx context.Context, gateway client.Object) []ctrl.Request {
	var chains lucidv1.ChainList
	if err := r.Client.List(ctx, &chains, client.InNamespace(gateway.GetNamespace())); err != nil {
		return nil // the cache is stopping
	}
	var requests []ctrl.Request
	for i := range chains.Items {
		if chains.Items[i].Spec.GatewayRef.Name == gateway.GetName() {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&chains.Items[i])})
		}
	}
	return requests
}

// scope is one pass over one chain.
type scope struct {
	object     *lucidv1.Chain
	conditions reconcile.Conditions
	id         uuid.UUID
	book       book.Book
	row        chain.Chain
	pool       *book.Pool // nil until the chain has launched

	genesis    *document // nil until it is built
	born       int       // validators that the genesis names
	peers      peers     // as they were before this pass
	size       int       // nodes that are to run
	validators []validator
	authority  ed25519.PrivateKey // nil while its Secret is missing
	missing    error              // what the chain runs on without

	stories []story // events of this pass
	settled bool    // the ledger's side of a deletion is done
}

func (s *scope) gateway() types.NamespacedName {
	return types.NamespacedName{Namespace: s.object.Namespace, Name: s.object.Spec.GatewayRef.Name}
}

// Reconcile makes one pass.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	object := &lucidv1.Chain{}
	if err := r.Client.Get(ctx, req.NamespacedName, object); err != nil {
		if apierrors.IsNotFound(err) {
			r.Applier.Forget(req.NamespacedName)
			r.heights.Delete(req.NamespacedName)
			r.documents.Delete(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s := &scope{object: object, conditions: reconcile.Conditions{List: &object.Status.Conditions, Generation: object.Generation}}
	deleting := !object.DeletionTimestamp.IsZero()
	if !deleting && !reconcile.Paused(object) {
		if err := r.hold(ctx, object); err != nil {
			return reconcile.Result(err)
		}
	}
	status := &outcome{Client: r.Client}
	result, err := reconcile.WithStatus(ctx, status, object, func(ctx context.Context) error {
		if reconcile.SetPaused(s.conditions, object) {
			return nil
		}
		if deleting {
			return r.finalize(ctx, s)
		}
		err := reconcile.Sequence(r.open, r.record, r.launch, r.project, r.graduate)(ctx, s)
		report(s, err)
		return err
	})
	if !status.lost {
		r.publish(s)
	}
	if s.settled && err == nil {
		return reconcile.Result(r.release(ctx, object))
	}
	return result, err
}

// open finds the ledger.
func (r *Reconciler) open(ctx context.Context, s *scope) error {
	id, err := uuid.Parse(s.object.LedgerID())
	if err != nil {
		return s.refuse(lucidv1.ConditionRecorded, reconcile.Stalled(lucidv1.ReasonInvalid, "spec.id must be a UUID"))
	}
	s.id = id
	s.book, err = r.Books.Book(ctx, s.gateway())
	return s.refuse(lucidv1.ConditionRecorded, err)
}

// refuse notes on a condition why a phase did not come through.
func (s *scope) refuse(condition string, err error) error {
	if err != nil {
		s.conditions.FromError(condition, err, "", "")
	}
	return err
}

func (r *Reconciler) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}
