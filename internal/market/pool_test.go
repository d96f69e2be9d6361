package market_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

func TestDayFields(t *testing.T) {
	for _, kind := range []curve.Kind{curve.ConstantProduct, curve.Linear} {
		t.Run(string(kind), func(t *testing.T) {
			f := newFixture(t)
			in := standard()
			in.curve.Kind = kind
			o := f.open(in)
			user := f.user(10_000 * unit)
			quiet, err := f.market.Pool(t.Context(), o.chain)
			if err != nil || quiet.Day.ChangePercent != "0" || quiet.Day.Volume != 0 || quiet.Day.High.Cmp(quiet.Price) != 0 {
				t.Fatalf("a pool without trades: %+v, %v", quiet, err)
			}
			old := f.trade(buy(o.pool, user, 1_000*unit))
			if err := f.store.Exec(t.Context(), "UPDATE trades SET created_at = created_at - interval '25 hours'"); err != nil {
				t.Fatal(err)
			}
			opening, err := f.market.Pool(t.Context(), o.pool)
			if err != nil || opening.Day.Volume != 0 || opening.Volume != 1_000*unit {
				t.Fatalf("yesterday's trade is not today's: %+v, %v", opening, err)
			}
			up := f.trade(buy(o.pool, user, 500*unit))
			f.trade(sell(o.pool, user, old.Tokens+up.Tokens/2))
			pool, err := f.market.Pool(t.Context(), o.pool)
			if err != nil {
				t.Fatal(err)
			}
			high := pool.Curve.Price(up.After).Decimal(12)
			if pool.Day.High.Decimal(12) != high || pool.Day.Low.Decimal(12) != pool.Price.Decimal(12) {
				t.Errorf("high %s (want %s), low %s (want %s)", pool.Day.High, high, pool.Day.Low, pool.Price)
			}
			change := pool.Price.Sub(opening.Price).Div(opening.Price).Percent()
			if pool.Day.ChangePercent != change || change[0] != '-' {
				t.Errorf("change %s, want %s since the window's beginning", pool.Day.ChangePercent, change)
			}
			if pool.Day.Volume != pool.Volume-1_000*unit || pool.UniqueTraders != 1 || pool.Trades != 3 || !pool.Active() {
				t.Errorf("%+v", pool)
			}
		})
	}
}

func TestMarketCapFollowsTheRate(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	double := market.New(f.store, market.Options{Rate: func() money.Ratio { return money.NewRatio(2, 1) }})
	pool, err := double.Pool(t.Context(), o.pool)
	if err != nil || pool.MarketCapUSD != "20000" {
		t.Errorf("0.0000125 × 800 000 000 × 2 = %s, %v; want 20000", pool.MarketCapUSD, err)
	}
}

// A trade's market cap is what it was after the trade, however the rate moves: in
// the first answer, in its repetition and in every list.
func TestTradesKeepTheirRate(t *testing.T) {
	f := newFixture(t)
	var rate atomic.Pointer[money.Ratio]
	set := func(num, den money.Amount) { r := money.NewRatio(num, den); rate.Store(&r) }
	set(3, 2)
	f.market = run(t, f.store, market.Options{Rate: func() money.Ratio { return *rate.Load() }})
	in := standard()
	in.curve.FeeBasisPoints, in.first = 0, 100*unit
	o := f.open(in)
	order := buy(o.pool, f.user(1_000*unit), unit)
	order.IdempotencyKey = "once"
	first := f.trade(order)
	capAt := func(trade market.Trade, rate money.Ratio) money.Decimal {
		return in.curve.Price(trade.After).Mul(money.NewRatio(in.curve.InitialTokens, unit)).Mul(rate).Decimal(2)
	}
	want := capAt(first, money.NewRatio(3, 2))
	if first.MarketCapUSD != want {
		t.Errorf("market cap %s, want %s at 1.5", first.MarketCapUSD, want)
	}
	set(7, 1)
	if again := f.trade(order); !again.Replayed || again.MarketCapUSD != first.MarketCapUSD {
		t.Errorf("the repetition says %s, the first answer was %s", again.MarketCapUSD, first.MarketCapUSD)
	}
	place := market.Place{PoolID: o.pool}
	tail, err := f.market.TradesAfter(t.Context(), []market.Place{place}, 10)
	if err != nil || len(tail[place]) != 2 || tail[place][1].MarketCapUSD != want {
		t.Errorf("in the feed: %+v, %v", tail, err)
	}
	if opening := tail[place][0]; opening.MarketCapUSD != capAt(opening, money.NewRatio(3, 2)) {
		t.Errorf("the creator's first purchase: %s", opening.MarketCapUSD)
	}
	if err := f.store.Exec(t.Context(), "UPDATE trades SET cnpy_usd_rate = NULL"); err != nil {
		t.Fatal(err)
	}
	list, _, err := f.market.Trades(t.Context(), market.TradeFilter{PoolID: o.pool}, market.Page{Number: 1, Size: 10})
	if err != nil || list[0].MarketCapUSD != capAt(first, money.NewRatio(7, 1)) {
		t.Errorf("one from before rates were kept is shown at the present rate: %s, %v", list[0].MarketCapUSD, err)
	}
}

