package launchpad

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// MarketData is what traders see of the market beyond its trades;
// *market.Market is one.
type MarketData interface {
	Candles(ctx context.Context, r market.CandleRequest) ([]market.Candle, error)
	Portfolio(ctx context.Context, user uuid.UUID) (market.Portfolio, error)
}

func (s *Surface) registerMarketData(api fiber.Router) {
	api.Get("/virtual-pools/:id/candles", httpx.Operation("Failed to retrieve candles", s.listCandles))
	api.Get("/portfolio", httpx.Operation("Failed to retrieve portfolio", s.portfolio))
}

// candleView is one candle (docs/market.md). One without transactions repeats
// the last close.
type candleView struct {
	Time         time.Time    `json:"time"`
	Open         money.Ratio  `json:"open_cnpy"`
	High         money.Ratio  `json:"high_cnpy"`
	Low          money.Ratio  `json:"low_cnpy"`
	Close        money.Ratio  `json:"close_cnpy"`
	Volume       money.Amount `json:"volume_cnpy"`
	Transactions int64        `json:"transactions"`
}

func viewCandle(c market.Candle) candleView {
	return candleView{
		Time: c.Start, Open: c.Open, High: c.High, Low: c.Low, Close: c.Close, Volume: c.Volume, Transactions: c.Trades,
	}
}

func (s *Surface) listCandles(c *fiber.Ctx) error {
	_, id, err := callerAndID(c, "virtual pool")
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	request := market.CandleRequest{
		PoolID: id, Interval: market.Interval(q.OneOf("interval", httpx.Names(market.Intervals)...)), Start: q.Time("start"), End: q.Time("end"),
	}
	var candles []market.Candle
	if !q.Refused("interval") { // without it start and end can't be judged
		// The market's own complaints go into the same list.
		candles, err = s.domain.Data.Candles(c.UserContext(), request)
	}
	if err := q.Err(err); err != nil {
		return err
	}
	views := make([]candleView, len(candles))
	for i, candle := range candles {
		views[i] = viewCandle(candle)
	}
	return answer(c, fiber.StatusOK, views)
}

// gainView is what became of CNPY that was put into tokens.
type gainView struct {
	Cost       money.Amount `json:"cost_cnpy"`
	Basis      money.Amount `json:"cost_basis_cnpy"`
	Proceeds   money.Amount `json:"proceeds_cnpy"`
	Value      money.Amount `json:"market_value_cnpy"`
	Realised   money.Amount `json:"realized_profit_cnpy"`
	Unrealised money.Amount `json:"unrealized_profit_cnpy"`
}

func viewGain(g market.Gain) gainView { return gainView(g) }

// positionView is the caller's part in one chain.
type positionView struct {
	ChainID       uuid.UUID    `json:"chain_id"`
	VirtualPoolID uuid.UUID    `json:"virtual_pool_id"`
	ChainName     string       `json:"chain_name"`
	TokenSymbol   string       `json:"token_symbol"`
	Status        string       `json:"status"`
	Graduated     bool         `json:"graduated"`
	TokenBalance  money.Amount `json:"token_balance"`
	AverageCost   money.Ratio  `json:"average_cost_cnpy"`
	CurrentPrice  money.Ratio  `json:"current_price_cnpy"`
	Transactions  int64        `json:"transactions"`
	gainView
}

// portfolioView is all that the caller holds or held.
type portfolioView struct {
	Positions []positionView `json:"positions"`
	Totals    gainView       `json:"totals"`
}

func (s *Surface) portfolio(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	found, err := s.domain.Data.Portfolio(c.UserContext(), user)
	if err != nil {
		return err
	}
	view := portfolioView{Positions: make([]positionView, len(found.Positions)), Totals: viewGain(found.Total)}
	for i, p := range found.Positions {
		view.Positions[i] = positionView{
			ChainID: p.ChainID, VirtualPoolID: p.PoolID, ChainName: p.ChainName, TokenSymbol: p.TokenSymbol, Status: p.Status,
			Graduated: p.Graduated, TokenBalance: p.Tokens, AverageCost: p.AverageCost, CurrentPrice: p.Price, Transactions: p.Trades,
			gainView: viewGain(p.Gain),
		}
	}
	return answer(c, fiber.StatusOK, view)
}
