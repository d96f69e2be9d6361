package market

import (
	"context"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// TradeFilter selects trades of one pool.
type TradeFilter struct {
	PoolID uuid.UUID  // the pool's id or its chain's
	UserID *uuid.UUID // only this user's
	Side   Side       // only this side; both when empty
}

// Trades returns a page of a pool's trades, newest first, and how many match.
func (m *Market) Trades(ctx context.Context, f TradeFilter, page Page) ([]Trade, int64, error) {
	if f.Side != "" && f.Side != Buy && f.Side != Sell {
		return nil, 0, fault.InvalidFields(field("transaction_type", "must be buy or sell", "one_of", string(f.Side)))
	}
	pool, err := m.poolRow(ctx, f.PoolID)
	if err != nil {
		return nil, 0, err
	}
	rows, total, err := m.tradeRows(ctx, pool.Pool, f, page)
	if err != nil {
		return nil, 0, err
	}
	l, rate := listingOf(pool), m.options.Rate()
	trades := make([]Trade, len(rows))
	for i, row := range rows {
		trades[i] = l.show(row, rate)
	}
	return trades, total, nil
}

// tradeRows seeks by number where there is nothing to filter, so that any page
// costs as much as the first; the pool's version is the total.
func (m *Market) tradeRows(ctx context.Context, pool db.Pool, f TradeFilter, page Page) ([]db.Trade, int64, error) {
	q := m.store.Queries()
	if f.UserID == nil && f.Side == "" {
		rows, err := q.ListTradesBelow(ctx, db.ListTradesBelowParams{
			PoolID: pool.ID, Newest: pool.Version - int64(page.offset()), MaxRows: int32(page.Size),
		})
		return rows, pool.Version, wrap("list the pool's trades", err)
	}
	var side *string
	if f.Side != "" {
		side = (*string)(&f.Side)
	}
	total, err := q.CountTrades(ctx, db.CountTradesParams{PoolID: pool.ID, UserID: f.UserID, Side: side})
	if err != nil {
		return nil, 0, wrap("count the trades", err)
	}
	rows, err := q.ListTrades(ctx, db.ListTradesParams{
		PoolID: pool.ID, UserID: f.UserID, Side: side, Skip: page.offset(), MaxRows: int32(page.Size),
	})
	return rows, total, wrap("list the trades", err)
}
