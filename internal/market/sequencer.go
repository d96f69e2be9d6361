package market

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

const (
	// A batch waits between these for callers who are about to ask again, and
	// after it waited in vain the next few don't.
	shortestWait  = 100 * time.Microsecond
	longestWait   = 2 * time.Millisecond
	skipAfterMiss = 16
	// commitTimeout bounds a batch with all its retries.
	commitTimeout = 10 * time.Second
	// outageAttempts is how often a batch is tried on a database that does not
	// answer; the first ones may just have met connections that died idle.
	outageAttempts = 4
	outagePause    = 25 * time.Millisecond
	// conflictAttempts bounds what SERIALIZABLE should have settled by itself.
	conflictAttempts = 20
)

// An order's stages. Whoever moves it on from queued decides its fate.
const (
	queued int32 = iota
	taken
	abandoned
)

// outcome is what became of an order.
type outcome struct {
	row      db.Trade
	replayed bool
	err      error
}

// leave is for a caller who stops waiting.
func (p *pending) leave(cause error) error {
	if p.stage.CompareAndSwap(queued, abandoned) {
		return unavailable("The order was given up before it was filled").Because(cause)
	}
	return unavailable("The order is being filled; ask again with the same Idempotency-Key").Because(cause)
}

// Run fills orders until ctx ends, then those that already wait, and returns.
func (m *Market) Run(ctx context.Context) error {
	for {
		select {
		case p := <-m.queue:
			m.commit(m.gather(p))
		case <-ctx.Done():
			m.drain()
			return nil
		}
	}
}

// drain shuts the intake and fills what is left in the queue.
func (m *Market) drain() {
	m.intake.Lock()
	m.stopped = true
	m.intake.Unlock()
	m.rhythm = rhythm{skip: math.MaxInt} // nobody else is coming
	for {
		select {
		case p := <-m.queue:
			m.commit(m.gather(p))
		default:
			return
		}
	}
}

// gather makes a batch of what waits, and of those who are on their way back:
// the callers just answered tend to ask again at once, and a batch of all costs
// hardly more than a batch of half of them.
func (m *Market) gather(first *pending) []*pending {
	batch := m.takeWaiting(take(nil, first))
	if len(batch) >= m.rhythm.expected || m.rhythm.skip > 0 {
		m.rhythm.skip = max(0, m.rhythm.skip-1)
		return batch
	}
	missing := m.rhythm.expected - len(batch)
	timeout := time.After(m.rhythm.patience())
	for len(batch) < min(m.rhythm.expected, m.options.BatchSize) {
		select {
		case p := <-m.queue:
			batch = take(batch, p)
		case <-timeout:
			if m.rhythm.expected-len(batch) > missing/2 {
				m.rhythm.skip = skipAfterMiss // they are not coming back
			}
			return batch
		}
	}
	return m.takeWaiting(batch)
}

// takeWaiting adds what is in the queue, without waiting.
func (m *Market) takeWaiting(batch []*pending) []*pending {
	for len(batch) < m.options.BatchSize {
		select {
		case p := <-m.queue:
			batch = take(batch, p)
		default:
			return batch
		}
	}
	return batch
}

// rhythm is what the sequencer remembers from one batch to the next.
type rhythm struct {
	expected int           // orders that the next batch may hope for
	took     time.Duration // what the last commit took
	skip     int           // batches not to wait for
}

// patience is a fraction of what a commit takes, so that waiting in vain costs
// little and waiting with success, which halves the commits, pays.
func (r rhythm) patience() time.Duration {
	return min(max(r.took/4, shortestWait), longestWait)
}

// take adds an order unless its caller has left.
func take(batch []*pending, p *pending) []*pending {
	if !p.stage.CompareAndSwap(queued, taken) {
		return batch
	}
	return append(batch, p)
}

// commit answers every order of the batch, however that goes.
func (m *Market) commit(batch []*pending) {
	if len(batch) == 0 {
		return
	}
	// Not any caller's context: one that leaves must not take the rest along.
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	settling := slices.ContainsFunc(batch, func(p *pending) bool { return p.settling })
	for attempt := 1; ; attempt++ {
		begun := time.Now()
		outcomes, err := m.attempt(ctx, batch)
		if err == nil {
			took := time.Since(begun)
			m.metrics.committed(len(batch), took)
			m.rhythm.took, m.rhythm.expected = took, len(batch)+len(m.queue)
			m.deliver(batch, outcomes)
			return
		}
		if errors.Is(err, store.ErrAmbiguous) {
			settling = true
		}
		lookFirst(batch, settling)
		if reason := retryable(err, attempt, settling); reason != "" && pause(ctx, reason) == nil {
			m.metrics.retries.WithLabelValues(reason).Inc()
			continue
		}
		m.failed(batch, err, settling)
		return
	}
}

// retryable names the reason for another attempt, if there is one.
func retryable(err error, attempt int, settling bool) string {
	switch {
	case errors.Is(err, store.ErrAmbiguous):
		return "ambiguous"
	case settling && store.IsUnavailable(err): // until it is known what happened
		return "unavailable"
	case store.IsUnavailable(err) && attempt < outageAttempts:
		return "unavailable"
	case (fenced(err) || store.UniqueViolation(err, "")) && attempt < conflictAttempts:
		return "conflict"
	}
	return ""
}

// pause lets an outage pass. A conflict is over already: it is a key that came
// again, which the next attempt looks for first.
func pause(ctx context.Context, reason string) error {
	if reason == "conflict" {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(outagePause):
		return nil
	}
}

