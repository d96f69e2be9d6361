package bridge_test

import (
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func TestSwapIsPaidFor(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(3000*unit), uuid.New()
		o := w.offer(seller, 3000, 150, "0xa")
		swap := w.swap(buyer, 5000)
		if len(swap.Locks) != 1 || swap.CNPY != 3000*unit || swap.Status != bridge.SwapPending || !swap.Deadline.Equal(w.now.Add(window)) {
			w.t.Fatalf("the swap is %+v", swap)
		}
		lock := swap.Locks[0]
		if lock.OrderID != o.ID || lock.Address != "0xa" || lock.Pay <= 150*unit || lock.Pay >= 150*unit+unit/100 || swap.Pay != lock.Pay {
			w.t.Errorf("the lock asks the ask and less than 0.01 more: %+v", lock)
		}
		w.pass(10 * time.Minute)
		w.pay(lock)
		if got := w.holds(buyer); got != 3000*unit {
			w.t.Errorf("the buyer holds %s", got)
		}
		after, receipts := w.swapNow(swap)
		if after.Status != bridge.SwapCompleted || after.Locks[0].Status != bridge.LockClosed {
			w.t.Errorf("the swap is %+v", after)
		}
		wantOutcomes(w.t, receipts, bridge.PaymentClosed)
		_, seen, err := w.book.OrderOf(w.t.Context(), seller, o.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		wantOutcomes(w.t, seen, bridge.PaymentClosed)
		if p := seen[0]; p.Amount != lock.Pay || p.To != "0xa" || p.From != "0xbuyer" || *p.LockID != lock.ID || p.Asset != usdt || p.Block != 2 || !p.At.Equal(w.now) {
			w.t.Errorf("the payment is kept as it was told: %+v", p)
		}
	})
}

// Best price first, the older of two, whole orders only, never one's own.
func TestSwapChoosesOrders(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	seller, buyer := w.rich(100_000*unit), w.rich(10_000*unit)
	w.offer(buyer, 1000, 1, "0xown")
	dear := w.offer(seller, 1000, 60, "0xa")
	large := w.offer(seller, 9000, 90, "0xb")
	older := w.offer(seller, 1000, 50, "0xc")
	w.pass(time.Second)
	younger := w.offer(seller, 1000, 50, "0xd")
	price := func(text string) *money.Slope {
		p, err := money.ParseSlope(text)
		if err != nil {
			t.Fatal(err)
		}
		return &p
	}
	swaps := []struct {
		reason string
		cnpy   money.Amount
		max    *money.Slope
		want   []bridge.Order
	}{
		{"the cheapest is too large, the older of the next goes first", 1999, nil, []bridge.Order{older}},
		{"a price limit keeps the dear one out", 5000, price("0.05"), []bridge.Order{younger}},
		{"whole orders: what is left is not filled in part", 9999, nil, []bridge.Order{large}},
	}
	for _, c := range swaps {
		r := wish(buyer, c.cnpy*unit)
		r.MaxPrice = c.max
		got, err := w.book.Swap(t.Context(), r)
		if err != nil || len(got.Locks) != len(c.want) {
			t.Errorf("%s: %+v, %v", c.reason, got, err)
			continue
		}
		for i, o := range c.want {
			if got.Locks[i].OrderID != o.ID {
				t.Errorf("%s: lock %d is on %s", c.reason, i, got.Locks[i].OrderID)
			}
		}
	}
	if rest := w.swap(uuid.New(), 100_000); len(rest.Locks) != 2 || rest.Locks[1].OrderID != dear.ID {
		t.Errorf("everybody else may buy the buyer's own: %+v", rest)
	}
	w.mustBeClean()
}

