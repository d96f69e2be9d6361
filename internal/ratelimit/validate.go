package ratelimit

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
)

// Bounds of a tier's numbers. Together with the check that Burst·Window fits
// the bucket's arithmetic they keep every decision free of overflow.
const (
	MaxTiers    = 32
	MaxRequests = 10_000_000
	MaxBurst    = 10_000_000
	MinWindow   = Duration(time.Millisecond)
	MaxWindow   = Duration(24 * time.Hour)
)

var (
	namePattern   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	headerPattern = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$")
	rolePattern   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// Validate reports every wrong field of an ordered list of tiers at once, as a
// *fault.Fault of kind Invalid whose field names begin with path.
func Validate(path string, tiers []Tier) error {
	var c checker
	c.require(len(tiers) <= MaxTiers, path, len(tiers), "max_items", "must have at most %d tiers", MaxTiers)
	seen := map[string]bool{}
	for i, tier := range tiers {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.tier(at, tier.WithDefaults())
		c.require(!seen[tier.Name], at+".name", tier.Name, "unique", "is the name of an earlier tier")
		seen[tier.Name] = true
	}
	if len(c.fields) == 0 {
		return nil
	}
	return fault.InvalidFields(c.fields...)
}

// checker collects what is wrong.
type checker struct{ fields []fault.Field }

func (c *checker) require(ok bool, name string, value any, rule, reason string, args ...any) {
	if !ok {
		c.fields = append(c.fields, fault.Field{Name: name, Value: value, Rule: rule, Reason: fmt.Sprintf(reason, args...)})
	}
}

func (c *checker) tier(at string, t Tier) {
	c.require(namePattern.MatchString(t.Name), at+".name", t.Name, "format", "must be a DNS label")
	c.match(at+".match", t.Match)
	c.key(at+".key", t.Key)
	c.numbers(at, t)
	c.require(slices.Contains([]Enforcement{Enforce, Shadow, Off}, t.Enforcement),
		at+".enforcement", t.Enforcement, "enum", "must be Enforce, Shadow or Off")
	c.require(slices.Contains([]HeaderStyle{XRateLimit, Draft, None}, t.Headers),
		at+".headers", t.Headers, "enum", "must be XRateLimit, Draft or None")
}

func (c *checker) match(at string, m Match) {
	for i, path := range m.Paths {
		_, err := compileGlob(path)
		c.require(err == nil, fmt.Sprintf("%s.paths[%d]", at, i), path, "format", "%v", err)
	}
	for i, method := range m.Methods {
		c.require(slices.Contains(methods, method), fmt.Sprintf("%s.methods[%d]", at, i), method, "enum",
			"must be an HTTP method in upper case")
	}
	for i, role := range m.Roles {
		c.require(rolePattern.MatchString(role), fmt.Sprintf("%s.roles[%d]", at, i), role, "format",
			"must be lower-case letters, digits and underscores")
	}
}

func (c *checker) key(at string, k Key) {
	switch k.Type {
	case KeyIP, KeyUser:
		c.require(k.Header == "", at+".header", k.Header, "forbidden", "is only for keys of type Header")
	case KeyHeader:
		c.require(headerPattern.MatchString(k.Header), at+".header", k.Header, "format", "must be the name of a header")
	default:
		c.require(false, at+".type", k.Type, "enum", "must be IP, User or Header")
	}
}

func (c *checker) numbers(at string, t Tier) {
	before := len(c.fields)
	c.require(t.Requests >= 1 && t.Requests <= MaxRequests, at+".requests", t.Requests, "range",
		"must be from 1 to %d", MaxRequests)
	c.require((t.Burst >= 1 || t.Requests < 1) && t.Burst <= MaxBurst, at+".burst", t.Burst, "range", "must be from 1 to %d, or left out", MaxBurst)
	c.require(t.Window >= MinWindow && t.Window <= MaxWindow, at+".window", time.Duration(t.Window).String(), "range",
		"must be from %v to %v", time.Duration(MinWindow), time.Duration(MaxWindow))
	c.require(t.Concurrency >= 0, at+".concurrency", t.Concurrency, "range", "must not be negative")
	if len(c.fields) == before {
		c.require(rateOf(t).fits(t.Burst), at+".burst", t.Burst, "range",
			"is too large for this window: choose a smaller burst, a shorter window, or requests that divide the window")
	}
}

// rate is a refill in lowest terms: perNano units flow in each nanosecond and a
// token is cost units, so that no tier needs fractions.
type rate struct{ cost, perNano int64 }

func rateOf(t Tier) rate {
	divisor := gcd(int64(t.Window), t.Requests)
	return rate{cost: int64(t.Window) / divisor, perNano: t.Requests / divisor}
}

// fits reports that a full bucket, and one refill of it, stay within an int64.
func (r rate) fits(burst int64) bool {
	return burst < math.MaxInt64/4/r.cost
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
