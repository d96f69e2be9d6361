package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace dials from within another network namespace.
type Namespace struct {
	own, other *os.File
	// turns bounds the threads that are away at once.
	turns chan struct{}
}

// maxAway is how many dials may run at once: each holds a thread.
const maxAway = 64

// OpenNamespace opens the network namespace of a process.
func OpenNamespace(pid int) (*Namespace, error) {
	own, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("opening the own network namespace: %w", err)
	}
	other, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the node's network namespace: %w", err), own.Close())
	}
	return &Namespace{own: own, other: other, turns: make(chan struct{}, maxAway)}, nil
}

// Dial connects to a numeric TCP address. A socket belongs for good to the
// namespace it was made in, so only the dial happens on the visiting thread.
func (n *Namespace) Dial(ctx context.Context, address string) (net.Conn, error) {
	select {
	case n.turns <- struct{}{}:
		defer func() { <-n.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	runtime.LockOSThread()
	if err := unix.Setns(int(n.other.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("entering the node's network: %w", err)
	}
	// A numeric address is dialed on the calling goroutine, hence this thread.
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if back := unix.Setns(int(n.own.Fd()), unix.CLONE_NEWNET); back != nil {
		// The thread stays locked: the runtime ends it with this goroutine and
		// nobody else ever runs in the wrong network.
		return conn, errors.Join(err, fmt.Errorf("leaving the node's network: %w", back))
	}
	runtime.UnlockOSThread()
	return conn, err
}
