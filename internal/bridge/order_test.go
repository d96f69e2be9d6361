package bridge_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func TestOrderHoldsItsCNPY(t *testing.T) {
	each(t, func(w *world) {
		seller := w.rich(5000 * unit)
		o := w.offer(seller, 3000, 150, "0xSELLER")
		if o.Status != bridge.Open || o.Address != "0xseller" || o.Price.String() != "0.05" || o.SellerID != seller {
			w.t.Errorf("the order is %+v", o)
		}
		if got := w.holds(seller); got != 2000*unit {
			w.t.Errorf("3 000 of 5 000 are in escrow, the seller holds %s", got)
		}
		_, err := w.book.CreateOrder(w.t.Context(), request(seller, 2001*unit, 100*unit, "0xseller"))
		wantFault(w.t, err, fault.Unprocessable)
		if err := w.book.DeleteOrder(w.t.Context(), seller, o.ID); err != nil {
			w.t.Fatal(err)
		}
		if got := w.holds(seller); got != 5000*unit {
			w.t.Errorf("what was taken back is the seller's again, who holds %s", got)
		}
		if err := w.book.DeleteOrder(w.t.Context(), seller, o.ID); err != nil || w.holds(seller) != 5000*unit {
			w.t.Errorf("taking back twice changes nothing: %v", err)
		}
		if got := w.order(o.ID).Status; got != bridge.Cancelled {
			w.t.Errorf("the order is %s", got)
		}
	})
}

func TestOrderTerms(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	seller := w.rich(100_000 * unit)
	cases := []struct {
		reason string
		change func(*bridge.OrderRequest)
		fields []string
	}{
		{"the smallest order is allowed", func(*bridge.OrderRequest) {}, nil},
		{"one millionth less is too small", func(r *bridge.OrderRequest) { r.CNPY-- }, []string{"cnpy_amount"}},
		{"less than one unit would make the reference weigh", func(r *bridge.OrderRequest) { r.Ask = unit - 1 }, []string{"ask_amount"}},
		{"nothing is no ask", func(r *bridge.OrderRequest) { r.Ask = 0 }, []string{"ask_amount"}},
		{"an ask below nothing would pay the buyer", func(r *bridge.OrderRequest) { r.Ask = -50 * unit }, []string{"ask_amount"}},
		{"less than nothing would come out of the escrow", func(r *bridge.OrderRequest) { r.CNPY = -1000 * unit }, []string{"cnpy_amount"}},
		{"a price must fit its column", func(r *bridge.OrderRequest) { r.Ask = math.MaxInt64 }, []string{"ask_amount"}},
		{"the highest price is allowed", func(r *bridge.OrderRequest) { r.Ask = 1_000_000_000 * unit }, nil},
		{"one millionth above it is not", func(r *bridge.OrderRequest) { r.Ask = 1_000_000_000*unit + 1 }, []string{"ask_amount"}},
		{"an address of no such chain", func(r *bridge.OrderRequest) { r.Address = "T123" }, []string{"address"}},
		{"a network that nobody watches", func(r *bridge.OrderRequest) { r.Asset.Network = "tron" }, []string{"network"}},
		{"an asset that is not on the network", func(r *bridge.OrderRequest) { r.Asset.Symbol = "DAI" }, []string{"asset"}},
		{"a key that no log can show", func(r *bridge.OrderRequest) { r.IdempotencyKey = "a\nb" }, []string{"Idempotency-Key"}},
		{"a key that is too long", func(r *bridge.OrderRequest) { r.IdempotencyKey = strings.Repeat("k", 256) }, []string{"Idempotency-Key"}},
		{"everything wrong is told at once", func(r *bridge.OrderRequest) { *r = bridge.OrderRequest{Asset: usdt} },
			[]string{"cnpy_amount", "ask_amount", "address"}},
	}
	for _, c := range cases {
		r := request(seller, 1000*unit, 50*unit, "0xa")
		c.change(&r)
		_, err := w.book.CreateOrder(t.Context(), r)
		if len(c.fields) == 0 {
			if err != nil {
				t.Errorf("%s: %v", c.reason, err)
			}
			continue
		}
		t.Log(c.reason)
		wantFault(t, err, fault.Invalid, c.fields...)
	}
	w.mustBeClean()
}

