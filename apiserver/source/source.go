// Package source brings snapshots to an API pod, from Kubernetes or from a
// file, and reports to Kubernetes which one it runs. Losing the source never
// stops the pod: it serves on with what it has.
package source

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// Source delivers snapshots until its context ends.
type Source interface {
	// Run calls deliver for each version it sees, with the identity of the object
	// it comes from, and returns when ctx is done. It retries by itself for ever.
	Run(ctx context.Context, deliver Deliver)
}

// Deliver takes a snapshot, or says why not. The source logs it and goes on.
type Deliver func(origin string, s *snapshot.Snapshot) error

// newBackoff spaces attempts from 100 ms to 5 s, with jitter so that the pods of
// a gateway don't come back to a restarted API server in step.
func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.3, Steps: 7, Cap: 5 * time.Second}
}

// sleep waits and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
