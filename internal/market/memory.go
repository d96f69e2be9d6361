package market

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/store"
)

const (
	// rememberedAccounts bounds the memory: about 200 bytes each.
	rememberedAccounts = 100_000
	// restAfterMiss is how many batches are read after somebody else wrote: a
	// pool that two pods trade would make every guess a wasted round trip.
	restAfterMiss = 16
)

// errForgotten says that a batch can't be decided from memory.
var errForgotten = errors.New("the memory does not know enough")

// memory is what the sequencer knows of rows from its own commits, so that a hot
// pool is not read again for every batch. It is a guess that is never trusted: a
// write says which version it was decided on and the row's fence takes the whole
// transaction down when that has passed. Nobody is refused from memory, because
// a refusal writes nothing that could be fenced.
type memory struct {
	pools    map[uuid.UUID]poolState
	accounts map[uuid.UUID]accountState
	rest     int // batches to be read before the next guess
}

func newMemory() memory {
	return memory{pools: map[uuid.UUID]poolState{}, accounts: map[uuid.UUID]accountState{}}
}

// recall fills a book for the orders, if every row that they touch is known and
// nothing has to be looked for.
func (m *memory) recall(orders []*pending, now moment) (*book, error) {
	if m.rest > 0 {
		m.rest--
		return nil, errForgotten
	}
	b := newBook(orders, now)
	for _, p := range orders {
		pool, known := m.pools[p.pool.poolID]
		if !known || p.lookUp || p.settling || p.givenID || p.wantsBought() {
			return nil, errForgotten
		}
		pool.at = later(b.at, pool.at)
		b.pools[p.pool.poolID] = &pool
	}
	for id, account := range b.accounts {
		known, held := m.accounts[id]
		if !held {
			return nil, errForgotten
		}
		*account = known
	}
	return b, nil
}

// hold remembers a book that was committed. Accounts without a row are left
// out: their first row is inserted, and an INSERT has no fence.
func (m *memory) hold(b *book) {
	if len(m.accounts) > rememberedAccounts {
		*m = newMemory() // rare, and costs a read per pool
	}
	for id, pool := range b.pools {
		kept := *pool
		kept.knownVersion = kept.version
		m.pools[id] = kept
		if kept.trading != Enabled {
			delete(m.pools, id)
		}
	}
	for id, account := range b.accounts {
		kept := *account
		kept.stored = kept.stored || kept.version > 0
		kept.knownVersion = kept.version
		if kept.stored {
			m.accounts[id] = kept
		}
	}
}

// forget drops what a book was made of.
func (m *memory) forget(b *book) {
	for id := range b.pools {
		delete(m.pools, id)
	}
	for id := range b.accounts {
		delete(m.accounts, id)
	}
}

// remembered decides the batch on what the memory holds and writes it in one
// round trip. errForgotten: nothing has happened, the rows have to be read.
func (m *Market) remembered(ctx context.Context, batch []*pending) ([]outcome, error) {
	var b *book
	var outcomes []outcome
	err := m.store.InTxBlind(ctx, func() (_ *pgx.Batch, err error) {
		if b, err = m.memory.recall(batch, m.now()); err != nil {
			return nil, err
		}
		outcomes = b.decideAll(batch)
		if len(b.closed) > 0 || slices.ContainsFunc(outcomes, outcome.refused) {
			return nil, errForgotten
		}
		recorded, err := b.record(ctx)
		if err != nil {
			return nil, err
		}
		return &recorded.batch, nil
	})
	switch {
	case b == nil:
	case err == nil:
		m.metrics.batches.WithLabelValues("remembered").Inc()
		m.memory.hold(b)
	default:
		m.memory.forget(b)
	}
	if fenced(err) {
		m.memory.rest = restAfterMiss
		err = errForgotten
	}
	return outcomes, err
}

// fenced reports that a row was not what the batch was decided on.
func fenced(err error) bool {
	return errors.Is(err, errFenced) ||
		store.CheckViolation(err, "pools_fence") || store.CheckViolation(err, "accounts_fence")
}

func (o outcome) refused() bool { return o.err != nil }
