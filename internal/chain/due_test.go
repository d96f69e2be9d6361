package chain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// scheduled is a draft whose launch is set for an hour from now.
func (w *world) scheduled(name string, by uuid.UUID) (chain.Chain, time.Time) {
	w.t.Helper()
	at := w.clock.Add(time.Hour).Truncate(time.Microsecond)
	c, err := w.chains.Launch(w.t.Context(), w.draft(name, by).ID, by, &at)
	if err != nil || c.Status != chain.PendingLaunch || c.ActualLaunchTime != nil {
		w.t.Fatalf("a launch in the future is pending: %+v, %v", c, err)
	}
	return c, at
}

func (w *world) due(want int, why string) {
	w.t.Helper()
	if n, err := w.chains.LaunchDue(w.t.Context()); n != want || err != nil {
		w.t.Errorf("%s: %d launched, want %d, %v", why, n, want, err)
	}
}

func (w *world) fund(user uuid.UUID, cnpy money.Amount) {
	w.t.Helper()
	if _, err := ledger.Faucet(w.t.Context(), w.store, user, cnpy); err != nil {
		w.t.Fatal(err)
	}
}

func TestScheduledLaunch(t *testing.T) {
	each(t, func(w *world) {
		rich, poor := w.user(200*money.Unit), w.user(10*money.Unit)
		on, at := w.scheduled("On time", rich)
		off, _ := w.scheduled("Broke", poor)
		w.due(0, "nothing is due yet")
		if c, err := w.chains.LaunchDeclared(w.t.Context(), on.ID, &at); err != nil || len(w.events(c.ID)) != 2 {
			w.t.Errorf("the operator's repetition of a schedule writes nothing: %v, %v", err, w.events(on.ID))
		}
		w.clock = at.Add(time.Second)
		w.due(1, "one of two could pay")
		if got := w.get(on.ID); got.Status != chain.VirtualActive || got.ActualLaunchTime.Before(at) {
			w.t.Errorf("launched when due: %+v", got)
		}
		if got := w.get(off.ID); got.Status != chain.PendingLaunch || got.FailureReason == "" {
			w.t.Errorf("who can't pay stays pending and says why: %+v", got)
		}
		w.fund(poor, 100*money.Unit)
		w.due(0, "a refused launch is left alone for a moment")
		w.clock = w.clock.Add(3 * time.Second)
		w.due(1, "and launches once he can pay")
		if got := w.get(off.ID); got.Status != chain.VirtualActive || got.FailureReason != "" {
			w.t.Errorf("with the reason gone: %+v", got)
		}
		w.clean()
	})
}

// A hundred chains that can never be paid for were due first; the one that can
// must not wait for them.
func TestUnpayableLaunchesDoNotBlockOthers(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	broke := []uuid.UUID{w.user(money.Unit), w.user(money.Unit)}
	for i := range 101 {
		w.scheduled(fmt.Sprintf("Broke %d", i), broke[i%2])
		w.clock = w.clock.Add(time.Second)
	}
	payable, last := w.scheduled("Payable", w.user(100*money.Unit))
	w.clock = last
	w.due(1, "all were tried, and one could pay")
	if got := w.get(payable.ID); got.Status != chain.VirtualActive {
		t.Errorf("the chain that could be paid for is %s", got.Status)
	}
	late, at := w.scheduled("Later", w.user(100*money.Unit))
	w.clock = at.Add(10 * time.Minute)
	w.due(1, "nor when all of them are due for another attempt")
	if got := w.get(late.ID); got.Status != chain.VirtualActive {
		t.Errorf("the later chain is %s", got.Status)
	}
	w.clean()
}

// Each attempt is further from the last, the reason is announced once, and after
// a day the launch has failed.
func TestRefusedLaunchBacksOffAndFails(t *testing.T) {
	each(t, func(w *world) {
		c, at := w.scheduled("Hopeless", w.user(money.Unit))
		w.clock = at
		attempts := 0
		for ; w.get(c.ID).Status == chain.PendingLaunch && attempts < 1_000; attempts++ {
			w.due(0, "it can't be paid for")
			next := w.next(c.ID)
			if next == nil {
				break
			}
			if wait := next.Sub(w.clock); wait < 2*time.Second || wait > 10*time.Minute {
				w.t.Fatalf("the next attempt is in %s", wait)
			}
			w.clock = *next
		}
		if late := w.clock.Sub(at); late < 24*time.Hour || late > 25*time.Hour || attempts > 200 {
			w.t.Errorf("it was given up after %s and %d attempts", late, attempts)
		}
		got := w.get(c.ID)
		if got.Status != chain.Failed || !strings.Contains(got.FailureReason, "creation fee of 100") {
			w.t.Errorf("it failed and says why: %s, %q", got.Status, got.FailureReason)
		}
		want := []string{"chain.created", "chain.launched", "launch.refused", "chain.failed"}
		if events := w.events(c.ID); !slices.Equal(events, want) {
			w.t.Errorf("events %v, want %v", events, want)
		}
		w.due(0, "nobody tries again")
		if err := w.chains.Remove(w.t.Context(), c.ID); err != nil {
			w.t.Errorf("the operator may remove a chain that failed before it launched: %v", err)
		}
		_, err := w.chains.Get(w.t.Context(), c.ID)
		w.refused("it is gone", err, fault.NotFound, "Chain not found")
	})
}

