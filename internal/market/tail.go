package market

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Place is a trade of a pool, as the place to read on from. Seq 0 is before the
// first.
type Place struct {
	PoolID uuid.UUID
	Seq    int64
}

// Place returns the last trade of a pool, by the pool's id or its chain's.
func (m *Market) Place(ctx context.Context, id uuid.UUID) (Place, error) {
	row, err := m.poolRow(ctx, id)
	return Place{PoolID: row.Pool.ID, Seq: row.Pool.Version}, err
}

// TradesAfter returns up to most trades behind each place, in order, with one
// query for any number of pools.
func (m *Market) TradesAfter(ctx context.Context, places []Place, most int) (map[Place][]Trade, error) {
	params := db.TradesAfterParams{Most: int64(most)}
	for _, place := range places {
		params.Pools, params.Seqs = append(params.Pools, place.PoolID), append(params.Seqs, place.Seq)
	}
	rows, err := m.store.Queries().TradesAfter(ctx, params)
	if err != nil {
		return nil, wrap("read the latest trades", err)
	}
	rate, found := m.options.Rate(), map[Place][]Trade{}
	for _, row := range rows {
		l, err := m.listing(ctx, row.Trade.PoolID)
		if err != nil {
			return nil, err
		}
		place := Place{PoolID: row.Trade.PoolID, Seq: row.Behind}
		found[place] = append(found[place], l.show(row.Trade, rate))
	}
	return found, nil
}

// PoolsSince returns up to most pools that changed after a moment, the latest
// first.
func (m *Market) PoolsSince(ctx context.Context, since time.Time, most int) ([]Pool, error) {
	list, err := m.store.Queries().PoolsUpdatedSince(ctx, db.PoolsUpdatedSinceParams{Since: since, Most: int32(most)})
	if err != nil {
		return nil, wrap("read the changed pools", err)
	}
	rows := make([]db.GetPoolRow, len(list))
	for i, row := range list {
		rows[i] = db.GetPoolRow(row)
	}
	return m.showPools(ctx, rows)
}
