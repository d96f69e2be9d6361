package relay

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/store/db"
)

const (
	// overlap is looked at again each time: a transaction stamps its rows when it
	// begins and shows them when it commits, and clocks differ a little.
	overlap = 10 * time.Second
	// maxChanged bounds one look.
	maxChanged = 10_000
)

// projection remembers which pools it has seen, in which state, as far back as
// the overlap reaches.
type projection struct {
	worker *worker
	since  time.Time
	seen   map[uuid.UUID]fingerprint
}

// fingerprint tells one state of a pool from another.
type fingerprint struct {
	version int64
	trading string
	fee     int32
}

// newProjection begins with the present: at its start the controller looks at
// every pool anyway.
func newProjection(w *worker) *projection {
	return &projection{worker: w, since: time.Now().Add(-overlap), seen: map[uuid.UUID]fingerprint{}}
}

// look wakes the controllers of the pools that changed since the last look.
func (p *projection) look(ctx context.Context) error {
	rows, err := p.worker.store.Queries().PoolsChangedSince(ctx, db.PoolsChangedSinceParams{Since: p.since, MaxRows: maxChanged})
	if err != nil {
		return fmt.Errorf("read the changed pools: %w", err)
	}
	for _, row := range p.fresh(rows) {
		object, err := p.worker.object(ctx, row.ChainID)
		if err != nil {
			return err
		}
		if object == nil {
			continue
		}
		if err := send(ctx, p.worker.relay.Pools, poolOf(object)); err != nil {
			return err
		}
	}
	return nil
}

// fresh returns the rows that were not seen in this state before, and forgets
// what the next look can't meet again. rows come newest first.
func (p *projection) fresh(rows []db.PoolsChangedSinceRow) []db.PoolsChangedSinceRow {
	if len(rows) == 0 {
		clear(p.seen)
		return nil
	}
	p.since = rows[0].UpdatedAt.Add(-overlap)
	var fresh []db.PoolsChangedSinceRow
	seen := make(map[uuid.UUID]fingerprint, len(rows))
	for _, row := range rows {
		now := fingerprint{version: row.Version, trading: row.Trading, fee: row.FeeBasisPoints}
		seen[row.ID] = now
		if p.seen[row.ID] != now {
			fresh = append(fresh, row)
		}
	}
	p.seen = seen
	return fresh
}