// Where no rate is known none is kept, and what is shown is at the rate of whoever
// shows it.
func TestTradesWithoutARate(t *testing.T) {
	for name, o := range map[string]market.Options{
		"no rate": {}, "an unknown one": {Rate: func() money.Ratio { return money.Ratio{} }},
		"one beyond all numbers": {Rate: func() money.Ratio { return money.NewRatio(money.Max, 1) }},
	} {
		f := newFixture(t)
		f.market = run(t, f.store, o)
		f.trade(buy(f.open(standard()).pool, f.user(unit), unit))
		if n := f.count("SELECT count(*) FROM trades WHERE cnpy_usd_rate IS NULL"); n != 1 {
			t.Errorf("%s: %d trades without a rate, want 1", name, n)
		}
	}
}

func TestPoolsAndPages(t *testing.T) {
	f := newFixture(t)
	first, second := f.open(standard()), f.open(standard())
	user := f.user(100 * unit)
	f.trade(buy(first.pool, user, unit))
	pools, total, err := f.market.Pools(t.Context(), market.Search{}, market.Page{Number: 1, Size: 1})
	if err != nil || total != 2 || len(pools) != 1 || pools[0].ID != first.pool {
		t.Fatalf("the most recently traded pool comes first: %+v of %d, %v", pools, total, err)
	}
	pools, _, err = f.market.Pools(t.Context(), market.Search{}, market.Page{Number: 2, Size: 1})
	if err != nil || pools[0].ID != second.pool {
		t.Errorf("then the other: %+v, %v", pools, err)
	}
	if pools, _, err = f.market.Pools(t.Context(), market.Search{}, market.Page{Number: 9, Size: 1}); err != nil || len(pools) != 0 {
		t.Errorf("a page past the end is empty: %+v, %v", pools, err)
	}
	if _, err := f.market.Pool(t.Context(), newID(t)); kindOf(err) != fault.NotFound {
		t.Errorf("no such pool: %v", err)
	}
}

