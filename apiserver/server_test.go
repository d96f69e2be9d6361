package apiserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/apiserver/source"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
	"github.com/lucid-blockchain/lucid/internal/telemetry"
)

// testSurface answers /work, and /slow once it is released.
type testSurface struct {
	name    string
	entered chan struct{}
	release chan struct{}
}

func newTestSurface(name string) *testSurface {
	return &testSurface{name: name, entered: make(chan struct{}, 1), release: make(chan struct{})}
}

func (s *testSurface) Name() string { return s.name }

func (s *testSurface) Register(router fiber.Router) {
	router.Get("/health", func(c *fiber.Ctx) error { return c.SendString("healthy") })
	router.Get("/work", func(c *fiber.Ctx) error { return c.SendString(middleware.SnapshotOf(c).CNPYUSDRate) })
	router.Post("/work", func(c *fiber.Ctx) error { return c.SendStatus(201) })
	router.Get("/slow", func(c *fiber.Ctx) error {
		s.entered <- struct{}{}
		<-s.release
		return c.SendString("done")
	})
}

func (s *testSurface) RenderError(c *fiber.Ctx, err error) error {
	status := 500
	var protocol *fiber.Error
	var limited *middleware.RateLimitedError
	switch {
	case errors.As(err, &protocol):
		status = protocol.Code
	case errors.As(err, &limited):
		status = 429
	case strings.Contains(err.Error(), "starting"):
		status = 503
	}
	return c.Status(status).SendString(fmt.Sprintf("%s %d", s.name, status))
}

// handSource delivers what the test hands it.
type handSource struct{ next chan *snapshot.Snapshot }

func (h handSource) Run(ctx context.Context, deliver source.Deliver) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-h.next:
			_ = deliver("test", s)
		}
	}
}

type noUsers struct{}

func (noUsers) Ensure(context.Context, uuid.UUID) error { return nil }

// switchDatabase answers once it is up.
type switchDatabase struct{ up atomic.Bool }

func (d *switchDatabase) Ping(context.Context) error {
	if !d.up.Load() {
		return errors.New("refused")
	}
	return nil
}

// harness is a running server.
type harness struct {
	*Server
	surface  *testSurface
	database *switchDatabase
	source   handSource
	stop     context.CancelFunc
	ended    chan error
}

