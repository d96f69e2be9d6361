package apiserver

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/telemetry"
)

// internalHandler serves what the cluster asks, on a port that no Ingress
// reaches.
func (s *Server) internalHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", telemetry.Handler(s.config.Registry))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.unready()) })
	mux.HandleFunc("GET /snapshot", s.serveSnapshot)
	return mux
}

// unready lists why no request should come here; empty means ready.
func (s *Server) unready() []string {
	var reasons []string
	if s.draining.Load() {
		reasons = append(reasons, "draining")
	}
	if s.live.Current() == nil {
		reasons = append(reasons, "no snapshot yet")
	}
	if !s.reached.Load() {
		reasons = append(reasons, "database not reached yet")
	}
	return reasons
}

// answer is a probe's answer: ok, or 503 with a reason a line.
func answer(w http.ResponseWriter, reasons []string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "ok\n"
	if len(reasons) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = strings.Join(reasons, "\n") + "\n"
	}
	// Nobody is left to tell when the prober has gone away.
	_, _ = w.Write([]byte(text))
}

// running is the answer of /snapshot.
type running struct {
	Gateway    string `json:"gateway"`
	Generation int64  `json:"generation"`
	Hash       string `json:"hash"` // of the content, without its generation
}

func (s *Server) serveSnapshot(w http.ResponseWriter, _ *http.Request) {
	current := s.live.Current()
	if current == nil {
		answer(w, []string{"no snapshot yet"})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(running{
		Gateway: current.Snapshot.Gateway, Generation: current.Snapshot.Generation, Hash: current.Hash,
	})
}

// collector reads the configuration in force when it is scraped, so that tiers
// which are gone leave no metric behind.
type collector struct {
	live       *live.Holder
	generation *prometheus.Desc
	keys       *prometheus.Desc
}

func newCollector(holder *live.Holder) *collector {
	return &collector{
		live: holder,
		generation: prometheus.NewDesc(telemetry.Namespace+"_snapshot_generation",
			"Generation of the snapshot in force.", nil, nil),
		keys: prometheus.NewDesc(telemetry.Namespace+"_ratelimit_keys",
			"Clients remembered by a tier.", []string{"surface", "tier"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	out <- c.generation
	out <- c.keys
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	current := c.live.Current()
	if current == nil {
		return
	}
	out <- prometheus.MustNewConstMetric(c.generation, prometheus.GaugeValue, float64(current.Snapshot.Generation))
	for _, surface := range []string{ratelimit.SurfaceGateway, ratelimit.SurfaceLaunchpad, ratelimit.SurfaceDocu} {
		for _, usage := range current.Limiter(surface).Usage() {
			out <- prometheus.MustNewConstMetric(c.keys, prometheus.GaugeValue, float64(usage.Keys), surface, usage.Tier)
		}
	}
}
