package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// Server is one API pod. New binds its ports; Run serves them.
type Server struct {
	config   Config
	live     *live.Holder
	draining atomic.Bool
	reached  atomic.Bool // the database has answered once
	surfaces []listening
	internal net.Listener
	probes   *http.Server
}

// listening is a surface's application and its port.
type listening struct {
	name     string
	app      *fiber.App
	listener net.Listener
}

// Run serves until ctx ends, drains, and returns nil after an orderly end.
func Run(ctx context.Context, config Config) error {
	server, err := New(config)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

// New checks the configuration and binds every port, so that a port in use is
// an error at once.
func New(config Config) (*Server, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, live: config.Live}
	metrics := middleware.NewMetrics(config.Registry)
	config.Registry.MustRegister(newCollector(s.live))
	for _, endpoint := range config.Endpoints {
		app := s.application(endpoint, metrics)
		if err := s.bind(endpoint, app); err != nil {
			s.unbind()
			return nil, err
		}
	}
	if s.internal, err = net.Listen("tcp", config.InternalAddress); err != nil {
		s.unbind()
		return nil, fmt.Errorf("listen for the internal port: %w", err)
	}
	s.probes = &http.Server{Handler: s.internalHandler(), ReadHeaderTimeout: readTimeout}
	return s, nil
}

func (s *Server) bind(endpoint Endpoint, app *fiber.App) error {
	name := endpoint.Surface.Name()
	listener, err := net.Listen("tcp", endpoint.Address)
	if err != nil {
		return fmt.Errorf("listen for surface %s: %w", name, err)
	}
	s.surfaces = append(s.surfaces, listening{name: name, app: app, listener: listener})
	return nil
}

func (s *Server) unbind() {
	for _, surface := range s.surfaces {
		_ = surface.listener.Close()
	}
}

// Address returns where a surface listens; "" names the internal port.
func (s *Server) Address(surface string) string {
	for _, candidate := range s.surfaces {
		if candidate.name == surface {
			return candidate.listener.Addr().String()
		}
	}
	return s.internal.Addr().String()
}

// application makes a surface's Fiber application. Strings from its contexts
// share memory with the request (Immutable is off, for speed); package
// middleware says what handlers must copy.
func (s *Server) application(endpoint Endpoint, metrics *middleware.Metrics) *fiber.App {
	chain := &middleware.Chain{
		Surface: endpoint.Surface, Live: s.live, Users: s.config.Users, Sessions: s.config.Sessions, Metrics: metrics,
		Log: s.config.Log, Timeout: s.config.RequestTimeout, Draining: &s.draining,
	}
	limit := endpoint.BodyLimit
	if limit == 0 {
		limit = defaultBodyLimit
	}
	app := fiber.New(fiber.Config{
		DisableStartupMessage: true,
		// A limiter that sees other paths than the router could be walked around.
		CaseSensitive:  true,
		BodyLimit:      limit,
		ReadBufferSize: headerLimit,
		ReadTimeout:    readTimeout,
		WriteTimeout:   s.config.RequestTimeout + writeSlack,
		IdleTimeout:    idleTimeout,
		ErrorHandler:   chain.HandleError,
	})
	app.Server().CloseOnShutdown = true
	app.Server().Handler = knownMethods(app, chain)
	app.Use(chain.Handle)
	endpoint.Surface.Register(app)
	return app
}

// knownMethods answers a method that HTTP does not have in the surface's shape;
// Fiber would do so in its own before any middleware.
func knownMethods(app *fiber.App, chain *middleware.Chain) fasthttp.RequestHandler {
	next := app.Server().Handler
	return func(ctx *fasthttp.RequestCtx) {
		if slices.Contains(fiber.DefaultMethods, string(ctx.Method())) {
			next(ctx)
			return
		}
		c := app.AcquireCtx(ctx)
		defer app.ReleaseCtx(c)
		_ = chain.HandleError(c, fiber.ErrMethodNotAllowed) // it renders, and never fails
	}
}

// deliver puts a snapshot from the source in place.
func (s *Server) deliver(origin string, doc *snapshot.Snapshot) error {
	taken, err := s.live.Offer(origin, doc)
	if err != nil {
		return err
	}
	if taken {
		s.config.Log.Info("snapshot in force", "generation", doc.Generation, "hash", s.live.Current().Hash)
	}
	return nil
}

// generation is the one the reporter writes.
func (s *Server) generation() int64 {
	if current := s.live.Current(); current != nil {
		return current.Snapshot.Generation
	}
	return -1
}

// Run serves until ctx ends or a part of the server fails, then drains.
func (s *Server) Run(ctx context.Context) error {
	// Neither workers nor the internal port may end with ctx: requests in flight
	// need the ones and probes the other until the drain is over.
	lasting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	failed := make(chan error, len(s.surfaces)+len(s.config.Workers)+1)
	workers := s.startWorkers(lasting, failed)
	background := s.startBackground(lasting)
	s.serve(failed)
	s.config.Log.Info("serving", "internal", s.internal.Addr().String())

	var cause error
	select {
	case <-ctx.Done():
	case cause = <-failed:
		s.config.Log.Error(cause, "a part of the server failed, leaving")
	}
	err := s.drain(cause == nil, func() error {
		stop()
		background.Wait()
		return waitFor(workers, s.config.DrainTimeout)
	})
	return errors.Join(cause, err)
}

func (s *Server) startWorkers(ctx context.Context, failed chan<- error) *sync.WaitGroup {
	var workers sync.WaitGroup
	for _, work := range s.config.Workers {
		workers.Go(func() {
			if err := work(ctx); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("background work: %w", err)
			}
		})
	}
	return &workers
}

func (s *Server) startBackground(ctx context.Context) *sync.WaitGroup {
	var background sync.WaitGroup
	background.Go(func() { s.config.Source.Run(ctx, s.deliver) })
	background.Go(func() { s.awaitDatabase(ctx) })
	if reporter := s.config.Reporter; reporter != nil {
		background.Go(func() { reporter.Run(ctx, s.live.Watch(), s.generation) })
	}
	return &background
}

func (s *Server) serve(failed chan<- error) {
	for _, surface := range s.surfaces {
		go func() {
			if err := surface.app.Listener(surface.listener); err != nil && !s.draining.Load() {
				failed <- fmt.Errorf("serve surface %s: %w", surface.name, err)
			}
		}()
	}
	go func() {
		if err := s.probes.Serve(s.internal); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve the internal port: %w", err)
		}
	}()
}

// awaitDatabase makes the pod ready once the database has answered. Losing it
// later is no reason to leave the load balancer: every other pod has lost it
// too, and clients are better served with a 503 in their own language.
func (s *Server) awaitDatabase(ctx context.Context) {
	const attempt, pause = 5 * time.Second, 250 * time.Millisecond
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, attempt)
		err := s.config.Database.Ping(bounded)
		cancel()
		if err == nil {
			s.reached.Store(true)
			return
		}
		s.config.Log.V(1).Info("database not reached yet", "reason", err.Error())
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
