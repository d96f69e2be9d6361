package chain

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// ReserveLiveID takes the id of a live chain for a chain of the ledger, before the
// genesis that names it: what is signed for one live chain would hold on another with
// the same id. A draft that is deleted gives it back. Taking it again changes nothing;
// a Conflict when another chain has it.
func (s *Service) ReserveLiveID(ctx context.Context, id uuid.UUID, liveID string) error {
	owner, err := s.Store.Queries().GetLiveChainOwner(ctx, liveID)
	if store.NotFound(err) {
		owner, err = s.takeLiveID(ctx, id, liveID)
	}
	if err != nil {
		return fmt.Errorf("reserve the live chain's id: %w", err)
	}
	if owner != id {
		return fault.New(fault.Conflict, "The live chain's id %q is that of another chain", liveID)
	}
	return nil
}

func (s *Service) takeLiveID(ctx context.Context, id uuid.UUID, liveID string) (owner uuid.UUID, err error) {
	err = s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		if err := q.ReserveLiveChainID(ctx, db.ReserveLiveChainIDParams{ChainID: liveID, OwnerID: id}); err != nil {
			return err
		}
		owner, err = q.GetLiveChainOwner(ctx, liveID)
		return err
	})
	return owner, err
}
