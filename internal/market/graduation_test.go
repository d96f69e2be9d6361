package market_test

import (
	"strings"
	"testing"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
)

func (f *fixture) graduations() int64 { return f.count("SELECT count(*) FROM graduations") }

func (f *fixture) closings() int64 {
	return f.count("SELECT count(*) FROM outbox WHERE kind = 'pool.closed'")
}

func TestThresholdByOneUnit(t *testing.T) {
	f := newFixture(t)
	in := standard()
	in.curve.FeeBasisPoints = 0
	in.threshold = 11_000 * unit
	o := f.open(in)
	user := f.user(10_000 * unit)
	f.trade(buy(o.pool, user, 1_000*unit-1))
	if f.graduations() != 0 {
		t.Fatal("one unit below the threshold is below it")
	}
	closing := f.trade(buy(o.pool, user, 1))
	pool, err := f.market.Pool(t.Context(), o.chain)
	if err != nil {
		t.Fatal(err)
	}
	if pool.Trading != market.Closed || pool.ClosedAt == nil || closing.After.CNPY != in.threshold || pool.ProgressPercent != "100" {
		t.Errorf("the unit that reaches the threshold closes the pool: %+v", pool)
	}
	if f.graduations() != 1 || f.closings() != 1 {
		t.Errorf("%d graduations and %d events, want one each", f.graduations(), f.closings())
	}
	for _, order := range []market.Order{buy(o.pool, user, unit), sell(o.pool, user, unit)} {
		if _, err := f.market.Trade(t.Context(), order); kindOf(err) != fault.Unprocessable || !strings.Contains(err.Error(), "closed") {
			t.Errorf("a %s after the closing trade: %v", order.Side, err)
		}
	}
	if err := f.market.SetTrading(t.Context(), o.chain, market.Enabled); err != nil {
		t.Fatal(err)
	}
	if _, err := f.market.Trade(t.Context(), buy(o.pool, user, unit)); kindOf(err) != fault.Unprocessable {
		t.Errorf("a closed pool can't be opened again: %v", err)
	}
	f.verify()
}

func TestHugeTradeCrossesWhole(t *testing.T) {
	for _, kind := range []curve.Kind{curve.ConstantProduct, curve.Linear} {
		t.Run(string(kind), func(t *testing.T) {
			f := newFixture(t)
			in := standard()
			in.curve.Kind = kind
			if kind == curve.Linear {
				in.curve.Slope = 1
			}
			o := f.open(in)
			user := f.user(900_000 * unit)
			order := buy(o.pool, user, 900_000*unit)
			if kind == curve.Linear { // a line sells out long before
				order = market.Order{PoolID: o.pool, UserID: user, Side: market.Buy, Tokens: amount(in.curve.InitialTokens)}
			}
			trade := f.trade(order)
			if f.balance(user, ledger.CNPY) != 900_000*unit-trade.CNPY || f.balance(user, o.chain) != trade.Tokens {
				t.Error("the trade that crosses is filled whole")
			}
			if trade.After.CNPY <= in.threshold {
				t.Errorf("a reserve of %s has not gone beyond %s", trade.After.CNPY, in.threshold)
			}
			if f.graduations() != 1 || f.closings() != 1 {
				t.Errorf("reserve %s: %d graduations, %d events, want one each", trade.After.CNPY, f.graduations(), f.closings())
			}
			f.verify()
		})
	}
}

func TestManyCrossAtOnce(t *testing.T) {
	f := newFixture(t)
	in := standard()
	in.threshold = 10_500 * unit
	o := f.open(in)
	user := f.user(100_000 * unit)
	var filled int64
	results := make([]error, 64)
	each(len(results), func(i int) {
		_, results[i] = f.market.Trade(t.Context(), buy(o.pool, user, 100*unit))
	})
	for _, err := range results {
		switch {
		case err == nil:
			filled++
		case kindOf(err) != fault.Unprocessable:
			t.Errorf("after the closing trade: %v", err)
		}
	}
	if filled != 6 { // 99 CNPY each reach the pool: the sixth crosses 500
		t.Errorf("%d trades filled, want 6", filled)
	}
	if n := f.count("SELECT count(*) FROM trades"); n != filled || f.graduations() != 1 || f.closings() != 1 {
		t.Errorf("%d rows, %d graduations, %d events", n, f.graduations(), f.closings())
	}
	f.verify()
}

func TestOpeningWithFirstPurchase(t *testing.T) {
	f := newFixture(t)
	in := standard()
	in.first = 1_000 * unit
	o := f.open(in)
	trades, total, err := f.market.Trades(t.Context(), market.TradeFilter{PoolID: o.chain}, market.Page{Number: 1, Size: 10})
	if err != nil || total != 1 || trades[0].UserID != o.creator || trades[0].Seq != 1 {
		t.Fatalf("the creator's purchase is trade 1: %+v, %v", trades, err)
	}
	if f.balance(o.creator, o.chain) != trades[0].Tokens || f.balance(o.creator, ledger.CNPY) != 0 {
		t.Error("the creator paid and received")
	}
	in.first = 45_000 * unit
	f.open(in)
	if f.graduations() != 1 {
		t.Error("a first purchase over the threshold closes the pool like any other")
	}
	f.verify()
}

func TestOpeningIsAllOrNothing(t *testing.T) {
	f := newFixture(t)
	in := standard()
	in.first = 1 // the fee eats it up, so nothing is bought
	if _, err := f.tryOpen(in); kindOf(err) != fault.Unprocessable {
		t.Fatalf("a first purchase of nothing: %v", err)
	}
	if n := f.count("SELECT count(*) FROM pools"); n != 0 {
		t.Errorf("%d pools: a refused purchase opens none", n)
	}
	f.verify()
}
