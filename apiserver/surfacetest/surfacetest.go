// Package surfacetest drives a REST surface in tests as the server does: behind
// the whole middleware chain, without a port. It holds every answer against the
// surface's OpenAPI document, and compares answers with the examples that a seed
// prints.
package surfacetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// patience bounds one request of a test.
const patience = 30 * time.Second

// Client sends requests to one surface.
type Client struct {
	t     testing.TB
	app   *fiber.App
	live  *live.Holder
	chain *middleware.Chain
}

// anybody is a store of users for tests without a database.
type anybody struct{}

func (anybody) Ensure(context.Context, uuid.UUID) error { return nil }

// Serve puts a surface behind the chain, in development mode and without limits.
// Users may be nil where no database is.
func Serve(t testing.TB, surface middleware.Surface, users middleware.Users) *Client {
	t.Helper()
	if users == nil {
		users = anybody{}
	}
	holder := &live.Holder{}
	chain := &middleware.Chain{
		Surface: surface, Live: holder, Users: users, Metrics: middleware.NewMetrics(prometheus.NewRegistry()),
		Log: logr.Discard(), Timeout: patience, Draining: &atomic.Bool{},
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true, CaseSensitive: true, BodyLimit: 1 << 20, ErrorHandler: chain.HandleError})
	app.Use(held(t, surface))
	app.Use(chain.Handle)
	surface.Register(app)
	c := &Client{t: t, app: app, live: holder, chain: chain}
	c.Configure(func(*snapshot.Snapshot) {})
	return c
}

// LogTo has requests logged. To be called before the first request.
func (c *Client) LogTo(log logr.Logger) { c.chain.Log = log }

// Recognise has the surface recognise the holders of sessions. To be called before
// the first request.
func (c *Client) Recognise(sessions middleware.Sessions) { c.chain.Sessions = sessions }

// Configure puts a changed snapshot in force.
func (c *Client) Configure(change func(*snapshot.Snapshot)) {
	c.t.Helper()
	s := &snapshot.Snapshot{
		Gateway: "default/test", Identity: snapshot.Development, CNPYUSDRate: "1.00",
		RateLimits: map[string][]ratelimit.Tier{},
	}
	for _, name := range []string{ratelimit.SurfaceGateway, ratelimit.SurfaceLaunchpad, ratelimit.SurfaceDocu} {
		s.Surfaces = append(s.Surfaces, snapshot.Surface{Name: name})
		s.RateLimits[name] = []ratelimit.Tier{}
	}
	if current := c.live.Current(); current != nil {
		s.Generation = current.Snapshot.Generation + 1
	}
	change(s)
	if _, err := c.live.Offer("test", s); err != nil {
		c.t.Fatalf("put the snapshot in force: %v", err)
	}
}

// Answer is a response with its body read.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request. header holds names and values in turn.
func (c *Client) Do(method, path, body string, header ...string) Answer {
	c.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request := httptest.NewRequest(method, path, reader)
	if body != "" {
		request.Header.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return c.Send(request)
}

// Send sends a request as it is.
func (c *Client) Send(request *http.Request) Answer {
	c.t.Helper()
	response, err := c.app.Test(request, int(patience.Milliseconds()))
	if err != nil {
		c.t.Fatalf("%s %s: %v", request.Method, request.URL, err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatalf("%s %s: read the answer: %v", request.Method, request.URL, err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: content}
}

// Listen serves the surface on a port of the loopback until the test ends, for
// what is no exchange of a request and an answer. It returns the address.
func (c *Client) Listen() string {
	c.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.app.Listener(listener) }()
	c.t.Cleanup(func() {
		if err := errors.Join(c.app.ShutdownWithTimeout(patience), <-done); err != nil {
			c.t.Errorf("stop serving: %v", err)
		}
	})
	return listener.Addr().String()
}

// Into decodes the body, numbers as json.Number where target is untyped.
func (a Answer) Into(t testing.TB, target any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(a.Body))
	decoder.UseNumber()
	if err := decoder.Decode(target); err != nil {
		t.Fatalf("decode %s: %v", a.Body, err)
	}
}
