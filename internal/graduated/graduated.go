// Package graduated trades the pools of live chains (docs/graduated-pools.md).
// What has happened it reads from the database, where an Indexer writes what the
// chains' blocks hold; what would happen it computes from a chain's present
// state; and orders it hands to the chain as signed transactions.
package graduated

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Wallets opens people's own wallets.
type Wallets interface {
	// WithKey gives use the private key of the caller's wallet. It refuses a
	// wallet of somebody else, one that is locked and a wrong password, and clears
	// the key when use has returned.
	WithKey(ctx context.Context, caller, wallet uuid.UUID, password string, use func(ed25519.PrivateKey) error) error
}

// Custody opens the wallets that the platform keeps for users who brought none;
// *keystore.Keystore is one. It does not know callers: it is asked for the
// caller's own key alone.
type Custody interface {
	UserKey(ctx context.Context, user uuid.UUID) (ed25519.PrivateKey, error)
	// TreasuryKey is the key of a chain's treasury.
	TreasuryKey(ctx context.Context, chain uuid.UUID) (ed25519.PrivateKey, error)
	// EnsureAddress returns the address of that wallet, which is made for whoever
	// has none.
	EnsureAddress(ctx context.Context, user uuid.UUID) (livechain.Address, error)
}

// Service answers for graduated pools. It is safe for concurrent use.
type Service struct {
	Store   *store.Store
	Wallets Wallets            // nil where nobody can have a wallet of their own
	Custody Custody            // nil where the process has no platform key
	Rate    func() money.Ratio // USD per CNPY at the moment; 1 when nil
	Now     func() time.Time   // time.Now when nil
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Service) rate() money.Ratio {
	if s.Rate == nil {
		return money.NewRatio(1, 1)
	}
	return s.Rate()
}

// errNotFound is the seed's sentence for a thing that is not there.
func errNotFound() error { return fault.New(fault.NotFound, "Graduated pool not found") }

// State is a pool's reserves and all of its liquidity shares, locked ones
// included.
type State struct {
	CNPY, Tokens, Shares money.Amount
}

// Price is the marginal price of a token in CNPY.
func (s State) Price() money.Ratio { return money.NewRatio(s.CNPY, s.Tokens) }

