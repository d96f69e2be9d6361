package middleware

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

const alice = "550e8400-e29b-41d4-a716-446655440000"

// fakeSurface renders errors as "<class> <message>".
type fakeSurface struct{ renderFails bool }

func (fakeSurface) Name() string { return ratelimit.SurfaceGateway }

func (fakeSurface) Register(router fiber.Router) {
	router.Get("/api/v1/meta/health", func(c *fiber.Ctx) error { return c.SendString("healthy") })
	router.Get("/api/v1/meta/info", func(c *fiber.Ctx) error { return c.SendString(RequestID(c)) })
	router.Get("/api/v1/optional", func(c *fiber.Ctx) error {
		return c.SendString(IdentityOf(c).UserID.String())
	})
	router.Get("/api/v1/users/me", func(c *fiber.Ctx) error {
		identity, err := RequireUser(c)
		if err != nil {
			return err
		}
		return c.SendString(identity.UserID.String())
	})
	router.Get("/api/v1/panic", func(*fiber.Ctx) error { panic("boom") })
	router.Get("/api/v1/busy", func(*fiber.Ctx) error {
		refusal := fault.New(fault.Unavailable, "busy")
		refusal.RetryAfter = 1500 * time.Millisecond
		return refusal
	})
	router.Get("/api/v1/cached", func(c *fiber.Ctx) error {
		c.Set("Cache-Control", "public, max-age=60")
		_, bounded := c.UserContext().Deadline()
		return c.JSON(bounded)
	})
	router.Get("/api/v1/rate/:id", func(c *fiber.Ctx) error { return c.SendString(SnapshotOf(c).CNPYUSDRate) })
}

func (f fakeSurface) RenderError(c *fiber.Ctx, err error) error {
	if f.renderFails {
		return errors.New("no renderer")
	}
	var protocol *fiber.Error
	var limited *RateLimitedError
	var planned *MaintenanceError
	refusal, isFault := fault.As(err)
	switch {
	case isFault && refusal.Kind == fault.Unauthenticated:
		return c.Status(401).SendString(refusal.Message)
	case isFault && refusal.Kind == fault.NotFound:
		return c.Status(404).SendString(refusal.Message)
	case isFault:
		return c.Status(503).SendString(refusal.Message)
	case errors.As(err, &limited):
		return c.Status(429).SendString("LIMITED " + limited.Error())
	case errors.As(err, &planned):
		return c.Status(503).SendString(planned.Error())
	case errors.As(err, &protocol):
		return c.Status(protocol.Code).SendString("PROTOCOL")
	}
	return c.Status(500).SendString("INTERNAL")
}

type fakeUsers struct {
	made []uuid.UUID
	err  error
}

func (u *fakeUsers) Ensure(_ context.Context, id uuid.UUID) error {
	u.made = append(u.made, id)
	return u.err
}

// fixture is a chain with everything around it.
type fixture struct {
	chain    *Chain
	app      *fiber.App
	users    *fakeUsers
	draining atomic.Bool
	registry *prometheus.Registry
	log      strings.Builder
}

func newFixture(t testing.TB, surface Surface, verbosity int) *fixture {
	t.Helper()
	f := &fixture{users: &fakeUsers{}, registry: prometheus.NewRegistry()}
	log := funcr.New(func(_, args string) { f.log.WriteString(args + "\n") }, funcr.Options{Verbosity: verbosity})
	f.chain = &Chain{
		Surface: surface, Live: &live.Holder{}, Users: f.users, Metrics: NewMetrics(f.registry),
		Log: log, Timeout: time.Minute, Draining: &f.draining,
	}
	f.app = fiber.New(fiber.Config{DisableStartupMessage: true, CaseSensitive: true, ErrorHandler: f.chain.HandleError})
	f.app.Use(f.chain.Handle)
	surface.Register(f.app)
	return f
}

func (f *fixture) configure(t testing.TB, change func(*snapshot.Snapshot)) {
	t.Helper()
	s := &snapshot.Snapshot{
		Gateway: "lucid/main", Identity: snapshot.Development, CNPYUSDRate: "1.25",
		Surfaces: []snapshot.Surface{{Name: ratelimit.SurfaceGateway}},
	}
	if current := f.chain.Live.Current(); current != nil {
		s.Generation = current.Snapshot.Generation + 1
	}
	if change != nil {
		change(s)
	}
	_, err := f.chain.Live.Offer("test", s)
	require.NoError(t, err)
}

