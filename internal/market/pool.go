package market

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// day is the window of the 24-hour fields.
const day = 24 * time.Hour

// Pool is a virtual pool as the launchpad shows it (seed launchpad, Virtual
// Pools), and what the operator projects.
type Pool struct {
	ID              uuid.UUID
	ChainID         uuid.UUID
	State           curve.State
	Trading         Trading
	Curve           curve.Curve // with the fee of the moment
	Threshold       money.Amount
	Price           money.Ratio   // marginal, CNPY per token
	MarketCapUSD    money.Decimal // price × initial supply × rate
	ProgressPercent money.Decimal // reserve ÷ threshold, at most 100
	Limits          chain.Limits
	Volume          money.Amount // CNPY of all trades
	Trades          int64
	Terms           int64 // how often trading, fee or limits have changed
	UniqueTraders   int64
	Day             Day
	ClosedAt        *time.Time
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Active reports whether the pool takes orders.
func (p Pool) Active() bool { return p.Trading == Enabled }

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

func (p Page) offset() int32 { return int32((p.Number - 1) * p.Size) }

// Pool returns the pool of that id, or of the chain of that id.
func (m *Market) Pool(ctx context.Context, id uuid.UUID) (Pool, error) {
	row, err := m.poolRow(ctx, id)
	if err != nil {
		return Pool{}, err
	}
	pools, err := m.showPools(ctx, []db.GetPoolRow{row})
	if err != nil {
		return Pool{}, err
	}
	return pools[0], nil
}

// Sort is an order of pools.
type Sort string

// The orders of pools. The most recently updated come first without one, and
// among equals.
const (
	ByUpdate         Sort = ""
	ByAge            Sort = "newest"
	ByVolume         Sort = "volume"          // all that was ever traded
	ByMarketCap      Sort = "market_cap"      // highest first
	ByNearGraduation Sort = "near_graduation" // the share of the threshold that is reached; closed pools last
)

// Sorts are all orders that have a name.
var Sorts = []Sort{ByAge, ByVolume, ByMarketCap, ByNearGraduation}

// Search narrows and orders a list of pools.
type Search struct {
	Text string // a part of the chain's name or of the token's symbol, in any case
	Sort Sort
}

// Pools returns a page of the pools that a search finds, and how many it finds.
func (m *Market) Pools(ctx context.Context, search Search, page Page) ([]Pool, int64, error) {
	q := m.store.Queries()
	total, err := q.CountPools(ctx, search.Text)
	if err != nil {
		return nil, 0, wrap("count the pools", err)
	}
	list, err := q.ListPools(ctx, db.ListPoolsParams{
		Search: search.Text, Sort: string(search.Sort), Skip: page.offset(), MaxRows: int32(page.Size),
	})
	if err != nil {
		return nil, 0, wrap("list the pools", err)
	}
	rows := make([]db.GetPoolRow, len(list))
	for i, row := range list {
		rows[i] = db.GetPoolRow(row)
	}
	pools, err := m.showPools(ctx, rows)
	return pools, total, err
}

// PoolsOf returns the pools of the chains that have one, by chain, with as many
// queries for a hundred chains as for one.
func (m *Market) PoolsOf(ctx context.Context, chainIDs []uuid.UUID) (map[uuid.UUID]Pool, error) {
	list, err := m.store.Queries().PoolsOfChains(ctx, chainIDs)
	if err != nil {
		return nil, wrap("read the chains' pools", err)
	}
	rows := make([]db.GetPoolRow, len(list))
	for i, row := range list {
		rows[i] = db.GetPoolRow(row)
	}
	pools, err := m.showPools(ctx, rows)
	if err != nil {
		return nil, err
	}
	byChain := make(map[uuid.UUID]Pool, len(pools))
	for _, pool := range pools {
		byChain[pool.ChainID] = pool
	}
	return byChain, nil
}

func (m *Market) showPools(ctx context.Context, rows []db.GetPoolRow) ([]Pool, error) {
	pools := make([]Pool, len(rows))
	listings := make(map[uuid.UUID]*listing, len(rows))
	for i, row := range rows {
		listings[row.Pool.ID] = listingOf(row)
		pools[i] = m.showPool(listings[row.Pool.ID], row.Pool)
	}
	if err := m.addDays(ctx, pools, listings); err != nil {
		return nil, err
	}
	return pools, nil
}

func (m *Market) showPool(l *listing, row db.Pool) Pool {
	state := stateOf(row)
	progress := money.NewRatio(min(state.CNPY, l.threshold), l.threshold)
	return Pool{
		ID: row.ID, ChainID: row.ChainID, State: state, Trading: Trading(row.Trading),
		Curve: l.priced(row.FeeBasisPoints), Threshold: l.threshold,
		Price: l.curve.Price(state), MarketCapUSD: l.marketCap(state, m.options.Rate()), ProgressPercent: progress.Percent(),
		Limits: limitsOf(row), Volume: money.Amount(row.TotalVolumeCnpy), Trades: row.Version, Terms: row.TermsVersion,
		UniqueTraders: row.UniqueTraders,
		ClosedAt:      row.ClosedAt, CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
}

func stateOf(row db.Pool) curve.State {
	return curve.State{CNPY: money.Amount(row.CnpyReserve), Tokens: money.Amount(row.TokenReserve)}
}

func limitsOf(row db.Pool) chain.Limits {
	return chain.LimitsOf(row.MaxBuyCnpy, row.AntiSnipeSeconds, row.AntiSnipeMaxBuyCnpy)
}

// addDays fills the 24-hour fields from the trades, with one query for any
// number of pools. A quiet pool has been where it is all day.
func (m *Market) addDays(ctx context.Context, pools []Pool, listings map[uuid.UUID]*listing) error {
	ids := make([]uuid.UUID, len(pools))
	for i := range pools {
		ids[i] = pools[i].ID
		pools[i].Day = Day{ChangePercent: "0", High: pools[i].Price, Low: pools[i].Price}
	}
	days, err := m.store.Queries().PoolDays(ctx, db.PoolDaysParams{PoolIds: ids, Since: m.options.Now().Add(-day)})
	if err != nil {
		return wrap("sum up the day", err)
	}
	byPool := make(map[uuid.UUID]db.PoolDaysRow, len(days))
	for _, d := range days {
		byPool[d.Trade.PoolID] = d
	}
	for i := range pools {
		d, traded := byPool[pools[i].ID]
		if !traded {
			continue
		}
		first := before(Side(d.Trade.Side), fillOf(d.Trade))
		if err := pools[i].addDay(d, listings[d.Trade.PoolID].curve.Price(first)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pool) addDay(d db.PoolDaysRow, opening money.Ratio) error {
	high, low, err := extremes(d.High, d.Low, opening)
	if err != nil {
		return err
	}
	p.Day = Day{ChangePercent: p.Price.Sub(opening).Div(opening).Percent(), Volume: money.Amount(d.Volume), High: high, Low: low}
	return nil
}
