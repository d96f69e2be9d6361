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

// Portfolio computes a user's positions from the user's accounts and from what the
// user's trades have come to.
func (m *Market) Portfolio(ctx context.Context, user uuid.UUID) (Portfolio, error) {
	holdings, err := m.store.Queries().UserHoldings(ctx, user)
	if err != nil {
		return Portfolio{}, wrap("read the user's holdings", err)
	}
	pools := make([]uuid.UUID, len(holdings))
	for i, holding := range holdings {
		pools[i] = holding.Pool.ID
	}
	costs, err := m.costings(ctx, user, pools)
	if err != nil {
		return Portfolio{}, err
	}
	p := Portfolio{Positions: make([]Position, 0, len(holdings))}
	for _, holding := range holdings {
		position, err := positionOf(holding, *costs[holding.Pool.ID])
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

func positionOf(h db.UserHoldingsRow, cost costing) (Position, error) {
	terms := listingOf(db.GetPoolRow{
		Pool: h.Pool, CurveType: h.CurveType, InitialCnpyReserve: h.InitialCnpyReserve,
		InitialTokenSupply: h.InitialTokenSupply, BondingCurveSlope: h.BondingCurveSlope, GraduationThreshold: h.GraduationThreshold,
	})
	p := Position{
		ChainID: h.Pool.ChainID, PoolID: h.Pool.ID, ChainName: h.ChainName, TokenSymbol: h.TokenSymbol, Status: h.Status, Graduated: h.IsGraduated,
		Tokens: money.Amount(h.Balance), Price: terms.curve.Price(stateOf(h.Pool)), Trades: cost.trades,
	}
	if err := cost.settle(p.Tokens); err != nil {
		return p, err
	}
	p.Gain = cost.gain(p.Price.WorthOf(p.Tokens))
	p.AverageCost = money.NewRatio(p.Basis, p.Tokens)
	return p, nil
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