func start(t *testing.T, change func(*Config)) *harness {
	t.Helper()
	h := &harness{
		surface: newTestSurface("launchpad"), database: &switchDatabase{},
		source: handSource{next: make(chan *snapshot.Snapshot)}, ended: make(chan error, 1),
	}
	config := Config{
		Endpoints:       []Endpoint{{Surface: h.surface, Address: "127.0.0.1:0", BodyLimit: 1000}},
		InternalAddress: "127.0.0.1:0", Source: h.source, Users: noUsers{}, Database: h.database,
		Registry: telemetry.NewRegistry(), Log: testr.New(t), DrainTimeout: 5 * time.Second,
	}
	if change != nil {
		change(&config)
	}
	var err error
	h.Server, err = New(config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	go func() { h.ended <- h.Run(ctx) }()
	t.Cleanup(func() { h.end(t) })
	return h
}

// end stops the server, if it still runs, and returns what Run returned.
func (h *harness) end(t *testing.T) error {
	t.Helper()
	h.stop()
	select {
	case err, open := <-h.ended:
		if open {
			close(h.ended)
		}
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the server did not end")
		return nil
	}
}

func document(generation int64, tiers ...ratelimit.Tier) *snapshot.Snapshot {
	return &snapshot.Snapshot{
		Generation: generation, Gateway: "lucid/main", Identity: snapshot.Development, CNPYUSDRate: "1.00",
		Surfaces:   []snapshot.Surface{{Name: "launchpad"}, {Name: "docu"}},
		RateLimits: map[string][]ratelimit.Tier{"launchpad": tiers},
	}
}

func (h *harness) configure(t *testing.T, doc *snapshot.Snapshot) {
	t.Helper()
	h.source.next <- doc
	require.Eventually(t, func() bool { return h.generation() == doc.Generation }, 5*time.Second, time.Millisecond)
}

func (h *harness) url(surface, path string) string { return "http://" + h.Address(surface) + path }

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestReadiness(t *testing.T) {
	h := start(t, nil)
	status, body := fetch(t, h.url("", "/readyz"))
	assert.Equal(t, 503, status)
	assert.Equal(t, "no snapshot yet\ndatabase not reached yet\n", body)
	status, _ = fetch(t, h.url("", "/livez"))
	assert.Equal(t, 200, status, "A pod that waits is alive.")
	status, _ = fetch(t, h.url("", "/snapshot"))
	assert.Equal(t, 503, status)
	status, body = fetch(t, h.url("launchpad", "/work"))
	assert.Equal(t, "503 launchpad 503", fmt.Sprint(status, " ", body))
	status, _ = fetch(t, h.url("launchpad", "/health"))
	assert.Equal(t, 200, status)

	h.configure(t, document(3))
	h.database.up.Store(true)
	require.Eventually(t, func() bool {
		status, _ := fetch(t, h.url("", "/readyz"))
		return status == 200
	}, 5*time.Second, 20*time.Millisecond)
	h.database.up.Store(false)
	status, _ = fetch(t, h.url("", "/readyz"))
	assert.Equal(t, 200, status, "Losing the database later is no reason to leave the load balancer.")

	_, body = fetch(t, h.url("", "/snapshot"))
	assert.JSONEq(t, fmt.Sprintf(`{"gateway":"lucid/main","generation":3,"hash":%q}`, document(3).Hash()), body)
	_, body = fetch(t, h.url("", "/metrics"))
	assert.Contains(t, body, "lucid_snapshot_generation 3")
	assert.Contains(t, body, `lucid_ratelimit_keys{surface="gateway",tier="public"} 0`)
	assert.Contains(t, body, "lucid_http_request_duration_seconds_bucket")
}

func TestGenerationNeverGoesBack(t *testing.T) {
	h := start(t, nil)
	h.configure(t, document(5))
	h.source.next <- document(4)
	h.source.next <- document(5)
	assert.Equal(t, int64(5), h.generation())
}

// TestSwapUnderLoad is the promise that a policy edit fails no request: 200
// swaps while clients hammer, and each swap is enforced at once.
func TestSwapUnderLoad(t *testing.T) {
	h := start(t, nil)
	generous := ratelimit.Tier{Name: "all", Key: ratelimit.Key{Type: ratelimit.KeyIP},
		Requests: 1_000_000, Window: ratelimit.Duration(time.Minute), Burst: 1_000_000}
	h.configure(t, document(1, generous))

	done := make(chan struct{})
	var served, failed atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-done:
					return
				default:
				}
				response, err := client.Get(h.url("launchpad", "/work"))
				if err != nil {
					failed.Add(1)
					continue
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
					failed.Add(1)
				}
				_ = response.Body.Close()
				served.Add(1)
			}
		})
	}
	for generation := int64(2); generation <= 201; generation++ {
		changed := generous
		changed.Burst -= generation
		h.configure(t, document(generation, changed))
		response, err := http.Get(h.url("launchpad", "/work"))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, fmt.Sprint(changed.Burst), response.Header.Get("X-RateLimit-Limit"), "Enforced with the very next request.")
	}
	close(done)
	clients.Wait()
	assert.Zero(t, failed.Load())
	assert.Greater(t, served.Load(), int64(200), "There must have been load.")
	t.Logf("%d requests during 200 swaps, none failed", served.Load())
}

