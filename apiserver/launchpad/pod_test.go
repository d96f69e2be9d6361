package launchpad_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver"
	"github.com/lucid-blockchain/lucid/apiserver/launchpad"
	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/apiserver/source"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/telemetry"
)

// pod is the surface behind the very server of an API pod, whose buffers and
// limits are not those of surfacetest, on a port of the loopback.
type pod struct {
	t       *testing.T
	address string
}

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// oneSnapshot is a source that has but one.
type oneSnapshot struct{ snapshot *snapshot.Snapshot }

func (o oneSnapshot) Run(ctx context.Context, deliver source.Deliver) {
	_ = deliver("test", o.snapshot)
	<-ctx.Done()
}

func startPod(t *testing.T, s *store.Store) *pod {
	t.Helper()
	holder := &live.Holder{}
	server, err := apiserver.New(apiserver.Config{
		Endpoints: []apiserver.Endpoint{{
			Surface: launchpad.New(launchpad.Over(s, market.New(s, market.Options{}), testKeys(t, s))), Address: "127.0.0.1:0",
		}},
		InternalAddress: "127.0.0.1:0", Live: holder, Users: identity.NewUsers(s), Database: s,
		Source: oneSnapshot{&snapshot.Snapshot{
			Gateway: "default/test", Identity: snapshot.Development, CNPYUSDRate: "1.00",
			Surfaces:   []snapshot.Surface{{Name: ratelimit.SurfaceLaunchpad}},
			RateLimits: map[string][]ratelimit.Tier{ratelimit.SurfaceLaunchpad: {}},
		}},
		Registry: telemetry.NewRegistry(), Log: logr.Discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	background(t, server.Run)
	for deadline := time.Now().Add(patience); holder.Current() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the pod has no configuration")
		}
	}
	return &pod{t: t, address: server.Address(ratelimit.SurfaceLaunchpad)}
}

// dial opens a connection that the test reads and writes by hand.
func (p *pod) dial() net.Conn {
	p.t.Helper()
	connection, err := net.Dial("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	return connection
}

// request is one as it goes over the wire.
func request(user uuid.UUID, method, path, body string, header ...string) string {
	header = append(header, "Host: launchpad", "X-User-ID: "+user.String(), "Content-Type: application/json")
	return fmt.Sprintf("%s /api/v1%s HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n\r\n%s",
		method, path, strings.Join(header, "\r\n"), len(body), body)
}

// exchange sends a request and reads the whole answer into memory that is the
// caller's alone: nothing of the client's keeps a copy.
func (p *pod) exchange(connection net.Conn, request string, into []byte) (head, body []byte) {
	p.t.Helper()
	if _, err := io.WriteString(connection, request); err != nil {
		p.t.Fatal(err)
	}
	for n := 0; ; {
		more, err := connection.Read(into[n:])
		if err != nil {
			p.t.Fatalf("after %d bytes of the answer: %v", n, err)
		}
		n += more
		if head, body, whole := split(p.t, into[:n]); whole {
			return head, body
		}
	}
}

// split takes an answer apart, once it is whole.
func split(t *testing.T, answer []byte) (head, body []byte, whole bool) {
	t.Helper()
	head, body, found := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !found {
		return nil, nil, false
	}
	_, length, found := bytes.Cut(head, []byte("\r\nContent-Length: "))
	if !found {
		t.Fatalf("an answer of no length: %s", head)
	}
	length, _, _ = bytes.Cut(length, []byte("\r\n"))
	size, err := strconv.Atoi(string(length))
	if err != nil {
		t.Fatal(err)
	}
	return head, body, len(body) >= size
}

// wallet makes a wallet and returns its id.
func (p *pod) wallet(user uuid.UUID) string {
	p.t.Helper()
	_, body := p.exchange(p.dial(), request(user, http.MethodPost, "/wallets", `{"password": "`+walletPassword+`"}`), make([]byte, 4096))
	var made struct{ Data struct{ ID string } }
	if err := json.Unmarshal(body, &made); err != nil || made.Data.ID == "" {
		p.t.Fatalf("make a wallet: %s", body)
	}
	return made.Data.ID
}

// answer reads an answer as a client of the standard library does.
func (p *pod) answer(connection net.Conn) surfacetest.Answer {
	p.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return surfacetest.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
}
