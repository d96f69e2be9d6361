package middleware

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/telemetry"
)

// Metrics are the rate, errors and duration of every route, and the decisions
// of every tier. Labels are bounded: routes by their patterns, tiers by policy.
type Metrics struct {
	inFlight  atomic.Int64
	duration  *prometheus.HistogramVec
	decisions *prometheus.CounterVec
}

// NewMetrics registers the metrics of all surfaces.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: telemetry.Namespace, Subsystem: "http", Name: "request_duration_seconds",
			Help: "Time from the first handler to the rendered answer.", Buckets: telemetry.DurationBuckets,
		}, []string{"surface", "method", "route", "code"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: telemetry.Namespace, Subsystem: "ratelimit", Name: "decisions_total",
			Help: "Requests by tier and outcome: allowed, refused, or shadowed (would be refused).",
		}, []string{"surface", "tier", "outcome", "reason"}),
	}
	inFlight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: telemetry.Namespace, Subsystem: "http", Name: "requests_in_flight",
		Help: "Requests being handled.",
	}, func() float64 { return float64(m.inFlight.Load()) })
	registry.MustRegister(m.duration, m.decisions, inFlight)
	return m
}

// noRoute labels what was answered without a handler: unknown paths, which are
// anybody's invention, and whatever the chain turned away.
const noRoute = "none"

func routeLabel(c *fiber.Ctx, err error) string {
	var protocol *fiber.Error
	if route := c.Route().Path; route != "/" && !errors.As(err, &protocol) {
		return route
	}
	return noRoute
}

// methodLabel is the method as a constant: the request's own text lives in
// memory that is reused, and a metric keeps its labels.
func methodLabel(method string) string {
	for _, known := range fiber.DefaultMethods {
		if known == method {
			return known
		}
	}
	return "other"
}

func (m *Metrics) served(surface, method, route string, status int, took time.Duration) {
	m.duration.WithLabelValues(surface, method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *Metrics) decided(surface string, d *ratelimit.Decision) {
	if d.Tier == "" {
		return
	}
	outcome := "allowed"
	switch {
	case d.Refused:
		outcome = "refused"
	case d.Over != ratelimit.WithinLimit:
		outcome = "shadowed"
	}
	m.decisions.WithLabelValues(surface, d.Tier, outcome, d.Over.String()).Inc()
}