type answer struct {
	status int
	body   string
	header http.Header
}

func (f *fixture) get(t testing.TB, path string, headers ...string) answer {
	t.Helper()
	return f.do(t, http.MethodGet, path, headers...)
}

func (f *fixture) do(t testing.TB, method, path string, headers ...string) answer {
	t.Helper()
	request := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := f.app.Test(request, -1)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, string(body), response.Header}
}

func limits(tiers ...ratelimit.Tier) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) {
		s.RateLimits = map[string][]ratelimit.Tier{ratelimit.SurfaceGateway: tiers}
	}
}

func tier(requests int64) ratelimit.Tier {
	return ratelimit.Tier{
		Name: "all", Key: ratelimit.Key{Type: ratelimit.KeyIP},
		Requests: requests, Window: ratelimit.Duration(time.Hour), Headers: ratelimit.XRateLimit,
	}
}

func TestNothingButHealthBeforeTheFirstSnapshot(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	assert.Equal(t, 200, f.get(t, "/api/v1/meta/health").status)
	refused := f.get(t, "/api/v1/meta/info")
	assert.Equal(t, 503, refused.status)
	assert.Equal(t, "The service is starting", refused.body)
}

func TestCommonHeaders(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, nil)
	for _, path := range []string{"/api/v1/meta/info", "/api/v1/meta/health", "/nowhere", "/api/v1/panic"} {
		got := f.get(t, path)
		assert.Regexp(t, `^[0-9a-f-]{36}$`, got.header.Get("X-Request-Id"), path)
		assert.Regexp(t, `^[0-9]+ms$`, got.header.Get("X-Response-Time"), path)
		assert.Equal(t, "no-cache, no-store, must-revalidate", got.header.Get("Cache-Control"), path)
	}
	cached := f.get(t, "/api/v1/cached")
	assert.Equal(t, "public, max-age=60", cached.header.Get("Cache-Control"), "What a handler decided stays.")
	assert.Equal(t, "true", cached.body, "A handler's context ends some time.")
}

func TestRequestID(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, nil)
	cases := map[string]struct {
		reason, given string
		kept          bool
	}{
		"UUID":      {"The caller's id is taken over.", alice, true},
		"Word":      {"So is any harmless word.", "req_abc-123.4", true},
		"Injection": {"What could break a log line is not.", "a b", false},
		"Quote":     {"Nor what could break JSON.", `a"b`, false},
		"Long":      {"Nor what is too long.", strings.Repeat("a", maxRequestID+1), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := f.get(t, "/api/v1/meta/info", "X-Request-ID", tc.given)
			assert.Equal(t, tc.kept, got.header.Get("X-Request-Id") == tc.given, tc.reason)
			assert.Equal(t, got.header.Get("X-Request-Id"), got.body, "A handler sees what the client gets.")
		})
	}
}

func TestIdentity(t *testing.T) {
	cases := map[string]struct {
		reason string
		mode   snapshot.IdentityMode
		header []string
		path   string
		status int
		body   string
		made   int
	}{
		"Known":         {"Development takes the header at its word and makes the user.", snapshot.Development, []string{"X-User-ID", alice}, "/api/v1/users/me", 200, alice, 1},
		"Nobody":        {"A protected route needs somebody.", snapshot.Development, nil, "/api/v1/users/me", 401, "Authentication required", 0},
		"NobodyIsFine":  {"Where nobody is needed nobody is asked.", snapshot.Development, nil, "/api/v1/optional", 200, uuid.Nil.String(), 0},
		"OptionalKnown": {"Where a user is optional none is made.", snapshot.Development, []string{"X-User-ID", alice}, "/api/v1/optional", 200, alice, 0},
		"Garbage":       {"A header that is no UUID is an invalid identity.", snapshot.Development, []string{"X-User-ID", "alice"}, "/api/v1/optional", 401, "X-User-ID must be a UUID", 0},
		"Braces":        {"Other spellings of a UUID are not taken.", snapshot.Development, []string{"X-User-ID", "{" + alice + "}"}, "/api/v1/optional", 401, "X-User-ID must be a UUID", 0},
		"Nil":           {"The nil UUID is nobody's.", snapshot.Development, []string{"X-User-ID", uuid.Nil.String()}, "/api/v1/optional", 401, "X-User-ID must be a UUID", 0},
		"Production":    {"Production does not see the header.", snapshot.Production, []string{"X-User-ID", alice}, "/api/v1/users/me", 401, "Authentication required", 0},
		"ProdGarbage":   {"Not even a bad one.", snapshot.Production, []string{"X-User-ID", "x"}, "/api/v1/optional", 200, uuid.Nil.String(), 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fakeSurface{}, 0)
			f.configure(t, func(s *snapshot.Snapshot) { s.Identity = tc.mode })
			got := f.get(t, tc.path, tc.header...)
			assert.Equal(t, tc.status, got.status, tc.reason)
			assert.Equal(t, tc.body, got.body, tc.reason)
			assert.Len(t, f.users.made, tc.made)
		})
	}
}

