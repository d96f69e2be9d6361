// Package market trades virtual pools. One sequencer per process gathers the
// orders of all pools and commits them in batches: while one batch is on its
// way to the disk the next one gathers, so throughput grows with load
// (docs/ledger.md, Trading). Several processes may serve the same pools; the
// version of each row keeps them correct, and only slower.
package market

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

const (
	defaultQueue = 4096
	defaultBatch = 512
	// rememberedListings bounds the memory for pools' fixed terms.
	rememberedListings = 200_000
	// retryAfter is what a caller is told while the queue is full or the
	// database is away.
	retryAfter = time.Second
)

// Options of a market. The zero value is ready to use.
type Options struct {
	// Rate is USD per CNPY at the moment, zero where it is unknown. Without it trades
	// bear none, and what is shown is at 1.
	Rate       func() money.Ratio
	Registerer prometheus.Registerer // where the metrics go; nowhere when nil
	Logger     logr.Logger
	QueueSize  int // orders that may wait; 4096 when zero
	BatchSize  int // orders in one transaction; 512 when zero
	Now        func() time.Time
}

// Market takes orders. Run has to be going for them to be filled.
type Market struct {
	store   *store.Store
	options Options
	metrics *metrics
	unrated bool // there is no Rate
	queue   chan *pending

	intake  sync.RWMutex // held for reading while an order enters the queue
	stopped bool

	mu       sync.Mutex
	listings map[uuid.UUID]*listing // by pool id and by chain id

	rhythm rhythm // of the sequencer alone
	memory memory // likewise
}

// New makes a market on a store.
func New(s *store.Store, o Options) *Market {
	unrated := o.Rate == nil
	if unrated {
		o.Rate = func() money.Ratio { return money.NewRatio(1, 1) }
	}
	if o.QueueSize == 0 {
		o.QueueSize = defaultQueue
	}
	if o.BatchSize == 0 {
		o.BatchSize = defaultBatch
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Market{store: s, options: o, unrated: unrated, queue: make(chan *pending, o.QueueSize), listings: map[uuid.UUID]*listing{}, memory: newMemory()}
	m.metrics = newMetrics(o.Registerer, func() float64 { return float64(m.Waiting()) })
	return m
}

// Trade fills the order or says why not. Faults: Invalid (fields), NotFound
// (pool), Unprocessable (balance, limits, deadline, paused, closed), Conflict
// (key or id of another request), Unavailable (queue full, database away). A
// key that was answered before is answered the same again.
//
// When ctx ends while the trade is being stored it may happen all the same: the
// same Idempotency-Key then tells.
func (m *Market) Trade(ctx context.Context, o Order) (Trade, error) {
	if err := o.Validate(); err != nil {
		return Trade{}, err
	}
	pool, err := m.listing(ctx, o.PoolID)
	if err != nil {
		return Trade{}, err
	}
	p, err := newPending(o, pool)
	if err != nil {
		return Trade{}, err
	}
	if err := m.enqueue(p); err != nil {
		return Trade{}, err
	}
	select {
	case r := <-p.done:
		return m.answer(p, r)
	case <-ctx.Done():
		return Trade{}, p.leave(ctx.Err())
	}
}

func newPending(o Order, pool *listing) (*pending, error) {
	p := &pending{order: o, pool: pool, givenID: o.ID != uuid.Nil, done: make(chan outcome, 1)}
	if !p.givenID {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("make a trade id: %w", err)
		}
		p.order.ID = id
	}
	p.hash = o.hash(pool.poolID)
	p.keys = accountsOf(o.UserID, pool)
	return p, nil
}

func (m *Market) answer(p *pending, r outcome) (Trade, error) {
	if r.err != nil {
		return Trade{}, r.err
	}
	trade := p.pool.show(r.row, m.options.Rate())
	trade.Replayed = r.replayed
	return trade, nil
}

// enqueue refuses rather than waits: a full queue is a promise that could not
// be kept in time.
func (m *Market) enqueue(p *pending) error {
	m.intake.RLock()
	defer m.intake.RUnlock()
	if m.stopped {
		return unavailable("The market is stopping")
	}
	select {
	case m.queue <- p:
		return nil
	default:
		m.metrics.outcome("overflow", 1)
		return unavailable("The market is busy")
	}
}

func unavailable(message string) *fault.Fault {
	f := fault.New(fault.Unavailable, "%s", message)
	f.RetryAfter = retryAfter
	return f
}

// Rate is how many USD a CNPY is worth at the moment.
func (m *Market) Rate() money.Ratio { return m.options.Rate() }

// Waiting is how many orders wait for a batch.
func (m *Market) Waiting() int { return len(m.queue) }

// listing returns a pool's fixed terms, by its id or its chain's.
func (m *Market) listing(ctx context.Context, id uuid.UUID) (*listing, error) {
	m.mu.Lock()
	l, known := m.listings[id]
	m.mu.Unlock()
	if known {
		return l, nil
	}
	row, err := m.poolRow(ctx, id)
	if err != nil {
		return nil, err
	}
	l = listingOf(row)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.listings) > rememberedListings {
		clear(m.listings) // rare, and costs one cheap query per pool
	}
	m.listings[l.poolID], m.listings[l.chainID] = l, l
	return l, nil
}

func listingOf(row db.GetPoolRow) *listing {
	return &listing{
		poolID: row.Pool.ID, chainID: row.Pool.ChainID, threshold: money.Amount(row.GraduationThreshold),
		accounts: poolAccountsOf(row.Pool.ID, row.Pool.ChainID),
		curve: curve.Curve{
			Kind: curve.Kind(row.CurveType), Slope: money.Slope(row.BondingCurveSlope),
			InitialCNPY: money.Amount(row.InitialCnpyReserve), InitialTokens: money.Amount(row.InitialTokenSupply),
		},
	}
}

// poolRow reads a pool by its id or its chain's.
func (m *Market) poolRow(ctx context.Context, id uuid.UUID) (db.GetPoolRow, error) {
	row, err := m.store.Queries().GetPool(ctx, id)
	if store.NotFound(err) {
		return row, errNoPool
	}
	return row, wrap("read the pool", err)
}

// wrap tells a database that is away from one that is wrong.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	if store.IsUnavailable(err) {
		return unavailable("The database is unavailable").Because(fmt.Errorf("%s: %w", doing, err))
	}
	return fmt.Errorf("%s: %w", doing, err)
}
