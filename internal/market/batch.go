package market

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/outbox"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// errFenced says that somebody else wrote a row between our reading and our
// writing. SERIALIZABLE reports that by itself; this is the second fence.
var errFenced = errors.New("another writer was faster")

// errPipelineRead says that a read was recorded, whose answer nobody could get.
var errPipelineRead = errors.New("a pipeline records writes only")

// reads is one pipeline of SELECTs that fill a book.
type reads struct {
	batch *pgx.Batch
	book  *book
}

// moment is what a batch takes from the world outside the database.
type moment struct {
	at   time.Time
	rate *int64 // see book
}

// now is the clock and the rate of this moment. The operator's market may know no
// rate, and a rate that no number of millionths can hold is as good as none.
func (m *Market) now() moment {
	now := moment{at: m.options.Now()}
	if m.unrated {
		return now
	}
	if rate, err := m.options.Rate().Of(money.Unit); err == nil && rate > 0 {
		now.rate = (*int64)(&rate)
	}
	return now
}

// newBook prepares a book for the orders: every account they may touch is in
// it, with nothing on it until a row says otherwise.
func newBook(orders []*pending, now moment) *book {
	b := &book{
		at: now.at.UTC().Truncate(time.Microsecond), rate: now.rate, pools: map[uuid.UUID]*poolState{}, accounts: map[uuid.UUID]*accountState{},
		byID: map[uuid.UUID]db.Trade{}, byKey: map[userKey]db.Trade{},
		bought: map[userPool]money.Amount{}, blind: map[uuid.UUID]bool{},
	}
	for _, p := range orders {
		token := ledger.Token(p.pool.chainID)
		b.expect(p.keys.userCNPY, ledger.User, p.order.UserID, ledger.CNPY)
		b.expect(p.keys.userToken, ledger.User, p.order.UserID, token)
		b.expect(p.keys.poolCNPY, ledger.Pool, p.pool.poolID, ledger.CNPY)
		b.expect(p.keys.poolToken, ledger.Pool, p.pool.poolID, token)
		b.expect(p.keys.feeProtocol, ledger.PoolFeeProtocol, p.pool.poolID, ledger.CNPY)
		b.expect(p.keys.feeCreator, ledger.PoolFeeCreator, p.pool.poolID, ledger.CNPY)
	}
	return b
}

func (b *book) expect(id uuid.UUID, owner ledger.OwnerType, ownerID, asset uuid.UUID) {
	if _, known := b.accounts[id]; !known {
		b.accounts[id] = &accountState{Account: ledger.Account{Type: owner, Owner: ownerID, Asset: asset}, id: id}
	}
}

// accountsOf derives the accounts of a trade.
func accountsOf(user uuid.UUID, pool *listing) orderAccounts {
	return orderAccounts{
		userCNPY:     ledger.AccountID(ledger.User, user, ledger.CNPY),
		userToken:    ledger.AccountID(ledger.User, user, ledger.Token(pool.chainID)),
		poolAccounts: pool.accounts,
	}
}

// poolAccountsOf derives a pool's side of them, once for all its trades.
func poolAccountsOf(pool, chain uuid.UUID) poolAccounts {
	return poolAccounts{
		poolCNPY:    ledger.AccountID(ledger.Pool, pool, ledger.CNPY),
		poolToken:   ledger.AccountID(ledger.Pool, pool, ledger.Token(chain)),
		feeProtocol: ledger.AccountID(ledger.PoolFeeProtocol, pool, ledger.CNPY),
		feeCreator:  ledger.AccountID(ledger.PoolFeeCreator, pool, ledger.CNPY),
	}
}

// read fills a new book in one round trip.
func read(ctx context.Context, tx pgx.Tx, orders []*pending, now moment) (*book, error) {
	batch := &pgx.Batch{}
	b := queueReads(batch, orders, now)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("read the batch's rows: %w", err)
	}
	return b, nil
}

// queueReads returns a book that is filled once the batch has been answered.
func queueReads(batch *pgx.Batch, orders []*pending, now moment) *book {
	r := &reads{batch: batch, book: newBook(orders, now)}
	r.queuePools(orders)
	r.queueAccounts()
	r.queueKnown(orders)
	r.queueBought(orders)
	return r.book
}

func (r *reads) queuePools(orders []*pending) {
	listings := map[uuid.UUID]*listing{}
	var ids []uuid.UUID
	for _, p := range orders {
		if _, seen := listings[p.pool.poolID]; !seen {
			listings[p.pool.poolID] = p.pool
			ids = append(ids, p.pool.poolID)
		}
	}
	queueRows(r.batch, db.MarketPools, func(row db.MarketPoolsRow) {
		r.book.addPool(listings[row.ID], row)
	}, ids)
}

func (b *book) addPool(l *listing, row db.MarketPoolsRow) {
	b.pools[row.ID] = &poolState{
		listing: l, trading: Trading(row.Trading), fee: row.FeeBasisPoints,
		state:  curve.State{CNPY: money.Amount(row.CnpyReserve), Tokens: money.Amount(row.TokenReserve)},
		volume: money.Amount(row.TotalVolumeCnpy), traders: row.UniqueTraders,
		version: row.Version, knownVersion: row.Version, terms: row.TermsVersion, openedAt: row.CreatedAt,
		at:     later(b.at, row.UpdatedAt),
		limits: chain.LimitsOf(row.MaxBuyCnpy, row.AntiSnipeSeconds, row.AntiSnipeMaxBuyCnpy),
	}
	l.guarded.Store(b.pools[row.ID].guardedAt(b.pools[row.ID].at))
}

