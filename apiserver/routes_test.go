package apiserver

import (
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
	"pgregory.net/rapid"

	"github.com/lucid-blockchain/lucid/apiserver/launchpad"
	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// signposts has the launchpad's routes, behind which the route's own pattern is
// all there is.
type signposts struct{ *testSurface }

func (signposts) Register(router fiber.Router) {
	for _, route := range launchpadRoutes() {
		router.Add(route.Method, route.Path, func(c *fiber.Ctx) error { return c.SendString(c.Route().Path) })
	}
}

func launchpadRoutes() []fiber.Route {
	app := fiber.New(fiber.Config{CaseSensitive: true})
	launchpad.New(launchpad.Domain{}).Register(app)
	return app.GetRoutes(true)
}

// routing asks the application that the server makes which route a path has.
func routing(t *testing.T) func(method, path string) (pattern, routed string, found bool) {
	t.Helper()
	holder := &live.Holder{}
	_, err := holder.Offer("test", &snapshot.Snapshot{
		Gateway: "lucid/main", CNPYUSDRate: "1", Surfaces: []snapshot.Surface{{Name: ratelimit.SurfaceLaunchpad}},
		RateLimits: map[string][]ratelimit.Tier{ratelimit.SurfaceLaunchpad: {}},
	})
	require.NoError(t, err)
	s := &Server{live: holder, config: Config{Users: noUsers{}, Log: logr.Discard()}}
	surface := signposts{newTestSurface(ratelimit.SurfaceLaunchpad)}
	app := s.application(Endpoint{Surface: surface}, middleware.NewMetrics(prometheus.NewRegistry()))
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString("/") })
	handler := app.Handler()
	return func(method, path string) (string, string, bool) {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, nil)
		ctx.Request.Header.SetMethod(method)
		ctx.Request.SetRequestURI(path)
		handler(&ctx)
		return string(ctx.Response.Body()), string(ctx.URI().PathOriginal()), ctx.Response.StatusCode() == fiber.StatusOK
	}
}

var parameter = regexp.MustCompile(`:[a-z]+`)

// disguised draws another spelling of a path, such as somebody would try who
// wants the handler without its limit.
func disguised(t *rapid.T, path string) string {
	for range rapid.IntRange(0, 2).Draw(t, "disguises") {
		at := rapid.IntRange(1, len(path)-1).Draw(t, "at")
		switch rapid.IntRange(0, 5).Draw(t, "disguise") {
		case 0, 1:
			path += strings.Repeat("/", rapid.IntRange(1, 4).Draw(t, "slashes"))
		case 2:
			path = path[:at] + "/" + path[at:]
		case 3:
			path = path[:at] + "%" + strings.ToUpper(string("0123456789abcdef"[path[at]>>4&15])+string("0123456789abcdef"[path[at]&15])) + path[at+1:]
		case 4:
			path = path[:at] + strings.ToUpper(path[at:])
		case 5:
			path += rapid.SampledFrom([]string{"/.", "/..", ";x", "%2F", "%2f/", "?x=/", "//?"}).Draw(t, "tail")
		}
	}
	return path
}

// TestEveryRoutedPathMeetsItsTier: whatever path the router takes to a handler,
// the limiter takes to the tier that names the handler's path.
func TestEveryRoutedPathMeetsItsTier(t *testing.T) {
	route, routes := routing(t), launchpadRoutes()
	otherwise := 0
	rapid.Check(t, func(t *rapid.T) {
		chosen := rapid.SampledFrom(routes).Draw(t, "route")
		plain := parameter.ReplaceAllLiteralString(chosen.Path, rapid.SampledFrom([]string{"x", "A.b", "%41", "swap"}).Draw(t, "segment"))
		pattern, path, found := route(chosen.Method, disguised(t, plain))
		if !found {
			return
		}
		if path != plain {
			otherwise++
		}
		limiter, err := ratelimit.Compile([]ratelimit.Tier{{
			Name: "named", Requests: 1, Window: ratelimit.MaxWindow,
			Match: ratelimit.Match{Paths: []string{parameter.ReplaceAllLiteralString(pattern, "*")}},
		}}, ratelimit.Options{MaxKeys: 64})
		require.NoError(t, err)
		decision := limiter.Allow(&ratelimit.Request{Method: chosen.Method, Path: path})
		require.Equal(t, "named", decision.Tier, "%s %s reaches %s past its tier", chosen.Method, path, pattern)
	})
	require.Positive(t, otherwise, "Some disguised path must reach a handler, or nothing was shown.")
}

// Slashes at the end are what gets through a router that decodes nothing.
func TestSlashesReachTheHandlerAndItsTier(t *testing.T) {
	route := routing(t)
	for _, path := range []string{"/api/v1/auth/verify", "/api/v1/auth/verify/", "/api/v1/auth/verify////"} {
		pattern, routed, found := route(fiber.MethodPost, path)
		require.True(t, found, path)
		require.Equal(t, "/api/v1/auth/verify", pattern)
		require.Equal(t, pattern, ratelimit.RoutedPath(routed))
	}
	for _, path := range []string{"//api/v1/auth/verify", "/api/v1/auth/verif%79", "/api/v1/auth/Verify", "/api/v1//auth/verify", "/api/v1/auth/verify%2F"} {
		_, _, found := route(fiber.MethodPost, path)
		require.False(t, found, "%s is another path to the router", path)
	}
}