// Pool is a graduated pool as its indexer has last seen it.
type Pool struct {
	ID             uuid.UUID
	ChainID        uuid.UUID
	Network        string // the live chain's own id, which its transactions name
	State          State
	FeeBasisPoints int32
	MarketCapUSD   money.Decimal // price × initial supply × rate (docs/domain.md §2)
	Volume         money.Amount  // CNPY of all swaps
	Transactions   int64         // swaps, deposits and withdrawals
	UniqueTraders  int64
	Height         int64 // of the last block that has been read
	Day            Day
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Active reports whether the pool can take orders.
func (p Pool) Active() bool { return p.State.CNPY > 0 && p.State.Tokens > 0 }

// Day is what happened within the last 24 hours. The extremes are marginal
// prices, the one at the window's beginning included.
type Day struct {
	ChangePercent money.Decimal
	Volume        money.Amount
	High, Low     money.Ratio
}

// Page is a page number from 1 and a size.
type Page struct {
	Number int
	Size   int
}

func (p Page) skip() int32 { return int32((p.Number - 1) * p.Size) }

// Pool returns the pool of that id, or of the chain of that id; NotFound
// "Graduated pool not found".
func (s *Service) Pool(ctx context.Context, id uuid.UUID) (Pool, error) {
	row, err := s.row(ctx, id)
	if err != nil {
		return Pool{}, err
	}
	return s.show(row)
}

// Pools returns a page of all pools, the most recently changed first, and how
// many there are.
func (s *Service) Pools(ctx context.Context, page Page) ([]Pool, int64, error) {
	q := s.Store.Queries()
	total, err := q.CountGraduatedPools(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("count the graduated pools: %w", err)
	}
	rows, err := q.ListGraduatedPools(ctx, db.ListGraduatedPoolsParams{MaxRows: int32(page.Size), Skip: page.skip()})
	if err != nil {
		return nil, 0, fmt.Errorf("list the graduated pools: %w", err)
	}
	pools := make([]Pool, len(rows))
	for i, row := range rows {
		if pools[i], err = s.show(db.GetGraduatedPoolRow(row)); err != nil {
			return nil, 0, err
		}
	}
	return pools, total, nil
}

func (s *Service) row(ctx context.Context, id uuid.UUID) (db.GetGraduatedPoolRow, error) {
	row, err := s.Store.Queries().GetGraduatedPool(ctx, id)
	if store.NotFound(err) {
		return row, s.absent(ctx, id)
	}
	if err != nil {
		return row, fmt.Errorf("read the graduated pool: %w", err)
	}
	return row, nil
}

// absent says why there is no such pool, where the id is a live chain's that has none.
func (s *Service) absent(ctx context.Context, id uuid.UUID) error {
	found, err := s.Store.Queries().GraduatedTarget(ctx, id)
	switch {
	case store.NotFound(err):
		return errNotFound()
	case err != nil:
		return fmt.Errorf("read the chain: %w", err)
	case found.Direct && !found.IsFilled:
		return errNoLiquidity()
	}
	return errNotFound()
}

// errNoLiquidity is for a chain that never had a virtual pool: its first deposit
// opens the pool.
func errNoLiquidity() error {
	return fault.New(fault.NotFound, "Graduated pool not found: the chain never had a virtual pool, and nobody has given liquidity on it yet")
}

func (s *Service) show(row db.GetGraduatedPoolRow) (Pool, error) {
	p := row.GraduatedPool
	state := State{CNPY: money.Amount(p.CnpyReserve), Tokens: money.Amount(p.TokenReserve), Shares: money.Amount(p.ShareSupply)}
	supply := money.NewRatio(money.Amount(row.InitialTokenSupply), money.Unit)
	day, err := dayOf(p, state.Price())
	if err != nil {
		return Pool{}, err
	}
	pool := Pool{
		ID: p.ID, ChainID: p.ChainID, State: state, FeeBasisPoints: p.FeeBasisPoints,
		MarketCapUSD: state.Price().Mul(supply).Mul(s.rate()).Decimal(2),
		Volume:       money.Amount(p.TotalVolumeCnpy), Transactions: p.Transactions, UniqueTraders: p.UniqueTraders,
		Height: row.Height, Day: day, CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
	if row.Network != nil {
		pool.Network = *row.Network
	}
	return pool, nil
}

// dayOf reads the day's prices. A quiet pool has been where it is all day.
func dayOf(p db.GraduatedPool, price money.Ratio) (Day, error) {
	if p.DayOpen == nil || p.DayHigh == nil || p.DayLow == nil {
		return Day{ChangePercent: "0", High: price, Low: price}, nil
	}
	var prices [3]money.Ratio
	for i, text := range []string{*p.DayOpen, *p.DayHigh, *p.DayLow} {
		var err error
		if prices[i], err = money.ParseRatio(text); err != nil {
			return Day{}, fmt.Errorf("read the day's price %q: %w", text, err)
		}
	}
	open, high, low := prices[0], prices[1], prices[2]
	return Day{
		ChangePercent: price.Sub(open).Div(open).Percent(), Volume: money.Amount(p.DayVolumeCnpy), High: high, Low: low,
	}, nil
}

// target is a live chain and the way to it. Its pool has an id before anybody has
// given it liquidity.
type target struct {
	poolID, chainID      uuid.UUID
	network, genesisHash string
	creator              uuid.UUID // zero where the chain is the platform's
	filled               bool      // the pool is known to have liquidity
	client               *client.Client
}

// target finds a live chain by its id or its pool's. The endpoint may have moved
// since the last call, so it is read each time.
func (s *Service) target(ctx context.Context, id uuid.UUID) (target, error) {
	row, err := s.Store.Queries().GraduatedTarget(ctx, id)
	if store.NotFound(err) {
		return target{}, errNotFound()
	}
	if err != nil {
		return target{}, fmt.Errorf("read the live chain: %w", err)
	}
	if row.Network == nil || row.GenesisHash == nil || row.RpcEndpoint == nil {
		return target{}, errNobodyRuns()
	}
	c, err := client.New(*row.RpcEndpoint)
	if err != nil {
		// The caller can't mend it, so it is no fault of the request.
		return target{}, fmt.Errorf("reach chain %s: %s", row.ID, err.Error())
	}
	return target{
		poolID: PoolID(row.ID), chainID: row.ID, network: *row.Network, genesisHash: *row.GenesisHash,
		creator: row.CreatedBy, filled: row.IsFilled, client: c,
	}, nil
}

// treasurer refuses everybody but the chain's creator, whose treasury it is.
func (t target) treasurer(caller uuid.UUID) error {
	if t.creator == uuid.Nil || t.creator != caller {
		return fault.New(fault.Forbidden, "Access denied")
	}
	return nil
}

// info asks the chain what it is, and holds it to be the recorded one.
func (t target) info(ctx context.Context) (app.Info, error) {
	return t.client.InfoOf(ctx, t.network, t.genesisHash)
}

// holds refuses an order that needs a pool with liquidity where there is none. The
// chain itself is asked while the database does not know of any.
func (t target) holds(ctx context.Context, message tx.Message) error {
	switch message.(type) {
	case tx.Swap, tx.Withdrawal:
	default:
		return nil // a deposit may be the first
	}
	if t.filled {
		return nil
	}
	pool, err := t.client.Pool(ctx)
	if err == nil && pool.Shares == 0 {
		err = errNoLiquidity()
	}
	return err
}
