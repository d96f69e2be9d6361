package market_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/market"
)

// BenchmarkHotPool shows the market's own cost: the database does not wait for
// the disk here. `make bench-market` measures the whole.
func BenchmarkHotPool(b *testing.B) {
	for _, clients := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(clients), func(b *testing.B) {
			f := newFixture(b)
			in := standard()
			in.threshold = 10_000_000 * unit
			o := f.open(in)
			users := make([]uuid.UUID, clients)
			for i := range users {
				users[i] = f.user(1_000_000 * unit)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for _, user := range users {
				wg.Go(func() { trader(b, f.market, o.pool, user, &left) })
			}
			wg.Wait()
		})
	}
}

// trader buys and sells in turn until no operation is left.
func trader(b *testing.B, m *market.Market, pool, user uuid.UUID, left *atomic.Int64) {
	order := buy(pool, user, unit)
	for left.Add(-1) >= 0 {
		order.IdempotencyKey = uuid.NewString()
		trade, err := m.Trade(context.Background(), order)
		if err != nil {
			b.Error(err)
			return
		}
		key := order.IdempotencyKey
		order = buy(pool, user, unit)
		if trade.Side == market.Buy {
			order = sell(pool, user, trade.Tokens)
		}
		order.IdempotencyKey = key
	}
}
