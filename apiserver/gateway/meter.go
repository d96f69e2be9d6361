package gateway

import (
	"math"
	"sync"
	"time"
)

const (
	// window is how many whole seconds the figures cover.
	window = 60
	// Buckets of durations grow by a fifth from a twentieth of a millisecond, so
	// that a percentile is at most 20 % above the truth and the last one holds
	// everything above a minute and a half.
	buckets      = 80
	firstBucket  = 50 * time.Microsecond
	bucketGrowth = 1.2
)

// meter remembers the last minute of requests in fixed memory.
type meter struct {
	now func() time.Time

	mu      sync.Mutex
	started time.Time
	slots   [window + 1]slot // one more for the second that is not over
}

// slot is one second.
type slot struct {
	second    int64 // Unix
	requests  int64
	failures  int64
	total     time.Duration
	durations [buckets]int64
}

// reading is what the seed asks for; times are in milliseconds.
type reading struct {
	perSecond, errorRate, mean, p50, p95, p99 float64
}

func newMeter(now func() time.Time) *meter { return &meter{now: now, started: now()} }

func (m *meter) observe(took time.Duration, failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	second := m.now().Unix()
	s := &m.slots[second%int64(len(m.slots))]
	if s.second != second {
		*s = slot{second: second}
	}
	s.requests++
	if failed {
		s.failures++
	}
	s.total += took
	s.durations[bucketOf(took)]++
}

func bucketOf(took time.Duration) int {
	if took <= firstBucket {
		return 0
	}
	n := math.Ceil(math.Log(float64(took)/float64(firstBucket)) / math.Log(bucketGrowth))
	return min(int(n), buckets-1)
}

// read sums the last minute up.
func (m *meter) read() reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	var all slot
	for i := range m.slots {
		if s := &m.slots[i]; now.Unix()-s.second <= window {
			all.add(s)
		}
	}
	if all.requests == 0 {
		return reading{}
	}
	count := float64(all.requests)
	// A process younger than the window has had less time to be asked.
	span := min(window, max(1, now.Sub(m.started).Seconds()))
	return reading{
		perSecond: round(count / span), errorRate: round(float64(all.failures) / count),
		mean: round(milliseconds(all.total) / count),
		p50:  all.percentile(50), p95: all.percentile(95), p99: all.percentile(99),
	}
}

func (s *slot) add(other *slot) {
	s.requests += other.requests
	s.failures += other.failures
	s.total += other.total
	for i, n := range other.durations {
		s.durations[i] += n
	}
}

// percentile is the upper bound of the bucket that holds the p-th request of a
// hundred.
func (s *slot) percentile(p int64) float64 {
	rank := (s.requests*p + 99) / 100
	for i, n := range s.durations {
		if rank -= n; rank <= 0 {
			return round(milliseconds(firstBucket) * math.Pow(bucketGrowth, float64(i)))
		}
	}
	return 0
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// round keeps three decimal places: the rest is noise.
func round(f float64) float64 { return math.Round(f*1000) / 1000 }
