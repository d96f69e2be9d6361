package relay

import (
	"cmp"
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/ledgers"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/outbox"
	"github.com/lucid-blockchain/lucid/internal/store"
)

const (
	// gatewaysEvery is how often the set of gateways is compared with the workers.
	gatewaysEvery = time.Second
	// outboxEvery bounds the delay from a commit to its event.
	outboxEvery = 100 * time.Millisecond
	// dueEvery is the precision of scheduled launches.
	dueEvery = time.Second
	// poolsEvery is how often changed pools are looked for.
	poolsEvery = time.Second
	// queueSize lets a burst of events pass without waiting for the controllers.
	queueSize = 1024
)

// FieldOwner is the field manager of the Chain objects that the relay applies.
const FieldOwner = client.FieldOwner("lucid-relay")

// Relay watches over the ledgers of all gateways. It is a manager's Runnable
// that runs on the leader only; make it with New.
type Relay struct {
	client  client.Client
	ledgers *ledgers.Ledgers
	// Chains and Pools receive the objects to look at; the controllers of these
	// kinds take them as sources.
	Chains chan event.GenericEvent
	Pools  chan event.GenericEvent

	workers map[types.NamespacedName]*worker
}

// New returns a Relay. The client's cache must be indexed by IndexChains.
func New(c client.Client, books *ledgers.Ledgers) *Relay {
	return &Relay{
		client: c, ledgers: books, workers: map[types.NamespacedName]*worker{},
		Chains: make(chan event.GenericEvent, queueSize),
		Pools:  make(chan event.GenericEvent, queueSize),
	}
}

// Start implements manager.Runnable: it runs until ctx ends.
func (r *Relay) Start(ctx context.Context) error {
	ticker := time.NewTicker(gatewaysEvery)
	defer ticker.Stop()
	for {
		r.follow(ctx)
		select {
		case <-ctx.Done():
			r.stopAll()
			return nil
		case <-ticker.C:
		}
	}
}

// follow keeps one worker per gateway whose ledger can be found. A gateway
// whose database moved gets a new one.
func (r *Relay) follow(ctx context.Context) {
	var gateways lucidv1.LucidGatewayList
	if err := r.client.List(ctx, &gateways); err != nil {
		if ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "the gateways can't be listed")
		}
		return
	}
	present := map[types.NamespacedName]bool{}
	for i := range gateways.Items {
		gateway := &gateways.Items[i]
		opened, err := r.ledgers.For(ctx, r.client, gateway)
		if err != nil || !gateway.DeletionTimestamp.IsZero() {
			continue // the gateway's own condition says what is missing
		}
		key := client.ObjectKeyFromObject(gateway)
		present[key] = true
		if running := r.workers[key]; running == nil || running.store != opened {
			running.stop()
			r.workers[key] = r.start(ctx, key, opened)
		}
	}
	for key, running := range r.workers {
		if !present[key] {
			running.stop()
			delete(r.workers, key)
		}
	}
}

func (r *Relay) stopAll() {
	for _, running := range r.workers {
		running.stop()
	}
	clear(r.workers)
}

// worker serves one gateway.
type worker struct {
	relay   *Relay
	gateway types.NamespacedName
	store   *store.Store
	chains  *chain.Service
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

func (r *Relay) start(ctx context.Context, gateway types.NamespacedName, opened *store.Store) *worker {
	ctx, cancel := context.WithCancel(log.IntoContext(ctx, log.FromContext(ctx).WithValues("gateway", gateway.String())))
	w := &worker{
		relay: r, gateway: gateway, store: opened, cancel: cancel,
		chains: &chain.Service{Store: opened, Market: market.New(opened, market.Options{Rate: r.rate(ctx, gateway)})},
	}
	events := &outbox.Relay{Store: opened, Handle: w.handle, Every: outboxEvery, Log: log.FromContext(ctx)}
	w.done.Go(func() {
		if err := events.Run(ctx); err != nil {
			log.FromContext(ctx).Error(err, "the outbox is not read any more")
		}
	})
	w.done.Go(func() { repeat(ctx, dueEvery, "due launches", w.launchDue) })
	w.done.Go(func() { repeat(ctx, poolsEvery, "changed pools", newProjection(w).look) })
	return w
}

// rate is the gateway's CNPY/USD rate, zero while it can't be read: a launch that is
// due opens with its creator's trade, which bears the rate of its moment.
func (r *Relay) rate(ctx context.Context, key types.NamespacedName) func() money.Ratio {
	return func() money.Ratio {
		var gateway lucidv1.LucidGateway
		if err := r.client.Get(ctx, key, &gateway); err != nil {
			return money.Ratio{}
		}
		rate, err := money.ParseRatio(cmp.Or(gateway.Spec.Market.CNPYUSDRate, "1"))
		if err != nil {
			return money.Ratio{} // the gateway's own condition says so
		}
		return rate
	}
}

// stop ends a worker and waits for it. A nil worker is none.
func (w *worker) stop() {
	if w == nil {
		return
	}
	w.cancel()
	w.done.Wait()
}

func (w *worker) launchDue(ctx context.Context) error {
	_, err := w.chains.LaunchDue(ctx)
	return err
}

// repeat runs step until ctx ends. A step that fails is logged once, until it
// goes well again: a database that is away for an hour is one line.
func repeat(ctx context.Context, every time.Duration, what string, step func(context.Context) error) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	failing := false
	for {
		err := step(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "the ledger can't be asked; trying on", "for", what)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
