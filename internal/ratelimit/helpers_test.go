package ratelimit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// fakeClock is a clock that moves when told to. Its readings are monotonic.
type fakeClock struct {
	base   time.Time
	offset time.Duration
}

func newFakeClock() *fakeClock { return &fakeClock{base: time.Unix(1_704_067_200, 0)} }

func (c *fakeClock) now() time.Time          { return c.base.Add(c.offset) }
func (c *fakeClock) advance(d time.Duration) { c.offset += d }

func compile(t testing.TB, clock *fakeClock, tiers ...Tier) *Limiter {
	t.Helper()
	return recompile(t, clock, nil, tiers...)
}

func recompile(t testing.TB, clock *fakeClock, previous *Limiter, tiers ...Tier) *Limiter {
	t.Helper()
	l, err := Compile(tiers, Options{Now: clock.now, Previous: previous})
	require.NoError(t, err)
	return l
}

func tierOf(requests int64, window time.Duration, burst int64) Tier {
	return Tier{Name: "tier", Key: Key{Type: KeyIP}, Requests: requests, Window: Duration(window), Burst: burst}
}

func get(path, ip string) *Request {
	return &Request{Method: "GET", Path: path, IP: netip.MustParseAddr(ip)}
}

func byUser(path string, user uuid.UUID, roles ...string) *Request {
	r := get(path, "192.0.2.1")
	r.User, r.Roles = user, roles
	return r
}

func post(path string, user uuid.UUID) *Request {
	r := byUser(path, user, "user")
	r.Method = "POST"
	return r
}

type headers map[string]string

func (h headers) Peek(name string) []byte { return []byte(h[name]) }

// admitted counts how many of n requests pass now.
func admitted(l *Limiter, r *Request, n int) int {
	passed := 0
	for range n {
		if d := l.Allow(r); !d.Refused {
			passed++
		}
	}
	return passed
}
