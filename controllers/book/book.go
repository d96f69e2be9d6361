// Package book is a gateway's ledger as the controllers of chains and pools
// know it: the life cycle of chains, and pools ready to be projected.
package book

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lucid-blockchain/lucid/controllers/ledgers"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Book is one gateway's ledger. It is safe for concurrent use. Its refusals are
// fault.Faults; anything else is a failure to reach the database.
type Book interface {
	// Declare, Get, LaunchDeclared, Remove, ReserveLiveID, GenesisInput and
	// MarkGraduated are those of chain.Service.
	Declare(ctx context.Context, id uuid.UUID, spec chain.Spec) (chain.Chain, error)
	Get(ctx context.Context, id uuid.UUID) (chain.Chain, error)
	LaunchDeclared(ctx context.Context, id uuid.UUID, at *time.Time) (chain.Chain, error)
	Remove(ctx context.Context, id uuid.UUID) error
	ReserveLiveID(ctx context.Context, id uuid.UUID, liveID string) error
	GenesisInput(ctx context.Context, id uuid.UUID) (chain.GenesisInput, error)
	MarkGraduated(ctx context.Context, id uuid.UUID, live chain.Live) error

	// Carry and Abandon are those of graduated.Carrier.
	Carry(ctx context.Context, chainID uuid.UUID, authority ed25519.PrivateKey) (left int, err error)
	Abandon(ctx context.Context, chainID uuid.UUID) error

	// Pool returns the pool of a chain; a NotFound fault when it has none.
	Pool(ctx context.Context, chainID uuid.UUID) (Pool, error)
	// SetTrading, SetFee and SetLimits are those of market.Market.
	SetTrading(ctx context.Context, chainID uuid.UUID, trading market.Trading) error
	SetFee(ctx context.Context, chainID uuid.UUID, basisPoints int32) error
	SetLimits(ctx context.Context, chainID uuid.UUID, limits chain.Limits) error
}

// Pool is a pool as it is projected into Kubernetes.
type Pool struct {
	ID             uuid.UUID
	ChainID        uuid.UUID
	Trading        market.Trading
	FeeBasisPoints int32
	Limits         chain.Limits
	OpeningLimits  chain.Limits // those of the chain, which the pool opened with
	State          curve.State
	Price          money.Ratio   // marginal, CNPY per token
	Progress       money.Decimal // reserve ÷ threshold in percent, at most 100
	Volume         money.Amount  // CNPY of all trades
	Trades         int64
	ClosedAt       *time.Time
}

// Closed reports whether the pool crossed its threshold.
func (p Pool) Closed() bool { return p.Trading == market.Closed }

// ledger is the Book of a database.
type ledger struct {
	*chain.Service
	carrier *graduated.Carrier
	market  *market.Market
	store   *store.Store
}

// New returns the book of a database; keys make the wallets of its new chains,
// none when nil. Nothing of it runs by itself.
func New(s *store.Store, keys chain.Keys) Book {
	m := market.New(s, market.Options{})
	return &ledger{Service: &chain.Service{Store: s, Market: m, Keys: keys}, carrier: &graduated.Carrier{Store: s}, market: m, store: s}
}

// Carry implements Book.
func (l *ledger) Carry(ctx context.Context, chainID uuid.UUID, authority ed25519.PrivateKey) (left int, err error) {
	return l.carrier.Carry(ctx, chainID, authority)
}

// Abandon implements Book.
func (l *ledger) Abandon(ctx context.Context, chainID uuid.UUID) error {
	return l.carrier.Abandon(ctx, chainID)
}

// Pool implements Book with one query.
func (l *ledger) Pool(ctx context.Context, chainID uuid.UUID) (Pool, error) {
	row, err := l.store.Queries().GetPool(ctx, chainID)
	if store.NotFound(err) {
		return Pool{}, fault.New(fault.NotFound, "The chain has no pool yet")
	}
	if err != nil {
		return Pool{}, fmt.Errorf("read the pool: %w", err)
	}
	return poolOf(row), nil
}

// SetTrading implements Book.
func (l *ledger) SetTrading(ctx context.Context, chainID uuid.UUID, trading market.Trading) error {
	return l.market.SetTrading(ctx, chainID, trading)
}

// SetFee implements Book.
func (l *ledger) SetFee(ctx context.Context, chainID uuid.UUID, basisPoints int32) error {
	return l.market.SetFee(ctx, chainID, basisPoints)
}

// SetLimits implements Book.
func (l *ledger) SetLimits(ctx context.Context, chainID uuid.UUID, limits chain.Limits) error {
	return l.market.SetLimits(ctx, chainID, limits)
}

func poolOf(row db.GetPoolRow) Pool {
	state := curve.State{CNPY: money.Amount(row.Pool.CnpyReserve), Tokens: money.Amount(row.Pool.TokenReserve)}
	threshold := money.Amount(row.GraduationThreshold)
	pricing := curve.Curve{
		Kind: curve.Kind(row.CurveType), Slope: money.Slope(row.BondingCurveSlope),
		InitialCNPY: money.Amount(row.InitialCnpyReserve), InitialTokens: money.Amount(row.InitialTokenSupply),
	}
	return Pool{
		ID: row.Pool.ID, ChainID: row.Pool.ChainID, Trading: market.Trading(row.Pool.Trading),
		FeeBasisPoints: row.Pool.FeeBasisPoints,
		Limits:         chain.LimitsOf(row.Pool.MaxBuyCnpy, row.Pool.AntiSnipeSeconds, row.Pool.AntiSnipeMaxBuyCnpy),
		OpeningLimits:  chain.LimitsOf(row.MaxBuyCnpy, row.AntiSnipeSeconds, row.AntiSnipeMaxBuyCnpy),
		State:          state, Price: pricing.Price(state),
		Progress: money.NewRatio(min(state.CNPY, threshold), threshold).Percent(),
		Volume:   money.Amount(row.Pool.TotalVolumeCnpy), Trades: row.Pool.Version, ClosedAt: row.Pool.ClosedAt,
	}
}

// Books hands out the books of gateways. It is safe for concurrent use.
type Books struct {
	Ledgers *ledgers.Ledgers
	Reader  client.Reader // of gateways and Secrets
	// Keys makes the wallets of a gateway's new chains. Without it they get theirs
	// when they graduate.
	Keys func(gateway types.NamespacedName) chain.Keys

	mu   sync.Mutex
	open map[types.NamespacedName]*kept
}

type kept struct {
	store *store.Store
	book  Book
}

// Book returns the book of a gateway. A gateway or Secret that is missing is an
// error of class Waiting that says what to create.
func (b *Books) Book(ctx context.Context, gateway types.NamespacedName) (Book, error) {
	opened, err := b.Ledgers.ForName(ctx, b.Reader, gateway)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if have := b.open[gateway]; have != nil && have.store == opened {
		return have.book, nil
	}
	if b.open == nil {
		b.open = map[types.NamespacedName]*kept{}
	}
	var keys chain.Keys
	if b.Keys != nil {
		keys = b.Keys(gateway)
	}
	fresh := &kept{store: opened, book: New(opened, keys)}
	b.open[gateway] = fresh
	return fresh.book, nil
}
