// Package virtualpool takes a VirtualPool's trading state, fee and limits down to
// the ledger and projects the ledger's pool up into its status.
package virtualpool

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
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
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/store"
)

const (
	// writeEvery bounds how often the numbers of one pool are written.
	writeEvery = 5 * time.Second
	// lookAgain is when a chain or pool that is missing is looked for again, if
	// no event tells of it sooner.
	lookAgain = 30 * time.Second
	// ledgerRetry is when a ledger that is away is asked again.
	ledgerRetry = 2 * time.Second

	concurrency = 8
)

// Books hands out the ledgers of gateways.
type Books interface {
	Book(ctx context.Context, gateway types.NamespacedName) (book.Book, error)
}

// Reconciler reconciles VirtualPools. Fill its exported fields; the zero value
// of the others is ready.
type Reconciler struct {
	Client   client.Client
	Books    Books
	Recorder events.EventRecorder
	// Wake delivers pools whose ledger changed.
	Wake <-chan event.GenericEvent
	// Now is the clock; time.Now when nil.
	Now func() time.Time

	written sync.Map // types.NamespacedName → time.Time of the last write of numbers
}

// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=chains,verbs=get;list;watch
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=lucidgateways,verbs=get;list;watch
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=virtualpools,verbs=get;list;watch
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=virtualpools/status,verbs=get;patch;update

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("virtualpool").
		For(&lucidv1.VirtualPool{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		WatchesRawSource(source.Channel(r.Wake, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("registering the pool controller: %w", err)
	}
	return nil
}

// scope is one pass over one pool.
type scope struct {
	object     *lucidv1.VirtualPool
	conditions reconcile.Conditions
	chain      *lucidv1.Chain
	id         uuid.UUID
	book       book.Book
	pool       book.Pool
}

// Reconcile makes one pass.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	object := &lucidv1.VirtualPool{}
	if err := r.Client.Get(ctx, req.NamespacedName, object); err != nil {
		if apierrors.IsNotFound(err) {
			r.written.Delete(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !object.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	return reconcile.WithStatus(ctx, r.Client, object, func(ctx context.Context) error {
		s := &scope{object: object, conditions: reconcile.Conditions{List: &object.Status.Conditions, Generation: object.Generation}}
		if reconcile.SetPaused(s.conditions, object) {
			return nil
		}
		err := reconcile.Sequence(r.find, r.sync, r.project)(ctx, s)
		r.report(s, err)
		return err
	})
}

// find gathers the chain, its ledger and its pool.
func (r *Reconciler) find(ctx context.Context, s *scope) error {
	s.chain = &lucidv1.Chain{}
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: s.object.Spec.ChainRef.Name}
	switch err := r.Client.Get(ctx, key, s.chain); {
	case apierrors.IsNotFound(err):
		return reconcile.Waiting(lookAgain, lucidv1.ReasonChainNotFound, "Chain %q does not exist in this namespace", key.Name)
	case err != nil:
		return fmt.Errorf("reading the Chain: %w", err)
	}
	id, err := uuid.Parse(s.chain.LedgerID())
	if err != nil {
		return reconcile.Stalled(lucidv1.ReasonInvalid, "Chain %q has an id that is no UUID", key.Name)
	}
	s.id = id
	gateway := types.NamespacedName{Namespace: s.object.Namespace, Name: s.chain.Spec.GatewayRef.Name}
	if s.book, err = r.Books.Book(ctx, gateway); err != nil {
		return err
	}
	return r.read(ctx, s)
}

func (r *Reconciler) read(ctx context.Context, s *scope) (err error) {
	s.pool, err = s.book.Pool(ctx, s.id)
	if fault.Is(err, fault.NotFound) {
		return reconcile.Waiting(lookAgain, lucidv1.ReasonNoPool, "Chain %q has not launched, so there is no pool yet", s.chain.Name)
	}
	return classify(err)
}

// sync takes trading, fee and limits down. A closed pool takes none of them.
func (r *Reconciler) sync(ctx context.Context, s *scope) error {
	if s.pool.Closed() {
		return nil
	}
	trading, fee := wanted(s)
	limits, err := wantedLimits(s)
	if err != nil {
		return reconcile.Stalled(lucidv1.ReasonInvalid, "%s", err)
	}
	if s.pool.Trading == trading && s.pool.FeeBasisPoints == fee && s.pool.Limits == limits {
		return nil
	}
	if s.pool.Trading != trading {
		if err := s.book.SetTrading(ctx, s.id, trading); err != nil {
			return classify(err)
		}
		r.Recorder.Eventf(s.object, s.chain, corev1.EventTypeNormal, "Trading"+string(s.object.Spec.Trading), "SetTrading",
			"the pool's trading is %s", s.object.Spec.Trading)
	}
	if s.pool.FeeBasisPoints != fee {
		if err := s.book.SetFee(ctx, s.id, fee); err != nil {
			return classify(err)
		}
		r.Recorder.Eventf(s.object, s.chain, corev1.EventTypeNormal, "FeeChanged", "SetFee", "the pool's fee is %d basis points", fee)
	}
	if s.pool.Limits != limits {
		if err := s.book.SetLimits(ctx, s.id, limits); err != nil {
			return classify(err)
		}
		r.Recorder.Eventf(s.object, s.chain, corev1.EventTypeNormal, "LimitsChanged", "SetLimits", "the pool's trade limits are as the spec says")
	}
	return r.read(ctx, s)
}

// wanted is what the spec asks for; a fee that it leaves out is the chain's.
func wanted(s *scope) (market.Trading, int32) {
	trading := market.Enabled
	if s.object.Spec.Trading == lucidv1.TradingPaused {
		trading = market.Paused
	}
	switch {
	case s.object.Spec.FeeBasisPoints != nil:
		return trading, *s.object.Spec.FeeBasisPoints
	case s.chain.Spec.Curve.FeeBasisPoints != nil:
		return trading, *s.chain.Spec.Curve.FeeBasisPoints
	}
	return trading, s.pool.FeeBasisPoints
}

// wantedLimits are those of the spec, an empty object being none; left out, they
// are what the chain launched with, which its object can't change any more.
func wantedLimits(s *scope) (chain.Limits, error) {
	if s.object.Spec.Limits == nil {
		return s.pool.OpeningLimits, nil
	}
	return book.LimitsOf(s.object.Spec.Limits)
}

// project writes the pool into the status. Numbers alone wait until the last
// ones are old enough; a change of state or of the spec is shown at once.
func (r *Reconciler) project(_ context.Context, s *scope) error {
	next := projection(s.pool)
	next.Conditions, next.ObservedGeneration = s.object.Status.Conditions, s.object.Generation
	now, shown := r.now(), &s.object.Status
	if sameNumbers(*shown, next) {
		shown.ObservedGeneration = s.object.Generation
		return nil
	}
	key := client.ObjectKeyFromObject(s.object)
	if shown.State == next.State && shown.ObservedGeneration == s.object.Generation {
		if last, ok := r.written.Load(key); ok {
			if rest := writeEvery - now.Sub(last.(time.Time)); rest > 0 {
				return reconcile.Waiting(rest, reasonThrottled, "the numbers are shown again shortly")
			}
		}
	}
	r.written.Store(key, now)
	s.object.Status = next
	return nil
}

// reasonThrottled never reaches a condition: report knows it.
const reasonThrottled = "Throttled"

func (r *Reconciler) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// classify tells a ledger that is away, which everybody may know, from what
// nobody expected.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if refusal, ok := fault.As(err); ok && refusal.Kind != fault.Unavailable {
		return reconcile.Stalled(lucidv1.ReasonInvalid, "%s", refusal.Message)
	}
	if store.IsUnavailable(err) || fault.Is(err, fault.Unavailable) {
		return reconcile.Waiting(ledgerRetry, lucidv1.ReasonLedgerUnavailable, "the gateway's database does not answer")
	}
	return err
}