func TestSwapRefusals(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	zero := money.Slope(0)
	cases := []struct {
		reason string
		change func(*bridge.SwapRequest)
		kind   fault.Kind
		fields []string
	}{
		{"an empty book fits nobody", func(*bridge.SwapRequest) {}, fault.Unprocessable, nil},
		{"nothing is no wish", func(r *bridge.SwapRequest) { r.CNPY = 0 }, fault.Invalid, []string{"cnpy_amount"}},
		{"no price buys nothing", func(r *bridge.SwapRequest) { r.MaxPrice = &zero }, fault.Invalid, []string{"max_price"}},
		{"a network that nobody watches", func(r *bridge.SwapRequest) { r.Asset.Network = "tron" }, fault.Invalid, []string{"network"}},
		{"a chain that was never looked at would miss payments", func(r *bridge.SwapRequest) { r.Asset = usdc }, fault.Unavailable, nil},
		{"a key that no log can show", func(r *bridge.SwapRequest) { r.IdempotencyKey = "\x00" }, fault.Invalid, []string{"Idempotency-Key"}},
	}
	for _, c := range cases {
		r := wish(uuid.New(), 1000*unit)
		c.change(&r)
		_, err := w.book.Swap(t.Context(), r)
		t.Log(c.reason)
		wantFault(t, err, c.kind, c.fields...)
	}
	if _, err := bridge.New(w.store, bridge.Options{}).Swap(t.Context(), wish(uuid.New(), unit)); !fault.Is(err, fault.Invalid) {
		t.Errorf("a bridge without assets knows no network: %v", err)
	}
}

// Locks cost nothing, so that a buyer may hold only so many.
func TestPendingSwapsAreBounded(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	seller, buyer := w.rich(10_000*unit), uuid.New()
	for range bridge.MaxPendingSwaps + 1 {
		w.offer(seller, 1000, 50, "0xa")
	}
	var last bridge.Swap
	for range bridge.MaxPendingSwaps {
		last = w.swap(buyer, 1000)
	}
	_, err := w.book.Swap(t.Context(), wish(buyer, 1000*unit))
	wantFault(t, err, fault.Unprocessable)
	w.pay(last.Locks[0])
	w.swap(buyer, 1000)
	swaps, total, err := w.book.Swaps(t.Context(), buyer, bridge.SwapPending, bridge.Page{Number: 1, Size: 2})
	if err != nil || total != bridge.MaxPendingSwaps || len(swaps) != 2 || len(swaps[1].Locks) != 1 {
		t.Errorf("%d of %d swaps, %v", len(swaps), total, err)
	}
	_, _, err = w.book.SwapOf(t.Context(), seller, last.ID)
	wantFault(t, err, fault.Forbidden)
	_, _, err = w.book.SwapOf(t.Context(), buyer, uuid.New())
	wantFault(t, err, fault.NotFound)
}

// Whoever locks and does not pay can lock less and less, and then nothing until the
// first of what was not paid is a day old.
func TestUnpaidOrdersAreCounted(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(100_000*unit), uuid.New()
		for range 25 {
			w.offer(seller, 1000, 50, "0x"+uuid.NewString())
		}
		steps := []struct {
			reason string
			locks  int
		}{
			{"a swap holds as many as a swap may", 20},
			{"the next one what is left of the thirty", 10},
		}
		first := w.now.Add(window)
		for _, step := range steps {
			if swap := w.swap(buyer, 100_000); len(swap.Locks) != step.locks {
				w.t.Fatalf("%s: %d locks", step.reason, len(swap.Locks))
			}
			w.expire()
		}
		_, err := w.book.Swap(w.t.Context(), wish(buyer, 1000*unit))
		wantFault(w.t, err, fault.Unprocessable)
		until := first.Add(24*time.Hour + time.Second)
		if !strings.Contains(err.Error(), until.UTC().Format(time.RFC3339)) {
			w.t.Errorf("%q does not say that %s is the end of it", err, until)
		}
		w.swap(uuid.New(), 1000) // nobody else is held to it
		w.pass(until.Sub(w.now))
		again := w.swap(buyer, 100_000)
		if len(again.Locks) != 20 {
			w.t.Fatalf("a day later twenty count no more: %d locks", len(again.Locks))
		}
		_, err = w.book.Swap(w.t.Context(), wish(buyer, 1000*unit))
		wantFault(w.t, err, fault.Unprocessable)
		w.pay(again.Locks[0])
		if more := w.swap(buyer, 100_000); len(more.Locks) != 1 {
			w.t.Errorf("who pays may lock for it: %d locks", len(more.Locks))
		}
	})
}

