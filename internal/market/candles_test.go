package market_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// noon is when the pools of these tests open.
var noon = time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)

// past is a market whose clock the test moves.
type past struct {
	*fixture
	now time.Time
}

func newPast(t *testing.T) *past {
	t.Helper()
	p := &past{fixture: newFixture(t), now: noon}
	return p
}

// tradeAt trades at a moment, on a market of its own.
func (p *past) tradeAt(after time.Duration, o market.Order) market.Trade {
	p.t.Helper()
	p.now = noon.Add(after)
	at := p.now
	m := run(p.t, p.store, market.Options{Now: func() time.Time { return at }})
	trade, err := m.Trade(p.t.Context(), o)
	if err != nil {
		p.t.Fatal(err)
	}
	return trade
}

func (p *past) candles(r market.CandleRequest) []market.Candle {
	p.t.Helper()
	m := market.New(p.store, market.Options{Now: func() time.Time { return p.now }})
	candles, err := m.Candles(p.t.Context(), r)
	if err != nil {
		p.t.Fatal(err)
	}
	return candles
}

func TestCandles(t *testing.T) {
	for _, kind := range []curve.Kind{curve.ConstantProduct, curve.Linear} {
		t.Run(string(kind), func(t *testing.T) {
			p := newPast(t)
			in := standard()
			in.curve.Kind, in.at = kind, noon
			o := p.open(in)
			user := p.user(10_000 * unit)
			price := func(s curve.State) money.Decimal { return in.curve.Price(s).Decimal(12) }
			first := p.tradeAt(10*time.Second, buy(o.pool, user, 1_000*unit))
			peak := p.tradeAt(20*time.Second, buy(o.pool, user, 500*unit))
			last := p.tradeAt(25*time.Second, sell(o.pool, user, first.Tokens))
			later := p.tradeAt(3*time.Minute, buy(o.pool, user, 10*unit))

			got := p.candles(market.CandleRequest{PoolID: o.chain, Interval: "1m"})
			if len(got) != 4 {
				t.Fatalf("%d candles, want one for each minute since the pool opened: %+v", len(got), got)
			}
			for i, want := range []struct {
				open, high, low, close money.Decimal
				volume                 money.Amount
				trades                 int64
				reason                 string
			}{
				{price(in.curve.Initial()), price(peak.After), price(in.curve.Initial()), price(last.After),
					first.CNPY + peak.CNPY + last.CNPY, 3, "it opens at the pool's opening price, which is its low"},
				{price(last.After), price(last.After), price(last.After), price(last.After), 0, 0, "a gap stays at the last close"},
				{price(last.After), price(last.After), price(last.After), price(last.After), 0, 0, "however long it is"},
				{price(last.After), price(later.After), price(last.After), price(later.After), later.CNPY, 1, "it opens at the close before"},
			} {
				c := got[i]
				if c.Open.Decimal(12) != want.open || c.High.Decimal(12) != want.high || c.Low.Decimal(12) != want.low || c.Close.Decimal(12) != want.close {
					t.Errorf("candle %d: %s %s %s %s, want %+v", i, c.Open, c.High, c.Low, c.Close, want)
				}
				if c.Volume != want.volume || c.Trades != want.trades || !c.Start.Equal(noon.Truncate(time.Minute).Add(time.Duration(i)*time.Minute)) {
					t.Errorf("candle %d: %+v, want %+v", i, c, want)
				}
			}
			middle := noon.Add(2 * time.Minute)
			part := p.candles(market.CandleRequest{PoolID: o.pool, Interval: "1m", Start: &middle})
			if len(part) != 2 || part[0].Open.Cmp(got[2].Open) != 0 || part[1].Close.Cmp(got[3].Close) != 0 {
				t.Errorf("a window that begins in a gap knows the close before it: %+v", part)
			}
		})
	}
}

