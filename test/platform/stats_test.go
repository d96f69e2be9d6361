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
