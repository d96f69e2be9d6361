// Package progress prints what a long command is doing and how long each step
// took, so that a minute of silence is never mistaken for a hang.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// heartbeat is how often a running step says that it still runs.
const heartbeat = 15 * time.Second

// Printer writes one line when a step begins and one when it ends. It is safe
// for use by several goroutines.
type Printer struct {
	out   io.Writer
	began time.Time
	mu    sync.Mutex
}

// New returns a printer whose clock starts now.
func New(out io.Writer) *Printer {
	return &Printer{out: out, began: time.Now()}
}

// Say prints one line with the time since the printer was made.
func (p *Printer) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.out, "[%6.1fs] %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}

// Step runs work under a name and returns its error unchanged.
func (p *Printer) Step(name string, work func() error) error {
	p.Say("%s ...", name)
	began := time.Now()
	stop := make(chan struct{})
	var beats sync.WaitGroup
	beats.Go(func() { p.beat(name, began, stop) })
	err := work()
	close(stop)
	beats.Wait()
	if err != nil {
		p.Say("%s: failed after %.1f s", name, time.Since(began).Seconds())
		return err
	}
	p.Say("%s: done in %.1f s", name, time.Since(began).Seconds())
	return nil
}

func (p *Printer) beat(name string, began time.Time, stop <-chan struct{}) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			p.Say("%s: still at it after %.0f s", name, time.Since(began).Seconds())
		}
	}
}
