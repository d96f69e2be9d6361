package app

import (
	"runtime"
	"sync"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// batchSize is how many signatures are checked together at most: twice as many
// would save another twentieth.
const batchSize = 32

// signatures checks those together that are asked for at the same time, for less
// than half of what one by one costs. Nobody waits for a batch to fill: it is
// whoever came while the one before was checked. The zero value is ready.
type signatures struct {
	mu      sync.Mutex
	waiting []*signature
	workers int
}

// signature is one that somebody waits for.
type signature struct {
	of   *tx.Tx
	err  error
	done chan struct{}
}

// check is tx.Verify, for many callers at once.
func (s *signatures) check(t *tx.Tx) error {
	one := &signature{of: t, done: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, one)
	// Half of the cores: the callers need the others.
	if s.workers < max(1, runtime.GOMAXPROCS(0)/2) {
		s.workers++
		go s.work()
	}
	s.mu.Unlock()
	<-one.done
	return one.err
}

// work goes on until nobody waits.
func (s *signatures) work() {
	for batch := s.take(); len(batch) > 0; batch = s.take() {
		all := make([]*tx.Tx, len(batch))
		for i, one := range batch {
			all[i] = one.of
		}
		errs := tx.VerifyAll(all)
		for i, one := range batch {
			one.err = errs[i]
			close(one.done)
		}
	}
}

// take returns none when the worker is to end, and counts it out.
func (s *signatures) take() []*signature {
	// Whoever is about to ask is let past first, or every caller's own would be
	// checked alone before the next caller runs. An idle node loses nothing.
	runtime.Gosched()
	s.mu.Lock()
	defer s.mu.Unlock()
	count := min(batchSize, len(s.waiting))
	if count == 0 {
		s.workers--
		return nil
	}
	batch := s.waiting[:count:count]
	s.waiting = s.waiting[count:]
	return batch
}
