package market_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// smallest is a pool of the least reserve and supply that a chain may have.
func smallest() terms {
	in := standard()
	in.curve.InitialCNPY, in.curve.InitialTokens = 1_000*unit, 100_000*unit
	in.threshold = 10_000 * unit
	return in
}

// The trade that crosses a threshold is filled whole, so one large buy can leave a
// price that no amount can hold. Everybody's lists, the feed and the operator read
// it all the same.
func TestPriceBeyondAllAmounts(t *testing.T) {
	f := newFixture(t)
	quiet, o := f.open(standard()), f.open(smallest())
	whale := f.user(31_000_000 * unit)
	if closing := f.trade(buy(o.pool, whale, 31_000_000*unit)); closing.MarketCapUSD == "" {
		t.Errorf("the closing trade: %+v", closing)
	}
	beyond := money.NewRatio(9_223_372, 1)
	pool, err := f.market.Pool(t.Context(), o.chain)
	if err != nil || pool.Trading != market.Closed || pool.Price.Cmp(beyond) <= 0 || pool.Day.High.Cmp(beyond) <= 0 {
		t.Fatalf("the pool after it: %+v, %v", pool, err)
	}
	for _, sort := range append(market.Sorts, market.ByUpdate) {
		list, total, err := f.market.Pools(t.Context(), market.Search{Sort: sort}, market.Page{Number: 1, Size: 20})
		if err != nil || total != 2 || len(list) != 2 {
			t.Errorf("by %q: %d of %d pools, %v", sort, len(list), total, err)
		}
	}
	if pools, err := f.market.PoolsOf(t.Context(), []uuid.UUID{o.chain, quiet.chain}); err != nil || len(pools) != 2 {
		t.Errorf("for the chains' list: %v, %v", pools, err)
	}
	if changed, err := f.market.PoolsSince(t.Context(), time.Now().Add(-time.Hour), 10); err != nil || len(changed) != 2 {
		t.Errorf("for the feed: %v, %v", changed, err)
	}
	candles, err := f.market.Candles(t.Context(), market.CandleRequest{PoolID: o.pool})
	if err != nil || candles[len(candles)-1].High.Cmp(beyond) <= 0 {
		t.Errorf("candles: %+v, %v", candles, err)
	}
	p := f.portfolio(whale)
	if len(p.Positions) != 1 || p.Positions[0].Value < 900_000_000_000*unit {
		t.Errorf("99 996.7 tokens at that price: %+v", p.Positions)
	}
	holds(t, p.Total, "total")
	f.verify()
}

// What is held may be worth more than all amounts, alone or in sum.
func TestValueBeyondAllAmounts(t *testing.T) {
	f := newFixture(t)
	in := smallest()
	in.curve.FeeBasisPoints = 0
	o, other := f.open(in), f.open(in)
	whale := f.user(440_000_000 * unit)
	f.trade(buy(o.pool, whale, 400_000_000*unit))
	f.trade(buy(other.pool, whale, 40_000_000*unit))
	p := f.portfolio(whale)
	if p.Positions[0].Value != money.Max || p.Total.Value != money.Max || p.Positions[1].Value == money.Max {
		t.Errorf("worth %s and %s, together %s", p.Positions[0].Value, p.Positions[1].Value, p.Total.Value)
	}
	for _, position := range p.Positions {
		holds(t, position.Gain, position.ChainName)
	}
	holds(t, p.Total, "total")
	if _, err := f.market.Quote(t.Context(), o.pool, market.QuoteRequest{Side: market.Sell, Tokens: amount(unit)}); kindOf(err) != fault.Unprocessable {
		t.Errorf("the pool is closed: %v", err)
	}
}
