package launchpad_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
)

// follower is a client of the live feed.
type follower struct {
	t    *testing.T
	conn *websocket.Conn
}

func (p *platform) follow(address string, user uuid.UUID) *follower {
	p.t.Helper()
	conn, _, err := websocket.DefaultDialer.DialContext(p.t.Context(), "ws://"+address+"/api/v1/ws", http.Header{"X-User-Id": {user.String()}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	return &follower{t: p.t, conn: conn}
}

func (f *follower) say(message string) {
	f.t.Helper()
	if err := f.conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *follower) hear() map[string]any {
	f.t.Helper()
	_ = f.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, message, err := f.conn.ReadMessage()
	if err != nil {
		f.t.Fatal(err)
	}
	var heard map[string]any
	if err := json.Unmarshal(message, &heard); err != nil {
		f.t.Fatalf("%s: %v", message, err)
	}
	f.described(heard, message)
	return heard
}

// shown are the document's schemas of what an event's data is.
var shown = map[any]string{"trades": "Transaction", "pools": "VirtualPool", "chains": "Chain"}

// described holds a message, and what it tells, against the document.
func (f *follower) described(heard map[string]any, message []byte) {
	f.t.Helper()
	schema := "WebSocketEvent"
	if heard["subscriptionId"] != nil && heard["data"] == nil {
		schema = "SubscriptionResponse"
	}
	surfacetest.Message(f.t, documented(), schema, message)
	if of := shown[heard["event"]]; of != "" && schema == "WebSocketEvent" {
		var event struct{ Data json.RawMessage }
		_ = json.Unmarshal(message, &event)
		surfacetest.Message(f.t, documented(), of, event.Data)
	}
}

// command says what the document allows.
func (f *follower) command(message string) {
	f.t.Helper()
	surfacetest.Message(f.t, documented(), "LiveCommand", []byte(message))
	f.say(message)
}

// shape holds the printed interface's members against a message (seed docu,
// WebSocket Event Schemas).
func (f *follower) shape(message map[string]any, printed string) {
	f.t.Helper()
	got, _ := json.Marshal(message)
	for _, difference := range surfacetest.Differences([]byte(printed), got) {
		f.t.Errorf("%s: %s", difference, got)
	}
}

const (
	printedEvent        = `{"event": "", "data": null, "timestamp": "", "id": ""}`
	printedSubscription = `{"subscriptionId": "", "event": "", "filter": null, "createdAt": ""}`
)

func TestLiveTradesAndCandles(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	chain := p.launched(user, "Live", "")
	f := p.follow(p.Listen(), user)
	f.command(`{"type": "subscribe", "event": "trades", "filter": {"id": "` + chain + `"}}`)
	granted := f.hear()
	f.shape(granted, printedSubscription)
	trade := p.ok(user, http.StatusCreated, http.MethodPost, "/virtual-pools/"+chain+"/trades", `{"side": "buy", "cnpy_amount": 5}`)
	heard := f.hear()
	f.shape(heard, printedEvent)
	data := heard["data"].(map[string]any)
	if heard["event"] != "trades" || data["id"] != trade["id"] || len(data) != len(trade) {
		t.Errorf("the trade is shown as its answer was: %v, %v", heard, trade)
	}
	f.command(`{"type": "unsubscribe", "subscriptionId": "` + granted["subscriptionId"].(string) + `"}`)
	if gone := f.hear(); gone["event"] != "unsubscribed" {
		t.Errorf("%v", gone)
	}
	f.say(`{"type": "subscribe", "event": "candles", "filter": {"id": "` + chain + `", "interval": "1m"}, "lastEventId": null}`)
	if again := f.hear(); again["filter"].(map[string]any)["interval"] != "1m" {
		t.Errorf("%v", again)
	}
	p.ok(user, http.StatusCreated, http.MethodPost, "/virtual-pools/"+chain+"/trades", `{"side": "buy", "cnpy_amount": 5}`)
	candle := f.hear()["data"].(map[string]any)
	if candle["virtual_pool_id"] != trade["virtual_pool_id"] || candle["interval"] != "1m" || candle["transactions"] == 0.0 {
		t.Errorf("%v", candle)
	}
	f.command(`{"type": "subscribe", "event": "pools"}`)
	if all := f.hear(); all["filter"] != nil {
		t.Errorf("all pools, without a filter: %v", all)
	}
	f.command(`{"type": "subscribe", "event": "chains"}`)
	f.hear()
	p.launched(user, "Another", `, "creator_initial_purchase_cnpy": 10`)
	for seen := map[any]bool{}; !seen["pools"] || !seen["chains"]; {
		seen[f.hear()["event"]] = true // each is held against its schema
	}
	f.command(`{"type": "ping"}`)
	if pong := f.hear(); pong["event"] != "pong" {
		t.Errorf("%v", pong)
	}
}

func TestLiveCommandsRefused(t *testing.T) {
	p := newPlatform(t)
	f := p.follow(p.Listen(), uuid.New())
	cases := map[string]struct{ message, code, field string }{
		"Broken":        {`{`, "BAD_REQUEST", ""},
		"NoType":        {`{}`, "VALIDATION_ERROR", "type"},
		"OtherType":     {`{"type": "publish"}`, "VALIDATION_ERROR", "type"},
		"NoEvent":       {`{"type": "subscribe"}`, "VALIDATION_ERROR", "event"},
		"OtherEvent":    {`{"type": "subscribe", "event": "blocks"}`, "VALIDATION_ERROR", "event"},
		"NoPool":        {`{"type": "subscribe", "event": "trades"}`, "VALIDATION_ERROR", "filter.id"},
		"BadPool":       {`{"type": "subscribe", "event": "trades", "filter": {"id": "x"}}`, "VALIDATION_ERROR", "filter.id"},
		"FilterNoMap":   {`{"type": "subscribe", "event": "pools", "filter": "x"}`, "VALIDATION_ERROR", "filter"},
		"UnknownFilter": {`{"type": "subscribe", "event": "pools", "filter": {"x": 1}}`, "VALIDATION_ERROR", "filter.x"},
		"Unknown":       {`{"type": "ping", "x": 1}`, "VALIDATION_ERROR", "x"},
		"MissingPool":   {`{"type": "subscribe", "event": "trades", "filter": {"id": "` + uuid.NewString() + `"}}`, "NOT_FOUND", ""},
		"BadEventID":    {`{"type": "subscribe", "event": "pools", "lastEventId": "trades:1"}`, "VALIDATION_ERROR", "lastEventId"},
		"NotSubscribed": {`{"type": "unsubscribe", "subscriptionId": "` + uuid.NewString() + `"}`, "NOT_FOUND", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f.say(tc.message)
			answer := f.hear()
			f.shape(answer, printedEvent)
			refusal := answer["data"].(map[string]any)
			if answer["event"] != "error" || refusal["code"] != tc.code {
				t.Fatalf("%v", answer)
			}
			if details, _ := json.Marshal(refusal["details"]); !strings.Contains(string(details), `"`+tc.field+`"`) && tc.field != "" {
				t.Errorf("%s does not name %s", details, tc.field)
			}
		})
	}
	if err := f.conn.WriteMessage(websocket.BinaryMessage, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if answer := f.hear(); answer["event"] != "error" {
		t.Errorf("a binary message: %v", answer)
	}
	f.say(`{"type": "` + strings.Repeat("x", 5_000) + `"}`)
	if _, _, err := f.conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
		t.Errorf("an oversized message ends the connection: %v", err)
	}
}

// TestLiveCommandsAreLimited: a connection that talks too fast is told so, of each
// message that was not obeyed, and heard again once it has slowed down.
func TestLiveCommandsAreLimited(t *testing.T) {
	p := newPlatform(t)
	address, user := p.Listen(), uuid.New()
	f, calm := p.follow(address, user), p.follow(address, user)
	const messages = 80
	for range messages {
		f.say(`{"type": "ping"}`)
	}
	obeyed := 0
	var refused map[string]any
	for range messages {
		if answer := f.hear(); answer["event"] == "pong" {
			obeyed++
		} else {
			refused = answer
		}
	}
	if obeyed < 50 || refused == nil {
		t.Fatalf("%d of %d messages at once are obeyed, want 50 or a few more", obeyed, messages)
	}
	f.shape(refused, printedEvent)
	if data := refused["data"].(map[string]any); refused["event"] != "error" || data["code"] != "RATE_LIMIT_EXCEEDED" || !strings.Contains(data["message"].(string), "5 a second") {
		t.Errorf("%v", refused)
	}
	calm.say(`{"type": "ping"}`)
	if pong := calm.hear(); pong["event"] != "pong" {
		t.Errorf("another connection has a budget of its own: %v", pong)
	}
	time.Sleep(300 * time.Millisecond)
	f.say(`{"type": "ping"}`)
	if pong := f.hear(); pong["event"] != "pong" {
		t.Errorf("after a pause: %v", pong)
	}
}

func TestLiveFeedRefusals(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	expect(t, p.as(user, http.MethodGet, "/ws", ""), http.StatusBadRequest, "BAD_REQUEST", "This route speaks WebSocket only")
	expect(t, p.Do(http.MethodGet, "/api/v1/ws", ""), http.StatusUnauthorized, "UNAUTHORIZED", "Authentication required")
	half := p.as(user, http.MethodGet, "/ws", "", "Connection", "Upgrade", "Upgrade", "websocket")
	expect(t, half, http.StatusBadRequest, "BAD_REQUEST", "The WebSocket handshake is broken")
	address := p.Listen()
	var open []*follower
	for range 20 {
		open = append(open, p.follow(address, user))
	}
	refused := p.as(user, http.MethodGet, "/ws", "", "Connection", "Upgrade", "Upgrade", "websocket")
	expect(t, refused, http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", "There are at most 20 live connections per user")
	_ = open[0].conn.Close()
	for end := time.Now().Add(10 * time.Second); ; {
		conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+address+"/api/v1/ws", http.Header{"X-User-Id": {user.String()}})
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("a closed connection makes room: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestLiveFeedSaysGoodbye: a client learns why its connection ends.
func TestLiveFeedSaysGoodbye(t *testing.T) {
	p := newPlatform(t)
	f := p.follow(p.Listen(), uuid.New())
	f.say(`{"type": "ping"}`)
	f.hear()
	p.stopFeed()
	if last := f.hear(); last["event"] != "error" || last["data"].(map[string]any)["code"] != "SERVICE_UNAVAILABLE" {
		t.Errorf("%v", last)
	}
	if _, _, err := f.conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
		t.Errorf("%v", err)
	}
}
