package ratelimit

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func drawTier(t *rapid.T) Tier {
	tier := tierOf(
		rapid.Int64Range(1, 100_000).Draw(t, "requests"),
		time.Duration(rapid.Int64Range(int64(MinWindow), int64(time.Hour)).Draw(t, "window")),
		rapid.Int64Range(1, 500).Draw(t, "burst"))
	return tier
}

// drawStep is mostly about the time of one token, sometimes far more or nothing.
func drawStep(t *rapid.T, tier Tier) time.Duration {
	token := int64(tier.Window) / tier.Requests
	return time.Duration(rapid.OneOf(
		rapid.Just(int64(0)), rapid.Int64Range(0, 3*token+3), rapid.Int64Range(0, int64(48*time.Hour)),
	).Draw(t, "step"))
}

// TestNeverAdmitsMoreThanPromised checks every interval of a random schedule
// against burst + rate·t, in exact arithmetic.
func TestNeverAdmitsMoreThanPromised(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tier, clock := drawTier(t), newFakeClock()
		l, err := Compile([]Tier{tier}, Options{Now: clock.now})
		require.NoError(t, err)
		var passes []time.Duration
		for range rapid.IntRange(1, 60).Draw(t, "requests sent") {
			clock.advance(drawStep(t, tier))
			if d := l.Allow(get("/", "::1")); !d.Refused {
				passes = append(passes, clock.offset)
			}
		}
		for from := range passes {
			for to := from; to < len(passes); to++ {
				require.True(t, promised(tier, int64(to-from+1), passes[to]-passes[from]),
					"%d passed within %v under %d per %v, burst %d",
					to-from+1, passes[to]-passes[from], tier.Requests, time.Duration(tier.Window), tier.Burst)
			}
		}
	})
}

// promised reports n <= burst + requests·t/window.
func promised(tier Tier, n int64, span time.Duration) bool {
	left := new(big.Int).Mul(big.NewInt(n-tier.Burst), big.NewInt(int64(tier.Window)))
	right := new(big.Int).Mul(big.NewInt(int64(span)), big.NewInt(tier.Requests))
	return left.Cmp(right) <= 0
}

// TestRetryAfterIsExact checks that one nanosecond before retry-after a request
// is refused and at retry-after it passes.
func TestRetryAfterIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tier, clock := drawTier(t), newFakeClock()
		l, err := Compile([]Tier{tier}, Options{Now: clock.now})
		require.NoError(t, err)
		r := get("/", "::1")
		var d Decision
		for range rapid.IntRange(0, 20).Draw(t, "before") {
			clock.advance(drawStep(t, tier))
			d = l.Allow(r)
		}
		for !d.Refused {
			d = l.Allow(r)
		}
		wait := d.RetryAfter
		require.Positive(t, wait)
		clock.advance(wait - 1)
		if early := l.Allow(r); !early.Refused || early.RetryAfter != 1 {
			t.Fatalf("one nanosecond early: refused %v, retry after %v", early.Refused, early.RetryAfter)
		}
		clock.advance(1)
		if onTime := l.Allow(r); onTime.Refused {
			t.Fatalf("refused after waiting %v as told", wait)
		}
	})
}

// TestResetIsExact checks that the bucket is full at Reset and not before.
func TestResetIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tier, clock := drawTier(t), newFakeClock()
		l, err := Compile([]Tier{tier}, Options{Now: clock.now})
		require.NoError(t, err)
		var d Decision
		for range rapid.IntRange(1, 20).Draw(t, "before") {
			clock.advance(drawStep(t, tier))
			d = l.Allow(get("/", "::1"))
		}
		clock.advance(d.Reset.Sub(clock.now()))
		after := l.Allow(get("/", "::1"))
		require.Equal(t, tier.Burst-1, after.Remaining)
	})
}

func TestClockSteppingBackTakesNothing(t *testing.T) {
	clock := newFakeClock()
	l := compile(t, clock, tierOf(60, time.Minute, 5))
	clock.advance(time.Hour)
	l.Allow(get("/", "::1"))
	clock.advance(-30 * time.Minute)
	d := l.Allow(get("/", "::1"))
	require.Equal(t, int64(3), d.Remaining, "Two were taken and none came back.")
	clock.advance(30*time.Minute + time.Second)
	d = l.Allow(get("/", "::1"))
	require.Equal(t, int64(3), d.Remaining, "The second that passed since the first brings one.")
}