// An ask that could not be counted together with others is left out, and so is one to
// which no reference can be added.
func TestAsksThatCannotBeCounted(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	seller, buyer := w.rich(1_000_000*unit), uuid.New()
	for range 29 {
		if _, err := ledger.Faucet(t.Context(), w.store, seller, 1_000_000*unit); err != nil {
			t.Fatal(err)
		}
	}
	for _, ask := range []money.Amount{math.MaxInt64, math.MaxInt64/20 - 9998} {
		if _, err := w.book.CreateOrder(t.Context(), request(seller, 10_000_000*unit, ask, "0xa")); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.book.Swap(t.Context(), wish(buyer, 40_000_000*unit))
	wantFault(t, err, fault.Unprocessable)
	most := money.Amount(math.MaxInt64/20 - 9999)
	if _, err := w.book.CreateOrder(t.Context(), request(seller, 10_000_000*unit, most, "0xa")); err != nil {
		t.Fatal(err)
	}
	if swap := w.swap(buyer, 40_000_000); len(swap.Locks) != 1 || swap.Pay <= most {
		t.Errorf("the swap is %+v", swap)
	}
	w.mustBeClean()
}

func TestSwapKeys(t *testing.T) {
	each(t, func(w *world) {
		seller := w.rich(3000 * unit)
		w.offer(seller, 1000, 50, "0xa")
		w.offer(seller, 1000, 50, "0xa")
		r := wish(uuid.New(), 1000*unit)
		r.IdempotencyKey = "first"
		made, err := w.book.Swap(w.t.Context(), r)
		if err != nil || made.Replayed {
			w.t.Fatalf("%+v, %v", made, err)
		}
		w.pay(made.Locks[0])
		again, err := w.book.Swap(w.t.Context(), r)
		if err != nil || !again.Replayed || again.ID != made.ID || again.Status != bridge.SwapCompleted {
			w.t.Errorf("a repeated key shows the swap as it is now: %+v, %v", again, err)
		}
		r.CNPY++
		_, err = w.book.Swap(w.t.Context(), r)
		wantFault(w.t, err, fault.Conflict)
	})
}

// One key from many clients at once makes one swap; many buyers lock each order once.
func TestSwapsAtOnce(t *testing.T) {
	each(t, func(w *world) {
		seller := w.rich(8000 * unit)
		for range 8 {
			w.offer(seller, 1000, 50, "0xa") // all at one address
		}
		same := wish(uuid.New(), 1000*unit)
		same.IdempotencyKey = "same"
		var mu sync.Mutex
		orders, amounts, ids := map[uuid.UUID]int{}, map[money.Amount]int{}, map[uuid.UUID]bool{}
		var group sync.WaitGroup
		for i := range 12 {
			group.Go(func() {
				r := same
				if i%2 == 0 {
					r = wish(uuid.New(), 1000*unit)
				}
				made, err := w.book.Swap(w.t.Context(), r)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					w.t.Errorf("swap %d: %v", i, err)
				} else if !ids[made.ID] {
					ids[made.ID] = true
					orders[made.Locks[0].OrderID]++
					amounts[made.Locks[0].Pay]++
				}
			})
		}
		group.Wait()
		if len(ids) != 7 || len(orders) != 7 || len(amounts) != 7 {
			w.t.Errorf("%d swaps hold %d orders for %d amounts, want 7 of each", len(ids), len(orders), len(amounts))
		}
	})
}

// A swap over several orders is over when the last of its locks is.
func TestSwapPaidInPart(t *testing.T) {
	each(t, func(w *world) {
		seller, buyer := w.rich(3000*unit), uuid.New()
		w.offer(seller, 1000, 50, "0xa")
		w.offer(seller, 2000, 100, "0xb")
		swap := w.swap(buyer, 3000)
		if len(swap.Locks) != 2 {
			w.t.Fatalf("the swap is %+v", swap)
		}
		w.pay(swap.Locks[1])
		if after, _ := w.swapNow(swap); after.Status != bridge.SwapPending {
			w.t.Errorf("with one lock pending the swap is %s", after.Status)
		}
		w.expire()
		after, _ := w.swapNow(swap)
		if after.Status != bridge.SwapPartial || w.holds(buyer) != swap.Locks[1].CNPY {
			w.t.Errorf("the swap is %+v", after)
		}
		if got := w.order(swap.Locks[0].OrderID).Status; got != bridge.Open {
			w.t.Errorf("what was not paid is %s", got)
		}
	})
}

