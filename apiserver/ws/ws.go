// Package ws serves the live feed over WebSocket (RFC 6455). Clients send
// subscribe, unsubscribe and ping as JSON and get the objects of the contract
// (seed docu, WebSocket Event Schemas; docs/market.md, Live feed).
package ws

import (
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/feed"
)

const (
	// longestMessage bounds what a client may send at once, in bytes.
	longestMessage = 4 << 10
	// pingEvery keeps proxies from closing a quiet connection; a client that does
	// not answer within silence is gone.
	pingEvery = 25 * time.Second
	silence   = 60 * time.Second
	// writeWithin bounds one write to a client.
	writeWithin = 10 * time.Second
	// longestLife of a connection, so that who may no longer connect is not
	// connected for ever. The client comes back with its last event's id.
	longestLife = time.Hour
	// commandsPerSecond of one connection, and how many at once: a subscription
	// costs the database more than its sender. Who comes back after a break may ask
	// for all that a connection can have.
	commandsPerSecond, commandBurst = 5, 50
	// waitingReplies is how many answers to a client's messages may wait.
	waitingReplies = 16
)

// Surface says things in the words of one REST surface.
type Surface interface {
	// EventData shows an event's data.
	EventData(e feed.Event) any
	// ErrorObject shows an error as the surface's REST answers would.
	ErrorObject(err error) any
}

// Server serves connections on one feed for one surface.
type Server struct {
	Feed    *feed.Feed
	Surface Surface
}

var upgrader = websocket.FastHTTPUpgrader{
	// Whoever comes here was identified by package middleware, which lets no page
	// of another origin use a visitor's cookie unless the gateway trusts it.
	CheckOrigin: func(*fasthttp.RequestCtx) bool { return true },
}

// Upgrade turns a request of a user into a connection and serves it until either
// side ends it. Faults: Malformed (no WebSocket request), and those of
// feed.Connect.
func (s *Server) Upgrade(c *fiber.Ctx, user uuid.UUID) error {
	if !websocket.FastHTTPIsWebSocketUpgrade(c.Context()) {
		return fault.New(fault.Malformed, "This route speaks WebSocket only")
	}
	subscriber, err := s.Feed.Connect(user)
	if err != nil {
		return err
	}
	serve := func(conn *websocket.Conn) {
		defer subscriber.Close()
		newConnection(conn, subscriber, s.Surface).serve()
	}
	if err := upgrader.Upgrade(c.Context(), serve); err != nil {
		subscriber.Close()
		c.Response().Reset() // the library's own words
		return fault.New(fault.Malformed, "The WebSocket handshake is broken")
	}
	return nil
}
