// Package ratelimit decides, in memory and without allocating, whether a request
// may pass: ordered tiers, one token bucket per tier and key.
//
// A tier's bucket holds Burst tokens and is refilled with Requests tokens per
// Window, evenly. The first tier that matches decides; a request that no tier
// matches is not limited. Arithmetic is on integers, so that retry-after is
// exact to the nanosecond and no more than Burst + rate·t ever pass in a time t.
package ratelimit