// TestPoolSearch has each order put another pool first, so that none can pass for
// another.
func TestPoolSearch(t *testing.T) {
	f := newFixture(t)
	user := f.user(1_000_000 * unit)
	dear, near, busy, newest := standard(), standard(), standard(), standard()
	dear.curve.InitialCNPY *= 3 // three times the price, so the highest capitalisation
	dear.threshold *= 100
	near.threshold = 11_000 * unit
	busy.threshold *= 100
	newest.threshold *= 100
	pools := map[string]opened{"dear": f.open(dear), "near": f.open(near), "busy": f.open(busy), "newest": f.open(newest)}
	names := map[uuid.UUID]string{}
	for name, o := range pools {
		names[o.pool] = name
		if err := f.store.Exec(t.Context(), "UPDATE chains SET chain_name = $2, token_symbol = 'X' || left($2, 1) WHERE id = $1", o.chain, "The "+name+" 100%_"); err != nil {
			t.Fatal(err)
		}
	}
	bought := f.trade(buy(pools["busy"].pool, user, 2_000*unit))
	f.trade(sell(pools["busy"].pool, user, bought.Tokens))
	f.trade(buy(pools["near"].pool, user, 500*unit))

	list := func(search market.Search) []string {
		found, total, err := f.market.Pools(t.Context(), search, market.Page{Number: 1, Size: 10})
		if err != nil || total != int64(len(found)) {
			t.Fatalf("%+v: %d of %d, %v", search, len(found), total, err)
		}
		var got []string
		for _, p := range found {
			got = append(got, names[p.ID])
		}
		return got
	}
	for _, c := range []struct {
		sort  market.Sort
		first string
	}{
		{market.ByUpdate, "near"}, {market.ByAge, "newest"}, {market.ByVolume, "busy"},
		{market.ByMarketCap, "dear"}, {market.ByNearGraduation, "near"},
	} {
		if got := list(market.Search{Sort: c.sort}); len(got) != 4 || got[0] != c.first {
			t.Errorf("by %q: %v, want %s first", c.sort, got, c.first)
		}
	}
	f.trade(buy(pools["near"].pool, user, 5_000*unit))
	if got := list(market.Search{Sort: market.ByNearGraduation}); got[3] != "near" {
		t.Errorf("a closed pool is as far from graduation as any: %v", got)
	}
	for text, want := range map[string]int{"DEAR": 1, "xt": 4, "the": 4, "100%_": 4, "%dear": 0, "100__": 0} {
		if got := list(market.Search{Text: text}); len(got) != want {
			t.Errorf("%q is found %d times, want %d: what a user writes is no pattern", text, len(got), want)
		}
	}
}

