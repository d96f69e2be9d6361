package middleware

import (
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/internal/ratelimit"
)

// Header names as the seeds spell them; the server's own normalisation would
// write X-Ratelimit-Limit and X-Request-Id.
var (
	headerLimit        = []byte("X-RateLimit-Limit")
	headerRemaining    = []byte("X-RateLimit-Remaining")
	headerReset        = []byte("X-RateLimit-Reset")
	headerPolicy       = []byte("RateLimit-Policy")
	headerBudget       = []byte("RateLimit")
	headerRequestID    = []byte("X-Request-ID")
	headerResponseTime = []byte("X-Response-Time")
	headerCache        = []byte("Cache-Control")
	noCache            = []byte("no-cache, no-store, must-revalidate")
)

// writeBudget tells the client its budget in the tier's style, and on a refusal
// when to come back.
func writeBudget(c *fiber.Ctx, d *ratelimit.Decision) {
	switch d.Headers {
	case ratelimit.XRateLimit:
		setNumber(c, headerLimit, d.Limit)
		setNumber(c, headerRemaining, d.Remaining)
		setNumber(c, headerReset, resetSeconds(d.Reset))
	case ratelimit.Draft:
		writeDraft(c, d)
	}
	if d.Refused {
		c.Set(fiber.HeaderRetryAfter, secondsText(d.RetryAfter))
	}
}

// writeDraft follows draft-ietf-httpapi-ratelimit-headers: the quota is what
// passes per window, r what is left now, t the seconds until the next request
// passes.
func writeDraft(c *fiber.Ctx, d *ratelimit.Decision) {
	var space [128]byte
	policy := appendName(space[:0], d.Tier)
	policy = strconv.AppendInt(append(policy, ";q="...), d.Requests, 10)
	policy = strconv.AppendInt(append(policy, ";w="...), wholeSeconds(d.Window), 10)
	c.Response().Header.SetCanonical(headerPolicy, policy)
	budget := appendName(space[:0], d.Tier)
	budget = strconv.AppendInt(append(budget, ";r="...), d.Remaining, 10)
	wait := int64(0)
	if d.RetryAfter > 0 {
		wait = wholeSeconds(d.RetryAfter)
	}
	budget = strconv.AppendInt(append(budget, ";t="...), wait, 10)
	c.Response().Header.SetCanonical(headerBudget, budget)
}

// appendName quotes a tier's name, which is a DNS label and needs no escaping.
func appendName(to []byte, tier string) []byte {
	return append(append(append(to, '"'), tier...), '"')
}

// resetSeconds rounds up: at that second the bucket is full.
func resetSeconds(reset time.Time) int64 {
	seconds := reset.Unix()
	if reset.Nanosecond() > 0 {
		seconds++
	}
	return seconds
}

// writeCommon sets what every answer has. The seeds show the time as whole
// milliseconds.
func writeCommon(c *fiber.Ctx, id string, took time.Duration) {
	header := &c.Response().Header
	var space [maxRequestID]byte
	header.SetCanonical(headerRequestID, append(space[:0], id...))
	value := strconv.AppendInt(space[:0], took.Milliseconds(), 10)
	header.SetCanonical(headerResponseTime, append(value, "ms"...))
	if len(header.PeekBytes(headerCache)) == 0 {
		header.SetCanonical(headerCache, noCache)
	}
}

func setNumber(c *fiber.Ctx, name []byte, value int64) {
	var space [20]byte
	c.Response().Header.SetCanonical(name, strconv.AppendInt(space[:0], value, 10))
}
