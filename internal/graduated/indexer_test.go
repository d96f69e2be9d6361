package graduated_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// checkOnce wants each of n transactions exactly once, in order, and the pool's
// numbers to be their sum.
func checkOnce(t *testing.T, w *world, n int64) {
	t.Helper()
	rows, total, err := w.service.Transactions(t.Context(), graduated.Filter{PoolID: w.chain}, graduated.Page{Number: 1, Size: 100})
	w.must(err)
	pool := w.listed()
	if total != n || int64(len(rows)) != n || pool.Transactions != n {
		t.Fatalf("%d rows, %d in the pool, want %d", len(rows), pool.Transactions, n)
	}
	var volume money.Amount
	hashes := map[string]bool{}
	for i, row := range rows {
		volume += row.CNPY
		hashes[row.Hash] = true
		if row.Seq != n-int64(i) {
			t.Errorf("row %d has number %d: there is a gap", i, row.Seq)
		}
		if i+1 < len(rows) && row.Before() != rows[i+1].After {
			t.Errorf("row %d does not go on where the one before it ended", row.Seq)
		}
	}
	if int64(len(hashes)) != n || pool.Volume != volume || pool.Day.Volume != volume {
		t.Errorf("%d different hashes, volume %s, want %d and %s", len(hashes), pool.Volume, n, volume)
	}
}

// An indexer that is ended at any moment is succeeded by the next one, which
// goes on from the stored height.
func TestIndexerResumes(t *testing.T) {
	w := newWorld(t)
	stop := w.index()
	w.listed()
	const orders = 12
	for i := range int64(orders) {
		w.do(w.sell(money.Amount(i+1) * 1_000 * unit))
		if i%3 == 2 {
			stop()
			stop = w.index()
		}
	}
	w.awaitTransactions(orders)
	stop()
	checkOnce(t, w, orders)

	// From the very beginning again, as if the database had been restored.
	for _, table := range []string{"graduated_transactions", "graduated_cursors", "graduated_pools"} {
		w.must(w.store.Exec(t.Context(), "DELETE FROM "+table))
	}
	defer w.index()()
	w.awaitTransactions(orders)
	checkOnce(t, w, orders)
}

// Two indexers keep out of each other's way by the lease; where that is taken
// from them they still write everything once.
func TestTwoIndexersAtOnce(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	defer w.index()()
	ended := make(chan struct{})
	robber := make(chan struct{})
	go func() {
		defer close(robber)
		for {
			select {
			case <-ended:
				return
			case <-time.After(30 * time.Millisecond):
				// Both believe to hold it: the row names one, the other reads on until
				// its next look.
				_ = w.store.Exec(t.Context(), "UPDATE graduated_cursors SET leased_until = now()")
			}
		}
	}()
	const orders = 10
	for i := range int64(orders) {
		w.do(w.sell(money.Amount(i+1) * 1_000 * unit))
	}
	close(ended)
	<-robber
	w.awaitTransactions(orders)
	checkOnce(t, w, orders)
}

// A chain that is down is Unavailable, its numbers stay readable, and the indexer
// goes on by itself when it is back.
func TestChainThatIsDown(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	w.do(w.sell(1_000 * unit))
	w.awaitTransactions(1)
	w.live.Stop()
	_, err := w.service.Simulate(t.Context(), w.sell(unit), w.byWhale())
	w.refused("a simulation", err, fault.Unavailable, "The chain does not answer at present")
	_, err = w.service.Execute(t.Context(), w.sell(unit), w.byWhale())
	w.refused("an order", err, fault.Unavailable, "The chain does not answer at present")
	if pool := w.listed(); pool.Transactions != 1 {
		t.Errorf("the pool's numbers are the database's: %+v", pool)
	}
	w.live.Resume()
	w.do(w.sell(2_000 * unit))
	w.awaitTransactions(2)
	checkOnce(t, w, 2)
}

// The day's numbers leave with the day, though nothing happens any more.
func TestTheDayMovesOn(t *testing.T) {
	w := newWorld(t)
	stop := w.index()
	w.listed()
	w.do(w.sell(1_000_000 * unit))
	today := w.awaitTransactions(1)
	stop()
	if today.Day.Volume == 0 || today.Day.ChangePercent == "0" {
		t.Errorf("today: %+v", today.Day)
	}
	tomorrow := time.Now().Add(25 * time.Hour)
	defer w.index(func(x *graduated.Indexer) { x.Now = func() time.Time { return tomorrow } })()
	w.eventually("the day is over", func() bool { return w.listed().Day.Volume == 0 })
	quiet := w.listed()
	if quiet.Day.ChangePercent != "0" || quiet.Day.High.Cmp(quiet.State.Price()) != 0 || quiet.Volume != today.Volume {
		t.Errorf("tomorrow: %+v", quiet)
	}
}

// A node that has lost its volume starts a chain of another history: its blocks
// are not taken for the ones that were read.
func TestAnotherHistoryIsNotTaken(t *testing.T) {
	w := newWorld(t)
	stop := w.index()
	w.listed()
	w.do(w.sell(1_000 * unit))
	w.awaitTransactions(1)
	stop()
	w.must(w.store.Exec(t.Context(), "UPDATE graduated_cursors SET block_hash = 'AB'"))
	stop = w.index()
	w.do(w.sell(1_000 * unit))
	time.Sleep(time.Second)
	stop()
	if pool := w.listed(); pool.Transactions != 1 {
		t.Errorf("%d transactions: a strange block was taken", pool.Transactions)
	}
	w.must(w.store.Exec(t.Context(), "UPDATE chains SET genesis_hash = 'ab'"))
	w.must(w.store.Exec(t.Context(), "UPDATE graduated_cursors SET block_hash = '', height = 0"))
	defer w.index()()
	time.Sleep(time.Second)
	if pool := w.listed(); pool.Transactions != 1 {
		t.Errorf("%d transactions: a strange chain was read", pool.Transactions)
	}
}

// A chain with an application of its own says so once, when it answers, and is not
// asked in every round.
func TestAnotherApplicationIsAskedOnce(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int32
	w.listen(func(q question) string {
		if q.Method != "abci_info" {
			return ""
		}
		if asked.Add(1) == 1 {
			return "not yet"
		}
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"response":{"data":"registry"}}}`, q.ID)
	})
	defer w.index()()
	w.eventually("the chain has answered", func() bool { return asked.Load() == 2 })
	time.Sleep(5 * time.Second) // two rounds
	if asked.Load() != 2 {
		t.Errorf("asked %d times, want once until it does not answer and once until it does", asked.Load())
	}
	_, total, err := w.service.Pools(t.Context(), graduated.Page{Number: 1, Size: 10})
	w.must(err)
	if total != 0 {
		t.Error("it has no pool")
	}
}
