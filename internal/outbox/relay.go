package outbox

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

const (
	defaultEvery   = 100 * time.Millisecond
	batchSize      = 200
	workers        = 8
	handleTimeout  = 30 * time.Second
	firstBackoff   = 200 * time.Millisecond
	longestBackoff = 30 * time.Second
)

// Relay hands the outbox's events to Handle: per chain in order and one at a
// time, chains beside each other. An event is deleted once it is handled, so
// after a crash it may be handled again: Handle must be idempotent. A chain
// whose event fails is held back and tried again, ever more slowly, while the
// others go on.
type Relay struct {
	Store  *store.Store
	Handle func(context.Context, Event) error
	Every  time.Duration // how often an empty outbox is looked at; 100 ms by default
	Log    logr.Logger

	held map[uuid.UUID]hold
}

// hold keeps a failing chain out of the way until a moment.
type hold struct {
	until    time.Time
	failures int
}

// Run relays until ctx ends, which is the only reason for it to return. While
// the database is away it keeps trying.
func (r *Relay) Run(ctx context.Context) error {
	every := r.Every
	if every <= 0 {
		every = defaultEvery
	}
	r.held = map[uuid.UUID]hold{}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		// As long as events go through there may be more behind them.
		for r.drainOnce(ctx) > 0 && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// drainOnce handles the oldest event of each chain and returns how many went
// through.
func (r *Relay) drainOnce(ctx context.Context) int {
	heads, err := r.Store.Queries().OutboxHeads(ctx, db.OutboxHeadsParams{Held: r.heldBack(time.Now()), MaxRows: batchSize})
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Error(err, "the outbox can't be read")
		}
		return 0
	}
	results := make([]error, len(heads))
	var group sync.WaitGroup
	slots := make(chan struct{}, workers)
	for i, head := range heads {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			results[i] = r.deliver(ctx, eventOf(head))
		})
	}
	group.Wait()
	return r.settle(ctx, heads, results)
}

// settle notes which chains to hold back.
func (r *Relay) settle(ctx context.Context, heads []db.Outbox, results []error) int {
	delivered := 0
	for i, head := range heads {
		if results[i] == nil {
			delete(r.held, head.ChainID)
			delivered++
			continue
		}
		if ctx.Err() != nil {
			continue
		}
		failures := r.held[head.ChainID].failures + 1
		wait := backoff(failures)
		r.held[head.ChainID] = hold{until: time.Now().Add(wait), failures: failures}
		r.Log.Error(results[i], "an event could not be handled", "chain", head.ChainID, "kind", head.Kind,
			"seq", head.Seq, "failures", failures, "retryIn", wait.String())
	}
	return delivered
}

func (r *Relay) deliver(ctx context.Context, event Event) error {
	ctx, cancel := context.WithTimeout(ctx, handleTimeout)
	defer cancel()
	if err := r.Handle(ctx, event); err != nil {
		return fmt.Errorf("handle: %w", err)
	}
	_, err := r.Store.Queries().DeleteOutboxEvent(ctx, db.DeleteOutboxEventParams{ChainID: event.ChainID, Seq: event.Seq})
	if err != nil {
		return fmt.Errorf("delete the handled event: %w", err)
	}
	return nil
}

// heldBack lists the chains whose time has not come yet. One whose time has
// come keeps its count of failures until an event goes through.
func (r *Relay) heldBack(now time.Time) []uuid.UUID {
	chains := make([]uuid.UUID, 0, len(r.held))
	for chain, h := range r.held {
		if now.Before(h.until) {
			chains = append(chains, chain)
		}
	}
	return chains
}

func backoff(failures int) time.Duration {
	if failures > 8 {
		return longestBackoff
	}
	return min(longestBackoff, firstBackoff<<(failures-1))
}
