package launchpad_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// bodyLimit is what a surface takes that asks for no other (apiserver.Endpoint).
const bodyLimit = 1 << 20

// A request that is too large is refused by the server itself, before any handler
// sees it, and still in the seed's words. What just fits is read.
func TestRealOversizedRequests(t *testing.T) {
	s := storetest.Open(t)
	p, user := startPod(t, s), uuid.New()
	wallet := func(size int) string {
		const frame = `{"password": "", "wallet_description": ""}`
		return `{"password": "` + strings.Repeat("p", size-len(frame)) + `", "wallet_description": ""}`
	}
	chunked := func(size int) string {
		head, _, _ := strings.Cut(request(user, http.MethodPost, "/wallets", "", "Transfer-Encoding: chunked"), "Content-Length")
		return fmt.Sprintf("%s\r\n%x\r\n%s\r\n0\r\n\r\n", head, size, wallet(size))
	}
	for _, test := range []struct {
		reason, request string
		status          int
		code, message   string
	}{
		{"a body one byte too large", request(user, http.MethodPost, "/wallets", wallet(bodyLimit+1)), 400, "BAD_REQUEST", "Request is too large"},
		{"several times too large", request(user, http.MethodPost, "/chains", strings.Repeat(" ", 4*bodyLimit)), 400, "BAD_REQUEST", "Request is too large"},
		{"in a chunk, its length untold", chunked(bodyLimit + 1), 400, "BAD_REQUEST", "Request is too large"},
		{"headers too large", request(user, http.MethodGet, "/chains", "", "X-Filler: "+strings.Repeat("x", 17<<10)), 400, "BAD_REQUEST", "Request is too large"},
	} {
		connection := p.dial()
		go func() { _, _ = io.WriteString(connection, test.request) }() // the server may not read it to its end
		answer := p.answer(connection)
		t.Log(test.reason)
		expect(t, answer, test.status, test.code, test.message)
		if kind := answer.Header.Get("Content-Type"); kind != "application/json" || answer.Header.Get("X-Request-ID") == "" {
			t.Errorf("%s: %v", test.reason, answer.Header)
		}
	}
	connection := p.dial()
	go func() {
		_, _ = io.WriteString(connection, request(user, http.MethodPost, "/wallets", wallet(bodyLimit)))
	}()
	if answer := p.answer(connection); answer.Status != http.StatusCreated {
		t.Errorf("a body that just fits: %d %s", answer.Status, answer.Body)
	}
}
