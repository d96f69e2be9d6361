package docu_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/docu"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// database answers with err.
type database struct{ err error }

func (d database) Ping(context.Context) error { return d.err }

// failing is the surface with one more route, which fails with err.
type failing struct {
	*docu.Surface
	err error
}

func (f failing) Register(r fiber.Router) {
	f.Surface.Register(r)
	r.Get("/api/v1/fail", func(*fiber.Ctx) error { return f.err })
}

func TestHealthHasTheSeedsShape(t *testing.T) {
	for _, test := range []struct {
		err              error
		code             int
		status, database string
	}{
		{nil, http.StatusOK, "healthy", "up"},
		{errors.New("away"), http.StatusServiceUnavailable, "unhealthy", "down"},
	} {
		client := surfacetest.Serve(t, docu.New(database{test.err}), nil)
		for _, path := range []string{"/health", "/api/v1/health"} {
			answer := client.Do(http.MethodGet, path, "")
			surfacetest.MatchesExample(t, answer, "health.json")
			var health struct {
				Status   string
				Services map[string]struct{ Status string }
			}
			answer.Into(t, &health)
			if answer.Status != test.code || health.Status != test.status || health.Services["database"].Status != test.database {
				t.Errorf("%s: %d %s", path, answer.Status, answer.Body)
			}
			if got := answer.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
		}
	}
}

func TestErrorsInTheEnvelope(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{fault.New(fault.Malformed, "m"), 400, "BAD_REQUEST"},
		{fault.New(fault.Unauthenticated, "m"), 401, "UNAUTHORIZED"},
		{fault.New(fault.Forbidden, "m"), 403, "FORBIDDEN"},
		{fault.New(fault.NotFound, "m"), 404, "NOT_FOUND"},
		{fault.New(fault.Conflict, "m"), 409, "CONFLICT"},
		{fault.New(fault.Unavailable, "m"), 503, "SERVICE_UNAVAILABLE"},
		{context.DeadlineExceeded, 503, "SERVICE_UNAVAILABLE"},
		{fiber.ErrRequestEntityTooLarge, 413, "PAYLOAD_TOO_LARGE"},
		{errors.New("secret"), 500, "INTERNAL_ERROR"},
	} {
		client := surfacetest.Serve(t, failing{docu.New(database{}), test.err}, nil)
		answer := client.Do(http.MethodGet, "/api/v1/fail", "")
		var body struct {
			Success  *bool
			Error    struct{ Code string }
			Metadata struct{ RequestID string }
		}
		answer.Into(t, &body)
		if answer.Status != test.status || body.Error.Code != test.code || body.Success == nil || *body.Success || body.Metadata.RequestID == "" {
			t.Errorf("%v: %d %s", test.err, answer.Status, answer.Body)
		}
	}
}

func TestValidationLimitAndProblem(t *testing.T) {
	invalid := fault.InvalidFields(fault.Field{Name: "age", Value: -5, Reason: "Must be a positive number", Rule: "min_value"})
	client := surfacetest.Serve(t, failing{docu.New(database{}), invalid}, nil)
	answer := client.Do(http.MethodGet, "/api/v1/fail", "")
	surfacetest.MatchesExample(t, answer, "validation_error.json")

	asked := client.Do(http.MethodGet, "/api/v1/fail", "", "Accept", "application/problem+json")
	var problem struct {
		Type, Title, Detail, Code string
		Status                    int
	}
	asked.Into(t, &problem)
	if asked.Header.Get("Content-Type") != "application/problem+json" || problem.Status != 400 || problem.Type != "about:blank" ||
		problem.Title != "Bad Request" || problem.Code != "VALIDATION_ERROR" {
		t.Errorf("RFC 9457: %v %s", asked.Header, asked.Body)
	}

	client.Configure(func(s *snapshot.Snapshot) {
		tier := ratelimit.DefaultTiers(ratelimit.SurfaceDocu)[0]
		tier.Burst = 1
		s.RateLimits[ratelimit.SurfaceDocu] = []ratelimit.Tier{tier}
	})
	client.Do(http.MethodGet, "/api/v1/fail", "")
	limited := client.Do(http.MethodGet, "/api/v1/fail", "")
	if limited.Status != http.StatusTooManyRequests {
		t.Errorf("over the limit: %d", limited.Status)
	}
	surfacetest.MatchesExample(t, limited, "rate_limited.json")
}
