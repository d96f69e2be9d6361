package market

import (
	"context"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/money"
)

// QuoteRequest is an order without its bounds; see Order.
type QuoteRequest struct {
	Side   Side
	CNPY   *money.Amount
	Tokens *money.Amount
}

// Quote is what a trade would come to at this moment. It promises nothing.
type Quote struct {
	PoolID           uuid.UUID
	ChainID          uuid.UUID
	Side             Side
	In               money.Amount // CNPY on a buy, fee included; tokens on a sell
	Out              money.Amount // tokens on a buy; CNPY on a sell, fee taken
	Fee              money.Amount // in CNPY
	Price            money.Ratio  // CNPY per token, effective
	PriceAfter       money.Ratio  // marginal
	SlippagePercent  money.Decimal
	CrossesThreshold bool // the trade would close the pool
}

// Quote prices an order without writing anything, for the pool or the chain of
// that id. It refuses what Trade would, save what
// depends on the user: the balance, and what was bought in the pool's window.
func (m *Market) Quote(ctx context.Context, id uuid.UUID, r QuoteRequest) (Quote, error) {
	order := Order{Side: r.Side, CNPY: r.CNPY, Tokens: r.Tokens}
	if err := order.Validate(); err != nil {
		return Quote{}, err
	}
	row, err := m.poolRow(ctx, id)
	if err != nil {
		return Quote{}, err
	}
	l := listingOf(row)
	pool := &poolState{
		listing: l, trading: Trading(row.Pool.Trading), fee: row.Pool.FeeBasisPoints, state: stateOf(row.Pool),
		openedAt: row.Pool.CreatedAt, limits: limitsOf(row.Pool),
	}
	if err := (&book{}).open(pool, order); err != nil {
		return Quote{}, err
	}
	c := l.priced(pool.fee)
	fill, err := price(c, pool.state, order)
	if err != nil {
		return Quote{}, err
	}
	if r.Side == Buy {
		if err := pool.permitAlone(fill.CNPY, m.options.Now()); err != nil {
			return Quote{}, err
		}
	}
	q := Quote{
		PoolID: l.poolID, ChainID: l.chainID, Side: r.Side, In: fill.CNPY, Out: fill.Tokens, Fee: fill.Fee,
		Price: money.NewRatio(fill.CNPY, fill.Tokens), PriceAfter: c.Price(fill.After),
		SlippagePercent:  c.Slippage(pool.state, fill).Percent(),
		CrossesThreshold: fill.After.CNPY >= l.threshold,
	}
	if r.Side == Sell {
		q.In, q.Out = q.Out, q.In
	}
	return q, nil
}
