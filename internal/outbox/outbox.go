// Package outbox carries what happened to chains from the transaction in which
// it happened to whoever has to act on it: at least once, and in order per chain.
package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Kind says what happened.
type Kind string

// The kinds of event.
const (
	ChainCreated    Kind = "chain.created"    // a draft was made through the API
	ChainDeleted    Kind = "chain.deleted"    // a draft is gone
	ChainLaunched   Kind = "chain.launched"   // the pool is open, or its opening is scheduled
	LaunchRefused   Kind = "launch.refused"   // a due launch can't be done yet, for a new reason
	LaunchCancelled Kind = "launch.cancelled" // a draft again
	PoolClosed      Kind = "pool.closed"      // the threshold was crossed
	ChainGraduated  Kind = "chain.graduated"  // the live chain produces blocks
	ChainFailed     Kind = "chain.failed"
	VoucherPending  Kind = "voucher.pending" // CNPY waits to be brought onto the live chain
)

// Event is one line of the outbox.
type Event struct {
	ChainID   uuid.UUID
	Seq       int64 // rises by one per chain
	Kind      Kind
	Payload   json.RawMessage
	CreatedAt time.Time
}

// Append records an event in the caller's transaction, so that it exists
// exactly when what it tells has happened. payload may be nil.
func Append(ctx context.Context, q *db.Queries, chainID uuid.UUID, kind Kind, payload any) error {
	body := json.RawMessage("{}")
	if payload != nil {
		encoded, err := json.Marshal(payload)
		if err != nil {
			return fmt.Errorf("encode the %s event: %w", kind, err)
		}
		body = encoded
	}
	seq, err := q.BumpChainVersion(ctx, chainID)
	if err != nil {
		return fmt.Errorf("number the %s event: %w", kind, err)
	}
	err = q.InsertOutboxEvent(ctx, db.InsertOutboxEventParams{ChainID: chainID, Seq: seq, Kind: string(kind), Payload: body})
	if err != nil {
		return fmt.Errorf("write the %s event: %w", kind, err)
	}
	return nil
}

// Backlog returns how many events wait, and for how long the oldest has.
func Backlog(ctx context.Context, s *store.Store) (pending int64, oldest time.Duration, err error) {
	row, err := s.Queries().OutboxBacklog(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read the outbox's backlog: %w", err)
	}
	if row.Pending == 0 {
		return 0, 0, nil
	}
	return row.Pending, max(0, time.Since(row.Oldest)), nil
}

func eventOf(row db.Outbox) Event {
	return Event{ChainID: row.ChainID, Seq: row.Seq, Kind: Kind(row.Kind), Payload: row.Payload, CreatedAt: row.CreatedAt}
}
