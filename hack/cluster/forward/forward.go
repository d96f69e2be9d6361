// Package forward makes Services of the local cluster reachable on 127.0.0.1.
// It listens on the machine and dials from within the node's network, so that
// kubectl, browsers and tests work as if the cluster were at home here.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// dialLimit bounds one dial: inside of one machine an answer that takes longer
// is none.
const dialLimit = 5 * time.Second

// Dialer opens a connection to an address inside of the cluster.
type Dialer interface {
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// Resolver finds the address a target has now.
type Resolver interface {
	// Resolve names the host and port of a target. It is asked for each
	// connection, so that a target may appear, move and go at any time.
	Resolve(ctx context.Context) (string, error)
}

// Fixed is a Resolver of one address.
type Fixed string

// Resolve returns the address.
func (f Fixed) Resolve(context.Context) (string, error) { return string(f), nil }

// Target is one port of 127.0.0.1 and what is behind it.
type Target struct {
	Name string
	// Port is the wanted port; the next free one is taken where it is not to
	// be had.
	Port int
	To   Resolver
}

// maxTries is how many ports from the wanted one on are tried.
const maxTries = 100

// Listen takes the wanted port of 127.0.0.1 or the next free one.
func Listen(port int) (net.Listener, error) {
	var first error
	for try := port; try < port+maxTries && try < 1<<16; try++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(try)))
		if err == nil {
			return l, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, fmt.Errorf("no port from %d to %d of 127.0.0.1 is free: %w", port, port+maxTries-1, first)
}

// Port is the port a listener got.
func Port(l net.Listener) int {
	if address, ok := l.Addr().(*net.TCPAddr); ok {
		return address.Port
	}
	return 0
}

// Serve forwards every connection of the listener until the context ends.
func Serve(ctx context.Context, l net.Listener, to Resolver, dialer Dialer, log logr.Logger) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("taking connections at %s: %w", l.Addr(), err)
		}
		open.Go(func() {
			if err := pass(ctx, conn, to, dialer); err != nil {
				log.V(1).Info("connection not forwarded", "listener", l.Addr().String(), "error", err.Error())
			}
		})
	}
}

// pass connects one client. A target that is not there closes the connection,
// as a Service without endpoints does.
func pass(ctx context.Context, client net.Conn, to Resolver, dialer Dialer) error {
	defer func() { _ = client.Close() }()
	dialing, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	address, err := to.Resolve(dialing)
	if err != nil {
		return err
	}
	server, err := dialer.Dial(dialing, address)
	if err != nil {
		return fmt.Errorf("dialing %s: %w", address, err)
	}
	defer func() { _ = server.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = errors.Join(client.Close(), server.Close()) })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { shovel(server, client) })
	both.Go(func() { shovel(client, server) })
	both.Wait()
	return nil
}

// shovel copies one direction and passes its end on, so that a client that has
// said everything can still read the answer.
func shovel(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
	_ = from.Close()
}