func TestAmountsAreNeverAskedTwice(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	seller := w.rich(2000 * unit)
	w.offer(seller, 1000, 50, "0xa")
	asked := map[money.Amount]bool{}
	for range 20 {
		lock := w.swap(uuid.New(), 1000).Locks[0]
		if asked[lock.Pay] {
			t.Fatalf("%s was asked before", lock.Pay)
		}
		asked[lock.Pay] = true
		w.expire()
	}
	// All but one of the amounts of this ask at this address are worn out.
	last := 50*unit + 9999
	for asked[last] {
		last--
	}
	err := w.store.Exec(t.Context(), `INSERT INTO bridge_locks (id, swap_id, order_id, buyer_id, network, symbol, address,
		cnpy_amount, pay_amount, status, deadline, created_at)
		SELECT gen_random_uuid(), l.swap_id, l.order_id, l.buyer_id, l.network, l.symbol, l.address, l.cnpy_amount,
			50000000 + n, 'expired', l.deadline, l.created_at
		FROM generate_series(1, 9999) n, (SELECT * FROM bridge_locks LIMIT 1) l
		WHERE 50000000 + n <> $1
		ON CONFLICT DO NOTHING`, int64(last))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.swap(uuid.New(), 1000).Locks[0].Pay; got != last {
		t.Errorf("the last amount is %s, want %s", got, last)
	}
	w.expire()
	_, err = w.book.Swap(t.Context(), wish(uuid.New(), 1000*unit))
	wantFault(t, err, fault.Unprocessable)
}

func TestSettingsAreAskedEachTime(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	settings := bridge.Settings{}
	book := bridge.New(w.store, bridge.Options{
		Witnesses: func() []bridge.Witness { return []bridge.Witness{w.chain} },
		Settings:  func() bridge.Settings { return settings }, Now: func() time.Time { return w.now },
	})
	seller := w.rich(2000 * unit)
	small := request(seller, 10*unit, 1*unit, "0xa")
	_, err := book.CreateOrder(t.Context(), small)
	wantFault(t, err, fault.Invalid, "cnpy_amount")
	settings = bridge.Settings{MinOrder: 10 * unit, PaymentDeadline: time.Hour}
	if _, err := book.CreateOrder(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	if made, err := book.Swap(t.Context(), wish(uuid.New(), 10*unit)); err != nil || !made.Deadline.Equal(w.now.Add(time.Hour)) {
		t.Errorf("%+v, %v", made, err)
	}
}

// A database that is gone is an error and no refusal.
func TestFailuresAreNoRefusals(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.store.Close()
	ctx, user := t.Context(), uuid.New()
	calls := map[string]func() error{
		"create": func() error { _, err := w.book.CreateOrder(ctx, request(user, 1000*unit, unit, "0xa")); return err },
		"update": func() error { _, err := w.book.UpdateOrder(ctx, user, user, bridge.OrderChange{}); return err },
		"delete": func() error { return w.book.DeleteOrder(ctx, user, user) },
		"order":  func() error { _, err := w.book.Order(ctx, user); return err },
		"own":    func() error { _, _, err := w.book.OrderOf(ctx, user, user); return err },
		"orders": func() error {
			_, _, err := w.book.Orders(ctx, bridge.OrderFilter{}, bridge.Page{Number: 1, Size: 1})
			return err
		},
		"swap":  func() error { _, err := w.book.Swap(ctx, wish(user, unit)); return err },
		"get":   func() error { _, _, err := w.book.SwapOf(ctx, user, user); return err },
		"swaps": func() error { _, _, err := w.book.Swaps(ctx, user, "", bridge.Page{Number: 1, Size: 1}); return err },
		"look":  func() error { return w.book.Look(ctx, w.chain) },
	}
	for name, call := range calls {
		err := call()
		if _, refused := fault.As(err); err == nil || refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
