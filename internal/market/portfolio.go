package market

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Gain is what became of CNPY that was put into tokens, by the average-cost
// method: all tokens held cost the same, and those that are sold take their share
// of the cost along, rounded down. Cost and proceeds have the fees in them, and
//
//	Realised + Unrealised = Value + Proceeds − Cost
//
// holds exactly, to the last unit.
type Gain struct {
	Cost       money.Amount // paid for what is held and what was sold
	Basis      money.Amount // the part of Cost that is in what is held
	Proceeds   money.Amount // received for what was sold
	Value      money.Amount // of what is held, at the marginal price, rounded down; at most money.Max
	Realised   money.Amount // Proceeds − (Cost − Basis)
	Unrealised money.Amount // Value − Basis
}

// Position is a user's part in one chain: tokens held, or traded once.
type Position struct {
	ChainID     uuid.UUID
	PoolID      uuid.UUID
	ChainName   string
	TokenSymbol string
	Status      string // of the chain
	// Graduated says that the tokens are on the live chain: the position is what it
	// was when the pool closed, and what was done with them since is not in it.
	Graduated   bool
	Tokens      money.Amount // held, as the ledger says
	AverageCost money.Ratio  // CNPY per token held; 0 where none is held
	Price       money.Ratio  // marginal, of the pool
	Trades      int64        // of the user
	Gain
}

// Portfolio is all of a user's positions, the most valuable first, and their sum.
type Portfolio struct {
	Positions []Position
	Total     Gain
}

// Portfolio computes a user's positions from the user's trades and accounts.
func (m *Market) Portfolio(ctx context.Context, user uuid.UUID) (Portfolio, error) {
	q := m.store.Queries()
	holdings, err := q.UserHoldings(ctx, user)
	if err != nil {
		return Portfolio{}, wrap("read the user's holdings", err)
	}
	trades, err := q.UserTrades(ctx, user)
	if err != nil {
		return Portfolio{}, wrap("read the user's trades", err)
	}
	byPool := map[uuid.UUID][]db.UserTradesRow{}
	for _, trade := range trades {
		byPool[trade.PoolID] = append(byPool[trade.PoolID], trade)
	}
	p := Portfolio{Positions: make([]Position, 0, len(holdings))}
	for _, holding := range holdings {
		position, err := positionOf(holding, byPool[holding.Pool.ID])
		if err != nil {
			return Portfolio{}, err
		}
		if err := p.Total.add(position.Gain); err != nil {
			return Portfolio{}, err
		}
		p.Positions = append(p.Positions, position)
	}
	slices.SortFunc(p.Positions, func(a, b Position) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.ChainName, b.ChainName))
	})
	return p, nil
}

func positionOf(h db.UserHoldingsRow, trades []db.UserTradesRow) (Position, error) {
	terms := listingOf(db.GetPoolRow{
		Pool: h.Pool, CurveType: h.CurveType, InitialCnpyReserve: h.InitialCnpyReserve,
		InitialTokenSupply: h.InitialTokenSupply, BondingCurveSlope: h.BondingCurveSlope, GraduationThreshold: h.GraduationThreshold,
	})
	p := Position{
		ChainID: h.Pool.ChainID, PoolID: h.Pool.ID, ChainName: h.ChainName, TokenSymbol: h.TokenSymbol, Status: h.Status, Graduated: h.IsGraduated,
		Tokens: money.Amount(h.Balance), Price: terms.curve.Price(stateOf(h.Pool)), Trades: int64(len(trades)),
	}
	cost := costing{}
	for _, trade := range trades {
		if err := cost.trade(Side(trade.Side), money.Amount(trade.CnpyAmount), money.Amount(trade.TokenAmount)); err != nil {
			return p, err
		}
	}
	if err := cost.settle(p.Tokens); err != nil {
		return p, err
	}
	p.Gain = cost.gain(p.Price.WorthOf(p.Tokens))
	p.AverageCost = money.NewRatio(p.Basis, p.Tokens)
	return p, nil
}

// costing follows the cost of one token through a user's trades.
type costing struct {
	held     money.Amount // by the trades alone
	cost     money.Amount
	basis    money.Amount
	proceeds money.Amount
}

func (c *costing) trade(side Side, cnpy, tokens money.Amount) (err error) {
	if side == Buy {
		if c.held, err = c.held.Add(tokens); err != nil {
			return err
		}
		if c.cost, err = c.cost.Add(cnpy); err != nil {
			return err
		}
		c.basis += cnpy // never more than cost
		return nil
	}
	if c.proceeds, err = c.proceeds.Add(cnpy); err != nil {
		return err
	}
	// Tokens that were not bought here came for nothing.
	_, err = c.release(min(tokens, c.held))
	return err
}

// release takes tokens out with their share of the basis, which it returns.
func (c *costing) release(tokens money.Amount) (money.Amount, error) {
	if tokens == 0 {
		return 0, nil
	}
	share, err := money.MulDivFloor(c.basis, tokens, c.held)
	if err != nil {
		return 0, err
	}
	c.basis, c.held = c.basis-share, c.held-tokens
	return share, nil
}

// settle makes the trades agree with what the ledger says is held. Tokens that
// came without a trade cost nothing; those that went without one take their cost
// along, which is then neither gain nor loss.
func (c *costing) settle(balance money.Amount) error {
	share, err := c.release(max(0, c.held-balance))
	c.cost -= share
	return err
}

func (c *costing) gain(value money.Amount) Gain {
	return Gain{
		Cost: c.cost, Basis: c.basis, Proceeds: c.proceeds, Value: value,
		Realised: c.proceeds - (c.cost - c.basis), Unrealised: value - c.basis,
	}
}

// add sums gains up, or is money.ErrRange. A value beyond all amounts, which the
// last tokens of a pool may have, stands as the largest and is no error: it is
// nothing but a price.
func (g *Gain) add(o Gain) (err error) {
	sums := []struct {
		to *money.Amount
		by money.Amount
	}{{&g.Cost, o.Cost}, {&g.Basis, o.Basis}, {&g.Proceeds, o.Proceeds}, {&g.Realised, o.Realised}}
	for _, sum := range sums {
		if *sum.to, err = sum.to.Add(sum.by); err != nil {
			return err
		}
	}
	if g.Value, err = g.Value.Add(o.Value); err != nil {
		g.Value = money.Max
	}
	g.Unrealised = g.Value - g.Basis // as it is for each
	return nil
}
