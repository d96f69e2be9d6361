package chain

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Position is what one user holds of a chain's token, as it is shown.
type Position struct {
	UserID   uuid.UUID
	Username *string
	// Address on the live chain, 0x and 40 hex digits; nil until the user has a
	// wallet, which the graduation makes at the latest.
	Address *string
	Amount  money.Amount
}

// Holders returns a page of a chain's holders, the largest first, and how many
// there are in all. A chain without trades has none.
func (s *Service) Holders(ctx context.Context, id uuid.UUID, page Page) ([]Position, int64, error) {
	q, token := s.Store.Queries(), ledger.Token(id)
	total, err := q.CountHolders(ctx, token)
	if err != nil {
		return nil, 0, fmt.Errorf("count the holders: %w", err)
	}
	rows, err := q.HoldersPage(ctx, db.HoldersPageParams{Asset: token, MaxRows: int32(page.Size), Skip: page.skip()})
	if err != nil {
		return nil, 0, fmt.Errorf("list the holders: %w", err)
	}
	positions := make([]Position, len(rows))
	for i, row := range rows {
		positions[i] = Position{UserID: row.OwnerID, Username: row.Username, Amount: money.Amount(row.Balance), Address: nonEmpty(row.Address)}
	}
	return positions, total, nil
}