func TestUserThatCannotBeMade(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, nil)
	f.users.err = errors.New("password=hunter2")
	got := f.get(t, "/api/v1/users/me", "X-User-ID", alice)
	assert.Equal(t, 500, got.status)
	assert.Equal(t, "INTERNAL", got.body)
}

func TestRateLimit(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, limits(tier(2)))
	first := f.get(t, "/api/v1/meta/info")
	assert.Equal(t, "2", first.header.Get("X-RateLimit-Limit"))
	assert.Equal(t, "1", first.header.Get("X-RateLimit-Remaining"))
	assert.Regexp(t, `^[0-9]{10}$`, first.header.Get("X-RateLimit-Reset"))
	assert.Empty(t, first.header.Get("Retry-After"))

	f.get(t, "/nowhere")
	refused := f.get(t, "/api/v1/meta/info")
	assert.Equal(t, 429, refused.status, "Unknown paths cost as well.")
	assert.Equal(t, "LIMITED rate limit exceeded: tier all", refused.body)
	assert.Equal(t, "0", refused.header.Get("X-RateLimit-Remaining"))
	assert.Regexp(t, `^(1799|1800)$`, refused.header.Get("Retry-After"))

	for range 5 {
		assert.Equal(t, 200, f.get(t, "/api/v1/meta/health").status, "Health is exempt.")
	}
	assert.Empty(t, f.get(t, "/api/v1/meta/health").header.Get("X-RateLimit-Limit"))
	assert.Equal(t, 200, f.get(t, "/api/v1/meta/health//").status, "Under every spelling that reaches it.")
	for _, path := range []string{"/api/v1/meta/info/", "/api/v1/meta/info///", "/api/v1/meta/info?x=1"} {
		assert.Equal(t, 429, f.get(t, path).status, "%s is no way around", path)
	}
}

func TestHeaderStyles(t *testing.T) {
	cases := map[string]struct {
		reason   string
		style    ratelimit.HeaderStyle
		mode     ratelimit.Enforcement
		classic  string
		policy   string
		budget   string
		statuses []int
	}{
		"XRateLimit": {"The style of the seeds.", ratelimit.XRateLimit, ratelimit.Enforce, "1", "", "", []int{200, 429}},
		"Draft":      {"The style of the IETF draft.", ratelimit.Draft, ratelimit.Enforce, "", `"all";q=1;w=3600`, `"all";r=0;t=3600`, []int{200, 429}},
		"None":       {"No budget, but still Retry-After.", ratelimit.None, ratelimit.Enforce, "", "", "", []int{200, 429}},
		"Shadow":     {"A client must not notice a tier in shadow.", ratelimit.XRateLimit, ratelimit.Shadow, "", "", "", []int{200, 200}},
		"Off":        {"Nor one that is off.", ratelimit.XRateLimit, ratelimit.Off, "", "", "", []int{200, 200}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fakeSurface{}, 0)
			one := tier(1)
			one.Headers, one.Enforcement = tc.style, tc.mode
			f.configure(t, limits(one))
			for _, status := range tc.statuses {
				got := f.get(t, "/api/v1/meta/info")
				assert.Equal(t, status, got.status, tc.reason)
				assert.Equal(t, tc.classic, got.header.Get("X-RateLimit-Limit"), tc.reason)
				assert.Equal(t, tc.policy, got.header.Get("RateLimit-Policy"), tc.reason)
				assert.Equal(t, tc.budget, got.header.Get("RateLimit"), tc.reason)
				assert.Equal(t, status == 429, got.header.Get("Retry-After") != "", tc.reason)
			}
		})
	}
}

