package market_test

import (
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// byAllTrades computes a position's costs from all of its trades at once.
func (f *fixture) byAllTrades(user, pool uuid.UUID, balance money.Amount) (g market.Gain) {
	f.t.Helper()
	rows, err := f.store.Query(f.t.Context(), "SELECT side, cnpy_amount, token_amount FROM trades WHERE user_id = $1 AND pool_id = $2 ORDER BY seq", user, pool)
	if err != nil {
		f.t.Fatal(err)
	}
	defer rows.Close()
	var held money.Amount
	release := func(tokens money.Amount) (share money.Amount) {
		if tokens > 0 {
			share, _ = money.MulDivFloor(g.Basis, tokens, held)
			g.Basis, held = g.Basis-share, held-tokens
		}
		return share
	}
	for rows.Next() {
		var side string
		var cnpy, tokens money.Amount
		if err := rows.Scan(&side, &cnpy, &tokens); err != nil {
			f.t.Fatal(err)
		}
		if side == "buy" {
			g.Cost, g.Basis, held = g.Cost+cnpy, g.Basis+cnpy, held+tokens
		} else {
			g.Proceeds += cnpy
			release(min(tokens, held))
		}
	}
	g.Cost -= release(held - balance)
	g.Realised = g.Proceeds - (g.Cost - g.Basis)
	return g
}

// wantAllTrades wants a position to be what all of its trades come to.
func (f *fixture) wantAllTrades(user uuid.UUID, got market.Position) {
	f.t.Helper()
	want := f.byAllTrades(user, got.PoolID, got.Tokens)
	want.Value, want.Unrealised = got.Value, got.Value-want.Basis
	if got.Gain != want {
		f.t.Errorf("the position is %+v, all trades come to %+v", got.Gain, want)
	}
	if n := f.count("SELECT count(*) FROM trades WHERE user_id = $1 AND pool_id = $2", user, got.PoolID); got.Trades != n {
		f.t.Errorf("%d trades, want %d", got.Trades, n)
	}
}

// A long history is followed once, in parts; what it has come to stands without it,
// and what is traded later is added.
func TestAPortfolioReadsEachTradeOnce(t *testing.T) {
	f := newFixture(t)
	o, other := f.open(standard()), f.open(standard())
	user := f.user(1_000 * unit)
	f.trade(buy(o.pool, user, 100*unit))
	f.trade(buy(other.pool, user, 100*unit))
	history := `INSERT INTO trades (id, pool_id, seq, user_id, side, cnpy_amount, token_amount, fee_cnpy, cnpy_reserve_after,
			token_reserve_after, request_hash, created_at)
		SELECT gen_random_uuid(), $1, g, $2, CASE WHEN g % 3 = 0 THEN 'sell' ELSE 'buy' END, 1000 + g * 7919 % 10007, 500 + g * 104729 % 9973,
			0, 1, 1, '', now() FROM generate_series($3::int8, $4::int8) g`
	insert := func(from, to int64) {
		t.Helper()
		if err := f.store.Exec(t.Context(), history, o.pool, user, from, to); err != nil {
			t.Fatal(err)
		}
	}
	position := func() market.Position {
		t.Helper()
		for _, p := range f.portfolio(user).Positions {
			if p.PoolID == o.pool {
				return p
			}
		}
		t.Fatal("the position is gone")
		return market.Position{}
	}
	insert(2, 2_500)
	first := position()
	f.wantAllTrades(user, first)
	if n := f.count("SELECT count(*) FROM costings"); n != 1 {
		t.Errorf("%d positions are noted, want the long one alone", n)
	}
	noted := f.count("SELECT seq FROM costings WHERE user_id = $1 AND pool_id = $2", user, o.pool)
	if noted <= 2_000 {
		t.Errorf("noted up to trade %d of 2500: the parts end at 1000 and 2000, and what is left is long", noted)
	}
	insert(2_501, 2_550)
	second := position()
	f.wantAllTrades(user, second)
	if err := f.store.Exec(t.Context(), "DELETE FROM trades WHERE pool_id = $1 AND seq <= $2", o.pool, noted); err != nil {
		t.Fatal(err)
	}
	if again := position(); !reflect.DeepEqual(again, second) {
		t.Errorf("without the trades that are noted: %+v, want %+v", again, second)
	}
}

// What is noted while somebody trades, by several at once, is what the trades come to.
func TestPortfoliosWhileTrading(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	f := newFixture(t)
	pools := []opened{f.open(standard()), f.open(standard())}
	user := f.user(20_000 * unit)
	ended, readers := make(chan struct{}), sync.WaitGroup{}
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				if _, err := f.market.Portfolio(t.Context(), user); err != nil {
					t.Errorf("while trading: %v", err)
				}
			}
		})
	}
	for range 500 {
		if _, err := f.market.Trade(t.Context(), randomOrder(r, pools[r.IntN(2)].pool, user)); err != nil && kindOf(err) == "" {
			t.Fatal(err)
		}
	}
	close(ended)
	readers.Wait()
	got := f.portfolio(user)
	if n := f.count("SELECT count(*) FROM costings"); n == 0 {
		t.Error("nothing was noted")
	}
	for _, position := range got.Positions {
		f.wantAllTrades(user, position)
	}
	if err := f.store.Exec(t.Context(), "DELETE FROM costings"); err != nil {
		t.Fatal(err)
	}
	if anew := f.portfolio(user); !reflect.DeepEqual(anew, got) {
		t.Errorf("from the first trade on: %+v, want %+v", anew, got)
	}
}

// Who was slow does not set a note back.
func TestANoteGoesForwardOnly(t *testing.T) {
	f := newFixture(t)
	user, pool := newID(t), newID(t)
	note := func(seq int64) {
		t.Helper()
		err := f.store.Queries().NoteCostings(t.Context(), db.NoteCostingsParams{
			UserID: user, Pools: []uuid.UUID{pool}, Seqs: []int64{seq}, Trades: []int64{seq},
			Held: []int64{seq}, Costs: []int64{seq}, Bases: []int64{seq}, Proceeds: []int64{seq},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		seq, want int64
		reason    string
	}{
		{200, 200, "the first"}, {100, 200, "an older one"}, {200, 200, "the same"}, {300, 300, "a newer one"},
	} {
		note(step.seq)
		if got := f.count("SELECT sum(held) FROM costings WHERE seq = trades AND seq = cost AND seq = basis AND seq = proceeds"); got != step.want {
			t.Errorf("%s: noted up to %d, want %d", step.reason, got, step.want)
		}
	}
}