func TestOrderChanges(t *testing.T) {
	each(t, func(w *world) {
		ctx, seller := w.t.Context(), w.rich(5000*unit)
		o := w.offer(seller, 3000, 150, "0xa")
		amount := func(n money.Amount) *money.Amount { n *= unit; return &n }
		text := func(s string) *string { return &s }
		steps := []struct {
			reason string
			change bridge.OrderChange
			left   money.Amount // with the seller, in whole CNPY
			price  string
		}{
			{"more CNPY comes from the balance", bridge.OrderChange{CNPY: amount(5000)}, 0, "0.03"},
			{"less CNPY goes back to it", bridge.OrderChange{CNPY: amount(1000)}, 4000, "0.15"},
			{"the ask alone moves nothing", bridge.OrderChange{Ask: amount(80)}, 4000, "0.08"},
			{"nor does the address", bridge.OrderChange{Address: text("0xB")}, 4000, "0.08"},
			{"nothing at all is a change too", bridge.OrderChange{}, 4000, "0.08"},
		}
		for _, step := range steps {
			got, err := w.book.UpdateOrder(ctx, seller, o.ID, step.change)
			if err != nil || got.Price.String() != step.price || w.holds(seller) != step.left*unit {
				w.t.Errorf("%s: %+v, the seller holds %s, %v", step.reason, got, w.holds(seller), err)
			}
		}
		if got := w.order(o.ID); got.Address != "0xb" {
			w.t.Errorf("the address is %s", got.Address)
		}
		_, err := w.book.UpdateOrder(ctx, seller, o.ID, bridge.OrderChange{CNPY: amount(5001)})
		wantFault(w.t, err, fault.Unprocessable)
		_, err = w.book.UpdateOrder(ctx, seller, o.ID, bridge.OrderChange{CNPY: amount(1), Address: text("b")})
		wantFault(w.t, err, fault.Invalid, "cnpy_amount", "address")
		if got := w.order(o.ID); got.CNPY != 1000*unit || w.holds(seller) != 4000*unit {
			w.t.Errorf("what was refused changed nothing: %+v", got)
		}
	})
}

func TestOrdersBelongToTheirSeller(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	ctx, seller, other := t.Context(), w.rich(1000*unit), uuid.New()
	o := w.offer(seller, 1000, 50, "0xa")
	_, err := w.book.UpdateOrder(ctx, other, o.ID, bridge.OrderChange{})
	wantFault(t, err, fault.Forbidden)
	wantFault(t, w.book.DeleteOrder(ctx, other, o.ID), fault.Forbidden)
	_, _, err = w.book.OrderOf(ctx, other, o.ID)
	wantFault(t, err, fault.Forbidden)
	_, err = w.book.UpdateOrder(ctx, seller, uuid.New(), bridge.OrderChange{})
	wantFault(t, err, fault.NotFound)
	wantFault(t, w.book.DeleteOrder(ctx, seller, uuid.New()), fault.NotFound)
	_, err = w.book.Order(ctx, uuid.New())
	wantFault(t, err, fault.NotFound)
}

