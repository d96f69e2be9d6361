package apiserver

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/apiserver/source"
)

// Surface is one REST contract; see package middleware for what its handlers
// can ask.
type Surface = middleware.Surface

// Database is what readiness asks of the store.
type Database interface {
	Ping(ctx context.Context) error
}

// Worker is background work that requests depend on, such as the market's
// sequencer. Its context ends after the last request; it returns once it has
// finished what it took on. An error before that ends the process.
type Worker func(ctx context.Context) error

// Endpoint is a surface and where it listens.
type Endpoint struct {
	Surface Surface
	Address string // host:port
	// BodyLimit is the largest request body in bytes; 1 MiB when 0.
	BodyLimit int
}

// Config is everything a server depends on.
type Config struct {
	Endpoints       []Endpoint
	InternalAddress string
	// Live is where the configuration in force is kept; a place of its own when nil.
	Live     *live.Holder
	Source   source.Source
	Reporter *source.Reporter // nil without Kubernetes
	Users    middleware.Users
	Sessions middleware.Sessions // nil where nobody can sign in
	Database Database
	Workers  []Worker
	Registry *prometheus.Registry
	Log      logr.Logger
	// RequestTimeout bounds a handler's context; 30 s when 0.
	RequestTimeout time.Duration
	// DrainDelay is how long the server goes on serving after it said that it is
	// not ready, until everybody who routes to it has heard.
	DrainDelay time.Duration
	// DrainTimeout bounds the wait for requests in flight, and then once more for
	// the workers; 10 s when 0.
	DrainTimeout time.Duration
}

const (
	defaultBodyLimit      = 1 << 20
	defaultRequestTimeout = 30 * time.Second
	defaultDrainTimeout   = 10 * time.Second
	// readTimeout is for a whole request; a slower client holds a connection only.
	readTimeout = 30 * time.Second
	// writeSlack is what the answer may take beyond its handler.
	writeSlack = 30 * time.Second
	// idleTimeout is above that of common proxies (60 s), so that they close first
	// and never send into a connection that is closing.
	idleTimeout = 75 * time.Second
	// headerLimit is the most that all headers of a request may take, in bytes.
	headerLimit = 16 << 10
)

func (c Config) withDefaults() (Config, error) {
	if c.RequestTimeout == 0 {
		c.RequestTimeout = defaultRequestTimeout
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = defaultDrainTimeout
	}
	if c.Live == nil {
		c.Live = &live.Holder{}
	}
	switch {
	case len(c.Endpoints) == 0:
		return c, errors.New("no surface to serve")
	case c.Source == nil:
		return c, errors.New("no source of snapshots: name a gateway or a snapshot file")
	case c.Registry == nil, c.Users == nil, c.Database == nil:
		return c, errors.New("registry, users and database are required")
	}
	return c, nil
}