// lookFirst makes the next attempt look for what is stored already: keys that
// were used, and what this attempt may have stored.
func lookFirst(batch []*pending, settling bool) {
	for _, p := range batch {
		p.lookUp = p.order.IdempotencyKey != ""
		p.settling = p.settling || settling
	}
}

// attempt reads, decides and writes the batch in one transaction, as far as the
// reads are needed. The store runs it again from the start when it lost against
// another writer.
func (m *Market) attempt(ctx context.Context, batch []*pending) ([]outcome, error) {
	outcomes, err := m.remembered(ctx, batch)
	if !errors.Is(err, errForgotten) {
		return outcomes, err
	}
	outcomes, err = m.pipelined(ctx, batch)
	if errors.Is(err, store.ErrNotPipelined) {
		return m.stepwise(ctx, batch)
	}
	return outcomes, err
}

// pipelined takes two round trips. It leaves alone what needs more: a closing,
// and orders that were refused and may have been filled before.
func (m *Market) pipelined(ctx context.Context, batch []*pending) ([]outcome, error) {
	var b *book
	var outcomes []outcome
	queue := func(reads *pgx.Batch) { b = queueReads(reads, batch, m.now()) }
	err := m.store.InTxPipelined(ctx, queue, func() (*pgx.Batch, error) {
		outcomes = b.decideAll(batch)
		if b.unsure(batch, outcomes) || len(b.closed) > 0 {
			return nil, store.ErrNotPipelined
		}
		b.fence(batch, outcomes)
		recorded, err := b.record(ctx)
		if err != nil {
			return nil, err
		}
		return &recorded.batch, nil
	})
	if err == nil {
		m.metrics.batches.WithLabelValues("read").Inc()
		m.memory.hold(b)
	}
	return outcomes, err
}

// stepwise takes as many round trips as there are steps.
func (m *Market) stepwise(ctx context.Context, batch []*pending) ([]outcome, error) {
	var b *book
	var outcomes []outcome
	err := m.store.InTxRaw(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		if b, err = read(ctx, tx, batch, m.now()); err != nil {
			return err
		}
		outcomes = b.decideAll(batch)
		if b.unsure(batch, outcomes) {
			if b, err = read(ctx, tx, batch, m.now()); err != nil {
				return err
			}
			outcomes = b.decideAll(batch)
		}
		b.fence(batch, outcomes)
		return write(ctx, tx, b)
	})
	if err == nil {
		m.metrics.batches.WithLabelValues("read").Inc()
		m.memory.hold(b)
	}
	return outcomes, err
}

// unsure reports that the batch has to be decided once more, on more than was
// read: an order was refused which may have been filled before (its first answer
// then stands, though the money is spent and the deadline past), or came to a
// pool's window unexpectedly.
func (b *book) unsure(batch []*pending, outcomes []outcome) bool {
	found := b.guard(batch)
	for i, p := range batch {
		if outcomes[i].err != nil && p.order.IdempotencyKey != "" && !p.lookUp {
			p.lookUp, found = true, true
		}
	}
	return found
}

// fence makes refusals final where an earlier attempt may still be in COMMIT: its
// trades were not there when we looked, and could be a moment later. The pool's row
// is written, so that of the two transactions only one can happen. Where a trade of
// this batch moves the pool the row is written anyway.
func (b *book) fence(batch []*pending, outcomes []outcome) {
	for i, p := range batch {
		pool := b.pools[p.pool.poolID]
		if !p.settling || outcomes[i].err == nil || pool == nil || pool.version != pool.knownVersion || slices.Contains(b.fenced, pool) {
			continue
		}
		b.fenced = append(b.fenced, pool)
		pool.terms++
	}
}

func (b *book) decideAll(batch []*pending) []outcome {
	outcomes := make([]outcome, len(batch))
	for i, p := range batch {
		row, replayed, err := b.decide(p)
		outcomes[i] = outcome{row: row, replayed: replayed, err: err}
	}
	return outcomes
}

// failed halves a batch that the database refuses for what is in it, until the
// order that it can't store stands alone. An outage takes all.
func (m *Market) failed(batch []*pending, err error, settling bool) {
	away := store.IsUnavailable(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrAmbiguous)
	if !away && len(batch) > 1 {
		m.commit(batch[:len(batch)/2])
		m.commit(batch[len(batch)/2:])
		return
	}
	m.options.Logger.Error(err, "a batch of trades failed", "orders", len(batch), "outcomeUnknown", settling)
	answer := error(unavailable("The database is unavailable").Because(err))
	switch {
	case settling:
		answer = unavailable("The outcome is unknown; ask again with the same Idempotency-Key").Because(err)
	case !away:
		answer = err
	}
	outcomes := make([]outcome, len(batch))
	for i := range outcomes {
		outcomes[i].err = answer
	}
	m.deliver(batch, outcomes)
}

func (m *Market) deliver(batch []*pending, outcomes []outcome) {
	counts := map[string]int{}
	for i, p := range batch {
		counts[outcomes[i].label()]++
		p.done <- outcomes[i]
	}
	for label, n := range counts {
		m.metrics.outcome(label, n)
	}
}

// label is the outcome as metrics count it.
func (o outcome) label() string {
	if o.err == nil {
		if o.replayed {
			return "replayed"
		}
		return "filled"
	}
	if f, ok := fault.As(o.err); ok && f.Kind != fault.Unavailable {
		return "refused"
	}
	return "failed"
}
