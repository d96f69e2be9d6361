package bridge_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
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
		wantOutcomes(w.t, receipts, r, c, u, u, u, u)
		_, receipts, err := w.book.OrderOf(w.t.Context(), seller, o.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		wantOutcomes(w.t, receipts, r, c, u, u, u, u)
		if w.holds(buyer) != 1000*unit {
			w.t.Errorf("the order was paid twice and closed once: the buyer holds %s", w.holds(buyer))
		}
	})
}

// A payment of before the lock can't be claimed by whoever locks the order next, also
// when it is read only afterwards.
func TestPaymentsOfBeforeTheLock(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(2000*unit), uuid.New()
		w.offer(seller, 1000, 50, "0xa")
		w.offer(seller, 1000, 70, "0xa")
		first := w.swap(uuid.New(), 1000) // whose address is watched
		w.chain.Slice(1)
		w.chain.Mine(w.now)
		w.chain.Mine(w.now)
		// The look notes that four blocks are final, and reads the first of them.
		w.lookOnce()
		lock := w.swap(buyer, 1000).Locks[0]
		w.chain.Insert(3, lock.Address, lock.Pay)
		w.look()
		if w.holds(buyer) != 0 {
			w.t.Fatal("somebody else's payment closed the order")
		}
		w.pay(lock)
		if w.holds(buyer) != 1000*unit {
			w.t.Error("the buyer's own payment is in time")
		}
		_, receipts := w.swapNow(first)
		wantOutcomes(w.t, receipts, bridge.PaymentUnmatched)
	})
}

// lookOnce is a look with time for one slice.
func (w *world) lookOnce() {
	w.t.Helper()
	read := 0
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.chain.Gate(func() {
		if read++; read > 1 {
			cancel()
		}
	})
	if err := w.book.Look(ctx, w.chain); !errors.Is(err, context.Canceled) {
		w.t.Fatalf("the look was not cut short: %v", err)
	}
	w.chain.Gate(nil)
}

// Our clock says nothing of when somebody paid: whether it is fast or slow, a prompt
// payment counts.
func TestClocksThatAreWrong(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Hour, -window / 2, window / 2, 10 * time.Hour} {
		w := newWorld(t, storetest.Open(t))
		seller, buyer := w.rich(1000*unit), uuid.New()
		w.offer(seller, 1000, 50, "0xa")
		chainNow := w.now
		w.pass(off)
		swap := w.swap(buyer, 1000)
		if swap.Deadline.Before(chainNow.Add(window)) {
			t.Errorf("%s: the deadline is %s, which leaves the buyer %s", off, swap.Deadline, swap.Deadline.Sub(chainNow))
		}
		w.chain.Pay(chainNow.Add(30*time.Second), "0xa", swap.Locks[0].Pay)
		w.look()
		if w.holds(buyer) != 1000*unit {
			t.Errorf("with a clock that is off by %s a prompt payment is lost", off)
		}
		w.mustBeClean()
	}
}

// A backlog is worked off slice by slice: what was settled before a failure stays so,
// and is not asked for again.
func TestBacklogIsReadInSlices(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(3000*unit), uuid.New()
		for range 3 {
			w.offer(seller, 1000, 50, "0xa")
		}
		locks := w.swap(buyer, 3000).Locks
		for _, lock := range locks {
			w.chain.Mine(w.now)
			w.chain.Pay(w.now, lock.Address, lock.Pay)
		}
		w.chain.Slice(2)
		slices := 0
		down := errors.New("connection refused")
		w.chain.Gate(func() {
			if slices++; slices == 3 {
				w.chain.Fail(down)
			}
		})
		if err := w.book.Look(w.t.Context(), w.chain); !errors.Is(err, down) || w.holds(buyer) != 2000*unit {
			w.t.Errorf("two slices were read before %v, the buyer holds %s", err, w.holds(buyer))
		}
		w.chain.Fail(nil)
		w.look()
		if slices != 4 || w.holds(buyer) != 3000*unit {
			w.t.Errorf("%d slices, the buyer holds %s", slices, w.holds(buyer))
		}
	})
}

// Close beats reset from slice to slice too: a lock is reset by the slice that is past
// its deadline, which the one with the payment came before.
func TestCloseBeatsResetAcrossSlices(t *testing.T) {
	each(t, func(w *world) {
		seller, paid, unpaid := w.rich(2000*unit), uuid.New(), uuid.New()
		w.offer(seller, 1000, 50, "0xa")
		w.offer(seller, 1000, 60, "0xb")
		swap, missed := w.swap(paid, 1000), w.swap(unpaid, 1000)
		w.chain.Slice(1)
		w.pass(window)
		w.chain.Pay(w.now, "0xa", swap.Locks[0].Pay)
		w.pass(watched)
		w.chain.Mine(w.now)
		w.pass(time.Hour)
		w.chain.Pay(w.now, "0xb", missed.Locks[0].Pay)
		w.look()
		if w.holds(paid) != 1000*unit || w.holds(unpaid) != 0 {
			w.t.Errorf("the buyers hold %s and %s", w.holds(paid), w.holds(unpaid))
		}
		if after, _ := w.swapNow(missed); after.Status != bridge.SwapExpired {
			w.t.Errorf("the unpaid swap is %s", after.Status)
		}
	})
}

// watched is for how long an address is watched after a lock's deadline.
const watched = 7 * 24 * time.Hour

