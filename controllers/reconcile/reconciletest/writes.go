// Package reconciletest counts what a controller sends to the API server, so
// that a test can hold it to "steady state sends no writes".
package reconciletest

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// Writes counts the write requests that went through a client configuration.
type Writes struct {
	mu    sync.Mutex
	count map[string]int
}

// Count makes every client built from cfg from now on report its writes. Events
// are counted too; leases are not, because leader election renews them for ever.
func Count(cfg *rest.Config) *Writes {
	w := &Writes{count: map[string]int{}}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counter{next: next, writes: w} })
	return w
}

// Total returns the number of writes since the last Reset.
func (w *Writes) Total() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	total := 0
	for _, n := range w.count {
		total += n
	}
	return total
}

// Reset starts the count again.
func (w *Writes) Reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count = map[string]int{}
}

// String lists the writes by verb and path, for the message of a failed test.
func (w *Writes) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := make([]string, 0, len(w.count))
	for request, n := range w.count {
		lines = append(lines, fmt.Sprintf("%s ×%d", request, n))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

type counter struct {
	next   http.RoundTripper
	writes *Writes
}

// RoundTrip implements http.RoundTripper.
func (c *counter) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && !strings.Contains(req.URL.Path, "/leases") {
		c.writes.mu.Lock()
		c.writes.count[req.Method+" "+req.URL.Path]++
		c.writes.mu.Unlock()
	}
	return c.next.RoundTrip(req)
}