func TestPolicyChangeBitesAtOnce(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, limits(tier(1000)))
	require.Equal(t, 200, f.get(t, "/api/v1/meta/info").status)
	f.configure(t, limits(tier(1)))
	require.Equal(t, 200, f.get(t, "/api/v1/meta/info").status)
	assert.Equal(t, 429, f.get(t, "/api/v1/meta/info").status)
	f.configure(t, limits())
	assert.Equal(t, 200, f.get(t, "/api/v1/meta/info").status)
}

func TestClientIP(t *testing.T) {
	// The test connection's peer is 0.0.0.0.
	trusted := []string{"0.0.0.0/32", "10.0.0.0/8"}
	cases := map[string]struct {
		reason  string
		proxies []string
		forward []string
		want    string
	}{
		"Direct":       {"Without proxy the peer is the client.", nil, nil, "0.0.0.0"},
		"Untrusted":    {"Anybody can write the header.", nil, []string{"192.0.2.1"}, "0.0.0.0"},
		"Trusted":      {"A trusted proxy is believed.", trusted, []string{"192.0.2.1"}, "192.0.2.1"},
		"NoHeader":     {"A proxy that says nothing is the client.", trusted, nil, "0.0.0.0"},
		"Spoofed":      {"What the client wrote stands further left.", trusted, []string{"198.51.100.7, 192.0.2.1"}, "192.0.2.1"},
		"TwoProxies":   {"Trusted hops are skipped.", trusted, []string{"192.0.2.1, 10.0.0.7"}, "192.0.2.1"},
		"TwoLines":     {"Several lines are one list.", trusted, []string{"198.51.100.7", "192.0.2.1, 10.0.0.7"}, "192.0.2.1"},
		"AllTrusted":   {"Inside the cluster the first hop is the client.", trusted, []string{"10.0.0.9, 10.0.0.7"}, "10.0.0.9"},
		"Garbage":      {"An unreadable hop ends the search.", trusted, []string{"192.0.2.1, unknown"}, "0.0.0.0"},
		"GarbageLeft":  {"Left of the client nothing is read.", trusted, []string{"unknown, 192.0.2.1"}, "192.0.2.1"},
		"IPv6":         {"IPv6 works too.", trusted, []string{"2001:db8::1"}, "2001:db8::1"},
		"MappedIPv6":   {"A mapped address is its IPv4 address.", trusted, []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		"LeadingComma": {"Empty hops are unreadable.", trusted, []string{",10.0.0.7"}, "10.0.0.7"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fakeSurface{}, 0)
			f.configure(t, func(s *snapshot.Snapshot) { s.TrustedProxies = tc.proxies })
			var got string
			f.app.Get("/ip", func(c *fiber.Ctx) error {
				got = clientIP(c, f.chain.Live.Current()).String()
				return nil
			})
			var headers []string
			for _, line := range tc.forward {
				headers = append(headers, "X-Forwarded-For", line)
			}
			f.get(t, "/ip", headers...)
			assert.Equal(t, tc.want, got, tc.reason)
		})
	}
}

func TestMaintenance(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, func(s *snapshot.Snapshot) {
		s.Maintenance = &snapshot.Maintenance{Mode: snapshot.MaintenanceOn, RetryAfterSeconds: 30}
	})
	got := f.get(t, "/api/v1/meta/info")
	assert.Equal(t, 503, got.status)
	assert.Equal(t, "maintenance mode", got.body)
	assert.Equal(t, "30", got.header.Get("Retry-After"))
	assert.Equal(t, 200, f.get(t, "/api/v1/meta/health").status, "Health is still served.")
	assert.Empty(t, f.log.String(), "Planned refusals are no news.")

	f.configure(t, func(s *snapshot.Snapshot) { s.Maintenance = &snapshot.Maintenance{Mode: snapshot.MaintenanceOn} })
	assert.Empty(t, f.get(t, "/api/v1/meta/info").header.Get("Retry-After"), "Nobody said how long.")
}

func TestDisabledSurface(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, func(s *snapshot.Snapshot) { s.Surfaces = nil })
	assert.Equal(t, 404, f.get(t, "/api/v1/meta/info").status)
	assert.Equal(t, 200, f.get(t, "/api/v1/meta/health").status)
}

