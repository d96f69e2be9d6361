package middleware

import (
	"math"
	"strconv"
	"time"

	"github.com/lucid-blockchain/lucid/internal/ratelimit"
)

// RateLimitedError is what a surface renders as its own 429. Its headers are
// already on the response.
type RateLimitedError struct{ Decision ratelimit.Decision }

// Error implements error.
func (e *RateLimitedError) Error() string { return "rate limit exceeded: tier " + e.Decision.Tier }

// RetryAfterSeconds is the value of the Retry-After header.
func (e *RateLimitedError) RetryAfterSeconds() int64 { return wholeSeconds(e.Decision.RetryAfter) }

// MaintenanceError is what a surface renders as its own 503 while the gateway's
// maintenance mode is on. Retry-After is already on the response.
type MaintenanceError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *MaintenanceError) Error() string { return "maintenance mode" }

// wholeSeconds rounds up, since coming back early would be refused again, and
// is at least 1.
func wholeSeconds(d time.Duration) int64 {
	return max(1, int64(math.Ceil(d.Seconds())))
}

func secondsText(d time.Duration) string { return strconv.FormatInt(wholeSeconds(d), 10) }
