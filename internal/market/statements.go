package market

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// statement is one write of a batch and how many rows it must have written.
type statement struct {
	rows int64
	run  func(context.Context, *db.Queries) (int64, error)
}

// statements turn a decided book into arrays, one per column.
func (b *book) statements() []statement {
	var list []statement
	if len(b.fenced) > 0 {
		list = append(list, b.fenceStatement())
	}
	if len(b.trades) == 0 {
		return list
	}
	list = append(list, b.poolStatement())
	list = append(list, b.accountStatements()...)
	return append(list, b.entryStatement(), b.tradeStatement())
}

func (b *book) fenceStatement() statement {
	ids := make([]uuid.UUID, len(b.fenced))
	for i, pool := range b.fenced {
		ids[i] = pool.poolID
	}
	return statement{rows: int64(len(ids)), run: func(ctx context.Context, q *db.Queries) (int64, error) {
		return q.MarketFencePools(ctx, ids)
	}}
}

func (b *book) poolStatement() statement {
	params := db.MarketUpdatePoolsParams{}
	for _, pool := range b.pools {
		if pool.version == pool.knownVersion {
			continue
		}
		params.Ids = append(params.Ids, pool.poolID)
		params.KnownVersions = append(params.KnownVersions, pool.knownVersion)
		params.TermsVersions = append(params.TermsVersions, pool.terms)
		params.Versions = append(params.Versions, pool.version)
		params.CnpyReserves = append(params.CnpyReserves, int64(pool.state.CNPY))
		params.TokenReserves = append(params.TokenReserves, int64(pool.state.Tokens))
		params.Volumes = append(params.Volumes, int64(pool.volume))
		params.Traders = append(params.Traders, pool.traders)
		params.MarketCaps = append(params.MarketCaps, pool.marketCapCNPY(pool.state))
		params.Nearness = append(params.Nearness, pool.nearness(pool.state, pool.trading))
		params.Closed = append(params.Closed, pool.trading == Closed)
		params.Ats = append(params.Ats, pool.at)
	}
	return statement{rows: int64(len(params.Ids)), run: func(ctx context.Context, q *db.Queries) (int64, error) {
		return q.MarketUpdatePools(ctx, params)
	}}
}

// accountStatements are an UPDATE and, where somebody holds an asset for the
// first time, an INSERT.
func (b *book) accountStatements() []statement {
	var update db.MarketUpdateAccountsParams
	var insert db.MarketInsertAccountsParams
	for id, a := range b.accounts {
		switch {
		case a.version == a.knownVersion:
		case a.stored:
			update.Ids = append(update.Ids, id)
			update.KnownVersions = append(update.KnownVersions, a.knownVersion)
			update.Versions = append(update.Versions, a.version)
			update.Balances = append(update.Balances, int64(a.balance))
		default:
			insert.Ids = append(insert.Ids, id)
			insert.OwnerTypes = append(insert.OwnerTypes, string(a.Type))
			insert.OwnerIds = append(insert.OwnerIds, a.Owner)
			insert.Assets = append(insert.Assets, a.Asset)
			insert.Balances = append(insert.Balances, int64(a.balance))
			insert.Versions = append(insert.Versions, a.version)
		}
	}
	// The payer's and the pool's accounts were there before, so the UPDATE is
	// never empty.
	list := []statement{{rows: int64(len(update.Ids)), run: func(ctx context.Context, q *db.Queries) (int64, error) {
		return q.MarketUpdateAccounts(ctx, update)
	}}}
	if len(insert.Ids) > 0 {
		list = append(list, statement{rows: int64(len(insert.Ids)), run: func(ctx context.Context, q *db.Queries) (int64, error) {
			return q.MarketInsertAccounts(ctx, insert)
		}})
	}
	return list
}

func (b *book) entryStatement() statement {
	n := len(b.entries)
	params := db.MarketInsertEntriesParams{
		AccountIds: make([]uuid.UUID, n), Seqs: make([]int64, n), JournalIds: make([]uuid.UUID, n),
		Kind: ledger.KindTrade, Amounts: make([]int64, n), BalancesAfter: make([]int64, n), Ats: make([]time.Time, n),
	}
	for i, e := range b.entries {
		params.AccountIds[i], params.Seqs[i], params.JournalIds[i] = e.account.id, e.seq, e.journal
		params.Amounts[i], params.BalancesAfter[i] = int64(e.amount), int64(e.after)
		params.Ats[i] = e.at
	}
	return statement{rows: int64(n), run: func(ctx context.Context, q *db.Queries) (int64, error) {
		return q.MarketInsertEntries(ctx, params)
	}}
}

func (b *book) tradeStatement() statement {
	params := db.MarketInsertTradesParams{Rate: b.rate}
	for _, t := range b.trades {
		params.Ids = append(params.Ids, t.ID)
		params.PoolIds = append(params.PoolIds, t.PoolID)
		params.Seqs = append(params.Seqs, t.Seq)
		params.UserIds = append(params.UserIds, t.UserID)
		params.Sides = append(params.Sides, t.Side)
		params.CnpyAmounts = append(params.CnpyAmounts, t.CnpyAmount)
		params.TokenAmounts = append(params.TokenAmounts, t.TokenAmount)
		params.Fees = append(params.Fees, t.FeeCnpy)
		params.CnpyReservesAfter = append(params.CnpyReservesAfter, t.CnpyReserveAfter)
		params.TokenReservesAfter = append(params.TokenReservesAfter, t.TokenReserveAfter)
		params.Keys = append(params.Keys, keyOf(t))
		params.RequestHashes = append(params.RequestHashes, t.RequestHash)
		params.Ats = append(params.Ats, t.CreatedAt)
	}
	return statement{rows: int64(len(b.trades)), run: func(ctx context.Context, q *db.Queries) (int64, error) {
		return q.MarketInsertTrades(ctx, params)
	}}
}

func keyOf(t db.Trade) string {
	if t.IdempotencyKey == nil {
		return ""
	}
	return *t.IdempotencyKey
}
