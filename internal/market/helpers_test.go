package market_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

const unit = money.Unit

// fixture is a database with a market that runs on it.
type fixture struct {
	t      testing.TB
	store  *store.Store
	market *market.Market
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	s := storetest.Open(t)
	return &fixture{t: t, store: s, market: run(t, s, market.Options{})}
}

// run starts a market that stops with the test.
func run(t testing.TB, s *store.Store, o market.Options) *market.Market {
	t.Helper()
	m := market.New(s, o)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.Run(ctx); err != nil {
			t.Errorf("the market stopped: %v", err)
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return m
}

// opened is a pool ready to trade.
type opened struct {
	pool, chain, creator uuid.UUID
}

// terms of a pool to open.
type terms struct {
	curve     curve.Curve
	threshold money.Amount
	first     money.Amount // creator's first purchase
	limits    chain.Limits
	at        time.Time // of the opening; now when zero
}

// standard is the launchpad's default pool with a threshold of 50 000 CNPY.
func standard() terms {
	return terms{
		curve: curve.Curve{
			Kind: curve.ConstantProduct, InitialCNPY: 10_000 * unit, InitialTokens: 800_000_000 * unit,
			Slope: 10_000, FeeBasisPoints: 100,
		},
		threshold: 50_000 * unit,
	}
}

func newID(t testing.TB) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// user makes a user with CNPY.
func (f *fixture) user(cnpy money.Amount) uuid.UUID {
	f.t.Helper()
	id := newID(f.t)
	if err := f.store.Queries().EnsureUser(f.t.Context(), id); err != nil {
		f.t.Fatal(err)
	}
	f.fund(id, cnpy)
	return id
}

// fund gives a user CNPY.
func (f *fixture) fund(user uuid.UUID, cnpy money.Amount) {
	f.t.Helper()
	for cnpy > 0 {
		part := min(cnpy, ledger.FaucetLimit)
		if _, err := ledger.Faucet(f.t.Context(), f.store, user, part); err != nil {
			f.t.Fatal(err)
		}
		cnpy -= part
	}
}

// open writes a chain's row and opens its pool, as the launch does.
func (f *fixture) open(in terms) opened {
	f.t.Helper()
	o, err := f.tryOpen(in)
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

func (f *fixture) tryOpen(in terms) (opened, error) {
	f.t.Helper()
	creator := f.user(in.first)
	if in.at.IsZero() {
		in.at = time.Now()
	}
	o := opened{pool: newID(f.t), chain: newID(f.t), creator: creator}
	trade, mint := newID(f.t), newID(f.t)
	c := in.curve
	insert := `INSERT INTO chains (id, chain_name, token_symbol, consensus_mechanism, token_total_supply, graduation_threshold,
		creation_fee_cnpy, initial_cnpy_reserve, initial_token_supply, curve_type, bonding_curve_slope, fee_basis_points,
		validator_min_stake, creator_initial_purchase_cnpy, status, created_by, origin)
		VALUES ($1, $2, 'TST', 'nestbft', $3, $4, 0, $5, $3, $6, $7, $8, 0, $9, 'virtual_active', $10, 'api')`
	err := f.store.Exec(f.t.Context(), insert, o.chain, o.chain.String(), int64(c.InitialTokens), int64(in.threshold),
		int64(c.InitialCNPY), string(c.Kind), int64(max(1, c.Slope)), c.FeeBasisPoints, int64(in.first), creator)
	if err != nil {
		f.t.Fatal(err)
	}
	return o, f.store.InTx(f.t.Context(), func(ctx context.Context, q *db.Queries) error {
		err := ledger.Post(ctx, q, ledger.Journal{ID: mint, Kind: ledger.KindMint, Legs: []ledger.Leg{
			{Account: ledger.Account{Type: ledger.Mint, Owner: o.chain, Asset: o.chain}, Amount: -c.InitialTokens},
			{Account: ledger.Account{Type: ledger.Pool, Owner: o.pool, Asset: o.chain}, Amount: c.InitialTokens},
		}})
		if err != nil {
			return err
		}
		return f.market.OpenTx(ctx, q, chain.Opening{
			PoolID: o.pool, ChainID: o.chain, Curve: c, GraduationThreshold: in.threshold,
			Creator: creator, FirstTradeID: trade, FirstPurchase: in.first, At: in.at, Limits: in.limits,
		})
	})
}

// verify proves the whole ledger.
func (f *fixture) verify() {
	f.t.Helper()
	report, err := ledger.Verify(f.t.Context(), f.store)
	if err != nil {
		f.t.Fatal(err)
	}
	if !report.Clean() {
		f.t.Fatalf("the ledger is damaged: %+v", report)
	}
}

func (f *fixture) balance(user, asset uuid.UUID) money.Amount {
	f.t.Helper()
	amount, err := ledger.BalanceOf(f.t.Context(), f.store.Queries(), ledger.Account{Type: ledger.User, Owner: user, Asset: asset})
	if err != nil {
		f.t.Fatal(err)
	}
	return amount
}

func (f *fixture) count(sql string, args ...any) (n int64) {
	f.t.Helper()
	rows, err := f.store.Query(f.t.Context(), sql, args...)
	if err != nil {
		f.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			f.t.Fatal(err)
		}
	}
	return n
}

func (f *fixture) trade(o market.Order) market.Trade {
	f.t.Helper()
	trade, err := f.market.Trade(f.t.Context(), o)
	if err != nil {
		f.t.Fatalf("%s: %v", o.Side, err)
	}
	return trade
}

func buy(pool, user uuid.UUID, cnpy money.Amount) market.Order {
	return market.Order{PoolID: pool, UserID: user, Side: market.Buy, CNPY: &cnpy}
}

func sell(pool, user uuid.UUID, tokens money.Amount) market.Order {
	return market.Order{PoolID: pool, UserID: user, Side: market.Sell, Tokens: &tokens}
}

func amount(a money.Amount) *money.Amount { return &a }

func kindOf(err error) fault.Kind {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return ""
}
