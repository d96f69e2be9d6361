package market_test

import (
	"testing"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
)

// Two pods' clocks are an hour apart. A pool's trades are numbered and timed in the
// same order all the same, and a pool that only one of them trades keeps its time.
func TestPoolsTimeNeverGoesBack(t *testing.T) {
	f := newFixture(t)
	ahead := run(t, f.store, market.Options{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	o, other := f.open(standard()), f.open(standard())
	user := f.user(100_000 * unit)
	var last time.Time
	for i := range 12 {
		m := f.market
		if i%4 == 1 {
			m = ahead
		}
		trade, err := m.Trade(t.Context(), buy(o.pool, user, unit))
		if err != nil {
			t.Fatal(err)
		}
		if trade.CreatedAt.Before(last) {
			t.Errorf("trade %d at %s, the one before it at %s", trade.Seq, trade.CreatedAt, last)
		}
		last = trade.CreatedAt
	}
	if last.Before(time.Now().Add(50 * time.Minute)) {
		t.Errorf("the last trade is at %s: no clock was ahead, and the test proves nothing", last)
	}
	if trade := f.trade(buy(other.pool, user, unit)); trade.CreatedAt.After(time.Now()) {
		t.Errorf("the other pool's trade is at %s", trade.CreatedAt)
	}
	if err := f.market.SetFee(t.Context(), o.chain, 5); err != nil {
		t.Fatal(err)
	}
	late := buy(o.pool, user, unit)
	late.Deadline = time.Now().Add(time.Minute)
	f.trade(late) // a deadline is held against the pod's clock
	late.Deadline = time.Now().Add(-time.Second)
	if _, err := f.market.Trade(t.Context(), late); kindOf(err) != fault.Unprocessable {
		t.Errorf("a deadline that has passed: %v", err)
	}
	f.trade(buy(o.pool, user, 60_000*unit))
	pool, err := f.market.Pool(t.Context(), o.pool)
	if err != nil || pool.UpdatedAt.Before(last) || pool.ClosedAt == nil || !pool.ClosedAt.Equal(pool.UpdatedAt) {
		t.Errorf("the pool was updated at %s and closed at %v, %v", pool.UpdatedAt, pool.ClosedAt, err)
	}
	if n := f.count(`SELECT count(*) FROM trades a JOIN trades b ON b.pool_id = a.pool_id AND b.seq = a.seq + 1
		WHERE b.created_at < a.created_at`); n != 0 {
		t.Errorf("%d trades are earlier than the one before them", n)
	}
	if n := f.count(`SELECT count(*) FROM ledger_entries e JOIN trades t ON t.id = e.journal_id WHERE e.created_at <> t.created_at`); n != 0 {
		t.Errorf("%d entries have another time than their trade", n)
	}
	f.verify()
}
