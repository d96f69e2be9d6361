package market_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

func TestTradeMovesValue(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	user := f.user(2_000 * unit)
	bought := f.trade(buy(o.chain, user, 1_000*unit)) // by the chain's id
	if bought.Fee != 10*unit || bought.Seq != 1 || bought.PoolID != o.pool || bought.ChainID != o.chain {
		t.Errorf("got %+v; want the seed's fee of 10 as trade 1 of the pool", bought)
	}
	if bought.After.CNPY != 10_990*unit || f.balance(user, ledger.CNPY) != 1_000*unit || f.balance(user, o.chain) != bought.Tokens {
		t.Errorf("reserve %s, left %s, tokens %s", bought.After.CNPY, f.balance(user, ledger.CNPY), f.balance(user, o.chain))
	}
	if !strings.HasPrefix(bought.Hash, "0x") || len(bought.Hash) != 66 || bought.MarketCapUSD == "" || bought.Price.Sign() <= 0 {
		t.Errorf("a trade shows its hash, price and market cap: %+v", bought)
	}
	sold := f.trade(sell(o.pool, user, bought.Tokens)) // by the pool's id
	if sold.Seq != 2 || sold.CNPY+sold.Fee > 990*unit || sold.Fee == 0 || f.balance(user, o.chain) != 0 {
		t.Errorf("selling all brought %+v: less than was paid in, less a fee on the way out", sold)
	}
	f.verify()
}

func TestExactOutBothSides(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	user := f.user(1_000 * unit)
	bought := f.trade(market.Order{PoolID: o.pool, UserID: user, Side: market.Buy, Tokens: amount(5_000_000 * unit), MaxIn: amount(100 * unit)})
	if bought.Tokens != 5_000_000*unit || f.balance(user, o.chain) != 5_000_000*unit {
		t.Errorf("asked for 5 000 000 tokens, got %s", bought.Tokens)
	}
	sold := f.trade(market.Order{PoolID: o.pool, UserID: user, Side: market.Sell, CNPY: amount(20 * unit), MaxIn: amount(5_000_000 * unit)})
	if sold.CNPY != 20*unit || f.balance(user, ledger.CNPY) != 1_000*unit-bought.CNPY+20*unit {
		t.Errorf("asked for 20 CNPY, got %s", sold.CNPY)
	}
	f.verify()
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	rich, poor := f.user(1_000_000*unit), f.user(5*unit)
	f.trade(buy(o.pool, poor, 2*unit))
	held := f.balance(poor, o.chain)
	for _, tc := range []struct {
		name   string
		order  market.Order
		kind   fault.Kind
		text   string
		reason string
	}{
		{"no balance", buy(o.pool, poor, 10*unit), fault.Unprocessable, "have 3 CNPY, need 10", "it says what is there and what is needed"},
		{"no tokens", sell(o.pool, poor, held+1), fault.Unprocessable, "need " + (held + 1).String(), "by one unit"},
		{"no account", sell(o.pool, rich, unit), fault.Unprocessable, "have 0 tokens", "who never held any has none"},
		{"min_out", market.Order{PoolID: o.pool, UserID: rich, Side: market.Buy, CNPY: amount(unit), MinOut: amount(money.Max)}, fault.Unprocessable, "less than min_out", "the price moved"},
		{"max_in", market.Order{PoolID: o.pool, UserID: rich, Side: market.Buy, Tokens: amount(1_000_000 * unit), MaxIn: amount(1)}, fault.Unprocessable, "more than max_in", "the price moved"},
		{"deadline", market.Order{PoolID: o.pool, UserID: rich, Side: market.Buy, CNPY: amount(unit), Deadline: time.Now().Add(-time.Second)}, fault.Unprocessable, "deadline", "it came too late"},
		{"pool", buy(newID(t), rich, unit), fault.NotFound, "Virtual pool not found", "there is none"},
		{"nothing", buy(o.pool, rich, 0), fault.Invalid, "Validation failed", "zero is not an amount"},
		{"fee eats all", buy(o.pool, rich, 1), fault.Unprocessable, "too small", "nothing would be bought"},
		{"key", market.Order{PoolID: o.pool, UserID: rich, Side: market.Buy, CNPY: amount(unit), IdempotencyKey: "a\x00b"}, fault.Invalid, "Validation failed", "text in the database has no NUL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := f.market.Trade(t.Context(), tc.order)
			if kindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("got %v; want %s with %q: %s", err, tc.kind, tc.text, tc.reason)
			}
		})
	}
	if n := f.count("SELECT count(*) FROM trades"); n != 1 {
		t.Errorf("%d trades; a refused one changes nothing", n)
	}
	f.verify()
}

