package chain_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func TestLaunchMovesAllAtOnce(t *testing.T) {
	each(t, func(w *world) {
		creator := w.user(1_000 * money.Unit)
		c := w.launched("Rocket", creator, func(s *chain.Spec) { s.CreatorInitialPurchase = units(500) })
		if c.Status != chain.VirtualActive || c.ActualLaunchTime == nil || !w.get(c.ID).ActualLaunchTime.Equal(*c.ActualLaunchTime) {
			w.t.Errorf("launched: %+v", c)
		}
		if got := w.balance(creator, ledger.CNPY); got != 400*money.Unit {
			w.t.Errorf("1000 less the fee of 100 and the purchase of 500 is 400, got %s", got)
		}
		// floor(495 × 800 000 000 / 10 495), in millionths.
		if got := w.balance(creator, c.ID); got.String() != "37732253.454025" {
			w.t.Errorf("the first purchase bought %s", got)
		}
		pool, err := w.store.Queries().GetPoolOfChain(w.t.Context(), c.ID)
		if err != nil || pool.Version != 1 || pool.Trading != "enabled" || money.Amount(pool.CnpyReserve) != 10_495*money.Unit {
			w.t.Errorf("the pool after it: %+v, %v", pool, err)
		}
		if events := w.events(c.ID); !slices.Equal(events, []string{"chain.created", "chain.launched"}) {
			w.t.Errorf("events: %v", events)
		}
		w.clean()
	})
}

func TestLaunchRefusalsChangeNothing(t *testing.T) {
	each(t, func(w *world) {
		poor, other := w.user(99*money.Unit), uuid.New()
		draft := w.draft("Poor", poor)
		_, err := w.chains.Launch(w.t.Context(), draft.ID, poor, nil)
		w.refused("the fee must be there", err, fault.Unprocessable, "Insufficient CNPY balance for the creation fee of 100")
		eager := w.user(300 * money.Unit)
		greedy := w.draft("Greedy", eager, func(s *chain.Spec) { s.CreatorInitialPurchase = units(201) })
		_, err = w.chains.Launch(w.t.Context(), greedy.ID, eager, nil)
		w.refused("the first purchase must be there too", err, fault.Unprocessable, "")
		if got := w.balance(eager, ledger.CNPY); got != 300*money.Unit {
			w.t.Errorf("the fee was taken for nothing: %s left", got)
		}
		_, err = w.chains.Launch(w.t.Context(), draft.ID, other, nil)
		w.refused("another's draft is not there", err, fault.NotFound, "Chain not found")
		declared, err := w.chains.Declare(w.t.Context(), uuid.New(), chain.Spec{ChainName: "D", TokenSymbol: "D"})
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = w.chains.Launch(w.t.Context(), declared.ID, other, nil)
		w.refused("another's chain", err, fault.Forbidden, "Access denied")
		for _, id := range []uuid.UUID{draft.ID, greedy.ID} {
			if got := w.get(id); got.Status != chain.Draft || got.ActualLaunchTime != nil || len(w.events(id)) != 1 {
				w.t.Errorf("a refused launch left traces: %+v", got)
			}
		}
		w.clean()
	})
}

// The platform declares chains without owing itself a fee, and launching again
// is no error to the operator.
func TestLaunchDeclared(t *testing.T) {
	each(t, func(w *world) {
		id := uuid.New()
		if _, err := w.chains.Declare(w.t.Context(), id, chain.Spec{ChainName: "Platform", TokenSymbol: "P"}); err != nil {
			w.t.Fatal(err)
		}
		for range 2 {
			c, err := w.chains.LaunchDeclared(w.t.Context(), id, nil)
			if err != nil || c.Status != chain.VirtualActive {
				w.t.Errorf("launch: %+v, %v", c, err)
			}
		}
		if events := w.events(id); !slices.Equal(events, []string{"chain.launched"}) {
			w.t.Errorf("one launch, one event: %v", events)
		}
		_, err := w.chains.LaunchDeclared(w.t.Context(), uuid.New(), nil)
		w.refused("a chain that there is not", err, fault.NotFound, "Chain not found")
		w.clean()
	})
}

// However many launch one chain, it launches once and costs one fee.
func TestConcurrentLaunch(t *testing.T) {
	each(t, func(w *world) {
		creator := w.user(1_000 * money.Unit)
		d := w.draft("Once", creator)
		var launched, refused atomic.Int64
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				_, err := w.chains.Launch(w.t.Context(), d.ID, creator, nil)
				switch {
				case err == nil:
					launched.Add(1)
				case fault.Is(err, fault.Unprocessable):
					refused.Add(1)
				default:
					w.t.Errorf("want Unprocessable, got %v", err)
				}
			})
		}
		group.Wait()
		if launched.Load() != 1 || refused.Load() != 5 {
			w.t.Errorf("%d launched, %d refused", launched.Load(), refused.Load())
		}
		if got := w.balance(creator, ledger.CNPY); got != 900*money.Unit {
			w.t.Errorf("one fee of 100 was due, %s are left", got)
		}
		if events := w.events(d.ID); !slices.Equal(events, []string{"chain.created", "chain.launched"}) {
			w.t.Errorf("events: %v", events)
		}
		w.clean()
	})
}

// failing is a market that can't open pools.
type failing struct{ err error }

func (f failing) OpenTx(context.Context, *db.Queries, chain.Opening) error { return f.err }

func TestLaunchIsUndoneWhenThePoolCannotOpen(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	broken := errors.New("no pool today")
	w.chains.Market = failing{broken}
	creator := w.user(1_000 * money.Unit)
	d := w.draft("Undone", creator)
	if _, err := w.chains.Launch(t.Context(), d.ID, creator, nil); !errors.Is(err, broken) {
		t.Errorf("want the market's error, got %v", err)
	}
	if got := w.get(d.ID); got.Status != chain.Draft || w.balance(creator, ledger.CNPY) != 1_000*money.Unit {
		t.Errorf("all of it must be undone: %+v", got)
	}
	w.clean()
}
