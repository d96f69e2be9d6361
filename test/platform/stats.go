package platform

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Durations is a sample of latencies.
type Durations []time.Duration

// Quantile returns the nearest-rank quantile of the sample, q in (0, 1]: with
// 50 values the p99 is their maximum, so nothing is interpolated away.
func (d Durations) Quantile(q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Clone(d)
	slices.Sort(sorted)
	rank := int(q*float64(len(sorted)) + 0.999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Print writes one line with the sample's distribution and, when baseline is
// given, the ratio of the medians: absolute times do not carry to another
// machine, ratios of the same run do.
func (d Durations) Print(w io.Writer, name string, baseline Durations) {
	ms := func(v time.Duration) float64 { return float64(v.Microseconds()) / 1000 }
	_, _ = fmt.Fprintf(w, "%-34s n %4d  p50 %8.1f ms  p90 %8.1f ms  p99 %8.1f ms  max %8.1f ms",
		name, len(d), ms(d.Quantile(0.5)), ms(d.Quantile(0.9)), ms(d.Quantile(0.99)), ms(d.Quantile(1)))
	if base := baseline.Quantile(0.5); base > 0 {
		_, _ = fmt.Fprintf(w, "  x%.1f of baseline", float64(d.Quantile(0.5))/float64(base))
	}
	_, _ = fmt.Fprintln(w)
}

// sum adds up the series of a counter that have all the labels, out of metrics in
// Prometheus's text format.
func sum(metrics, name string, labels ...string) (int64, error) {
	var total int64
	for line := range strings.Lines(metrics) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		lacks := func(label string) bool { return !strings.Contains(series, label) }
		if !strings.HasPrefix(series, name+"{") || slices.ContainsFunc(labels, lacks) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64) // large counts are written as 1e+06
		if err != nil {
			return 0, fmt.Errorf("%s: %w", series, err)
		}
		total += int64(n)
	}
	return total, nil
}
