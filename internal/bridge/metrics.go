package bridge

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one order book. Names follow Prometheus' conventions.
type metrics struct {
	payments *prometheus.CounterVec
	looks    *prometheus.CounterVec
	seen     *prometheus.GaugeVec
}

// newMetrics registers the metrics, or keeps them to itself when r is nil.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		payments: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lucid_bridge_payments_total",
			Help: "Payments recorded, by what came of them: closed, late, repeated, unmatched.",
		}, []string{"network", "asset", "outcome"}),
		looks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lucid_bridge_looks_total",
			Help: "Looks at a counter chain by result: done, more (time was up before all was read), behind (the node knows less than was read), failed, elsewhere (another pod looks).",
		}, []string{"network", "asset", "result"}),
		seen: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "lucid_bridge_seen_timestamp_seconds",
			Help: "Time of the last block up to which this pod settled payments, in Unix seconds.",
		}, []string{"network", "asset"}),
	}
	if r != nil {
		r.MustRegister(m.payments, m.looks, m.seen)
	}
	return m
}

func (m *metrics) looked(a Asset, result string) {
	m.looks.WithLabelValues(a.Network, a.Symbol, result).Inc()
}

func (m *metrics) settled(a Asset, until Block, outcomes []Outcome) {
	for _, outcome := range outcomes {
		m.payments.WithLabelValues(a.Network, a.Symbol, string(outcome)).Inc()
	}
	m.seen.WithLabelValues(a.Network, a.Symbol).Set(float64(until.At.Unix()))
}
