package launchpad_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/launchpad"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// broken is a domain that fails with err whatever it is asked.
type broken struct {
	launchpad.Chains
	launchpad.Market
	err error
}

func (b broken) Templates(context.Context, chain.TemplateFilter, chain.Page) ([]chain.Template, int64, error) {
	return nil, 0, b.err
}

func (b broken) Pools(context.Context, market.Search, market.Page) ([]market.Pool, int64, error) {
	return nil, 0, b.err
}

func (b broken) Delete(context.Context, uuid.UUID, uuid.UUID) error { return b.err }

func (b broken) Trade(context.Context, market.Order) (market.Trade, error) {
	return market.Trade{}, b.err
}

func serveBroken(t *testing.T, err error) *surfacetest.Client {
	t.Helper()
	b := broken{err: err}
	return surfacetest.Serve(t, launchpad.New(launchpad.Domain{Chains: b, Market: b}), nil)
}

func TestFailuresInTheSeedsWords(t *testing.T) {
	down := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("db-7.internal refused")}
	const unavailable = "The service is temporarily unavailable, please try again"
	list := func(c *surfacetest.Client) surfacetest.Answer {
		return c.Do(http.MethodGet, "/api/v1/virtual-pools", "", "X-User-ID", uuid.NewString())
	}
	remove := func(c *surfacetest.Client) surfacetest.Answer {
		return c.Do(http.MethodDelete, "/api/v1/chains/"+seedChain, "", "X-User-ID", uuid.NewString())
	}
	trade := func(c *surfacetest.Client) surfacetest.Answer {
		return c.Do(http.MethodPost, "/api/v1/virtual-pools/"+seedChain+"/trades", `{"side": "buy", "cnpy_amount": 1}`, "X-User-ID", uuid.NewString())
	}
	wrong := fault.InvalidFields(fault.Field{Name: "side", Reason: "must be buy or sell"})
	for _, test := range []struct {
		reason  string
		call    func(*surfacetest.Client) surfacetest.Answer // one that may be refused like this
		err     error
		status  int
		code    string
		message string
	}{
		{"anything unknown is the seed's sentence", list, errors.New("secret of db-7.internal"), 500, "INTERNAL_ERROR", "Failed to retrieve virtual pools"},
		{"the database is away", list, down, 503, "SERVICE_UNAVAILABLE", unavailable},
		{"a kind that nobody knows", list, fault.New("Odd", "db-7.internal"), 500, "INTERNAL_ERROR", "Failed to retrieve virtual pools"},
		{"the server's own refusal of a body", list, fiber.ErrRequestEntityTooLarge, 400, "BAD_REQUEST", "Request is too large"},
		{"a request that never ends", list, fiber.ErrRequestTimeout, 400, "BAD_REQUEST", "Request did not arrive in time"},
		{"no HTTP", list, fiber.ErrBadRequest, 400, "BAD_REQUEST", "Malformed request"},
		{"invalid", trade, wrong, 400, "VALIDATION_ERROR", "Validation failed"},
		{"malformed", list, fault.New(fault.Malformed, "m"), 400, "BAD_REQUEST", "m"},
		{"forbidden", remove, fault.New(fault.Forbidden, "m"), 403, "FORBIDDEN", "m"},
		{"conflict", trade, fault.New(fault.Conflict, "m"), 409, "CONFLICT", "m"},
		{"unprocessable", remove, fault.New(fault.Unprocessable, "m"), 422, "UNPROCESSABLE_ENTITY", "m"},
		{"the cause stays inside", list, fault.New(fault.Unavailable, "m").Because(down), 503, "SERVICE_UNAVAILABLE", "m"},
	} {
		answer := test.call(serveBroken(t, test.err))
		t.Log(test.reason)
		expect(t, answer, test.status, test.code, test.message)
		if strings.Contains(string(answer.Body), "db-7") {
			t.Errorf("%s: the answer tells what is inside: %s", test.reason, answer.Body)
		}
		if test.status == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", test.reason)
		}
	}
	templates := serveBroken(t, errors.New("x")).Do(http.MethodGet, "/api/v1/templates", "", "X-User-ID", uuid.NewString())
	expect(t, templates, 500, "INTERNAL_ERROR", "Failed to retrieve templates")
}

func TestLimitAndMaintenance(t *testing.T) {
	client := serveBroken(t, errors.New("unused"))
	client.Configure(func(s *snapshot.Snapshot) {
		s.Maintenance = &snapshot.Maintenance{Mode: snapshot.MaintenanceOn, RetryAfterSeconds: 7}
	})
	closed := client.Do(http.MethodGet, "/api/v1/chains", "")
	expect(t, closed, 503, "SERVICE_UNAVAILABLE", "The service is in maintenance, please try again later")
	if got := closed.Header.Get("Retry-After"); got != "7" {
		t.Errorf("Retry-After is %q, want what the gateway declares", got)
	}
	if health := client.Do(http.MethodGet, "/health", ""); health.Status != http.StatusOK {
		t.Errorf("health is served in maintenance too: %d", health.Status)
	}
	client.Configure(func(s *snapshot.Snapshot) {
		tier := ratelimit.DefaultTiers(ratelimit.SurfaceLaunchpad)[3]
		tier.Burst = 1
		s.RateLimits[ratelimit.SurfaceLaunchpad] = []ratelimit.Tier{tier}
	})
	client.Do(http.MethodGet, "/api/v1/chains", "")
	limited := client.Do(http.MethodGet, "/api/v1/chains", "")
	var body struct {
		Error struct {
			Code    string
			Details struct {
				Tier       string
				Limit      int64
				RetryAfter int64 `json:"retry_after"`
			}
		}
	}
	limited.Into(t, &body)
	if limited.Status != http.StatusTooManyRequests || body.Error.Code != "RATE_LIMIT_EXCEEDED" || body.Error.Details.Limit != 1 {
		t.Errorf("over the limit: %d %s", limited.Status, limited.Body)
	}
}

// TestLostDatabase: the real store's errors come out as 503, whoever asks.
func TestLostDatabase(t *testing.T) {
	p := newPlatform(t)
	known := uuid.New()
	p.list(known, "/chains")
	p.store.Close()
	for _, user := range []uuid.UUID{known, uuid.New()} {
		for _, path := range []string{"/chains", "/virtual-pools", "/templates", "/accounts/me", "/chains/" + seedChain} {
			if answer := p.as(user, http.MethodGet, path, ""); answer.Status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d %s", path, answer.Status, answer.Body)
			}
		}
	}
}
