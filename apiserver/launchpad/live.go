package launchpad

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/apiserver/ws"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/feed"
	"github.com/lucid-blockchain/lucid/internal/market"
)

// liveFeed opens a WebSocket on what happens on the market.
func (s *Surface) liveFeed(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	return (&ws.Server{Feed: s.domain.Feed, Surface: s}).Upgrade(c, user)
}

// liveCandleView is a candle that says whose it is.
type liveCandleView struct {
	VirtualPoolID uuid.UUID       `json:"virtual_pool_id"`
	Interval      market.Interval `json:"interval"`
	candleView
}

var _ ws.Surface = (*Surface)(nil)

// EventData implements ws.Surface: things look as they do in REST answers.
func (s *Surface) EventData(e feed.Event) any {
	switch data := e.Data.(type) {
	case market.Trade:
		return viewTrade(data)
	case feed.Candle:
		return liveCandleView{VirtualPoolID: data.PoolID, Interval: data.Interval, candleView: viewCandle(data.Candle)}
	case market.Pool:
		return viewPool(data)
	case chain.Chain:
		return viewChain(data)
	}
	return nil
}

// ErrorObject implements ws.Surface.
func (s *Surface) ErrorObject(err error) any { return refusalOf(httpx.Explain(err)) }
