package bridge_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/bridgetest"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// What is seen after the deadline still closes, if it happened before it.
func TestCloseBeatsReset(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(1000*unit), uuid.New()
		o := w.offer(seller, 1000, 50, "0xa")
		swap := w.swap(buyer, 1000)
		w.pass(window)
		w.chain.Pay(w.now, "0xa", swap.Locks[0].Pay) // in the deadline's own second
		w.pass(time.Hour)
		w.chain.Mine(w.now)
		w.look() // one look sees the payment and that the deadline is past
		if got := w.order(o.ID).Status; got != bridge.Closed || w.holds(buyer) != 1000*unit {
			w.t.Errorf("the order is %s, the buyer holds %s", got, w.holds(buyer))
		}
	})
}

// Our own clock resets nothing: the chain may hold a payment that nobody has seen.
func TestNoResetBeforeTheChainIsPastTheDeadline(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(1000*unit), uuid.New()
		o := w.offer(seller, 1000, 50, "0xa")
		swap := w.swap(buyer, 1000)
		w.pass(10 * time.Hour)
		w.look()
		w.chain.Mine(swap.Deadline) // a later block may bear the same second
		w.look()
		if got := w.order(o.ID).Status; got != bridge.Locked {
			w.t.Fatalf("the order is %s", got)
		}
		w.chain.Pay(swap.Deadline, "0xa", swap.Locks[0].Pay)
		w.look()
		if got := w.order(o.ID).Status; got != bridge.Closed || w.holds(buyer) != 1000*unit {
			w.t.Errorf("the order is %s", got)
		}
	})
}

// A late payment is the first buyer's, and earns nobody anything: not even the
// second one, who holds the same order at the same address.
func TestLatePaymentsAreNobodyElses(t *testing.T) {
	each(t, func(w *world) {
		seller, first, second := w.rich(1000*unit), uuid.New(), uuid.New()
		o := w.offer(seller, 1000, 50, "0xa")
		missed := w.swap(first, 1000)
		w.expire()
		if after, _ := w.swapNow(missed); after.Status != bridge.SwapExpired || w.order(o.ID).Status != bridge.Open {
			w.t.Fatalf("the swap is %s", after.Status)
		}
		w.pass(2 * time.Minute)
		taken := w.swap(second, 1000)
		w.pass(2 * time.Minute)
		w.pay(missed.Locks[0])
		if w.holds(first) != 0 || w.holds(second) != 0 || w.order(o.ID).Status != bridge.Locked {
			w.t.Errorf("a late payment moved something: %s, %s", w.holds(first), w.holds(second))
		}
		_, receipts := w.swapNow(missed)
		wantOutcomes(w.t, receipts, bridge.PaymentLate)
		_, receipts = w.swapNow(taken)
		wantOutcomes(w.t, receipts)
		w.pay(taken.Locks[0])
		if w.holds(second) != 1000*unit {
			w.t.Errorf("the second buyer holds %s", w.holds(second))
		}
	})
}

// Whatever arrives at a seller's address is kept and shown.
func TestPaymentsAreNeverLost(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(1000*unit), uuid.New()
		o := w.offer(seller, 1000, 50, "0xa")
		swap := w.swap(buyer, 1000)
		pay := swap.Locks[0].Pay
		w.pass(time.Minute)
		// A row a payment: how much it differs, and what comes of it.
		for _, more := range []money.Amount{-50 * unit / 2, -1, +1, +1000 * unit} {
			w.chain.Pay(w.now, "0xa", pay+more)
		}
		w.chain.Pay(w.now, "0xnobody", pay)
		w.look()
		if got := w.order(o.ID).Status; got != bridge.Locked || w.holds(buyer) != 0 {
			w.t.Errorf("only the exact amount closes: the order is %s", got)
		}
		w.pay(swap.Locks[0])
		w.pay(swap.Locks[0]) // another transaction of the same amount
		_, receipts := w.swapNow(swap)
		u, c, r := bridge.PaymentUnmatched, bridge.PaymentClosed, bridge.PaymentRepeated
		wantOutcomes(w.t, receipts, u, u, u, u, c, r)
		_, receipts, err := w.book.OrderOf(w.t.Context(), seller, o.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		wantOutcomes(w.t, receipts, u, u, u, u, c, r)
		if w.holds(buyer) != 1000*unit {
			w.t.Errorf("the order was paid twice and closed once: the buyer holds %s", w.holds(buyer))
		}
	})
}

// A payment of before the lock can't be claimed by whoever locks the order next.
func TestPaymentsOfBeforeTheLockCount(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	seller, buyer := w.rich(1000*unit), uuid.New()
	w.offer(seller, 1000, 50, "0xa")
	early := w.now
	w.pass(10 * time.Minute)
	lock := w.swap(buyer, 1000).Locks[0]
	w.chain.Pay(early, "0xa", lock.Pay)
	w.look()
	if w.holds(buyer) != 0 {
		t.Fatal("somebody else's payment closed the order")
	}
	w.chain.Pay(w.now.Add(-30*time.Second), "0xa", lock.Pay)
	w.look()
	if w.holds(buyer) != 1000*unit {
		t.Error("a block that was begun a little before is no reason to lose a payment")
	}
	w.mustBeClean()
}

