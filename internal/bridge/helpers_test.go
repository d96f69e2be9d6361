package bridge_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/bridgetest"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

var (
	usdt = bridge.Asset{Network: "ethereum", Symbol: "USDT"}
	usdc = bridge.Asset{Network: "ethereum", Symbol: "USDC"}
)

const (
	unit   = money.Unit
	window = counterchain.DefaultPaymentDeadline
)

// world is an order book, its counter chain and a clock that both go by.
type world struct {
	t     *testing.T
	store *store.Store
	book  *bridge.Service
	chain *bridgetest.Chain
	now   time.Time
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	w := &world{t: t, store: s, now: time.Now().UTC().Truncate(time.Second)}
	w.chain = bridgetest.NewChain(usdt, w.now)
	w.book = w.pod()
	w.look()
	return w
}

// pod is one more process over the same database and chain.
func (w *world) pod() *bridge.Service {
	other := bridgetest.NewChain(usdc, w.now)
	return bridge.New(w.store, bridge.Options{
		Witnesses: func() []bridge.Witness { return []bridge.Witness{w.chain, other} },
		Now:       func() time.Time { return w.now },
	})
}

// each runs a test on every database that there is, and proves the book after it.
func each(t *testing.T, fn func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		fn(w)
		w.mustBeClean()
	})
}

func (w *world) mustBeClean() {
	w.t.Helper()
	report, err := ledger.Verify(w.t.Context(), w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range report.Problems {
		w.t.Errorf("%s: %s: %s", p.Check, p.Subject, p.Detail)
	}
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) look() {
	w.t.Helper()
	if err := w.book.Look(w.t.Context(), w.chain); err != nil {
		w.t.Fatal(err)
	}
}

// rich makes a user who holds that much CNPY.
func (w *world) rich(amount money.Amount) uuid.UUID {
	w.t.Helper()
	user := uuid.New()
	if _, err := ledger.Faucet(w.t.Context(), w.store, user, amount); err != nil {
		w.t.Fatal(err)
	}
	return user
}

func (w *world) holds(user uuid.UUID) money.Amount {
	w.t.Helper()
	balances, err := ledger.Balances(w.t.Context(), w.store, user)
	if err != nil {
		w.t.Fatal(err)
	}
	return balances[0].Amount
}

func request(seller uuid.UUID, cnpy, ask money.Amount, address string) bridge.OrderRequest {
	return bridge.OrderRequest{SellerID: seller, Asset: usdt, CNPY: cnpy, Ask: ask, Address: address}
}

// offer makes an order of whole units.
func (w *world) offer(seller uuid.UUID, cnpy, ask money.Amount, address string) bridge.Order {
	w.t.Helper()
	made, err := w.book.CreateOrder(w.t.Context(), request(seller, cnpy*unit, ask*unit, address))
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

func wish(buyer uuid.UUID, cnpy money.Amount) bridge.SwapRequest {
	return bridge.SwapRequest{BuyerID: buyer, Asset: usdt, CNPY: cnpy}
}

func (w *world) swap(buyer uuid.UUID, cnpy money.Amount) bridge.Swap {
	w.t.Helper()
	made, err := w.book.Swap(w.t.Context(), wish(buyer, cnpy*unit))
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// pay mines a block now that holds the payment of a lock, and looks.
func (w *world) pay(lock bridge.Lock) {
	w.t.Helper()
	w.chain.Pay(w.now, lock.Address, lock.Pay)
	w.look()
}

// expire lets the payment window pass on both clocks, and looks.
func (w *world) expire() {
	w.t.Helper()
	w.pass(window + time.Second)
	w.chain.Mine(w.now)
	w.look()
}

func (w *world) order(id uuid.UUID) bridge.Order {
	w.t.Helper()
	o, err := w.book.Order(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) swapNow(s bridge.Swap) (bridge.Swap, []bridge.Receipt) {
	w.t.Helper()
	found, receipts, err := w.book.SwapOf(w.t.Context(), s.BuyerID, s.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return found, receipts
}

// wantFault checks a refusal's kind and the fields that it names.
func wantFault(t *testing.T, err error, kind fault.Kind, fields ...string) {
	t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Kind != kind {
		t.Errorf("got %v, want a %s fault", err, kind)
		return
	}
	named := map[string]bool{}
	for _, field := range f.Fields {
		named[field.Name] = true
	}
	for _, field := range fields {
		if !named[field] {
			t.Errorf("the field %s is not named in %+v", field, f.Fields)
		}
	}
	if len(fields) != len(named) {
		t.Errorf("fields %+v, want %v", f.Fields, fields)
	}
}

func wantOutcomes(t *testing.T, receipts []bridge.Receipt, want ...bridge.Outcome) {
	t.Helper()
	got := make([]bridge.Outcome, len(receipts))
	for i, r := range receipts {
		got[i] = r.Outcome
	}
	if len(got) != len(want) {
		t.Errorf("payments %v, want %v", got, want)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("payments %v, want %v", got, want)
		}
	}
}
