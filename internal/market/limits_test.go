package market_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// hour is a window that holds for as long as any test takes.
func hour(most money.Amount) chain.Limits {
	return chain.Limits{AntiSnipe: chain.AntiSnipe{Seconds: 3_600, MaxBuy: most}}
}

// refused expects an Unprocessable fault that names the limit.
func refused(t *testing.T, err error, limit, reason string) {
	t.Helper()
	if kindOf(err) != fault.Unprocessable || !strings.Contains(err.Error(), limit) {
		t.Errorf("%v: want a refusal that names %s: %s", err, limit, reason)
	}
}

func TestMaximumBuy(t *testing.T) {
	f := newFixture(t)
	in := standard()
	in.first, in.limits.MaxBuy = 500*unit, 100*unit
	o := f.open(in) // with a first purchase above the maximum
	user := f.user(10_000 * unit)
	bought := f.trade(buy(o.pool, user, 100*unit))
	f.trade(buy(o.pool, user, 100*unit)) // as often as one likes
	_, err := f.market.Trade(t.Context(), buy(o.pool, user, 100*unit+1))
	refused(t, err, "maxBuyCNPY", "the smallest step beyond")
	_, err = f.market.Trade(t.Context(), market.Order{PoolID: o.pool, UserID: user, Side: market.Buy, Tokens: amount(bought.Tokens * 2)})
	refused(t, err, "maxBuyCNPY", "fixing the tokens is no way around it")
	_, err = f.market.Quote(t.Context(), o.pool, market.QuoteRequest{Side: market.Buy, CNPY: amount(101 * unit)})
	refused(t, err, "maxBuyCNPY", "a quote refuses what a trade would")
	f.trade(sell(o.pool, user, bought.Tokens))
	if err := f.market.SetLimits(t.Context(), o.chain, chain.Limits{}); err != nil {
		t.Fatal(err)
	}
	f.trade(buy(o.pool, user, 1_000*unit)) // the limit is gone with the next transaction
	f.verify()
}

func TestAntiSnipeWindow(t *testing.T) {
	f := newFixture(t)
	in := standard()
	in.first, in.limits = 500*unit, hour(100*unit)
	o := f.open(in)
	rival := run(t, f.store, market.Options{})
	alice, bob := f.user(10_000*unit), f.user(10_000*unit)
	first := f.trade(buy(o.pool, alice, 60*unit))
	_, err := rival.Trade(t.Context(), buy(o.pool, alice, 41*unit))
	refused(t, err, "antiSnipe", "buys add up across pods")
	f.trade(sell(o.pool, alice, first.Tokens))
	_, err = f.market.Trade(t.Context(), buy(o.pool, alice, 41*unit))
	refused(t, err, "antiSnipe", "selling does not make room")
	if _, err := rival.Trade(t.Context(), buy(o.pool, alice, 40*unit)); err != nil {
		t.Errorf("exactly the limit: %v", err)
	}
	f.trade(buy(o.pool, bob, 100*unit)) // each user has the limit of their own
	f.fund(o.creator, 200*unit)
	_, err = f.market.Trade(t.Context(), buy(o.pool, o.creator, 101*unit))
	refused(t, err, "antiSnipe", "the creator is bound like anybody else")
	f.trade(buy(o.pool, o.creator, 100*unit)) // the first purchase does not count
	_, err = f.market.Quote(t.Context(), o.pool, market.QuoteRequest{Side: market.Buy, CNPY: amount(101 * unit)})
	refused(t, err, "antiSnipe", "no user may buy that much")
	f.verify()
}

func TestWindowEnds(t *testing.T) {
	f := newFixture(t)
	opened := time.Now().Truncate(time.Microsecond)
	in := standard()
	in.at, in.limits = opened, chain.Limits{AntiSnipe: chain.AntiSnipe{Seconds: 60, MaxBuy: 10 * unit}}
	o := f.open(in)
	user := f.user(1_000 * unit)
	at := func(after time.Duration) *market.Market {
		return run(t, f.store, market.Options{Now: func() time.Time { return opened.Add(after) }})
	}
	inside, outside := at(time.Minute-time.Microsecond), at(time.Minute)
	_, err := inside.Trade(t.Context(), buy(o.pool, user, 11*unit))
	refused(t, err, "antiSnipe", "the window's last microsecond")
	if _, err := inside.Trade(t.Context(), buy(o.pool, user, 10*unit)); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	_, err = inside.Trade(t.Context(), buy(o.pool, user, unit))
	refused(t, err, "antiSnipe", "the limit is reached")
	if _, err := outside.Trade(t.Context(), buy(o.pool, user, 11*unit)); err != nil {
		t.Errorf("the window's end is not part of it: %v", err)
	}
	if _, err := inside.Trade(t.Context(), buy(o.pool, user, unit)); err != nil {
		t.Errorf("the pool's time does not go back into the window, whatever a pod's clock says: %v", err)
	}
}

