package market_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

func (f *fixture) portfolio(user uuid.UUID) market.Portfolio {
	f.t.Helper()
	p, err := f.market.Portfolio(f.t.Context(), user)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// holds says that a gain's parts add up, exactly.
func holds(t *testing.T, g market.Gain, what string) {
	t.Helper()
	if g.Realised+g.Unrealised != g.Value+g.Proceeds-g.Cost {
		t.Errorf("%s: realised %s + unrealised %s ≠ value %s + proceeds %s − cost %s", what, g.Realised, g.Unrealised, g.Value, g.Proceeds, g.Cost)
	}
	if g.Basis < 0 || g.Basis > g.Cost {
		t.Errorf("%s: a basis of %s out of a cost of %s", what, g.Basis, g.Cost)
	}
}

func TestPortfolioByAverageCost(t *testing.T) {
	f := newFixture(t)
	in := standard()
	in.curve.FeeBasisPoints = 0
	o := f.open(in)
	user, whale := f.user(10_000*unit), f.user(40_000*unit)
	first := f.trade(buy(o.pool, user, 1_000*unit))
	f.trade(buy(o.pool, whale, 10_000*unit))
	second := f.trade(buy(o.pool, user, 1_000*unit))
	held := first.Tokens + second.Tokens
	sold := f.trade(sell(o.pool, user, held/4))
	p := f.portfolio(user)
	if len(p.Positions) != 1 {
		t.Fatalf("%+v", p)
	}
	got := p.Positions[0]
	costSold, _ := money.MulDivFloor(2_000*unit, held/4, held)
	if got.Cost != 2_000*unit || got.Basis != 2_000*unit-costSold || got.Proceeds != sold.CNPY || got.Realised != sold.CNPY-costSold {
		t.Errorf("a quarter sold takes a quarter of the cost along: %+v", got.Gain)
	}
	value, _ := in.curve.Price(sold.After).Of(got.Tokens)
	if got.Tokens != held-held/4 || got.Value != value || got.Unrealised != value-got.Basis || got.Realised <= 0 {
		t.Errorf("what is held is worth the marginal price: %+v", got)
	}
	if got.AverageCost.Cmp(money.NewRatio(got.Basis, got.Tokens)) != 0 || got.Trades != 3 || got.ChainID != o.chain || got.PoolID != o.pool {
		t.Errorf("%+v", got)
	}
	holds(t, got.Gain, "position")
	f.trade(sell(o.pool, user, got.Tokens))
	done := f.portfolio(user).Positions[0]
	if done.Tokens != 0 || done.Basis != 0 || done.Unrealised != 0 || done.Realised != done.Proceeds-2_000*unit || done.AverageCost.Sign() != 0 {
		t.Errorf("all is sold, and all gain is realised: %+v", done)
	}
	if empty := f.portfolio(newID(t)); len(empty.Positions) != 0 || empty.Total != (market.Gain{}) {
		t.Errorf("nobody holds nothing: %+v", empty)
	}
}

// TestPortfolioWithTransfers: tokens that came without a trade cost nothing, and
// those that went without one are neither gain nor loss.
func TestPortfolioWithTransfers(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	giver, taker := f.user(1_000*unit), f.user(1_000*unit)
	bought := f.trade(buy(o.pool, giver, 100*unit))
	f.transfer(o.chain, giver, taker, bought.Tokens/2)

	gone, _ := money.MulDivFloor(100*unit, bought.Tokens/2, bought.Tokens)
	given := f.portfolio(giver).Positions[0]
	if given.Cost != 100*unit-gone || given.Basis != given.Cost || given.Realised != 0 || given.Tokens != bought.Tokens-bought.Tokens/2 {
		t.Errorf("half of the tokens left with half of the cost: %+v", given)
	}
	taken := f.portfolio(taker).Positions[0]
	if taken.Cost != 0 || taken.Basis != 0 || taken.Unrealised != taken.Value || taken.Value <= 0 || taken.Trades != 0 {
		t.Errorf("a gift costs nothing: %+v", taken)
	}
	f.trade(sell(o.pool, taker, taken.Tokens/2))
	taken = f.portfolio(taker).Positions[0]
	if taken.Realised != taken.Proceeds || taken.Proceeds <= 0 {
		t.Errorf("what was given and sold is all gain: %+v", taken)
	}
	for _, user := range []uuid.UUID{giver, taker} {
		holds(t, f.portfolio(user).Total, "after a transfer")
	}
}

// transfer moves tokens between users outside the market.
func (f *fixture) transfer(chain, from, to uuid.UUID, tokens money.Amount) {
	f.t.Helper()
	id := newID(f.t)
	err := f.store.InTx(f.t.Context(), func(ctx context.Context, q *db.Queries) error {
		return ledger.Post(ctx, q, ledger.Journal{ID: id, Kind: "transfer", Legs: []ledger.Leg{
			{Account: ledger.Account{Type: ledger.User, Owner: from, Asset: ledger.Token(chain)}, Amount: -tokens},
			{Account: ledger.Account{Type: ledger.User, Owner: to, Asset: ledger.Token(chain)}, Amount: tokens},
		}})
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// TestPortfolioAddsUp lets users trade and give at random on three pools.
func TestPortfolioAddsUp(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	f := newFixture(t)
	pools := []opened{f.open(standard()), f.open(standard()), f.open(standard())}
	users := []uuid.UUID{f.user(20_000 * unit), f.user(20_000 * unit)}
	for range 150 {
		pool, chosen := pools[r.IntN(3)], r.IntN(2)
		user := users[chosen]
		if r.IntN(8) == 0 {
			if held := f.balance(user, pool.chain); held > 1 {
				f.transfer(pool.chain, user, users[1-chosen], 1+money.Amount(r.Int64N(int64(held-1))))
			}
			continue
		}
		if _, err := f.market.Trade(t.Context(), randomOrder(r, pool.pool, user)); err != nil && kindOf(err) == "" {
			t.Fatal(err)
		}
	}
	for _, user := range users {
		p := f.portfolio(user)
		holds(t, p.Total, "total")
		last := money.Max
		for _, position := range p.Positions {
			holds(t, position.Gain, position.ChainName)
			if position.Tokens != f.balance(user, position.ChainID) {
				t.Errorf("%s tokens, the ledger says %s", position.Tokens, f.balance(user, position.ChainID))
			}
			if position.Value > last {
				t.Error("the most valuable comes first")
			}
			last = position.Value
		}
	}
}
