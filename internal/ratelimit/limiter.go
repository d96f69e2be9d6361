package ratelimit

import (
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Limiter is a compiled list of tiers. It is immutable but for its buckets and
// safe for concurrent use.
type Limiter struct{ tiers []compiled }

// Options adjust a limiter; the zero value is right for a server.
type Options struct {
	// Now is the clock; time.Now when nil. It should carry a monotonic reading.
	Now func() time.Time
	// MaxKeys bounds the keys remembered per tier; 262144 when 0. A tier costs
	// about 100 bytes per key.
	MaxKeys int
	// Previous is the limiter this one replaces. A tier of the same name whose
	// numbers and key are unchanged goes on with its buckets.
	Previous *Limiter
}

// compiled is a tier ready for matching.
type compiled struct {
	Tier
	globs     []glob
	anonymous bool // roles include RoleAnonymous
	table     *table
}

// Compile makes a limiter of tiers in order, or reports every wrong field as
// Validate does.
func Compile(tiers []Tier, options Options) (*Limiter, error) {
	if err := Validate("tiers", tiers); err != nil {
		return nil, err
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.MaxKeys == 0 {
		options.MaxKeys = defaultMaxKeys
	}
	l := &Limiter{tiers: make([]compiled, 0, len(tiers))}
	for _, tier := range tiers {
		next, err := compileTier(tier.WithDefaults(), options)
		if err != nil {
			return nil, err
		}
		l.tiers = append(l.tiers, next)
	}
	return l, nil
}

func compileTier(tier Tier, options Options) (compiled, error) {
	c := compiled{Tier: tier, anonymous: slices.Contains(tier.Match.Roles, RoleAnonymous)}
	for _, path := range tier.Match.Paths {
		g, err := compileGlob(path)
		if err != nil {
			return compiled{}, err
		}
		c.globs = append(c.globs, g)
	}
	c.table = options.Previous.inherit(tier)
	if c.table == nil {
		c.table = newTable(tier, options.MaxKeys, options.Now)
	}
	return c, nil
}

// inherit returns the buckets of the tier of this name if they still mean the
// same. It may be called on nil.
func (l *Limiter) inherit(tier Tier) *table {
	if l == nil {
		return nil
	}
	for i := range l.tiers {
		if c := &l.tiers[i]; c.Name == tier.Name && c.table.numbers == numbersOf(tier) {
			return c.table
		}
	}
	return nil
}

// Allow decides about one request by the first tier that matches it. It does
// not allocate. The decision's Release must be called when the request ends.
func (l *Limiter) Allow(r *Request) Decision {
	path := RoutedPath(r.Path)
	for i := range l.tiers {
		c := &l.tiers[i]
		if c.matches(r, path) {
			return c.decide(r)
		}
	}
	return Decision{Headers: None}
}

func (c *compiled) decide(r *Request) Decision {
	d := Decision{Tier: c.Name, Headers: None}
	if c.Enforcement == Off {
		return d
	}
	c.table.decide(c.keyOf(r), c.Concurrency, &d)
	if c.Enforcement == Enforce {
		d.Headers, d.Refused = c.Headers, d.Over != WithinLimit
	}
	return d
}

func (c *compiled) matches(r *Request, path string) bool {
	return c.matchesMethod(r.Method) && c.matchesRole(r) && c.matchesPath(path)
}

func (c *compiled) matchesMethod(method string) bool {
	if len(c.Match.Methods) == 0 || slices.Contains(c.Match.Methods, method) {
		return true
	}
	return method == "HEAD" && slices.Contains(c.Match.Methods, "GET")
}

func (c *compiled) matchesRole(r *Request) bool {
	if len(c.Match.Roles) == 0 {
		return true
	}
	if r.User == uuid.Nil {
		return c.anonymous
	}
	for _, role := range r.Roles {
		if slices.Contains(c.Match.Roles, role) {
			return true
		}
	}
	return false
}

func (c *compiled) matchesPath(path string) bool {
	if len(c.globs) == 0 {
		return true
	}
	for i := range c.globs {
		if c.globs[i].matches(path) {
			return true
		}
	}
	return false
}

// keyOf names the bucket.
func (c *compiled) keyOf(r *Request) keyHash {
	switch {
	case c.Key.Type == KeyUser && r.User != uuid.Nil:
		return c.table.hashBytes(r.User[:])
	case c.Key.Type == KeyHeader && r.Headers != nil:
		if value := r.Headers.Peek(c.Key.Header); len(value) > 0 {
			key := c.table.hashBytes(value)
			key.hi ^= headerSalt
			return key
		}
	}
	return c.addressKey(r.IP)
}

// Salts keep the three kinds of key of one tier apart: nobody can aim at an
// address's bucket with a header that looks like it.
const (
	headerSalt  = 0x9e3779b97f4a7c15
	addressSalt = 0xc2b2ae3d27d4eb4f
)

// addressKey counts a client by its network.
func (c *compiled) addressKey(ip netip.Addr) keyHash {
	network := Network(ip).As16()
	key := c.table.hashBytes(network[:])
	key.hi ^= addressSalt
	return key
}

// Network is what one client has of the internet: an IPv4 address, or an IPv6 /64,
// which is one subscriber's; counting single addresses there would be no limit at
// all.
func Network(ip netip.Addr) netip.Addr {
	ip = ip.Unmap()
	if ip.Is6() {
		prefix, _ := ip.Prefix(64) // can't fail for an IPv6 address
		return prefix.Addr()
	}
	return ip
}

// Usage is how many keys a tier remembers at present.
type Usage struct {
	Tier string
	Keys int
}

// Usage reports every tier in order, for metrics.
func (l *Limiter) Usage() []Usage {
	usage := make([]Usage, 0, len(l.tiers))
	for i := range l.tiers {
		usage = append(usage, Usage{Tier: l.tiers[i].Name, Keys: l.tiers[i].table.keys()})
	}
	return usage
}
