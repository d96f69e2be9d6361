package ws

import (
	"context"
	"errors"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/feed"
)

// event is the seed's WebSocketEvent.
type event struct {
	Event     string    `json:"event"`
	Data      any       `json:"data"`
	Timestamp time.Time `json:"timestamp"`
	ID        string    `json:"id"`
}

// subscriptionResponse is the seed's SubscriptionResponse.
type subscriptionResponse struct {
	SubscriptionID uuid.UUID `json:"subscriptionId"`
	Event          string    `json:"event"`
	Filter         *filter   `json:"filter,omitempty"`
	CreatedAt      time.Time `json:"createdAt"`
}

// filter narrows a subscription.
type filter struct {
	ID       *uuid.UUID `json:"id,omitempty"`
	Interval string     `json:"interval,omitempty"`
}

// What the server says besides the feed's topics.
const (
	eventPong         = "pong"
	eventUnsubscribed = "unsubscribed"
	eventError        = "error"
)

// connection is one client. One goroutine reads and one writes, as the library
// demands.
type connection struct {
	conn       *websocket.Conn
	subscriber *feed.Subscriber
	surface    Surface
	budget     *rate.Limiter // of messages
	replies    chan event
	gone       chan struct{} // closed when nothing more can be read
}

func newConnection(conn *websocket.Conn, subscriber *feed.Subscriber, surface Surface) *connection {
	return &connection{
		conn: conn, subscriber: subscriber, surface: surface, budget: rate.NewLimiter(commandsPerSecond, commandBurst),
		replies: make(chan event, waitingReplies), gone: make(chan struct{}),
	}
}

// serve returns when the connection is over.
func (c *connection) serve() {
	ctx, cancel := context.WithTimeout(context.Background(), longestLife)
	defer cancel()
	go func() {
		defer close(c.gone)
		c.read(ctx)
	}()
	c.write(ctx)
	_ = c.conn.Close() // which ends the reading
	<-c.gone
}

// read obeys the client until the connection breaks.
func (c *connection) read(ctx context.Context) {
	c.conn.SetReadLimit(longestMessage)
	alive := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(silence)) }
	c.conn.SetPongHandler(alive)
	for alive("") == nil {
		kind, message, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		reply, answered := c.obey(ctx, kind, message)
		if !answered {
			continue
		}
		select {
		case c.replies <- reply:
		case <-ctx.Done():
			return
		case <-c.subscriber.Done():
			return
		}
	}
}

// obey carries out a message. A subscription is answered by the feed itself.
func (c *connection) obey(ctx context.Context, kind int, message []byte) (reply event, answered bool) {
	reply = event{Timestamp: time.Now().UTC(), ID: uuid.NewString()}
	if !c.budget.Allow() {
		reply.Event, reply.Data = eventError, c.surface.ErrorObject(errTooFast)
		return reply, true
	}
	command, err := parse(kind, message)
	if err == nil {
		switch command.kind {
		case commandPing:
			reply.Event = eventPong
			return reply, true
		case commandSubscribe:
			if err = c.subscriber.Subscribe(ctx, command.request); err == nil {
				return reply, false
			}
		case commandUnsubscribe:
			if err = c.subscriber.Unsubscribe(command.subscription); err == nil {
				reply.Event, reply.Data = eventUnsubscribed, map[string]uuid.UUID{"subscriptionId": command.subscription}
				return reply, true
			}
		}
	}
	reply.Event, reply.Data = eventError, c.surface.ErrorObject(err)
	return reply, true
}

// write sends what there is, in order, until there is no more to be said.
func (c *connection) write(ctx context.Context) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case e := <-c.subscriber.Events():
			err = c.send(c.shown(e))
		case reply := <-c.replies:
			err = c.send(reply)
		case <-ping.C:
			err = c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWithin))
		case <-c.subscriber.Done():
			c.farewell(c.subscriber.Err())
			return
		case <-ctx.Done():
			c.farewell(errExpired)
			return
		case <-c.gone:
			return
		}
		if err != nil {
			return
		}
	}
}

func (c *connection) shown(e feed.Event) any {
	if granted, ok := e.Data.(feed.Subscription); ok {
		return showSubscription(granted)
	}
	return event{Event: string(e.Topic), Data: c.surface.EventData(e), Timestamp: e.At.UTC(), ID: e.ID}
}

func showSubscription(s feed.Subscription) subscriptionResponse {
	response := subscriptionResponse{SubscriptionID: s.ID, Event: string(s.Topic), CreatedAt: s.CreatedAt.UTC()}
	if s.Request.ID != uuid.Nil {
		response.Filter = &filter{ID: &s.Request.ID, Interval: string(s.Interval)}
	}
	return response
}

func (c *connection) send(message any) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	return c.conn.WriteJSON(message)
}

var (
	errTooFast = fault.New(fault.Exhausted, "Too many messages: a connection may send %d at once and %d a second", commandBurst, commandsPerSecond)
	errExpired = fault.New(fault.Unavailable, "The connection is an hour old; connect again and subscribe with the last event's id")
)

// farewell tells the client why, in the last event and in the closing frame, both
// as far as the connection still carries anything.
func (c *connection) farewell(cause error) {
	if cause == nil {
		return
	}
	code := websocket.CloseServiceRestart
	if errors.Is(cause, feed.ErrSlow) {
		code = websocket.ClosePolicyViolation
	}
	_ = c.send(event{Event: eventError, Data: c.surface.ErrorObject(cause), Timestamp: time.Now().UTC(), ID: uuid.NewString()})
	reason := websocket.FormatCloseMessage(code, cause.Error())
	_ = c.conn.WriteControl(websocket.CloseMessage, reason, time.Now().Add(writeWithin))
}
