package gateway

import (
	"os"
	"runtime/debug"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
	"github.com/lucid-blockchain/lucid/internal/version"
)

// features lists what this build of the gateway does.
var features = []string{"authentication", "rate_limiting", "maintenance_mode", "metrics", "blockchain"}

// serviceInfo is the seed's ServiceInfo.
type serviceInfo struct {
	ServiceName string    `json:"service_name"`
	Version     string    `json:"version"`
	BuildDate   time.Time `json:"build_date"`
	Environment string    `json:"environment"`
	Features    []string  `json:"features"`
}

func (s *Surface) info(c *fiber.Ctx) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	return c.JSON(serviceInfo{
		ServiceName: service, Version: version.Version, BuildDate: s.built,
		Environment: environment(c), Features: features,
	})
}

// environment is what the gateway declares about identities: a gateway that
// takes X-User-ID at its word is a development one, whatever else it is.
func environment(c *fiber.Ctx) string {
	if current := middleware.SnapshotOf(c); current != nil && current.Identity == snapshot.Development {
		return "development"
	}
	return "production"
}

// The words for the health of the service and of what it depends on.
const (
	healthy   = "healthy"
	unhealthy = "unhealthy"
)

// healthStatus is the seed's HealthStatus.
type healthStatus struct {
	Status       string            `json:"status"`
	Timestamp    time.Time         `json:"timestamp"`
	Service      string            `json:"service"`
	Version      string            `json:"version"`
	Dependencies map[string]string `json:"dependencies"`
	Uptime       int64             `json:"uptime"`        // seconds
	ResponseTime float64           `json:"response_time"` // milliseconds, average of the last minute
}

// health is 503 while the database does not answer, as nothing else works then.
func (s *Surface) health(c *fiber.Ctx) error {
	status, word := fiber.StatusOK, healthy
	if !s.database.Read(c.UserContext()).Up {
		status, word = fiber.StatusServiceUnavailable, unhealthy
	}
	now := s.now()
	return c.Status(status).JSON(healthStatus{
		Status: word, Timestamp: now.UTC(), Service: service, Version: version.Version,
		Dependencies: map[string]string{"database": word},
		Uptime:       int64(now.Sub(s.started).Seconds()), ResponseTime: s.meter.read().mean,
	})
}

// versionInfo is the seed's VersionInfo.
type versionInfo struct {
	APIVersion        string   `json:"api_version"`
	GatewayVersion    string   `json:"gateway_version"`
	SupportedVersions []string `json:"supported_versions"`
	DeprecationNotice *string  `json:"deprecation_notice"`
}

func (s *Surface) version(c *fiber.Ctx) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	return c.JSON(versionInfo{
		APIVersion: version.API, GatewayVersion: version.Version, SupportedVersions: []string{version.API},
	})
}

// metricsResponse is the seed's MetricsResponse: the last minute of this process.
type metricsResponse struct {
	Timestamp time.Time     `json:"timestamp"`
	Metrics   metricsFigure `json:"metrics"`
}

type metricsFigure struct {
	RequestsPerSecond float64 `json:"requests_per_second"`
	P50               float64 `json:"response_time_p50"` // milliseconds
	P95               float64 `json:"response_time_p95"`
	P99               float64 `json:"response_time_p99"`
	ErrorRate         float64 `json:"error_rate"` // share of answers with a 5xx status
	ActiveConnections int32   `json:"active_connections"`
}

// metrics needs an identity, but no row of it: figures are wanted most when the
// database is away.
func (s *Surface) metrics(c *fiber.Ctx) error {
	if middleware.IdentityOf(c).Anonymous() {
		return fault.New(fault.Unauthenticated, "Authentication required")
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	r := s.meter.read()
	return c.JSON(metricsResponse{Timestamp: s.now().UTC(), Metrics: metricsFigure{
		RequestsPerSecond: r.perSecond, P50: r.p50, P95: r.p95, P99: r.p99, ErrorRate: r.errorRate,
		ActiveConnections: c.App().Server().GetOpenConnectionsCount(),
	}})
}

// measure feeds the meter with what reaches this surface. Requests that were
// turned away before it, by a limit or maintenance, have no response time.
func (s *Surface) measure(c *fiber.Ctx) error {
	start := s.now()
	err := c.Next()
	status := c.Response().StatusCode()
	if err != nil {
		status = refusalFor(err).status
	}
	s.meter.observe(s.now().Sub(start), status >= fiber.StatusInternalServerError)
	return err
}

// buildDate is the time of the commit that was built, where the toolchain wrote
// it down; otherwise that of the program file.
func buildDate() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key != "vcs.time" {
				continue
			}
			if at, err := time.Parse(time.RFC3339, setting.Value); err == nil {
				return at.UTC()
			}
		}
	}
	if path, err := os.Executable(); err == nil {
		if file, err := os.Stat(path); err == nil {
			return file.ModTime().UTC().Truncate(time.Second)
		}
	}
	return time.Unix(0, 0).UTC()
}
