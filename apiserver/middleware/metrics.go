package middleware

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
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
	routes    memo[servedKey, prometheus.Observer]
	tiers     memo[decidedKey, prometheus.Counter]
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
	if at := slices.Index(fiber.DefaultMethods, method); at >= 0 {
		return fiber.DefaultMethods[at]
	}
	return "other"
}

// served counts an answer. Metrics of a route and of a tier are looked up by
// label once and remembered: the lookup hashes every label.
func (m *Metrics) served(surface string, c *fiber.Ctx, err error, took time.Duration) {
	status := c.Response().StatusCode()
	key := servedKey{surface: surface, route: routeLabel(c, err), method: methodLabel(c.Method()), status: status}
	observer := m.routes.get(key, func() prometheus.Observer {
		return m.duration.WithLabelValues(surface, key.method, key.route, strconv.Itoa(status))
	})
	observer.Observe(took.Seconds())
}

func (m *Metrics) decided(surface string, d *ratelimit.Decision) {
	if d.Tier == "" {
		return
	}
	key := decidedKey{surface: surface, tier: d.Tier, refused: d.Refused, over: d.Over}
	m.tiers.get(key, func() prometheus.Counter {
		return m.decisions.WithLabelValues(surface, key.tier, key.outcome(), key.over.String())
	}).Inc()
}

type servedKey struct {
	surface, route, method string
	status                 int
}

type decidedKey struct {
	surface, tier string
	refused       bool
	over          ratelimit.Reason
}

func (k decidedKey) outcome() string {
	switch {
	case k.refused:
		return "refused"
	case k.over != ratelimit.WithinLimit:
		return "shadowed"
	default:
		return "allowed"
	}
}

// memo remembers values by key. Reading takes no lock; a new key copies the map,
// which is rare and small because the labels are bounded.
type memo[K comparable, V any] struct {
	known atomic.Pointer[map[K]V]
	mu    sync.Mutex
}

func (m *memo[K, V]) get(key K, make func() V) V {
	if known := m.known.Load(); known != nil {
		if value, ok := (*known)[key]; ok {
			return value
		}
	}
	return m.add(key, make())
}

func (m *memo[K, V]) add(key K, value V) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[K]V{key: value}
	if known := m.known.Load(); known != nil {
		maps.Copy(next, *known)
	}
	m.known.Store(&next)
	return value
}
