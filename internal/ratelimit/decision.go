package ratelimit

import (
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// Headers looks up a request header; *fasthttp.RequestHeader is one. The bytes
// are read before Allow returns and never kept.
type Headers interface{ Peek(name string) []byte }

// Request is what a decision depends on. None of it is kept.
type Request struct {
	Method  string
	Path    string // as routed, undecoded
	IP      netip.Addr
	User    uuid.UUID // zero when anonymous
	Roles   []string  // of the user; ignored when anonymous
	Headers Headers   // may be nil
}

// Reason says why a request is over the limit.
type Reason uint8

// The reasons.
const (
	WithinLimit     Reason = iota
	OverRate               // no token left
	OverConcurrency        // too many of this key in flight
)

// String returns the reason as it shows in metrics.
func (r Reason) String() string {
	switch r {
	case OverRate:
		return "rate"
	case OverConcurrency:
		return "concurrency"
	default:
		return ""
	}
}

// Decision is the answer for one request. The zero value lets it pass unlimited.
type Decision struct {
	// Tier is the name of the tier that decided; empty when none matched.
	Tier string
	// Over says why the request exceeds its tier, also where that is only noted.
	Over Reason
	// Refused is set when the request must be answered with 429.
	Refused bool
	// Headers is the style in which the client learns its budget; None also for
	// tiers that are off or in shadow.
	Headers HeaderStyle
	// Limit is the bucket's capacity, the most that Remaining can be.
	Limit int64
	// Remaining is how many requests would pass at this instant.
	Remaining int64
	// Requests per Window is the sustained rate.
	Requests int64
	Window   time.Duration
	// Reset is when the bucket is full again without further requests.
	Reset time.Time
	// RetryAfter is how long until one more request passes; zero when one would
	// now. It is exact for OverRate and one second for OverConcurrency, whose end
	// nobody knows.
	RetryAfter time.Duration

	held  *table
	where place
}

// Release ends a request that Allow let pass: it gives its concurrency slot
// back. It must be called once, also for decisions that hold none.
func (d *Decision) Release() {
	if d.held != nil {
		d.held.release(d.where)
		d.held = nil
	}
}