func TestCandleWindows(t *testing.T) {
	p := newPast(t)
	in := standard()
	in.at = noon
	o := p.open(in)
	p.now = noon.Add(40 * 24 * time.Hour)
	at := func(after time.Duration) *time.Time {
		moment := noon.Truncate(time.Hour).Add(after)
		return &moment
	}
	for _, tc := range []struct {
		reason     string
		interval   market.Interval
		start, end *time.Time
		count      int
		first      time.Time
	}{
		{"500 candles of an hour up to now", "", nil, nil, 500, p.now.Truncate(time.Hour).Add(-499 * time.Hour)},
		{"a thousand is the most", "1m", at(10 * time.Hour), at(10*time.Hour + 1000*time.Minute), 1000, *at(10 * time.Hour)},
		{"the end is not part of it", "1h", at(5 * time.Hour), at(7 * time.Hour), 2, *at(5 * time.Hour)},
		{"an end within a candle is", "1h", at(5 * time.Hour), at(7*time.Hour + 1), 3, *at(5 * time.Hour)},
		{"a start within a candle takes it whole", "4h", at(5 * time.Hour), at(8 * time.Hour), 1, *at(4 * time.Hour)},
		{"nothing before the pool", "1d", at(-900 * 24 * time.Hour), at(24 * time.Hour), 2, noon.Truncate(24 * time.Hour)},
		{"nothing after now", "1d", at(38 * 24 * time.Hour), at(900 * 24 * time.Hour), 3, noon.Truncate(24 * time.Hour).Add(38 * 24 * time.Hour)},
	} {
		got := p.candles(market.CandleRequest{PoolID: o.pool, Interval: tc.interval, Start: tc.start, End: tc.end})
		if len(got) != tc.count || !got[0].Start.Equal(tc.first) {
			t.Errorf("%s: %d candles from %s, want %d from %s", tc.reason, len(got), got[0].Start, tc.count, tc.first)
		}
	}
	if got := p.candles(market.CandleRequest{PoolID: o.pool, Start: at(-9 * time.Hour), End: at(-8 * time.Hour)}); len(got) != 0 {
		t.Errorf("before the pool there is nothing: %+v", got)
	}
	for _, tc := range []struct {
		reason  string
		request market.CandleRequest
		kind    fault.Kind
	}{
		{"one too many", market.CandleRequest{PoolID: o.pool, Interval: "1m", Start: at(0), End: at(1001 * time.Minute)}, fault.Invalid},
		{"backwards", market.CandleRequest{PoolID: o.pool, Start: at(2), End: at(1)}, fault.Invalid},
		{"an interval that there is not", market.CandleRequest{PoolID: o.pool, Interval: "2m"}, fault.Invalid},
		{"a pool that there is not", market.CandleRequest{PoolID: newID(t)}, fault.NotFound},
	} {
		if _, err := p.market.Candles(t.Context(), tc.request); kindOf(err) != tc.kind {
			t.Errorf("%s: %v, want %s", tc.reason, err, tc.kind)
		}
	}
}

// TestCandlesAddUp trades at random and holds candles of every length against
// the trades themselves.
func TestCandlesAddUp(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	p := newPast(t)
	in := standard()
	in.at, in.threshold = noon, 1_000_000*unit
	o := p.open(in)
	user := p.user(100_000 * unit)
	now := noon
	m := run(t, p.store, market.Options{Now: func() time.Time { return now }})
	var trades []market.Trade
	for range 60 {
		now = now.Add(time.Duration(r.Int64N(int64(40 * time.Minute))))
		trade, err := m.Trade(t.Context(), randomBuyOrSell(r, o.pool, user, trades))
		if err != nil {
			t.Fatal(err)
		}
		trades = append(trades, trade)
	}
	p.now = now
	for _, interval := range market.Intervals[2:] {
		candles := p.candles(market.CandleRequest{PoolID: o.pool, Interval: interval})
		var volume money.Amount
		count := int64(0)
		for i, c := range candles {
			volume, count = volume+c.Volume, count+c.Trades
			if c.Low.Cmp(c.High) > 0 || c.Open.Cmp(c.High) > 0 || i > 0 && c.Open.Cmp(candles[i-1].Close) != 0 {
				t.Errorf("%s: candle %+v does not follow %+v", interval, c, candles[max(0, i-1)])
			}
		}
		var all money.Amount
		for _, trade := range trades {
			all += trade.CNPY
		}
		if volume != all || count != int64(len(trades)) {
			t.Errorf("%s: %s CNPY in %d trades, want %s in %d", interval, volume, count, all, len(trades))
		}
	}
}

// randomBuyOrSell buys, or sells back what an earlier buy brought.
func randomBuyOrSell(r *rand.Rand, pool, user uuid.UUID, trades []market.Trade) market.Order {
	held := money.Amount(0)
	for _, trade := range trades {
		if trade.Side == market.Buy {
			held += trade.Tokens
		} else {
			held -= trade.Tokens
		}
	}
	if held > 1_000*unit && r.IntN(3) == 0 {
		return sell(pool, user, money.Amount(r.Int64N(int64(held-unit)))+unit)
	}
	return buy(pool, user, money.Amount(r.Int64N(int64(100*unit)))+unit)
}
