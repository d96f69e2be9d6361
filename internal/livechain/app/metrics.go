package app

import (
	"strconv"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics describe the application; CometBFT describes the rest of the node.
type metrics struct {
	transactions *prometheus.CounterVec
	misbehaviour prometheus.Counter
}

var (
	heightMetric   = describeMetric("height", "The last height that the application has committed.")
	snapshotMetric = describeMetric("snapshot_height", "The height of the newest snapshot that other nodes can start from.")
	ageMetric      = describeMetric("snapshot_age_seconds", "How long ago the newest snapshot was made.")
	recordsMetric  = describeMetric("snapshot_records", "Records of the state in the last snapshot that this process made.")
)

const metricsPrefix = "lucid_chain_app_"

func describeMetric(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(metricsPrefix+name, help, nil, nil)
}

func newMetrics() metrics {
	return metrics{
		transactions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "transactions_total",
			Help: "Transactions in committed blocks by result; 0 is success, the other codes are refusals.",
		}, []string{"code"}),
		misbehaviour: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricsPrefix + "misbehaviour_total",
			Help: "Validators that blocks have taken out for signing two blocks of one height, since this process started.",
		}),
	}
}

func (m metrics) count(results []*abci.ExecTxResult) {
	for _, r := range results {
		m.transactions.WithLabelValues(strconv.FormatUint(uint64(r.Code), 10)).Inc()
	}
}

// Describe implements prometheus.Collector.
func (a *Application) Describe(to chan<- *prometheus.Desc) {
	a.metrics.transactions.Describe(to)
	a.metrics.misbehaviour.Describe(to)
	for _, desc := range []*prometheus.Desc{heightMetric, snapshotMetric, ageMetric, recordsMetric} {
		to <- desc
	}
}

// Collect implements prometheus.Collector. What is not there yet has no metric.
func (a *Application) Collect(to chan<- prometheus.Metric) {
	a.metrics.transactions.Collect(to)
	a.metrics.misbehaviour.Collect(to)
	gauge := func(desc *prometheus.Desc, value float64) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	if height, _, started := a.store.Head(); started {
		gauge(heightMetric, float64(height))
	}
	height, made, records := a.shelf.last()
	if height > 0 {
		gauge(snapshotMetric, float64(height))
		gauge(ageMetric, time.Since(made).Seconds())
	}
	if records > 0 {
		gauge(recordsMetric, float64(records))
	}
}
