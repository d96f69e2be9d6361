package market_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

func TestTwoMarketsFight(t *testing.T) {
	f := newFixture(t)
	in := standard()
	in.threshold = 1_000_000 * unit
	o := f.open(in)
	rival := run(t, f.store, market.Options{})
	var filled atomic.Int64
	each(16, func(i int) {
		m := []*market.Market{f.market, rival}[i%2]
		user := f.user(1_000 * unit)
		for range 20 {
			if _, err := m.Trade(t.Context(), buy(o.pool, user, unit)); err != nil {
				t.Errorf("trade against a rival: %v", err)
				return
			}
			filled.Add(1)
		}
	})
	pool, err := f.market.Pool(t.Context(), o.pool)
	if err != nil || pool.Trades != filled.Load() || pool.UniqueTraders != 16 {
		t.Errorf("%d trades acknowledged; pool: %+v, %v", filled.Load(), pool, err)
	}
	f.verify()
}

func TestSameKeyOnTwoMarkets(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	rival := run(t, f.store, market.Options{})
	user := f.user(100 * unit)
	for range 10 {
		order := buy(o.pool, user, unit)
		order.IdempotencyKey = uuid.NewString()
		var ids [2]uuid.UUID
		each(2, func(i int) {
			trade, err := []*market.Market{f.market, rival}[i].Trade(t.Context(), order)
			if err != nil {
				t.Errorf("replay on another pod: %v", err)
			}
			ids[i] = trade.ID
		})
		if ids[0] != ids[1] {
			t.Fatalf("two pods made two trades of one key: %v", ids)
		}
	}
	if got := f.balance(user, ledger.CNPY); got != 90*unit {
		t.Errorf("balance %s, want 90", got)
	}
	f.verify()
}

// TestConnectionsDie kills the market's connections at random while it trades,
// in COMMIT as well as anywhere else. Callers who get no answer ask again with
// their key, as they are told to.
func TestConnectionsDie(t *testing.T) {
	f := newFixture(t)
	in := standard()
	in.threshold = 1_000_000 * unit
	o := f.open(in)
	ctx, stop := context.WithCancel(t.Context())
	var killer sync.WaitGroup
	killer.Go(func() { f.killConnections(ctx) })
	const users, trades = 8, 25
	each(users, func(int) {
		user := f.userAmidChaos(t, 1_000*unit)
		for range trades {
			order := buy(o.pool, user, unit)
			order.IdempotencyKey = uuid.NewString()
			f.insist(order)
		}
		if got := f.balanceSoon(user); got != (1_000-trades)*unit {
			t.Errorf("balance %s, want %d: each key was paid once", got, 1_000-trades)
		}
	})
	stop()
	killer.Wait()
	if n := f.count("SELECT count(*) FROM trades"); n != users*trades {
		t.Errorf("%d trades, want %d", n, users*trades)
	}
	f.verify()
}

func (f *fixture) killConnections(ctx context.Context) {
	const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`
	for ctx.Err() == nil {
		_ = f.store.Exec(ctx, kill) // its own connection may die too
		time.Sleep(time.Duration(5+rand.N(20)) * time.Millisecond)
	}
}

// userAmidChaos makes a user while connections die.
func (f *fixture) userAmidChaos(t *testing.T, cnpy money.Amount) uuid.UUID {
	id := newID(t)
	for t.Context().Err() == nil {
		if f.store.Queries().EnsureUser(t.Context(), id) == nil {
			break
		}
	}
	// The faucet has no key, so a lost answer may give twice; look instead.
	for t.Context().Err() == nil && f.balanceSoon(id) == 0 {
		_, _ = ledger.Faucet(t.Context(), f.store, id, cnpy)
	}
	return id
}

func (f *fixture) balanceSoon(user uuid.UUID) money.Amount {
	account := ledger.Account{Type: ledger.User, Owner: user, Asset: ledger.CNPY}
	for {
		amount, err := ledger.BalanceOf(f.t.Context(), f.store.Queries(), account)
		if err == nil || f.t.Context().Err() != nil {
			return amount
		}
	}
}

// insist asks until there is an answer.
func (f *fixture) insist(o market.Order) {
	for f.t.Context().Err() == nil {
		_, err := f.market.Trade(f.t.Context(), o)
		if err == nil {
			return
		}
		if kindOf(err) != fault.Unavailable {
			f.t.Errorf("a dead connection must read as unavailable: %v", err)
			return
		}
	}
}

// TestPoisonedOrder has the database refuse one order of a batch for a reason
// that the market does not know.
func TestPoisonedOrder(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	if err := f.store.Exec(t.Context(), "ALTER TABLE trades ADD CHECK (cnpy_amount <> 7000000)"); err != nil {
		t.Fatal(err)
	}
	user := f.user(1_000 * unit)
	m := market.New(f.store, market.Options{})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			stake := unit
			if i == 5 {
				stake = 7 * unit
			}
			_, err := m.Trade(t.Context(), buy(o.pool, user, stake))
			if poisoned := i == 5; (err != nil) != poisoned || kindOf(err) != "" {
				t.Errorf("order %d: %v; only the poisoned one fails, and not as a refusal", i, err)
			}
		})
	}
	for m.Waiting() < 16 {
		time.Sleep(time.Millisecond)
	}
	stop() // drains all of them as one batch
	if err := m.Run(ctx); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if n := f.count("SELECT count(*) FROM trades"); n != 15 {
		t.Errorf("%d trades, want the other 15", n)
	}
	f.verify()
}

// TestRandomTrading lets users do whatever comes to their mind on two pools and
// proves the ledger afterwards.
func TestRandomTrading(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	f := newFixture(t)
	line := standard()
	line.curve.Kind, line.curve.Slope, line.threshold = curve.Linear, 1_000, 200_000*unit
	pools := []opened{f.open(standard()), f.open(line)}
	each(12, func(i int) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		user := f.user(20_000 * unit)
		for range 40 {
			order := randomOrder(r, pools[r.IntN(2)].chain, user)
			_, err := f.market.Trade(t.Context(), order)
			// Keys come again on purpose, now and then with another order.
			if err != nil && kindOf(err) != fault.Unprocessable && kindOf(err) != fault.Conflict {
				t.Errorf("%+v: %v", order, err)
			}
		}
	})
	f.verify()
	total := f.count("SELECT coalesce(sum(balance), 0)::int8 FROM accounts WHERE asset = $1", ledger.CNPY)
	if total != 0 {
		t.Errorf("CNPY sums to %d over all accounts, want 0 with the faucet's mint", total)
	}
}

func randomOrder(r *rand.Rand, pool, user uuid.UUID) market.Order {
	stake := money.Amount(1 + r.Int64N(int64(1)<<(1+r.IntN(34))))
	o := market.Order{PoolID: pool, UserID: user, Side: market.Buy, CNPY: &stake}
	switch r.IntN(4) {
	case 0:
		o.CNPY, o.Tokens = nil, amount(stake*1_000)
	case 1:
		o.Side, o.CNPY, o.Tokens = market.Sell, nil, amount(stake*1_000)
	case 2:
		o.Side = market.Sell
	}
	if r.IntN(5) == 0 {
		o.IdempotencyKey = strings.Repeat("k", 1+r.IntN(3)) + o.PoolID.String() + stake.String()
	}
	return o
}
