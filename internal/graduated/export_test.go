package graduated

import (
	"context"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// SumUpDay is sumUpDay in a transaction of its own, as that of a quiet pool is.
func (x *Indexer) SumUpDay(ctx context.Context, pool uuid.UUID) error {
	return x.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error { return x.sumUpDay(ctx, q, pool) })
}