// Only addresses to which somebody was told to pay are watched: whoever pays one
// without a lock has it from the seller, not from here.
func TestWatchedAddresses(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	seller := w.rich(2000 * unit)
	free := w.offer(seller, 1000, 90, "0xfree")
	w.offer(seller, 1000, 50, "0xa")
	swap := w.swap(uuid.New(), 1000)
	steps := []struct {
		reason string
		pass   time.Duration
		seen   bool
	}{
		{"read a week after the deadline all at once", window + watched - time.Second, true},
		{"not a week after the deadline", time.Second, true},
		{"no longer", time.Second, false},
	}
	want := 0
	for _, step := range steps {
		w.pass(step.pass)
		w.chain.Pay(w.now, "0xa", unit)
		w.chain.Pay(w.now, "0xfree", unit)
		w.look()
		if step.seen {
			want++
		}
		_, receipts, err := w.book.OrderOf(t.Context(), seller, swap.Locks[0].OrderID)
		if err != nil || len(receipts) != want {
			t.Errorf("%s: %d payments are seen, want %d, %v", step.reason, len(receipts), want, err)
		}
	}
	if _, receipts, err := w.book.OrderOf(t.Context(), seller, free.ID); err != nil || len(receipts) != 0 {
		t.Errorf("nobody was told to pay there: %+v, %v", receipts, err)
	}
	w.mustBeClean()
}

// Dust crowds out nothing: what closed a lock, was late or came twice is shown, and of
// the rest the newest.
func TestDustHidesNoPayment(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(1000*unit), uuid.New()
		o := w.offer(seller, 1000, 50, "0xa")
		swap := w.swap(buyer, 1000)
		dust := make([]bridge.Payment, 120)
		for i := range dust {
			dust[i] = bridge.Payment{From: "0xdust", To: "0xa", Amount: money.Amount(i + 1)}
		}
		w.chain.Mine(w.now, dust...)
		w.pass(time.Minute)
		w.pay(swap.Locks[0])
		w.pay(swap.Locks[0])
		w.pass(time.Minute)
		w.chain.Mine(w.now, dust...)
		w.look()
		_, ofSwap := w.swapNow(swap)
		_, ofOrder, err := w.book.OrderOf(w.t.Context(), seller, o.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		for name, receipts := range map[string][]bridge.Receipt{"swap": ofSwap, "order": ofOrder} {
			if len(receipts) != 102 || !receipts[0].At.Equal(w.now) {
				w.t.Fatalf("the %s shows %d payments, the first of %s", name, len(receipts), receipts[0].At)
			}
			wantOutcomes(w.t, receipts[100:], bridge.PaymentRepeated, bridge.PaymentClosed)
		}
	})
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
		wantOutcomes(w.t, receipts, bridge.PaymentRepeated, bridge.PaymentClosed)
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
	w.mustBeClean()
}

// A node that lags behind another one takes nothing back, and a look at it is not
// taken for one that read everything.
func TestNodesThatAreBehind(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.chain.Mine(w.now)
	w.look()
	registry, lines := prometheus.NewRegistry(), 0
	book := bridge.New(w.store, bridge.Options{
		Registerer: registry, Now: func() time.Time { return w.now },
		Logger: funcr.New(func(_, line string) {
			lines++
			if !strings.Contains(line, "the node is behind") || !strings.Contains(line, "USDT on ethereum") {
				t.Errorf("logged %s", line)
			}
		}, funcr.Options{}),
	})
	w.freeCursors()
	if err := book.Look(t.Context(), bridgetest.NewChain(usdt, w.now)); err != nil || lines != 1 {
		t.Errorf("%v, %d lines", err, lines)
	}
	if err := book.Look(t.Context(), w.chain); err != nil || lines != 1 {
		t.Errorf("%v, %d lines", err, lines)
	}
	wantLooks(t, registry, map[string]int{"behind": 1, "done": 1})
}

// A look that can't read everything in its time leaves the rest to the next one.
func TestLooksAreBounded(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	registry := prometheus.NewRegistry()
	book := bridge.New(w.store, bridge.Options{Registerer: registry, Now: func() time.Time { return w.now }})
	w.freeCursors()
	seller, buyer := w.rich(1000*unit), uuid.New()
	w.offer(seller, 1000, 50, "0xa")
	w.chain.Pay(w.now, "0xa", w.swap(buyer, 1000).Locks[0].Pay)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute-time.Second)
	defer stop()
	if err := book.Look(ctx, w.chain); err != nil {
		t.Fatal(err)
	}
	wantLooks(t, registry, map[string]int{"more": 1})
	if err := book.Look(t.Context(), w.chain); err != nil || w.holds(buyer) != 1000*unit {
		t.Errorf("%v, the buyer holds %s", err, w.holds(buyer))
	}
	wantLooks(t, registry, map[string]int{"more": 1, "done": 1})
	w.chain.Mine(w.now)
	w.chain.Slice(0)
	if err := book.Look(t.Context(), w.chain); err == nil {
		t.Error("a witness that reads nothing would be asked for ever")
	}
	w.chain.Slice(1)
	if err := book.Look(t.Context(), w.chain); err != nil {
		t.Error(err)
	}
	w.mustBeClean()
}

func wantLooks(t *testing.T, registry *prometheus.Registry, want map[string]int) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if family.GetName() == "lucid_bridge_looks_total" && label.GetName() == "result" {
					got[label.GetValue()] = int(m.GetCounter().GetValue())
				}
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("looks %v, want %v", got, want)
	}
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