// next is when a launch is tried again, nil where nobody does.
func (w *world) next(id uuid.UUID) *time.Time {
	w.t.Helper()
	row, err := w.store.Queries().GetChain(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	if row.Status != string(chain.PendingLaunch) {
		return nil
	}
	return row.NextLaunchAttempt
}

// Whoever sets another time starts over: no reason, no waiting, another day.
func TestSchedulingAnew(t *testing.T) {
	each(t, func(w *world) {
		creator := w.user(money.Unit)
		c, at := w.scheduled("Anew", creator)
		w.clock = at.Add(23 * time.Hour)
		w.due(0, "it can't be paid for")
		later := w.clock.Add(5 * time.Second)
		again, err := w.chains.Launch(w.t.Context(), c.ID, creator, &later)
		if err != nil || again.FailureReason != "" {
			w.t.Fatalf("schedule anew: %+v, %v", again, err)
		}
		w.fund(creator, 200*money.Unit)
		w.clock = later
		w.due(1, "the old attempt's pause is forgotten")
	})
}

func TestCancelLaunch(t *testing.T) {
	each(t, func(w *world) {
		creator := w.user(1_000 * money.Unit)
		c, at := w.scheduled("Cancelled", creator)
		_, err := w.chains.CancelLaunch(w.t.Context(), c.ID, uuid.New())
		w.refused("a pending launch is public, and still its creator's", err, fault.Forbidden, "Access denied")
		back, err := w.chains.CancelLaunch(w.t.Context(), c.ID, creator)
		if err != nil || back.Status != chain.Draft || back.ScheduledLaunchTime != nil {
			w.t.Fatalf("cancelled, it is a draft again: %+v, %v", back, err)
		}
		w.clock = at.Add(time.Minute)
		w.due(0, "nothing is scheduled any more")
		_, err = w.chains.CancelLaunch(w.t.Context(), c.ID, creator)
		w.refused("there is nothing to cancel", err, fault.Unprocessable, "The chain has no scheduled launch to cancel")
		if events := w.events(c.ID); !slices.Equal(events, []string{"chain.created", "chain.launched", "launch.cancelled"}) {
			w.t.Errorf("events: %v", events)
		}
		if launched, err := w.chains.Launch(w.t.Context(), c.ID, creator, nil); err != nil || launched.Status != chain.VirtualActive {
			w.t.Errorf("and can be launched: %+v, %v", launched, err)
		}
		_, err = w.chains.CancelLaunch(w.t.Context(), c.ID, creator)
		w.refused("what has launched can't be cancelled", err, fault.Unprocessable, "")
		_, err = w.chains.CancelLaunch(w.t.Context(), uuid.New(), creator)
		w.refused("a chain that there is not", err, fault.NotFound, "Chain not found")
	})
}

// A creator has at most a hundred chains open; launching or deleting one makes room.
func TestOpenChainsAreBounded(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	creator := w.user(1_000 * money.Unit)
	first, _ := w.scheduled("Open 0", creator)
	for i := 1; i < 100; i++ {
		w.draft(fmt.Sprintf("Open %d", i), creator)
	}
	create := func() error {
		_, err := w.chains.Create(t.Context(), chain.Spec{ChainName: "One more", TokenSymbol: "TOK", CreatedBy: creator})
		return err
	}
	w.refused("the hundred and first", create(), fault.Unprocessable,
		"You have 100 chains that have not launched; launch one or delete a draft before you create another")
	w.draft("Another's", w.user(0))
	if _, err := w.chains.Declare(t.Context(), uuid.New(), chain.Spec{ChainName: "Declared", TokenSymbol: "D", CreatedBy: creator}); err != nil {
		t.Errorf("a declaration is an object already: %v", err)
	}
	if _, err := w.chains.Launch(t.Context(), first.ID, creator, nil); err != nil {
		t.Fatal(err)
	}
	w.refused("the declared one took the room", create(), fault.Unprocessable, "")
	list, _, err := w.chains.List(t.Context(), chain.Filter{Status: chain.Draft, CreatedBy: &creator}, chain.Page{Number: 1, Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.chains.Delete(t.Context(), list[0].ID, creator); err != nil {
		t.Fatal(err)
	}
	if err := create(); err != nil {
		t.Errorf("a deleted draft makes room: %v", err)
	}
}

// Two pods look for due launches at the same moment: the chain launches once. What
// is no refusal is passed on and tried again as well.
func TestLaunchDueOnTwoPods(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	creator := w.user(1_000 * money.Unit)
	c, at := w.scheduled("By itself", creator)
	w.clock = at
	opener := w.chains.Market
	broken := errors.New("no pool today")
	w.chains.Market = failing{broken}
	if _, err := w.chains.LaunchDue(t.Context()); !errors.Is(err, broken) {
		t.Errorf("want the market's error, got %v", err)
	}
	if got := w.get(c.ID); got.Status != chain.PendingLaunch || got.FailureReason != "" || w.next(c.ID) == nil {
		t.Errorf("an error of ours is not the creator's to read: %+v", got)
	}
	w.chains.Market, w.clock = opener, at.Add(time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, err := w.chains.LaunchDue(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if events := w.events(c.ID); !slices.Equal(events, []string{"chain.created", "chain.launched", "chain.launched"}) {
		t.Errorf("scheduled once and launched once: %v", events)
	}
	w.clean()
}
