// Package gateway is the gateway surface (seed gateway): what the service says
// about itself under /api/v1/meta, the chain lucid_blocks under /api/v1/chain, and
// errors by the LUCID_ERR registry.
package gateway

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
)

// service is the name the seed gives to this surface.
const service = "api-gateway"

// Surface answers for the gateway.
type Surface struct {
	database   *httpx.Probe
	blockchain Blockchain
	meter      *meter
	built      time.Time
	started    time.Time
	now        func() time.Time
}

var _ middleware.Surface = (*Surface)(nil)

// New makes the surface; its health is that of the database.
func New(database httpx.Pinger, blockchain Blockchain) *Surface {
	return &Surface{
		database: httpx.NewProbe(database), blockchain: blockchain, meter: newMeter(time.Now),
		built: buildDate(), started: time.Now(), now: time.Now,
	}
}

// Name implements middleware.Surface.
func (s *Surface) Name() string { return ratelimit.SurfaceGateway }

// Register implements middleware.Surface.
func (s *Surface) Register(r fiber.Router) {
	r.Use(s.measure)
	meta := r.Group("/api/v1/meta")
	meta.Get("/info", s.info)
	meta.Get("/health", s.health)
	meta.Get("/version", s.version)
	meta.Get("/metrics", s.metrics)
	s.registerChain(r)
}