func TestErrorsAreTheSurfaces(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, nil)
	cases := map[string]struct {
		reason, method, path string
		status               int
		body                 string
	}{
		"NotFound":   {"No such route.", "GET", "/nowhere", 404, "PROTOCOL"},
		"Case":       {"Paths are case-sensitive, for router and limiter alike.", "GET", "/API/v1/meta/info", 404, "PROTOCOL"},
		"NotAllowed": {"The route has no such method.", "DELETE", "/api/v1/meta/info", 405, "PROTOCOL"},
		"Panic":      {"A panic costs one request.", "GET", "/api/v1/panic", 500, "INTERNAL"},
		"Busy":       {"A fault may say when to come back.", "GET", "/api/v1/busy", 503, "busy"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := f.do(t, tc.method, tc.path)
			assert.Equal(t, tc.status, got.status, tc.reason)
			assert.Equal(t, tc.body, got.body, tc.reason)
		})
	}
	assert.Equal(t, "GET, HEAD", f.do(t, "DELETE", "/api/v1/meta/info").header.Get("Allow"))
	assert.Equal(t, "2", f.get(t, "/api/v1/busy").header.Get("Retry-After"), "Rounded up.")
	assert.Contains(t, f.log.String(), "boom", "The log says what the client is not told.")
}

func TestRendererThatFails(t *testing.T) {
	f := newFixture(t, fakeSurface{renderFails: true}, 0)
	f.configure(t, nil)
	got := f.get(t, "/nowhere")
	assert.Equal(t, 500, got.status)
	assert.Empty(t, got.body)
	assert.Contains(t, f.log.String(), "error not rendered")
}

func TestDrainingClosesConnections(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, nil)
	assert.NotEqual(t, "close", f.get(t, "/api/v1/meta/info").header.Get("Connection"))
	f.draining.Store(true)
	request := httptest.NewRequest(http.MethodGet, "/api/v1/meta/info", nil)
	response, err := f.app.Test(request, -1)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.True(t, response.Close, "Clients move on to another pod.")
	assert.Equal(t, 200, response.StatusCode)
}

func TestAccessLogHoldsNoSecrets(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 1)
	f.configure(t, nil)
	f.get(t, "/api/v1/meta/info?token=hunter2", "Authorization", "Bearer hunter2", "X-Request-ID", "abc")
	assert.Contains(t, f.log.String(), `"path"="/api/v1/meta/info"`)
	assert.Contains(t, f.log.String(), `"requestID"="abc"`)
	assert.NotContains(t, f.log.String(), "hunter2")
}

func TestMetricsLabelsAreBounded(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, limits(tier(4)))
	f.get(t, "/api/v1/rate/1")
	f.get(t, "/api/v1/rate/2")
	f.get(t, "/nowhere/1")
	f.do(t, "DELETE", "/nowhere/2")
	f.get(t, "/api/v1/rate/3")
	families, err := f.registry.Gather()
	require.NoError(t, err)
	var series []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := family.GetName()
			for _, pair := range metric.GetLabel() {
				labels += " " + pair.GetValue()
			}
			series = append(series, labels)
		}
	}
	assert.ElementsMatch(t, []string{
		"lucid_http_request_duration_seconds 200 GET /api/v1/rate/:id gateway",
		"lucid_http_request_duration_seconds 404 GET none gateway",
		"lucid_http_request_duration_seconds 404 DELETE none gateway",
		"lucid_http_request_duration_seconds 429 GET none gateway",
		"lucid_http_requests_in_flight",
		"lucid_ratelimit_decisions_total allowed  gateway all",
		"lucid_ratelimit_decisions_total refused rate gateway all",
	}, series)
}

func TestAccessorsOutsideARequest(t *testing.T) {
	app := fiber.New()
	app.Get("/", func(c *fiber.Ctx) error {
		_, err := RequireUser(c)
		assert.True(t, fault.Is(err, fault.Unauthenticated))
		assert.Empty(t, RequestID(c))
		assert.Nil(t, SnapshotOf(c))
		assert.True(t, IdentityOf(c).Anonymous())
		return nil
	})
	response, err := app.Test(httptest.NewRequest(http.MethodGet, "/", nil), -1)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
}

func FuzzRequestID(f *testing.F) {
	f.Add([]byte("req_1"))
	f.Add([]byte("a\r\nSet-Cookie: x"))
	harmless := regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	f.Fuzz(func(t *testing.T, id []byte) {
		if wellFormed(id) != harmless.Match(id) || (wellFormed(id) && strings.HasSuffix(string(id), "\n")) {
			t.Fatalf("%q", id)
		}
	})
}
