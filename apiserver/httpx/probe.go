package httpx

import (
	"context"
	"sync"
	"time"
)

// Pinger is a dependency that can be asked whether it answers; *store.Store is
// one.
type Pinger interface {
	Ping(ctx context.Context) error
}

const (
	probeTimeout = 2 * time.Second
	// probeEvery bounds what anonymous callers of a health route can cost.
	probeEvery = time.Second
)

// Probe knows whether a dependency answers, asking at most once a second
// however often it is asked itself. It is safe for concurrent use.
type Probe struct {
	target Pinger
	now    func() time.Time

	mu   sync.Mutex
	last Reading
}

// Reading is the outcome of one question.
type Reading struct {
	Up      bool
	Latency time.Duration
	At      time.Time
}

// NewProbe watches target.
func NewProbe(target Pinger) *Probe { return &Probe{target: target, now: time.Now} }

// Read answers from the last second's question, or asks. Concurrent callers
// wait for one question together. The question's time is its own, not that of
// the caller who happened to come first.
func (p *Probe) Read(ctx context.Context) Reading {
	p.mu.Lock()
	defer p.mu.Unlock()
	start := p.now()
	if !p.last.At.IsZero() && start.Sub(p.last.At) < probeEvery {
		return p.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	err := p.target.Ping(ctx)
	end := p.now()
	p.last = Reading{Up: err == nil, Latency: end.Sub(start), At: end.UTC()}
	return p.last
}