// later keeps a pool's time from going back where two pods' clocks differ: trades
// are numbered and timed in the same order.
func later(clock, last time.Time) time.Time {
	if last.After(clock) {
		return last.UTC()
	}
	return clock
}

func (b *book) addAccount(row db.MarketAccountsRow) {
	a := b.accounts[row.ID]
	a.balance, a.version, a.knownVersion, a.stored = money.Amount(row.Balance), row.Version, row.Version, true
}

func (b *book) accountIDs() []uuid.UUID { return slices.Collect(maps.Keys(b.accounts)) }

func (r *reads) queueAccounts() {
	queueRows(r.batch, db.MarketAccounts, r.book.addAccount, r.book.accountIDs())
}

// queueKnown looks for what was stored before: by id where the caller chose it
// or a lost connection left an attempt in doubt, and by key where there is
// reason to. Normally there is none: the unique index finds a key that comes
// again when the trade is written, at no cost to all those that don't.
func (r *reads) queueKnown(orders []*pending) {
	var ids, users []uuid.UUID
	var keys []string
	for _, p := range orders {
		if p.settling || p.givenID {
			ids = append(ids, p.order.ID)
		}
		if p.lookUp {
			users, keys = append(users, p.order.UserID), append(keys, p.order.IdempotencyKey)
		}
	}
	if len(ids) > 0 {
		queueRows(r.batch, db.MarketTradesByID, r.book.remember, ids)
	}
	if len(keys) > 0 {
		queueRows(r.batch, db.MarketTradesByKey, r.book.remember, users, keys)
	}
}

func (b *book) remember(row db.Trade) {
	b.byID[row.ID] = row
	if row.IdempotencyKey != nil {
		b.byKey[userKey{row.UserID, *row.IdempotencyKey}] = row
	}
}

// queueRows adds a SELECT whose rows are scanned into T by position.
func queueRows[T any](batch *pgx.Batch, sql string, use func(T), args ...any) {
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
		if err != nil {
			return err
		}
		for _, row := range list {
			use(row)
		}
		return nil
	})
}

// pipeline records the writes of generated queries instead of sending each on
// its own, and then sends them together.
type pipeline struct {
	batch pgx.Batch
}

// Exec implements db.DBTX. The count of rows is known only after send.
func (p *pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	p.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Query implements db.DBTX.
func (p *pipeline) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return nil, errPipelineRead
}

// QueryRow implements db.DBTX.
func (p *pipeline) QueryRow(context.Context, string, ...any) pgx.Row { return unreadable{} }

type unreadable struct{}

func (unreadable) Scan(...any) error { return errPipelineRead }

// write stores all that was decided: the pipeline's statements in one round
// trip, and what follows from a pool's closing, which is rare, after them.
func write(ctx context.Context, tx pgx.Tx, b *book) error {
	recorded, err := b.record(ctx)
	if err != nil || recorded.batch.Len() == 0 {
		return err
	}
	if err := tx.SendBatch(ctx, &recorded.batch).Close(); err != nil {
		return fmt.Errorf("write the batch: %w", err)
	}
	return writeClosings(ctx, db.New(tx), b)
}

// record turns the decided book into one pipeline of writes, each of which
// checks how many rows it wrote.
func (b *book) record(ctx context.Context) (*pipeline, error) {
	recorded := &pipeline{}
	for _, s := range b.statements() {
		if _, err := s.run(ctx, db.New(recorded)); err != nil {
			return nil, err
		}
		queued := recorded.batch.QueuedQueries[recorded.batch.Len()-1]
		queued.Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() != s.rows {
				return errFenced
			}
			return nil
		})
	}
	return recorded, nil
}

// poolClosed is the payload of pool.closed.
type poolClosed struct {
	PoolID       uuid.UUID    `json:"poolID"`
	TradeID      uuid.UUID    `json:"tradeID"`
	CNPYReserve  money.Amount `json:"cnpyReserve"`
	TokenReserve money.Amount `json:"tokenReserve"`
}

// writeClosings records each graduation, once for good by its primary key, and
// tells the operator.
func writeClosings(ctx context.Context, q *db.Queries, b *book) error {
	for _, pool := range b.closed {
		err := q.InsertGraduation(ctx, db.InsertGraduationParams{
			ChainID: pool.chainID, PoolID: pool.poolID, ClosingTradeID: pool.closedBy,
			CnpyReserve: int64(pool.state.CNPY), TokenReserve: int64(pool.state.Tokens), CreatedAt: pool.at,
		})
		if err != nil {
			return fmt.Errorf("record the graduation: %w", err)
		}
		event := poolClosed{pool.poolID, pool.closedBy, pool.state.CNPY, pool.state.Tokens}
		if err := outbox.Append(ctx, q, pool.chainID, outbox.PoolClosed, event); err != nil {
			return err
		}
	}
	return nil
}