func TestLimitsSetWhileTrading(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	user := f.user(1_000 * unit)
	f.trade(buy(o.pool, user, 30*unit)) // the market knows the pool without limits
	if err := f.market.SetLimits(t.Context(), o.chain, hour(50*unit)); err != nil {
		t.Fatal(err)
	}
	_, err := f.market.Trade(t.Context(), buy(o.pool, user, 21*unit))
	refused(t, err, "antiSnipe", "what was bought before the limit was set counts, and the first order after it meets it")
	f.trade(buy(o.pool, user, 20*unit))
	for _, bad := range []chain.Limits{
		{MaxBuy: -1}, {AntiSnipe: chain.AntiSnipe{Seconds: 1}}, {AntiSnipe: chain.AntiSnipe{MaxBuy: 1}},
		{AntiSnipe: chain.AntiSnipe{Seconds: 86_401, MaxBuy: 1}}, {AntiSnipe: chain.AntiSnipe{Seconds: -1, MaxBuy: 1}},
	} {
		if err := f.market.SetLimits(t.Context(), o.chain, bad); kindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v, want Invalid", bad, err)
		}
	}
	if err := f.market.SetLimits(t.Context(), newID(t), chain.Limits{}); kindOf(err) != fault.NotFound {
		t.Errorf("no such pool: %v", err)
	}
	pool, err := f.market.Pool(t.Context(), o.pool)
	if err != nil || pool.Limits != hour(50*unit) {
		t.Errorf("the pool shows its limits: %+v, %v", pool.Limits, err)
	}
}

// TestWindowHoldsUnderStorm has many orders of few users meet the window in the
// same batches of two pods: no user gets past the limit, and each could have
// reached it with orders of one unit.
func TestWindowHoldsUnderStorm(t *testing.T) {
	const most = 50 * unit
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	f := newFixture(t)
	in := standard()
	in.limits, in.threshold = hour(most), 1_000_000*unit
	pools := []opened{f.open(in), f.open(in), f.open(standard())}
	users := []uuid.UUID{f.user(5_000 * unit), f.user(5_000 * unit), f.user(5_000 * unit)}
	markets := []*market.Market{f.market, run(t, f.store, market.Options{})}
	each(24, func(i int) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		for range 30 {
			pool, user := pools[r.IntN(3)].chain, users[r.IntN(3)]
			order := buy(pool, user, money.Amount(1+r.Int64N(int64(8*unit))))
			if r.IntN(4) == 0 {
				order = sell(pool, user, money.Amount(1+r.Int64N(int64(10_000*unit))))
			}
			if _, err := markets[i%2].Trade(t.Context(), order); err != nil && kindOf(err) != fault.Unprocessable {
				t.Errorf("%+v: %v", order, err)
			}
		}
	})
	for _, pool := range pools[:2] {
		for _, user := range users {
			bought := f.boughtBy(pool.pool, user)
			if bought > most {
				t.Errorf("a user bought for %s CNPY in the window, the limit is %s", bought, most)
			}
			rest := most - bought
			_, err := f.market.Trade(t.Context(), buy(pool.pool, user, rest+unit))
			refused(t, err, "antiSnipe", "one more than the limit")
			if rest > unit { // less may be too small for the curve
				f.trade(buy(pool.pool, user, rest))
			}
		}
	}
	f.verify()
}

func (f *fixture) boughtBy(pool, user uuid.UUID) money.Amount {
	return money.Amount(f.count(`SELECT coalesce(sum(cnpy_amount), 0)::int8 FROM trades
		WHERE pool_id = $1 AND user_id = $2 AND side = 'buy'`, pool, user))
}

// TestSortColumnsFollowThePool compares what lists are sorted by with what the
// pool says, through trades and the closing.
func TestSortColumnsFollowThePool(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	user := f.user(100_000 * unit)
	check := func(when string) {
		t.Helper()
		pool, err := f.market.Pool(t.Context(), o.pool)
		if err != nil {
			t.Fatal(err)
		}
		value, err := pool.Price.Of(pool.Curve.InitialTokens)
		if got := f.count("SELECT market_cap_cnpy FROM pools WHERE id = $1", o.pool); err != nil || got != int64(value) {
			t.Errorf("%s: market cap %d, want %d, %v", when, got, value, err)
		}
		want := money.NewRatio(pool.State.CNPY*1_000_000, pool.Threshold).Decimal(0)
		if pool.Trading == market.Closed {
			want = "0"
		}
		if got := f.count("SELECT nearness FROM pools WHERE id = $1", o.pool); fmt.Sprint(got) != string(want) {
			t.Errorf("%s: nearness %d, want %s", when, got, want)
		}
	}
	check("at the opening")
	bought := f.trade(buy(o.pool, user, 1_000*unit))
	check("after a buy")
	f.trade(sell(o.pool, user, bought.Tokens/3))
	check("after a sell")
	f.trade(buy(o.pool, user, 60_000*unit))
	check("after the closing")
}
