package gateway

import (
	"testing"
	"time"
)

func TestMeterCoversTheLastMinute(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	m := newMeter(func() time.Time { return now })
	if got := m.read(); got != (reading{}) {
		t.Errorf("nothing happened yet: %+v", got)
	}
	now = now.Add(time.Hour)
	for i := range 600 {
		m.observe(10*time.Millisecond, i%6 == 0)
	}
	for range 10 {
		m.observe(time.Second, false)
	}
	got := m.read()
	if got.perSecond != 10.167 || got.errorRate != 0.164 {
		t.Errorf("610 requests in a minute, 100 of them failed: %+v", got)
	}
	// A percentile is its bucket's upper bound, at most a fifth above the truth.
	if got.p50 < 10 || got.p50 > 12 || got.p99 < 1000 || got.p99 > 1200 {
		t.Errorf("p50 %v ms of 10 ms, p99 %v ms of 1000 ms", got.p50, got.p99)
	}
	now = now.Add(2 * time.Minute)
	if got := m.read(); got != (reading{}) {
		t.Errorf("two minutes later: %+v", got)
	}
}

func TestBucketsHoldEverything(t *testing.T) {
	for _, test := range []struct {
		took time.Duration
		want int
	}{{-1, 0}, {0, 0}, {firstBucket, 0}, {firstBucket + 1, 1}, {time.Hour, buckets - 1}} {
		if got := bucketOf(test.took); got != test.want {
			t.Errorf("%v is in bucket %d, want %d", test.took, got, test.want)
		}
	}
}
