package middleware

import (
	"bytes"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/lucid-blockchain/lucid/apiserver/live"
)

// benchmarkPath is answered by a handler that does nothing, so that what is
// measured is what stands in front of it.
const benchmarkPath = "/api/v1/meta/info"

func answerOK(c *fiber.Ctx) error { return c.SendString("ok") }

// nothing is a surface without routes.
type nothing struct{ fakeSurface }

func (nothing) Register(router fiber.Router) { router.Get(benchmarkPath, answerOK) }

func bareApp() *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true, CaseSensitive: true})
	app.Get(benchmarkPath, answerOK)
	return app
}

// chainedApp has all that a production request passes: id, identity, limit,
// metrics and the (disabled) access log.
func chainedApp(b *testing.B) *fiber.App {
	b.Helper()
	limit := tier(10_000_000)
	limit.Burst = 10_000_000
	chain := &Chain{
		Surface: nothing{}, Live: &live.Holder{}, Users: &fakeUsers{}, Timeout: time.Minute,
		Metrics: NewMetrics(prometheus.NewRegistry()), Log: logr.Discard(), Draining: &atomic.Bool{},
	}
	f := &fixture{chain: chain}
	f.configure(b, limits(limit))
	app := fiber.New(fiber.Config{DisableStartupMessage: true, CaseSensitive: true, ErrorHandler: chain.HandleError})
	app.Use(chain.Handle)
	nothing{}.Register(app)
	return app
}

// BenchmarkHandler is the processor time of the handlers alone.
func BenchmarkHandler(b *testing.B) {
	for name, app := range map[string]*fiber.App{"Bare": bareApp(), "Chain": chainedApp(b)} {
		b.Run(name, func(b *testing.B) {
			handler := app.Handler()
			var ctx fasthttp.RequestCtx
			ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, nil)
			ctx.Request.SetRequestURI(benchmarkPath)
			ctx.Request.Header.Set("X-User-ID", alice)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				ctx.ResetUserValues()
				handler(&ctx)
			}
			require.Equal(b, 200, ctx.Response.StatusCode())
		})
	}
}

// BenchmarkOverWire compares the processor time of whole requests over loopback
// (a minimal client included on both sides) in alternating
// rounds (bare, chain, bare), goal G3: the chain
// over the bare route at most 1.15.
func BenchmarkOverWire(b *testing.B) {
	const rounds, requests = 9, 10000
	bare, chained := serveWire(b, bareApp()), serveWire(b, chainedApp(b))
	var ratios, floor []float64
	var base float64
	for b.Loop() {
		base = 0
		for range rounds {
			a := wireCost(b, bare, requests)
			c := wireCost(b, chained, requests)
			again := wireCost(b, bare, requests)
			ratios = append(ratios, 2*c/(a+again))
			base += (a + again) / 2
			floor = append(floor, a/again)
		}
	}
	slices.Sort(ratios)
	slices.Sort(floor)
	b.ReportMetric(base/rounds, "bare-ns/request")
	b.ReportMetric(ratios[len(ratios)/2], "cpu-ratio")
	b.ReportMetric(floor[len(floor)/2], "A/A-ratio")
	b.ReportMetric(0, "ns/op")
}

func serveWire(b *testing.B, app *fiber.App) net.Conn {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	go func() { _ = app.Listener(listener) }()
	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(b, err)
	b.Cleanup(func() {
		_ = client.Close()
		_ = app.Shutdown()
	})
	return client
}

// wireCost is the processor time of this process per request, in nanoseconds.
// The client parses nothing, so that it costs the same on both sides.
func wireCost(b *testing.B, client net.Conn, requests int) float64 {
	b.Helper()
	request := []byte("GET " + benchmarkPath + " HTTP/1.1\r\nHost: localhost\r\nX-User-ID: " + alice + "\r\n\r\n")
	response := make([]byte, 4096)
	before := processorTime(b)
	for range requests {
		_, err := client.Write(request)
		require.NoError(b, err)
		n, err := client.Read(response)
		if err != nil || !bytes.HasPrefix(response, []byte("HTTP/1.1 200")) || !bytes.HasSuffix(response[:n], []byte("\r\n\r\nok")) {
			b.Fatalf("%v, %q", err, response[:n])
		}
	}
	return float64(processorTime(b)-before) / float64(requests)
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
