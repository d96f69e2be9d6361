package ws

import (
	"testing"

	"github.com/fasthttp/websocket"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/feed"
)

// FuzzParse has messages come from anywhere: they are understood, or refused as a
// client's mistake.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"type": "ping"}`, `{"type": "unsubscribe", "subscriptionId": "018f4f4e-0000-7000-8000-000000000000"}`,
		`{"type": "subscribe", "event": "candles", "filter": {"id": "018f4f4e-0000-7000-8000-000000000000", "interval": "1m"}, "lastEventId": "x"}`,
		`{"type": "subscribe", "event": "pools", "filter": []}`, `[]`, "", `{"type": {}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		parsed, err := parse(websocket.TextMessage, message)
		if err != nil {
			if refusal, ok := fault.As(err); !ok || refusal.Kind != fault.Malformed && refusal.Kind != fault.Invalid {
				t.Errorf("%q: %v", message, err)
			}
			return
		}
		placed := parsed.request.Topic == feed.Trades || parsed.request.Topic == feed.Candles
		switch {
		case parsed.kind == commandSubscribe && (parsed.request.Topic == "" || placed && parsed.request.ID == uuid.Nil):
			t.Errorf("%q subscribes to nothing: %+v", message, parsed)
		case parsed.kind == "":
			t.Errorf("%q is no command", message)
		}
	})
}
