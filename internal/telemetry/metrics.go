package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lucid-blockchain/lucid/internal/version"
)

// Namespace begins the name of every metric of the platform.
const Namespace = "lucid"

// DurationBuckets suit requests and transactions, in seconds: from half a
// millisecond, where a cached read lies, to ten seconds, where clients give up.
var DurationBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewRegistry returns a registry of its own, not the process-wide default, with
// the collectors of the Go runtime and the process and lucid_build_info.
func NewRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: Namespace, Name: "build_info", Help: "1, labelled with the version that is running.",
		ConstLabels: prometheus.Labels{"version": version.Version},
	})
	build.Set(1)
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
	)
	return registry
}

// Handler serves a registry at /metrics. A collector that fails costs its own
// metrics, not the whole page.
func Handler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, Registry: registry,
	})
}
