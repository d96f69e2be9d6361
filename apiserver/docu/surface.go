// Package docu is the docu surface (seed docu): its health, and its envelope for
// errors, also as RFC 9457 problem details where a client asks for them.
package docu

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/version"
)

// contentJSON is how the seed writes the type (seed docu, Response Headers).
const contentJSON = "application/json; charset=utf-8"

// Surface answers for docu.
type Surface struct {
	database *httpx.Probe
	started  time.Time
	now      func() time.Time
}

var _ middleware.Surface = (*Surface)(nil)

// New makes the surface; its health is that of the database.
func New(database httpx.Pinger) *Surface {
	return &Surface{database: httpx.NewProbe(database), started: time.Now(), now: time.Now}
}

// Name implements middleware.Surface.
func (s *Surface) Name() string { return ratelimit.SurfaceDocu }

// Register implements middleware.Surface.
func (s *Surface) Register(r fiber.Router) {
	r.Get("/health", s.health)
	r.Get("/api/v1/health", s.health)
}

// healthCheck is the seed's HealthCheckResponse. It is not wrapped in the
// envelope.
type healthCheck struct {
	Status    string                   `json:"status"`
	Timestamp time.Time                `json:"timestamp"`
	Uptime    int64                    `json:"uptime"` // seconds
	Version   string                   `json:"version"`
	Services  map[string]serviceStatus `json:"services"`
}

// serviceStatus is the seed's ServiceStatus.
type serviceStatus struct {
	Status    string    `json:"status"`
	Latency   int64     `json:"latency"` // milliseconds
	LastCheck time.Time `json:"lastCheck"`
}

// health is 503 while the database does not answer, as nothing else works then.
func (s *Surface) health(c *fiber.Ctx) error {
	reading := s.database.Read(c.UserContext())
	code, status, database := fiber.StatusOK, "healthy", "up"
	if !reading.Up {
		code, status, database = fiber.StatusServiceUnavailable, "unhealthy", "down"
	}
	now := s.now()
	return c.Status(code).JSON(healthCheck{
		Status: status, Timestamp: now.UTC(), Uptime: int64(now.Sub(s.started).Seconds()), Version: version.Version,
		Services: map[string]serviceStatus{"database": {
			Status: database, Latency: reading.Latency.Milliseconds(), LastCheck: reading.At,
		}},
	}, contentJSON)
}
