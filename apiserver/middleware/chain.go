package middleware

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
)

// exempt are the health routes of the three surfaces. They are served without
// snapshot, in maintenance and however often they are asked.
var exempt = map[string]bool{
	"/health":             true,
	"/api/v1/health":      true,
	"/api/v1/meta/health": true,
}

// Chain is everything a request of one surface passes, as one handler: each step
// of its own would cost the router another match.
type Chain struct {
	Surface Surface
	Live    *live.Holder
	Users   Users
	// Sessions is nil where nobody can sign in.
	Sessions Sessions
	Metrics  *Metrics
	Log      logr.Logger
	// Timeout bounds the context of a request's handler.
	Timeout time.Duration
	// Draining is set once the process leaves; connections are then closed after
	// their answer so that clients move on to another pod.
	Draining *atomic.Bool

	states sync.Pool
}

// Handle is the fiber handler. It renders every error itself.
func (ch *Chain) Handle(c *fiber.Ctx) error {
	start := time.Now()
	s := ch.acquire(c)
	ctx := &deadline{at: start.Add(ch.Timeout)}
	c.SetUserContext(ctx)
	ch.Metrics.inFlight.Add(1)

	err := ch.guarded(c, s)
	if err != nil {
		ch.render(c, err)
	}
	ch.finish(c, s, err, time.Since(start))

	ch.Metrics.inFlight.Add(-1)
	ctx.end()
	ch.release(s)
	return nil
}

// HandleError renders what went wrong before a route was looked for: an
// oversized body or header, a slow or broken request.
func (ch *Chain) HandleError(c *fiber.Ctx, err error) error {
	s := ch.acquire(c)
	defer ch.release(s)
	if configuration := ch.Live.Current(); configuration != nil {
		crossOrigin(c, configuration.Snapshot.CORS)
	}
	ch.render(c, err)
	ch.finish(c, s, err, 0)
	return nil
}

func (ch *Chain) acquire(c *fiber.Ctx) *state {
	s, _ := ch.states.Get().(*state)
	if s == nil {
		s = &state{}
	}
	s.users = ch.Users
	s.requestID = requestID(c)
	c.Locals(stateKey{}, s)
	return s
}

func (ch *Chain) release(s *state) {
	*s = state{}
	ch.states.Put(s)
}

// guarded turns a panic of a handler into an error, so that one request fails
// and not the pod.
func (ch *Chain) guarded(c *fiber.Ctx, s *state) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return ch.admit(c, s)
}

// admit decides whether the request reaches its handler: configuration,
// maintenance, identity, limit, in the order of their price.
func (ch *Chain) admit(c *fiber.Ctx, s *state) error {
	configuration := ch.Live.Current()
	if configuration != nil {
		s.snapshot = configuration.Snapshot
		if crossOrigin(c, s.snapshot.CORS) {
			return nil
		}
	}
	if exempt[ratelimit.RoutedPath(c.Path())] {
		return c.Next()
	}
	if configuration == nil {
		return fault.New(fault.Unavailable, "The service is starting")
	}
	if !s.snapshot.Enabled(ch.Surface.Name()) {
		return fault.New(fault.NotFound, "This surface is not enabled")
	}
	if wait, on := s.snapshot.InMaintenance(); on {
		return maintenance(c, wait)
	}
	if err := ch.identify(c, s); err != nil {
		return err
	}
	return ch.limited(c, s, configuration)
}

func (ch *Chain) limited(c *fiber.Ctx, s *state, configuration *live.Configuration) error {
	s.limit = ratelimit.Request{
		Method: c.Method(), Path: c.Path(), IP: clientIP(c, configuration),
		User: s.identity.UserID, Roles: s.identity.Roles, Headers: &c.Request().Header,
	}
	d := configuration.Limiter(ch.Surface.Name()).Allow(&s.limit)
	// Deferred, because a panic must not keep a slot of concurrency.
	defer d.Release()
	ch.Metrics.decided(ch.Surface.Name(), &d)
	writeBudget(c, &d)
	if d.Refused {
		return &RateLimitedError{Decision: d}
	}
	return c.Next()
}

// render has the surface answer err, and answers itself if even that fails.
func (ch *Chain) render(c *fiber.Ctx, err error) {
	if refusal, ok := fault.As(err); ok && refusal.RetryAfter > 0 {
		c.Set(fiber.HeaderRetryAfter, secondsText(refusal.RetryAfter))
	}
	if failed := ch.Surface.RenderError(c, err); failed != nil {
		ch.Log.Error(failed, "error not rendered", "requestID", RequestID(c))
		c.Status(fiber.StatusInternalServerError).Response().ResetBody()
	}
}

// finish adds the headers that every answer has and tells metrics and log.
func (ch *Chain) finish(c *fiber.Ctx, s *state, err error, took time.Duration) {
	writeCommon(c, s.requestID, took)
	if ch.Draining.Load() {
		c.Response().SetConnectionClose()
	}
	status := c.Response().StatusCode()
	ch.Metrics.served(ch.Surface.Name(), c, err, took)
	ch.access(c, s, err, status, took)
}

// access logs failures of ours always, everything else in detail only. Neither
// query nor body nor headers are logged: they hold secrets.
func (ch *Chain) access(c *fiber.Ctx, s *state, err error, status int, took time.Duration) {
	switch {
	case status == fiber.StatusInternalServerError:
		ch.Log.Error(err, "request failed", ch.describe(c, s, status, took)...)
	case status > fiber.StatusInternalServerError && err != nil && s.snapshot != nil && !inMaintenance(err):
		ch.Log.Info("request not served", append(ch.describe(c, s, status, took), "reason", err.Error())...)
	case ch.Log.V(1).Enabled():
		ch.Log.V(1).Info("request", ch.describe(c, s, status, took)...)
	}
}

func (ch *Chain) describe(c *fiber.Ctx, s *state, status int, took time.Duration) []any {
	return []any{
		"surface", ch.Surface.Name(), "method", c.Method(), "path", c.Path(),
		"status", status, "duration", took, "requestID", s.requestID,
	}
}

func inMaintenance(err error) bool {
	var planned *MaintenanceError
	return errors.As(err, &planned)
}

func maintenance(c *fiber.Ctx, wait time.Duration) error {
	if wait > 0 {
		c.Set(fiber.HeaderRetryAfter, secondsText(wait))
	}
	return &MaintenanceError{RetryAfter: wait}
}
