package apiserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// drain ends the server without failing a request: not ready, a pause in which
// others notice, no new connections, requests in flight, then stopWork. The
// internal port answers until the end.
func (s *Server) drain(pause bool, stopWork func() error) error {
	s.draining.Store(true)
	s.config.Log.Info("draining", "delay", s.config.DrainDelay)
	if pause {
		time.Sleep(s.config.DrainDelay)
	}
	failures := []error{s.stopSurfaces(), stopWork()}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.probes.Shutdown(ctx); err != nil {
		// A scrape that won't end must not delay the exit.
		_ = s.probes.Close()
	}
	s.config.Log.Info("drained")
	return errors.Join(failures...)
}

// stopSurfaces closes the ports and waits for the requests in flight.
func (s *Server) stopSurfaces() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	failures := make([]error, len(s.surfaces))
	var group sync.WaitGroup
	for i, surface := range s.surfaces {
		group.Go(func() {
			err := surface.app.ShutdownWithContext(ctx)
			// A surface that was never served still holds its port.
			_ = surface.listener.Close()
			if errors.Is(err, context.DeadlineExceeded) {
				failures[i] = fmt.Errorf("surface %s: requests still in flight after %v", surface.name, s.config.DrainTimeout)
			}
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

func waitFor(group *sync.WaitGroup, limit time.Duration) error {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("background work still running after %v", limit)
	}
}
