package graduated

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Transaction is something that happened to a pool, as a block holds it.
type Transaction struct {
	PoolID, ChainID uuid.UUID
	Seq             int64 // numbers the pool's transactions from 1, without a gap
	Effect
	Hash   string // 0x and lower-case hex
	Height int64
	At     time.Time // of the block
}

// Filter selects transactions of one pool; empty fields do not.
type Filter struct {
	PoolID  uuid.UUID // the pool's id or its chain's
	Address string    // 0x and 40 lower-case hex digits
	Kind    Kind
}

// Transactions returns a page of what happened to a pool, newest first, and how
// much matches in all.
func (s *Service) Transactions(ctx context.Context, f Filter, page Page) ([]Transaction, int64, error) {
	pool, err := s.row(ctx, f.PoolID)
	if err != nil {
		return nil, 0, err
	}
	rows, total, err := s.transactionRows(ctx, pool.GraduatedPool, f, page)
	if err != nil {
		return nil, 0, fmt.Errorf("list the pool's transactions: %w", err)
	}
	all := make([]Transaction, len(rows))
	for i, row := range rows {
		all[i] = Transaction{
			PoolID: row.PoolID, ChainID: pool.GraduatedPool.ChainID, Seq: row.Seq, Effect: effectOfRow(row),
			Hash: row.TransactionHash, Height: row.BlockHeight, At: row.CreatedAt.UTC(),
		}
	}
	return all, total, nil
}

// transactionRows seeks by number where there is nothing to filter, so that any
// page costs as much as the first.
func (s *Service) transactionRows(ctx context.Context, pool db.GraduatedPool, f Filter, page Page) ([]db.GraduatedTransaction, int64, error) {
	q := s.Store.Queries()
	if f.Address == "" && f.Kind == "" {
		rows, err := q.ListGraduatedBelow(ctx, db.ListGraduatedBelowParams{
			PoolID: pool.ID, Newest: pool.Transactions - int64(page.skip()), MaxRows: int32(page.Size),
		})
		return rows, pool.Transactions, err
	}
	address, kind := optional(f.Address), optional(string(f.Kind))
	total, err := q.CountGraduatedTransactions(ctx, db.CountGraduatedTransactionsParams{PoolID: pool.ID, Address: address, Kind: kind})
	if err != nil {
		return nil, 0, err
	}
	rows, err := q.ListGraduatedTransactions(ctx, db.ListGraduatedTransactionsParams{
		PoolID: pool.ID, Address: address, Kind: kind, MaxRows: int32(page.Size), Skip: page.skip(),
	})
	return rows, total, err
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func effectOfRow(row db.GraduatedTransaction) Effect {
	return Effect{
		Kind: Kind(row.TransactionType), Address: row.Address, Fee: money.Amount(row.Fee), Shares: money.Amount(row.Shares),
		CNPY: money.Amount(row.CnpyAmount), Tokens: money.Amount(row.TokenAmount),
		After: State{
			CNPY: money.Amount(row.CnpyReserveAfter), Tokens: money.Amount(row.TokenReserveAfter), Shares: money.Amount(row.ShareSupplyAfter),
		},
	}
}

// rowOf is effectOfRow's other direction.
func rowOf(pool uuid.UUID, seq int64, e Effect) db.InsertGraduatedTransactionParams {
	return db.InsertGraduatedTransactionParams{
		PoolID: pool, Seq: seq, TransactionType: string(e.Kind), Address: e.Address, Fee: int64(e.Fee), Shares: int64(e.Shares),
		CnpyAmount: int64(e.CNPY), TokenAmount: int64(e.Tokens),
		CnpyReserveAfter: int64(e.After.CNPY), TokenReserveAfter: int64(e.After.Tokens), ShareSupplyAfter: int64(e.After.Shares),
	}
}