func TestIdempotencyKey(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	alice, bob := f.user(100*unit), f.user(100*unit)
	order := buy(o.pool, alice, 10*unit)
	order.IdempotencyKey = "once"
	first := f.trade(order)
	byChain := order
	byChain.PoolID = o.chain
	again := f.trade(byChain)
	if again.ID != first.ID || !again.Replayed || again.Hash != first.Hash || first.Replayed {
		t.Errorf("a replay answers %+v, the first time %+v: they are one trade", again, first)
	}
	other := order
	other.CNPY = amount(11 * unit)
	if _, err := f.market.Trade(t.Context(), other); kindOf(err) != fault.Conflict {
		t.Errorf("another request under the key: %v, want a Conflict", err)
	}
	theirs := order
	theirs.UserID = bob
	if trade := f.trade(theirs); trade.ID == first.ID || trade.Replayed {
		t.Error("keys are the user's own")
	}
	late := buy(o.pool, alice, unit)
	late.IdempotencyKey, late.Deadline = "late", time.Now().Add(300*time.Millisecond)
	first = f.trade(late)
	time.Sleep(350 * time.Millisecond)
	if again := f.trade(late); again.ID != first.ID {
		t.Error("a replay past the deadline still gets the first answer")
	}
	given := buy(o.pool, alice, unit)
	given.ID = newID(t)
	f.trade(given)
	if again := f.trade(given); again.ID != given.ID || !again.Replayed {
		t.Error("an id of the caller's own works like a key")
	}
	given.CNPY = amount(2 * unit)
	if _, err := f.market.Trade(t.Context(), given); kindOf(err) != fault.Conflict {
		t.Errorf("another request under the id: %v, want a Conflict", err)
	}
	if got := f.balance(alice, ledger.CNPY); got != 88*unit {
		t.Errorf("alice has %s, want 88: ten, one and one were spent", got)
	}
	f.verify()
}

func TestSameKeyAtOnce(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	user := f.user(1_000 * unit)
	order := buy(o.pool, user, 10*unit)
	order.IdempotencyKey = "many at once"
	ids := make([]uuid.UUID, 32)
	each(len(ids), func(i int) {
		trade, err := f.market.Trade(t.Context(), order)
		if err != nil {
			t.Errorf("replay %d: %v", i, err)
		}
		ids[i] = trade.ID
	})
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("two trades under one key: %s and %s", id, ids[0])
		}
	}
	if got := f.balance(user, ledger.CNPY); got != 990*unit {
		t.Errorf("balance %s, want 990: the key was paid once", got)
	}
	f.verify()
}

// each runs fn n times at once and waits.
func each(n int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { fn(i) })
	}
	wg.Wait()
}

func TestPauseAndFee(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	user := f.user(100 * unit)
	if err := f.market.SetTrading(t.Context(), o.chain, market.Paused); err != nil {
		t.Fatal(err)
	}
	if _, err := f.market.Trade(t.Context(), buy(o.pool, user, unit)); kindOf(err) != fault.Unprocessable || !strings.Contains(err.Error(), "paused") {
		t.Errorf("trade on a paused pool: %v", err)
	}
	before := f.count("SELECT (extract(epoch FROM updated_at) * 1000000)::int8 FROM pools")
	for range 2 {
		if err := f.market.SetTrading(t.Context(), o.chain, market.Paused); err != nil {
			t.Fatal(err)
		}
	}
	if after := f.count("SELECT (extract(epoch FROM updated_at) * 1000000)::int8 FROM pools"); after != before {
		t.Error("asking for what is the case already writes nothing")
	}
	if err := f.market.SetTrading(t.Context(), o.chain, market.Enabled); err != nil {
		t.Fatal(err)
	}
	if err := f.market.SetFee(t.Context(), o.chain, 250); err != nil {
		t.Fatal(err)
	}
	if trade := f.trade(buy(o.pool, user, 10*unit)); trade.Fee != 250_000 {
		t.Errorf("fee %s, want 0.25: the new fee is that of the next trade", trade.Fee)
	}
	if err := f.market.SetFee(t.Context(), o.chain, 1001); kindOf(err) != fault.Invalid {
		t.Errorf("fee of 10.01 %%: %v", err)
	}
	if err := f.market.SetTrading(t.Context(), o.chain, market.Closed); kindOf(err) != fault.Invalid {
		t.Errorf("only the threshold closes a pool: %v", err)
	}
	if err := f.market.SetTrading(t.Context(), newID(t), market.Paused); kindOf(err) != fault.NotFound {
		t.Errorf("pausing what is not there: %v", err)
	}
	f.verify()
}

func TestQueueIsBounded(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	user := f.user(100 * unit)
	idle := market.New(f.store, market.Options{QueueSize: 1}) // nobody runs it
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	_, err := idle.Trade(short, buy(o.pool, user, unit))
	if kindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "given up") {
		t.Errorf("a caller who left the queue: %v", err)
	}
	_, err = idle.Trade(t.Context(), buy(o.pool, user, unit))
	if kindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "busy") {
		t.Errorf("a full queue: %v", err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := idle.Run(stopped); err != nil { // drains what waits
		t.Fatal(err)
	}
	if n := f.count("SELECT count(*) FROM trades"); n != 0 {
		t.Errorf("%d trades: who left before the batch has not traded", n)
	}
	if _, err := idle.Trade(t.Context(), buy(o.pool, user, unit)); kindOf(err) != fault.Unavailable {
		t.Errorf("a stopped market: %v", err)
	}
}

func TestDrainFillsWhatWaits(t *testing.T) {
	f := newFixture(t)
	o := f.open(standard())
	user := f.user(100 * unit)
	m := market.New(f.store, market.Options{BatchSize: 4})
	ctx, stop := context.WithCancel(t.Context())
	var answered sync.WaitGroup
	for range 20 {
		answered.Go(func() {
			if _, err := m.Trade(t.Context(), buy(o.pool, user, unit)); err != nil {
				t.Errorf("an order that waited at the stop: %v", err)
			}
		})
	}
	for m.Waiting() < 20 {
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := m.Run(ctx); err != nil {
		t.Fatal(err)
	}
	answered.Wait()
	if n := f.count("SELECT count(*) FROM trades"); n != 20 {
		t.Errorf("%d trades, want all 20", n)
	}
	f.verify()
}