// TestPoolPages has each order, searched or not, come in pages as the columns say in one
// piece: pools that are equal in it included.
func TestPoolPages(t *testing.T) {
	f := newFixture(t)
	for i := range 12 {
		o := f.open(standard())
		name := []string{"even", "odd"}[i%2] + o.chain.String()
		err := errors.Join(
			f.store.Exec(t.Context(), "UPDATE chains SET chain_name = $2 WHERE id = $1", o.chain, name),
			f.store.Exec(t.Context(), `UPDATE pools SET total_volume_cnpy = $2 % 3, market_cap_cnpy = $2 % 4, nearness = $2 % 5,
				created_at = created_at - $2 % 7 * INTERVAL '1 hour', updated_at = updated_at - $2 % 6 * INTERVAL '1 hour' WHERE id = $1`, o.pool, int64(i)),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	for sort, columns := range map[market.Sort]string{
		market.ByUpdate: "p.updated_at DESC", market.ByAge: "p.created_at DESC", market.ByVolume: "p.total_volume_cnpy DESC, p.updated_at DESC",
		market.ByMarketCap: "p.market_cap_cnpy DESC, p.updated_at DESC", market.ByNearGraduation: "p.nearness DESC, p.updated_at DESC",
	} {
		for search, n := range map[string]int64{"": 12, "ODD": 6, "nobody": 0} {
			rows, err := f.store.Query(t.Context(), "SELECT p.id FROM pools p JOIN chains c ON c.id = p.chain_id WHERE c.chain_name ILIKE '%'||$1||'%' ORDER BY "+columns+", p.id DESC", search)
			if err != nil {
				t.Fatal(err)
			}
			want, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			if err != nil {
				t.Fatal(err)
			}
			var got []uuid.UUID
			for number := 1; number <= 4; number++ {
				page, total, err := f.market.Pools(t.Context(), market.Search{Text: search, Sort: sort}, market.Page{Number: number, Size: 5})
				if err != nil || total != n {
					t.Fatalf("%q by %q: %d, want %d, %v", search, sort, total, n, err)
				}
				for _, pool := range page {
					got = append(got, pool.ID)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q by %q comes as %v, want %v", search, sort, got, want)
			}
		}
	}
}

func TestTradesList(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	alice, bob := f.user(100*unit), f.user(100*unit)
	var last market.Trade
	for range 3 {
		last = f.trade(buy(o.pool, alice, unit))
	}
	f.trade(buy(o.pool, bob, unit))
	f.trade(sell(o.pool, alice, last.Tokens))
	for _, tc := range []struct {
		name   string
		filter market.TradeFilter
		page   market.Page
		total  int64
		seqs   []int64
		reason string
	}{
		{"all", market.TradeFilter{PoolID: o.chain}, market.Page{Number: 1, Size: 3}, 5, []int64{5, 4, 3}, "newest first"},
		{"next page", market.TradeFilter{PoolID: o.pool}, market.Page{Number: 2, Size: 3}, 5, []int64{2, 1}, "by the pool's id too"},
		{"past the end", market.TradeFilter{PoolID: o.pool}, market.Page{Number: 3, Size: 3}, 5, nil, "an empty page"},
		{"one user", market.TradeFilter{PoolID: o.pool, UserID: &bob}, market.Page{Number: 1, Size: 9}, 1, []int64{4}, "only bob's"},
		{"one side", market.TradeFilter{PoolID: o.pool, Side: market.Sell}, market.Page{Number: 1, Size: 9}, 1, []int64{5}, "only sells"},
		{"both", market.TradeFilter{PoolID: o.pool, UserID: &alice, Side: market.Buy}, market.Page{Number: 2, Size: 2}, 3, []int64{1}, "filters add up"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			trades, total, err := f.market.Trades(t.Context(), tc.filter, tc.page)
			if err != nil || total != tc.total || len(trades) != len(tc.seqs) {
				t.Fatalf("%d of %d, %v: %s", len(trades), total, err, tc.reason)
			}
			for i, trade := range trades {
				if trade.Seq != tc.seqs[i] {
					t.Errorf("trade %d has number %d, want %d: %s", i, trade.Seq, tc.seqs[i], tc.reason)
				}
			}
		})
	}
	if _, _, err := f.market.Trades(t.Context(), market.TradeFilter{PoolID: o.pool, Side: "swap"}, market.Page{Number: 1, Size: 1}); kindOf(err) != fault.Invalid {
		t.Errorf("an unknown side: %v", err)
	}
	trades, _, err := f.market.Trades(t.Context(), market.TradeFilter{PoolID: o.pool}, market.Page{Number: 1, Size: 5})
	if err != nil || trades[2].Hash != last.Hash || trades[2].SlippagePercent != last.SlippagePercent {
		t.Errorf("the list shows what the trader was answered: %+v and %+v, %v", trades[2], last, err)
	}
}

func TestQuoteIsWhatTradeDoes(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	user := f.user(60_000 * unit)
	f.trade(buy(o.pool, user, 5_000*unit))
	for _, r := range []market.QuoteRequest{
		{Side: market.Buy, CNPY: amount(10 * unit)}, {Side: market.Buy, Tokens: amount(1_000 * unit)},
		{Side: market.Sell, Tokens: amount(1_000 * unit)}, {Side: market.Sell, CNPY: amount(10 * unit)},
	} {
		quote, err := f.market.Quote(t.Context(), o.chain, r)
		if err != nil {
			t.Fatal(err)
		}
		trade := f.trade(market.Order{PoolID: o.pool, UserID: user, Side: r.Side, CNPY: r.CNPY, Tokens: r.Tokens})
		in, out := trade.CNPY, trade.Tokens
		if r.Side == market.Sell {
			in, out = out, in
		}
		if quote.In != in || quote.Out != out || quote.Fee != trade.Fee || quote.SlippagePercent != trade.SlippagePercent ||
			quote.Price.Cmp(trade.Price) != 0 || quote.CrossesThreshold {
			t.Errorf("quoted %+v, traded %+v", quote, trade)
		}
	}
	if quote, err := f.market.Quote(t.Context(), o.pool, market.QuoteRequest{Side: market.Buy, CNPY: amount(50_000 * unit)}); err != nil || !quote.CrossesThreshold {
		t.Errorf("this one crosses: %+v, %v", quote, err)
	}
	if err := f.market.SetTrading(t.Context(), o.chain, market.Paused); err != nil {
		t.Fatal(err)
	}
	if _, err := f.market.Quote(t.Context(), o.pool, market.QuoteRequest{Side: market.Buy, CNPY: amount(unit)}); kindOf(err) != fault.Unprocessable {
		t.Errorf("a paused pool quotes nothing: %v", err)
	}
	if _, err := f.market.Quote(t.Context(), o.pool, market.QuoteRequest{Side: "swap"}); kindOf(err) != fault.Invalid {
		t.Errorf("a bad request: %v", err)
	}
}