// A locked order is the buyer's to close, one that is over is nobody's to change.
func TestOrderChangesOnlyWhileOpen(t *testing.T) {
	each(t, func(w *world) {
		ctx, seller := w.t.Context(), w.rich(1000*unit)
		o := w.offer(seller, 1000, 50, "0xa")
		swap := w.swap(uuid.New(), 1000)
		if got := w.order(o.ID); got.Status != bridge.Locked || got.LockedUntil == nil || !got.LockedUntil.Equal(swap.Deadline) {
			w.t.Errorf("the order is %+v", got)
		}
		_, err := w.book.UpdateOrder(ctx, seller, o.ID, bridge.OrderChange{})
		wantFault(w.t, err, fault.Conflict)
		wantFault(w.t, w.book.DeleteOrder(ctx, seller, o.ID), fault.Conflict)
		w.pay(swap.Locks[0])
		_, err = w.book.UpdateOrder(ctx, seller, o.ID, bridge.OrderChange{})
		wantFault(w.t, err, fault.Unprocessable)
		wantFault(w.t, w.book.DeleteOrder(ctx, seller, o.ID), fault.Unprocessable)
		if got := w.order(o.ID); got.Status != bridge.Closed || got.LockedUntil != nil {
			w.t.Errorf("the order is %+v", got)
		}
	})
}

func TestOrderKeys(t *testing.T) {
	each(t, func(w *world) {
		ctx, seller := w.t.Context(), w.rich(10_000*unit)
		r := request(seller, 1000*unit, 50*unit, "0xa")
		r.IdempotencyKey = "first"
		made, err := w.book.CreateOrder(ctx, r)
		if err != nil || made.Replayed {
			w.t.Fatalf("%+v, %v", made, err)
		}
		again, err := w.book.CreateOrder(ctx, r)
		if err != nil || !again.Replayed || again.ID != made.ID || w.holds(seller) != 9000*unit {
			w.t.Errorf("a repeated key makes nothing: %+v, %v", again, err)
		}
		r.Ask++
		_, err = w.book.CreateOrder(ctx, r)
		wantFault(w.t, err, fault.Conflict)
		r.SellerID = w.rich(1000 * unit)
		if theirs, err := w.book.CreateOrder(ctx, r); err != nil || theirs.Replayed {
			w.t.Errorf("a key is its user's own: %+v, %v", theirs, err)
		}
	})
}

func TestOrdersAreListedByPrice(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	seller, other := w.rich(10_000*unit), w.rich(10_000*unit)
	dear := w.offer(seller, 1000, 60, "0xa")
	cheap := w.offer(other, 1000, 40, "0xb")
	w.pass(1)
	middle := w.offer(seller, 2000, 100, "0xa")
	lists := []struct {
		reason string
		filter bridge.OrderFilter
		page   bridge.Page
		want   []uuid.UUID
		total  int64
	}{
		{"everything, best price first", bridge.OrderFilter{}, bridge.Page{Number: 1, Size: 10}, []uuid.UUID{cheap.ID, middle.ID, dear.ID}, 3},
		{"a page", bridge.OrderFilter{}, bridge.Page{Number: 2, Size: 2}, []uuid.UUID{dear.ID}, 3},
		{"a seller's", bridge.OrderFilter{SellerID: &other}, bridge.Page{Number: 1, Size: 10}, []uuid.UUID{cheap.ID}, 1},
		{"an asset's", bridge.OrderFilter{Network: "ethereum", Symbol: "USDT"}, bridge.Page{Number: 1, Size: 1}, []uuid.UUID{cheap.ID}, 3},
		{"another asset's", bridge.OrderFilter{Symbol: "USDC"}, bridge.Page{Number: 1, Size: 10}, nil, 0},
		{"a status", bridge.OrderFilter{Status: bridge.Locked}, bridge.Page{Number: 1, Size: 10}, nil, 0},
	}
	for _, l := range lists {
		got, total, err := w.book.Orders(t.Context(), l.filter, l.page)
		if err != nil || total != l.total || len(got) != len(l.want) {
			t.Errorf("%s: %d of %d, %v", l.reason, len(got), total, err)
			continue
		}
		for i, id := range l.want {
			if got[i].ID != id {
				t.Errorf("%s: %s is at place %d", l.reason, got[i].ID, i)
			}
		}
	}
}
