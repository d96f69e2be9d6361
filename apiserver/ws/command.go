package ws

import (
	"github.com/fasthttp/websocket"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/feed"
	"github.com/lucid-blockchain/lucid/internal/market"
)

// What a client may ask for.
const (
	commandSubscribe   = "subscribe"
	commandUnsubscribe = "unsubscribe"
	commandPing        = "ping"
)

// command is a client's message.
type command struct {
	kind         string
	request      feed.Request // to subscribe
	subscription uuid.UUID    // to unsubscribe
}

// parse reads a message. Faults: Malformed (no JSON object), Invalid (fields).
func parse(kind int, message []byte) (command, error) {
	if kind != websocket.TextMessage {
		return command{}, fault.New(fault.Malformed, "Messages are JSON text")
	}
	object, err := httpx.ParseObject(message)
	if err != nil {
		return command{}, err
	}
	object.Require("type")
	parsed := command{kind: object.OneOf("type", commandSubscribe, commandUnsubscribe, commandPing)}
	switch parsed.kind {
	case commandSubscribe:
		parsed.request = parseRequest(object)
	case commandUnsubscribe:
		object.Require("subscriptionId")
		if id := object.UUID("subscriptionId"); id != nil {
			parsed.subscription = *id
		}
	}
	return parsed, object.Err()
}

func parseRequest(object *httpx.Object) feed.Request {
	object.Require("event")
	request := feed.Request{
		Topic:       feed.Topic(object.OneOf("event", httpx.Names(feed.Topics)...)),
		LastEventID: object.String("lastEventId"),
	}
	narrow := object.Object("filter")
	if id := narrow.UUID("id"); id != nil {
		request.ID = *id
	}
	switch request.Topic {
	case feed.Candles:
		request.Interval = market.Interval(narrow.OneOf("interval", httpx.Names(market.Intervals)...))
		narrow.Require("id")
	case feed.Trades:
		narrow.Require("id")
	}
	return request
}
