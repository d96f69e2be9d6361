package middleware

import (
	"context"
	"sync"
	"time"
)

// deadline is a request's context. It costs a timer only when somebody waits on
// it: most answers come from memory, and arming a timer for each would be a
// fifth of what the chain costs.
type deadline struct {
	at time.Time

	mu     sync.Mutex
	inner  context.Context
	cancel context.CancelFunc
	ended  bool
}

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done implements context.Context and arms the timer.
func (d *deadline) Done() <-chan struct{} { return d.armed().Done() }

// Err implements context.Context.
func (d *deadline) Err() error { return d.armed().Err() }

// Value implements context.Context; a request carries none.
func (d *deadline) Value(any) any { return nil }

func (d *deadline) armed() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner == nil {
		d.inner, d.cancel = context.WithDeadline(context.Background(), d.at)
		if d.ended {
			d.cancel()
		}
	}
	return d.inner
}

// end cancels the context once the request is answered, for whoever still holds it.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.cancel != nil {
		d.cancel()
	}
}
