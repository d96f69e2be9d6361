package market

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one market. Names follow Prometheus' conventions: base units, and
// _total on counters.
type metrics struct {
	trades  *prometheus.CounterVec
	retries *prometheus.CounterVec
	batches *prometheus.CounterVec
	batch   prometheus.Histogram
	commit  prometheus.Histogram
}

// newMetrics registers the metrics, or keeps them to itself when r is nil.
func newMetrics(r prometheus.Registerer, depth func() float64) *metrics {
	m := &metrics{
		trades: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lucid_market_orders_total",
			Help: "Orders by outcome: filled, replayed, refused, failed, overflow.",
		}, []string{"outcome"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lucid_market_batch_retries_total",
			Help: "Batches tried again, by reason: ambiguous, unavailable, conflict.",
		}, []string{"reason"}),
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lucid_market_batches_total",
			Help: "Batches committed, by where their rows came from: remembered, read.",
		}, []string{"rows"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "lucid_market_batch_orders", Help: "Orders committed in one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "lucid_market_commit_seconds", Help: "Time from a batch's BEGIN to its acknowledged COMMIT.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 13),
		}),
	}
	queue := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lucid_market_queue_orders", Help: "Orders that wait for the next batch.",
	}, depth)
	if r != nil {
		r.MustRegister(m.trades, m.retries, m.batches, m.batch, m.commit, queue)
	}
	return m
}

func (m *metrics) outcome(label string, n int) { m.trades.WithLabelValues(label).Add(float64(n)) }

func (m *metrics) committed(orders int, took time.Duration) {
	m.batch.Observe(float64(orders))
	m.commit.Observe(took.Seconds())
}
