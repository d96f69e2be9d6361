package chain_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// world is a service over a real market and a real database, with a clock that
// the test may move.
type world struct {
	t      *testing.T
	store  *store.Store
	chains *chain.Service
	market *market.Market
	clock  time.Time
}

// each runs fn in a new world per database that there is.
func each(t *testing.T, fn func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) { fn(newWorld(t, s)) })
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	w := &world{t: t, store: s, clock: time.Now().UTC(), market: market.New(s, market.Options{})}
	w.chains = &chain.Service{Store: s, Market: w.market, Now: func() time.Time { return w.clock }}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.market.Run(ctx); err != nil {
			t.Errorf("run the market: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// user is somebody with that much CNPY.
func (w *world) user(cnpy money.Amount) uuid.UUID {
	w.t.Helper()
	user := uuid.New()
	for cnpy > 0 {
		given := min(cnpy, ledger.FaucetLimit)
		if _, err := ledger.Faucet(w.t.Context(), w.store, user, given); err != nil {
			w.t.Fatal(err)
		}
		cnpy -= given
	}
	return user
}

// draft makes a chain of the user's.
func (w *world) draft(name string, by uuid.UUID, change ...func(*chain.Spec)) chain.Chain {
	w.t.Helper()
	spec := chain.Spec{ChainName: name, TokenSymbol: "TOK", CreatedBy: by}
	for _, c := range change {
		c(&spec)
	}
	made, err := w.chains.Create(w.t.Context(), spec)
	if err != nil {
		w.t.Fatalf("create %s: %v", name, err)
	}
	return made
}

func (w *world) launched(name string, by uuid.UUID, change ...func(*chain.Spec)) chain.Chain {
	w.t.Helper()
	c, err := w.chains.Launch(w.t.Context(), w.draft(name, by, change...).ID, by, nil)
	if err != nil {
		w.t.Fatalf("launch %s: %v", name, err)
	}
	return c
}

// closed is a chain whose pool somebody bought over its threshold.
func (w *world) closed(name string) (chain.Chain, uuid.UUID) {
	w.t.Helper()
	creator, whale := w.user(1_000*money.Unit), w.user(60_000*money.Unit)
	c := w.launched(name, creator, func(s *chain.Spec) { s.CreatorInitialPurchase = units(500) })
	spend := 59_000 * money.Unit
	if _, err := w.market.Trade(w.t.Context(), market.Order{PoolID: c.ID, UserID: whale, Side: market.Buy, CNPY: &spend}); err != nil {
		w.t.Fatalf("cross the threshold: %v", err)
	}
	return c, whale
}

func (w *world) balance(user, asset uuid.UUID) money.Amount {
	w.t.Helper()
	amount, err := ledger.BalanceOf(w.t.Context(), w.store.Queries(), ledger.Account{Type: ledger.User, Owner: user, Asset: asset})
	if err != nil {
		w.t.Fatal(err)
	}
	return amount
}

func (w *world) get(id uuid.UUID) chain.Chain {
	w.t.Helper()
	c, err := w.chains.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// events lists the kinds in the outbox, in order.
func (w *world) events(id uuid.UUID) []string {
	w.t.Helper()
	rows, err := w.store.Query(w.t.Context(), "SELECT kind FROM outbox WHERE chain_id = $1 ORDER BY seq", id)
	if err != nil {
		w.t.Fatal(err)
	}
	kinds, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	return kinds
}

func (w *world) clean() {
	w.t.Helper()
	report, err := ledger.Verify(w.t.Context(), w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range report.Problems {
		w.t.Errorf("the book is broken: %s: %s: %s", p.Check, p.Subject, p.Detail)
	}
}

func (w *world) refused(reason string, err error, kind fault.Kind, message string) {
	w.t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Kind != kind || (message != "" && f.Message != message) {
		w.t.Errorf("%s: want %s %q, got %v", reason, kind, message, err)
	}
}
