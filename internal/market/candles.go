package market

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Interval is the length of a candle. Candles begin at multiples of it since
// the Unix epoch, in UTC.
type Interval string

// Intervals are the lengths that there are, shortest first.
var Intervals = []Interval{"1m", "5m", "15m", "1h", "4h", "1d"}

var intervalLengths = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 24 * time.Hour,
}

// Length of the interval; 0 for one that there is not.
func (i Interval) Length() time.Duration {
	if at := slices.Index(Intervals, i); at >= 0 {
		return intervalLengths[at]
	}
	return 0
}

// DefaultInterval is that of a request that names none.
const DefaultInterval Interval = "1h"

const (
	defaultCandles = 500
	mostCandles    = 1000
)

// CandleRequest asks for the candles of a pool between two moments: from the one
// that holds Start up to the last that begins before End. Without an Interval it
// is an hour; without End it is now; without Start there are 500 candles.
type CandleRequest struct {
	PoolID   uuid.UUID // the pool's id or its chain's
	Interval Interval
	Start    *time.Time
	End      *time.Time
}

// Candle is what a pool's price did in one interval. Prices are the pool's, that
// is marginal: a candle opens where the one before it closed, and one without a
// trade stays there.
type Candle struct {
	Start                  time.Time
	Open, High, Low, Close money.Ratio // CNPY per token
	Volume                 money.Amount
	Trades                 int64
}

// window is a request with its gaps filled: whole candles, in slots since the
// epoch.
type window struct {
	length      time.Duration
	first, next int64 // slots; next is behind the last
}

func (w window) at(slot int64) time.Time { return time.Unix(slot*int64(w.length/time.Second), 0).UTC() }

func slotOf(at time.Time, length time.Duration) int64 {
	seconds, width := at.Unix(), int64(length/time.Second)
	slot := seconds / width
	if seconds < 0 && seconds%width != 0 {
		slot--
	}
	return slot
}

// window checks the request and reports every wrong field at once.
func (r CandleRequest) window(now time.Time) (window, error) {
	if r.Interval == "" {
		r.Interval = DefaultInterval
	}
	w := window{length: r.Interval.Length()}
	if w.length == 0 {
		return w, fault.InvalidFields(field("interval", "must be one of "+intervalNames(), "one_of", string(r.Interval)))
	}
	end := now
	if r.End != nil {
		end = *r.End
	}
	w.next = slotOf(end.Add(w.length-time.Nanosecond), w.length)
	w.first = w.next - defaultCandles
	if r.Start == nil {
		return w, nil
	}
	w.first = slotOf(*r.Start, w.length)
	switch count := w.next - w.first; {
	case !r.Start.Before(end):
		return w, fault.InvalidFields(field("start", "must be before end", "range", r.Start.Format(time.RFC3339)))
	case count > mostCandles:
		reason := fmt.Sprintf("must be at most %d candles before end", mostCandles)
		return w, fault.InvalidFields(field("start", reason, "range", r.Start.Format(time.RFC3339)))
	}
	return w, nil
}

func intervalNames() string {
	names := make([]string, len(Intervals))
	for i, interval := range Intervals {
		names[i] = string(interval)
	}
	return strings.Join(names, ", ")
}

// Candles returns the candles of a window, oldest first, computed from the
// trades at this moment by one scan of an index. There is none before the pool
// opened and none that has not begun. Faults: Invalid (fields), NotFound (pool).
func (m *Market) Candles(ctx context.Context, r CandleRequest) ([]Candle, error) {
	now := m.options.Now()
	w, err := r.window(now)
	if err != nil {
		return nil, err
	}
	pool, err := m.poolRow(ctx, r.PoolID)
	if err != nil {
		return nil, err
	}
	w.first = max(w.first, slotOf(pool.Pool.CreatedAt, w.length))
	w.next = min(w.next, slotOf(now, w.length)+1)
	if w.first >= w.next {
		return []Candle{}, nil
	}
	rows, err := m.store.Queries().PoolCandles(ctx, db.PoolCandlesParams{
		PoolID: pool.Pool.ID, Width: int64(w.length / time.Second), Begin: w.at(w.first), Until: w.at(w.next),
	})
	if err != nil {
		return nil, wrap("compute the candles", err)
	}
	l := listingOf(pool)
	opening, err := m.priceBefore(ctx, l, w.at(w.first))
	if err != nil {
		return nil, err
	}
	return w.fill(l, rows, opening)
}

// priceBefore is the pool's price at the beginning of a moment.
func (m *Market) priceBefore(ctx context.Context, l *listing, at time.Time) (money.Ratio, error) {
	last, err := m.store.Queries().LastTradeBefore(ctx, db.LastTradeBeforeParams{PoolID: l.poolID, Before: at})
	switch {
	case store.NotFound(err):
		return l.curve.Price(l.curve.Initial()), nil
	case err != nil:
		return money.Ratio{}, wrap("read the last trade before", err)
	}
	return l.curve.Price(fillOf(last).After), nil
}

// fill makes one candle for each slot; what did not trade stays at the last
// close.
func (w window) fill(l *listing, rows []db.PoolCandlesRow, price money.Ratio) ([]Candle, error) {
	candles := make([]Candle, 0, w.next-w.first)
	for slot := w.first; slot < w.next; slot++ {
		c := Candle{Start: w.at(slot), Open: price, High: price, Low: price, Close: price}
		if len(rows) > 0 && rows[0].Slot == slot {
			if err := c.add(l, rows[0]); err != nil {
				return nil, err
			}
			price, rows = c.Close, rows[1:]
		}
		candles = append(candles, c)
	}
	return candles, nil
}

func (c *Candle) add(l *listing, row db.PoolCandlesRow) (err error) {
	if c.High, c.Low, err = extremes(row.High, row.Low, c.Open); err != nil {
		return err
	}
	c.Close = l.curve.Price(stateOf(db.Pool{CnpyReserve: row.CnpyReserveAfter, TokenReserve: row.TokenReserveAfter}))
	c.Volume, c.Trades = money.Amount(row.Volume), row.Trades
	return nil
}

// extremes reads a highest and a lowest price out of the database; the price at
// the beginning counts among them.
func extremes(highest, lowest string, opening money.Ratio) (high, low money.Ratio, err error) {
	if high, err = money.ParseRatio(highest); err != nil {
		return high, low, fmt.Errorf("read the highest price %q: %w", highest, err)
	}
	if low, err = money.ParseRatio(lowest); err != nil {
		return high, low, fmt.Errorf("read the lowest price %q: %w", lowest, err)
	}
	if opening.Cmp(high) > 0 {
		high = opening
	}
	if opening.Cmp(low) < 0 {
		low = opening
	}
	return high, low, nil
}
