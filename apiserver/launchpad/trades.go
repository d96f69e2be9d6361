package launchpad

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const (
	headerIdempotencyKey = "Idempotency-Key"
	// headerReplayed marks an answer that was given before.
	headerReplayed = "Idempotency-Replayed"
)

// tradeView is the seed's transaction. A trade on the curve is settled in the
// ledger: it is in no block and costs no gas.
type tradeView struct {
	ID                uuid.UUID     `json:"id"`
	VirtualPoolID     uuid.UUID     `json:"virtual_pool_id"`
	ChainID           uuid.UUID     `json:"chain_id"`
	UserID            uuid.UUID     `json:"user_id"`
	TransactionType   market.Side   `json:"transaction_type"`
	CNPYAmount        money.Amount  `json:"cnpy_amount"`
	TokenAmount       money.Amount  `json:"token_amount"`
	PricePerToken     money.Ratio   `json:"price_per_token_cnpy"`
	TradingFee        money.Amount  `json:"trading_fee_cnpy"`
	SlippagePercent   money.Decimal `json:"slippage_percent"`
	TransactionHash   string        `json:"transaction_hash"`
	BlockHeight       *int64        `json:"block_height"`
	GasUsed           *int64        `json:"gas_used"`
	CNPYReserveAfter  money.Amount  `json:"pool_cnpy_reserve_after"`
	TokenReserveAfter money.Amount  `json:"pool_token_reserve_after"`
	MarketCapAfterUSD money.Decimal `json:"market_cap_after_usd"`
	CreatedAt         time.Time     `json:"created_at"`
}

func viewTrade(t market.Trade) tradeView {
	return tradeView{
		ID: t.ID, VirtualPoolID: t.PoolID, ChainID: t.ChainID, UserID: t.UserID, TransactionType: t.Side,
		CNPYAmount: t.CNPY, TokenAmount: t.Tokens, PricePerToken: t.Price, TradingFee: t.Fee,
		SlippagePercent: t.SlippagePercent, TransactionHash: t.Hash,
		CNPYReserveAfter: t.After.CNPY, TokenReserveAfter: t.After.Tokens, MarketCapAfterUSD: t.MarketCapUSD,
		CreatedAt: t.CreatedAt.UTC(),
	}
}

// listTransactions answers an empty page for a chain without a pool.
func (s *Surface) listTransactions(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "chain")
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	filter := market.TradeFilter{
		PoolID: id, UserID: q.UUID("user_id"),
		Side: market.Side(q.OneOf("transaction_type", string(market.Buy), string(market.Sell))),
	}
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	if _, err := s.domain.Chains.GetFor(c.UserContext(), id, user); err != nil {
		return err
	}
	trades, total, err := s.domain.Market.Trades(c.UserContext(), filter, market.Page{Number: page.Number, Size: page.Limit})
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return answerList(c, page, total, trades, viewTrade)
}

// readOrder takes what quotes and trades have in common: the side, and the one
// amount that the user fixes. What the market thinks of them is added by
// readable.
func readOrder(body *httpx.Object) market.Order {
	body.Require("side")
	return market.Order{
		Side: market.Side(body.OneOf("side", string(market.Buy), string(market.Sell))),
		CNPY: body.Amount("cnpy_amount"), Tokens: body.Amount("token_amount"),
	}
}

// readable reports everything that is wrong with an order at once: what can't be
// read, and the market's own complaints. An amount that can't be read counts as
// given: the market shall not call it missing.
func readable(body *httpx.Object, order market.Order) error {
	given := money.Unit
	if order.CNPY == nil && body.Has("cnpy_amount") {
		order.CNPY = &given
	}
	if order.Tokens == nil && body.Has("token_amount") {
		order.Tokens = &given
	}
	return body.Err(order.Validate())
}

// quoteView is what a trade would come to (docs/domain.md §9): in and out are CNPY or
// tokens by the side, fee and prices are in CNPY.
type quoteView struct {
	VirtualPoolID    uuid.UUID     `json:"virtual_pool_id"`
	ChainID          uuid.UUID     `json:"chain_id"`
	Side             market.Side   `json:"side"`
	In               money.Amount  `json:"in"`
	Out              money.Amount  `json:"out"`
	Fee              money.Amount  `json:"fee"`
	Price            money.Ratio   `json:"price"`
	PriceAfter       money.Ratio   `json:"price_after"`
	SlippagePercent  money.Decimal `json:"slippage_percent"`
	CrossesThreshold bool          `json:"crosses_threshold"`
}

func (s *Surface) quote(c *fiber.Ctx) error {
	_, id, err := callerAndID(c, "virtual pool")
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	order := readOrder(body)
	if err := readable(body, order); err != nil {
		return err
	}
	q, err := s.domain.Market.Quote(c.UserContext(), id, market.QuoteRequest{Side: order.Side, CNPY: order.CNPY, Tokens: order.Tokens})
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, quoteView{
		VirtualPoolID: q.PoolID, ChainID: q.ChainID, Side: q.Side, In: q.In, Out: q.Out, Fee: q.Fee,
		Price: q.Price, PriceAfter: q.PriceAfter, SlippagePercent: q.SlippagePercent, CrossesThreshold: q.CrossesThreshold,
	})
}

// trade answers a repeated Idempotency-Key with the first answer.
func (s *Surface) trade(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "virtual pool")
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	order := readOrder(body)
	order.PoolID, order.UserID = id, user
	order.MinOut, order.MaxIn = body.Amount("min_out"), body.Amount("max_in")
	// The market keeps the key; the request's own memory is reused.
	order.IdempotencyKey = strings.Clone(c.Get(headerIdempotencyKey))
	if deadline := body.Time("deadline"); deadline != nil {
		order.Deadline = *deadline
	}
	if err := readable(body, order); err != nil {
		return err
	}
	filled, err := s.domain.Market.Trade(c.UserContext(), order)
	if err != nil {
		return err
	}
	if filled.Replayed {
		c.Set(headerReplayed, "true")
	}
	return answer(c, fiber.StatusCreated, viewTrade(filled))
}
