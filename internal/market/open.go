package market

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

var _ chain.Opener = (*Market)(nil)

// OpenTx opens a pool in the transaction that launches its chain: the pool's
// row, and the creator's first purchase as trade number 1. The pool's token
// account holds the initial supply already.
func (m *Market) OpenTx(ctx context.Context, q *db.Queries, o chain.Opening) error {
	pool := &listing{
		poolID: o.PoolID, chainID: o.ChainID, curve: o.Curve, threshold: o.GraduationThreshold,
		accounts: poolAccountsOf(o.PoolID, o.ChainID),
	}
	initial := o.Curve.Initial()
	err := q.InsertPool(ctx, db.InsertPoolParams{
		ID: o.PoolID, ChainID: o.ChainID, FeeBasisPoints: o.Curve.FeeBasisPoints,
		CnpyReserve: int64(initial.CNPY), TokenReserve: int64(initial.Tokens), At: o.At,
		MaxBuyCnpy: int64(o.Limits.MaxBuy), AntiSnipeSeconds: o.Limits.AntiSnipe.Seconds,
		AntiSnipeMaxBuyCnpy: int64(o.Limits.AntiSnipe.MaxBuy),
		MarketCapCnpy:       pool.marketCapCNPY(initial), Nearness: pool.nearness(initial, Enabled),
	})
	if err != nil {
		return fmt.Errorf("write the pool: %w", err)
	}
	if o.FirstPurchase == 0 {
		return nil
	}
	order := Order{ID: o.FirstTradeID, PoolID: o.PoolID, UserID: o.Creator, Side: Buy, CNPY: &o.FirstPurchase}
	if err := order.Validate(); err != nil {
		return err
	}
	p, err := newPending(order, pool)
	if err != nil {
		return err
	}
	p.opening = true
	return tradeTx(ctx, q, p, o, moment{at: o.At, rate: m.now().rate})
}

// tradeTx decides and writes one order statement by statement.
func tradeTx(ctx context.Context, q *db.Queries, p *pending, o chain.Opening, now moment) error {
	b := newBook([]*pending{p}, now)
	pools, err := q.MarketPools(ctx, []uuid.UUID{o.PoolID})
	if err != nil {
		return fmt.Errorf("read the pool: %w", err)
	}
	for _, row := range pools {
		b.addPool(p.pool, row)
	}
	accounts, err := q.MarketAccounts(ctx, b.accountIDs())
	if err != nil {
		return fmt.Errorf("read the creator's accounts: %w", err)
	}
	for _, row := range accounts {
		b.addAccount(row)
	}
	if _, _, err := b.decide(p); err != nil {
		return fmt.Errorf("the creator's first purchase: %w", err)
	}
	for _, s := range b.statements() {
		written, err := s.run(ctx, q)
		if err != nil {
			return fmt.Errorf("write the first purchase: %w", err)
		}
		if written != s.rows {
			return errFenced
		}
	}
	return writeClosings(ctx, q, b)
}
