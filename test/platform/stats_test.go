package platform

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	fifty := Durations{}
	for i := 50; i >= 1; i-- {
		fifty = append(fifty, time.Duration(i))
	}
	for _, test := range []struct {
		reason string
		sample Durations
		q      float64
		want   time.Duration
	}{
		{"no sample has no quantile", nil, 0.99, 0},
		{"one value is every quantile", Durations{7}, 0.01, 7},
		{"p99 of fifty is the maximum, never interpolated", fifty, 0.99, 50},
		{"the median of fifty is the 25th", fifty, 0.5, 25},
		{"p90 of fifty is the 45th", fifty, 0.9, 45},
	} {
		if got := test.sample.Quantile(test.q); got != test.want {
			t.Errorf("%s: got %d, want %d", test.reason, got, test.want)
		}
	}
}

func TestSumOfMetrics(t *testing.T) {
	const metrics = `# HELP requests_count Requests.
# TYPE requests_count counter
requests_count{code="201",method="POST",route="/trades"} 7
requests_count{code="201",method="POST",route="/trades",zone="b"} 1e+06
requests_count{code="422",method="POST",route="/trades"} 100
requests_count{code="201",method="POST",route="/trades/more"} 1000
requests_count_more{code="201",method="POST",route="/trades"} 10000
bare 3
`
	for _, test := range []struct {
		reason string
		labels []string
		want   int64
	}{
		{"all series that have the labels, whatever else they have", []string{`route="/trades"`, `code="201"`}, 1_000_007},
		{"no label asks for every series of the name", nil, 1_001_107},
		{"none has them", []string{`code="500"`}, 0},
	} {
		if got, err := sum(metrics, "requests_count", test.labels...); err != nil || got != test.want {
			t.Errorf("%s: got %d, %v, want %d", test.reason, got, err, test.want)
		}
	}
	if _, err := sum("requests_count{a=\"b\"} many\n", "requests_count"); err == nil {
		t.Error("what is no number is taken for one")
	}
}
