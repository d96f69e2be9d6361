// Package live holds the configuration that requests run under at this moment:
// the latest snapshot, compiled, behind one atomic pointer.
package live

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// surfaces are compiled ahead, so that a request finds its limiter ready.
var surfaces = []string{ratelimit.SurfaceGateway, ratelimit.SurfaceLaunchpad, ratelimit.SurfaceDocu}

// Configuration is one snapshot made ready for requests. It is immutable but
// for the limiters' buckets.
type Configuration struct {
	Snapshot *snapshot.Snapshot
	Hash     string      // of the snapshot's content
	Rate     money.Ratio // USD per CNPY
	origin   string      // uid of the object it came from
	limiters map[string]*ratelimit.Limiter
	proxies  []netip.Prefix
}

// Limiter returns the limiter of a surface, nil for one that nobody knows.
func (c *Configuration) Limiter(surface string) *ratelimit.Limiter { return c.limiters[surface] }

// Trusts reports whether addr is a proxy whose forwarding headers are believed.
func (c *Configuration) Trusts(addr netip.Addr) bool {
	for _, proxy := range c.proxies {
		if proxy.Contains(addr) {
			return true
		}
	}
	return false
}

// Holder is the place of the current configuration. The zero value is empty and
// ready for use.
type Holder struct {
	current atomic.Pointer[Configuration]
	// swap serialises writers; readers never take it.
	swap     sync.Mutex
	watchers []chan struct{}
}

// Current returns the configuration, nil before the first snapshot. A request
// asks once and keeps the answer, so that it sees one configuration throughout.
func (h *Holder) Current() *Configuration { return h.current.Load() }

// Offer puts a snapshot in place and reports whether it was taken. A snapshot of
// the same object with a lower generation is stale news and is not; one of
// another object (its uid differs) is, whatever its generation, because the
// object was made anew. The limiters inherit the buckets of unchanged tiers.
func (h *Holder) Offer(origin string, s *snapshot.Snapshot) (bool, error) {
	h.swap.Lock()
	defer h.swap.Unlock()
	previous := h.current.Load()
	hash := s.Hash()
	if previous != nil && previous.origin == origin {
		stale := s.Generation < previous.Snapshot.Generation
		same := s.Generation == previous.Snapshot.Generation && hash == previous.Hash
		if stale || same {
			return false, nil
		}
	}
	next, err := compile(s, previous)
	if err != nil {
		return false, err
	}
	next.Hash, next.origin = hash, origin
	h.current.Store(next)
	h.announce()
	return true, nil
}

func compile(s *snapshot.Snapshot, previous *Configuration) (*Configuration, error) {
	rate, err := money.ParseRatio(s.CNPYUSDRate)
	if err != nil {
		return nil, fmt.Errorf("CNPY/USD rate: %w", err)
	}
	c := &Configuration{Snapshot: s, Rate: rate, limiters: make(map[string]*ratelimit.Limiter, len(surfaces))}
	for _, surface := range surfaces {
		options := ratelimit.Options{}
		if previous != nil {
			options.Previous = previous.Limiter(surface)
		}
		limiter, err := ratelimit.Compile(s.Tiers(surface), options)
		if err != nil {
			return nil, fmt.Errorf("compile the limits of %s: %w", surface, err)
		}
		c.limiters[surface] = limiter
	}
	for _, text := range s.TrustedProxies {
		proxy, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy: %w", err)
		}
		c.proxies = append(c.proxies, proxy.Masked())
	}
	return c, nil
}

// Watch returns a channel that has an element after each change, and one from
// the start if a configuration is there. Changes that come faster than they are
// read collapse into one.
func (h *Holder) Watch() <-chan struct{} {
	h.swap.Lock()
	defer h.swap.Unlock()
	watcher := make(chan struct{}, 1)
	h.watchers = append(h.watchers, watcher)
	if h.current.Load() != nil {
		watcher <- struct{}{}
	}
	return watcher
}

func (h *Holder) announce() {
	for _, watcher := range h.watchers {
		select {
		case watcher <- struct{}{}:
		default:
		}
	}
}