// A transaction that is told twice, by whatever fault of a node, counts once.
func TestPaymentsCountOnce(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(2000*unit), uuid.New()
		w.offer(seller, 1000, 50, "0xa")
		lock := w.swap(buyer, 1000).Locks[0]
		told := bridge.Payment{TxHash: "0x01", LogIndex: 7, From: "0xb", To: "0xa", Amount: lock.Pay}
		w.chain.Mine(w.now, told, told)
		w.look()
		w.chain.Mine(w.now, told)
		w.look()
		if w.holds(buyer) != 1000*unit {
			w.t.Errorf("the buyer holds %s", w.holds(buyer))
		}
		told.LogIndex++
		w.chain.Mine(w.now, told)
		w.look()
		swaps, _, err := w.book.Swaps(w.t.Context(), buyer, "", bridge.Page{Number: 1, Size: 1})
		if err != nil {
			w.t.Fatal(err)
		}
		_, receipts := w.swapNow(swaps[0])
		wantOutcomes(w.t, receipts, bridge.PaymentClosed, bridge.PaymentRepeated)
	})
}

// Two pods that see the same payments at the same time write them once, with or
// without the lease.
func TestManyPodsCloseOnce(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(5000*unit), uuid.New()
		var locks []bridge.Lock
		for range 5 {
			w.offer(seller, 1000, 50, "0xa")
		}
		locks = append(locks, w.swap(buyer, 5000).Locks...)
		for _, lock := range locks {
			w.chain.Pay(w.now, lock.Address, lock.Pay)
		}
		// Each pod is stopped inside of its look, and its lease taken away, until all
		// of them have seen the payments.
		const pods = 4
		inside, release := make(chan struct{}), make(chan struct{})
		w.chain.Gate(func() {
			inside <- struct{}{}
			<-release
		})
		errs := make(chan error, pods)
		for range pods {
			w.freeCursors()
			pod := w.pod()
			go func() { errs <- pod.Look(w.t.Context(), w.chain) }()
			<-inside
		}
		close(release)
		for range pods {
			if err := <-errs; err != nil {
				w.t.Error(err)
			}
		}
		if w.holds(buyer) != 5000*unit {
			w.t.Errorf("the buyer holds %s", w.holds(buyer))
		}
	})
}

// freeCursors is what time does to leases.
func (w *world) freeCursors() {
	w.t.Helper()
	if err := w.store.Exec(w.t.Context(), "UPDATE bridge_cursors SET holder = NULL"); err != nil {
		w.t.Fatal(err)
	}
}

// One pod looks, the others leave the node in peace until it goes.
func TestLease(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(1000*unit), uuid.New()
		w.offer(seller, 1000, 50, "0xa")
		lock := w.swap(buyer, 1000).Locks[0]
		w.chain.Pay(w.now, "0xa", lock.Pay)
		other := w.pod()
		if err := other.Look(w.t.Context(), w.chain); err != nil || w.holds(buyer) != 0 {
			w.t.Errorf("the first pod has the lease: %v", err)
		}
		ctx, stop := context.WithCancel(w.t.Context())
		stop()
		if err := w.book.Run(ctx); err != nil { // which gives the lease back
			w.t.Fatal(err)
		}
		if err := other.Look(w.t.Context(), w.chain); err != nil || w.holds(buyer) != 1000*unit {
			w.t.Errorf("the second pod goes on: %v", err)
		}
	})
}

// A node that is down resets nothing and loses nothing.
func TestChainsThatCannotBeSeen(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	seller, buyer := w.rich(1000*unit), uuid.New()
	o := w.offer(seller, 1000, 50, "0xa")
	lock := w.swap(buyer, 1000).Locks[0]
	w.chain.Pay(w.now, "0xa", lock.Pay)
	down := errors.New("connection refused")
	w.chain.Fail(down)
	w.pass(time.Hour)
	if err := w.book.Look(t.Context(), w.chain); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
	if got := w.order(o.ID).Status; got != bridge.Locked {
		t.Errorf("the order is %s", got)
	}
	w.chain.Fail(nil)
	w.chain.Mine(w.now)
	w.look()
	if w.holds(buyer) != 1000*unit {
		t.Error("the payment was lost")
	}
	fresh := bridgetest.NewChain(usdc, w.now)
	fresh.Fail(down)
	if err := w.book.Look(t.Context(), fresh); !errors.Is(err, down) {
		t.Errorf("a mark can't be set on a chain that can't be seen: %v", err)
	}
	// A node that lags behind another one takes nothing back.
	if err := w.book.Look(t.Context(), bridgetest.NewChain(usdt, w.now)); err != nil {
		t.Error(err)
	}
	w.mustBeClean()
}

// Run goes on looking, past failures, and counts.
func TestRun(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	registry := prometheus.NewRegistry()
	book := bridge.New(w.store, bridge.Options{
		Witnesses:  func() []bridge.Witness { return []bridge.Witness{w.chain} },
		Registerer: registry,
	})
	w.freeCursors()
	seller, buyer := w.rich(1000*unit), uuid.New()
	w.offer(seller, 1000, 50, "0xa")
	lock := w.swap(buyer, 1000).Locks[0]
	w.chain.Pay(w.now, "0xa", lock.Pay)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- book.Run(ctx) }()
	for range 1000 {
		if w.holds(buyer) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil || w.holds(buyer) != 1000*unit {
		t.Errorf("%v, the buyer holds %s", err, w.holds(buyer))
	}
	count, err := testutil.GatherAndCount(registry, "lucid_bridge_payments_total", "lucid_bridge_looks_total", "lucid_bridge_seen_timestamp_seconds")
	if err != nil || count != 3 {
		t.Errorf("%d series, %v", count, err)
	}
}