func TestProtocolErrorsAreTheSurfaces(t *testing.T) {
	h := start(t, nil)
	h.configure(t, document(1))
	cases := map[string]struct {
		reason  string
		request string
		status  int
	}{
		"TooLarge":     {"A body over the limit.", "POST /work HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n" + strings.Repeat("a", 2000), 413},
		"NotAllowed":   {"A method the route has not.", "DELETE /work HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		"HugeHeaders":  {"Headers over the limit.", "GET /work HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", headerLimit) + "\r\n\r\n", 431},
		"NoMethod":     {"A method that HTTP has not.", "HELO /work HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		"NotHTTP":      {"Something else.", "hello\r\n\r\n", 400},
		"WithinLimits": {"A body within the limit.", "POST /work HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("a", 1000), 201},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			response := raw(t, h.Address("launchpad"), tc.request)
			assert.Equal(t, tc.status, response.StatusCode, tc.reason)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			if tc.status >= 400 {
				assert.Equal(t, fmt.Sprintf("launchpad %d", tc.status), string(body), tc.reason)
				assert.NotEmpty(t, response.Header.Get("X-Request-Id"), tc.reason)
			}
		})
	}
}

func raw(t *testing.T, address, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.Copy(conn, bytes.NewBufferString(request))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	return response
}

func TestDrain(t *testing.T) {
	var order []string
	var mu sync.Mutex
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	h := start(t, func(c *Config) {
		c.DrainDelay = 300 * time.Millisecond
		c.Workers = []Worker{func(ctx context.Context) error {
			<-ctx.Done()
			note("worker stopped")
			return nil
		}}
	})
	h.configure(t, document(1))
	slow := make(chan string, 1)
	go func() {
		response, err := http.Get(h.url("launchpad", "/slow"))
		if err != nil {
			slow <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		note("request answered")
		slow <- string(body)
	}()
	<-h.surface.entered
	h.stop()

	require.Eventually(t, func() bool {
		_, body := fetch(t, h.url("", "/readyz"))
		return strings.Contains(body, "draining")
	}, time.Second, 5*time.Millisecond)
	status, _ := fetch(t, h.url("launchpad", "/work"))
	assert.Equal(t, 200, status, "During the delay everything is served.")
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", h.Address("launchpad"), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, 5*time.Second, 10*time.Millisecond, "Then no new connection is taken.")
	status, _ = fetch(t, h.url("", "/livez"))
	assert.Equal(t, 200, status, "The kubelet must not kill a draining pod.")

	close(h.surface.release)
	assert.Equal(t, "done", <-slow, "A request in flight is finished.")
	assert.NoError(t, h.end(t), "An orderly end is no failure.")
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, []string{"request answered", "worker stopped"}, order, "Workers outlive the requests that need them.")
}

func TestDrainUnderLoadFailsNoRequest(t *testing.T) {
	h := start(t, func(c *Config) { c.DrainDelay = 500 * time.Millisecond })
	h.configure(t, document(1))
	var failed, served atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			// A client that honours Connection: close and the readiness of the pod.
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for !h.leaving() {
				response, err := client.Get(h.url("launchpad", "/work"))
				if err != nil {
					failed.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				served.Add(1)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	h.stop()
	clients.Wait()
	assert.NoError(t, h.end(t))
	assert.Zero(t, failed.Load())
	assert.Positive(t, served.Load())
}

func (h *harness) leaving() bool { return h.draining.Load() }

func TestDrainGivesUpOnRequestsThatHang(t *testing.T) {
	h := start(t, func(c *Config) { c.DrainTimeout = 200 * time.Millisecond })
	h.configure(t, document(1))
	go func() {
		if response, err := http.Get(h.url("launchpad", "/slow")); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-h.surface.entered
	began := time.Now()
	err := h.end(t)
	assert.ErrorContains(t, err, "requests still in flight")
	assert.Less(t, time.Since(began), 5*time.Second)
	close(h.surface.release)
}

func TestWorkerThatHangs(t *testing.T) {
	forever := make(chan struct{})
	defer close(forever)
	h := start(t, func(c *Config) {
		c.DrainTimeout = 50 * time.Millisecond
		c.Workers = []Worker{func(context.Context) error { <-forever; return nil }}
	})
	assert.ErrorContains(t, h.end(t), "background work still running")
}

func TestFailingPartEndsTheServer(t *testing.T) {
	h := start(t, func(c *Config) {
		c.DrainDelay = time.Hour
		c.Workers = []Worker{func(context.Context) error { return errors.New("sequencer stopped") }}
	})
	select {
	case err := <-h.ended:
		assert.ErrorContains(t, err, "sequencer stopped", "A pod whose market is gone must be replaced, without the pause of a planned end.")
		close(h.ended)
	case <-time.After(10 * time.Second):
		t.Fatal("the server went on without its worker")
	}
}

func TestNewRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	cases := map[string]struct {
		reason string
		change func(*Config)
		want   string
	}{
		"NoSurface":    {"Nothing to serve.", func(c *Config) { c.Endpoints = nil }, "no surface"},
		"NoSource":     {"Nothing to be configured by.", func(c *Config) { c.Source = nil }, "no source of snapshots"},
		"NoDatabase":   {"Nothing to be ready by.", func(c *Config) { c.Database = nil }, "required"},
		"PortTaken":    {"The port belongs to somebody.", func(c *Config) { c.Endpoints[0].Address = taken.Addr().String() }, "surface docu"},
		"InternalPort": {"So does this one.", func(c *Config) { c.InternalAddress = taken.Addr().String() }, "internal port"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			config := Config{
				Endpoints:       []Endpoint{{Surface: newTestSurface("docu"), Address: "127.0.0.1:0"}},
				InternalAddress: "127.0.0.1:0", Source: handSource{}, Users: noUsers{},
				Database: &switchDatabase{}, Registry: telemetry.NewRegistry(),
			}
			tc.change(&config)
			err := Run(context.Background(), config)
			assert.ErrorContains(t, err, tc.want, tc.reason)
		})
	}
}
