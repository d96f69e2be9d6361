package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func exec(t testing.TB, s *store.Store, sql string, args ...any) {
	t.Helper()
	if err := s.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func scalar(t testing.TB, s *store.Store, sql string) int64 {
	t.Helper()
	rows, err := s.Query(t.Context(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	n, err := pgx.CollectOneRow(rows, pgx.RowTo[int64])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// The first of the three tests of the helper: two doctors may not both go off
// duty. Each transaction reads both rows and writes one, which no row lock
// sees; with a COMMIT that is not checked, writes reported as done are lost.
func TestWriteSkewLosesNoAcknowledgedWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		exec(t, s, "CREATE TABLE skew (id INT8 PRIMARY KEY, taken INT8 NOT NULL)")
		exec(t, s, "INSERT INTO skew VALUES (1, 0), (2, 0)")
		const writers, each = 8, 12
		var acknowledged atomic.Int64
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				for range each {
					if err := skewed(t.Context(), s, 1+w%2); err != nil {
						t.Errorf("a conflict is retried, not reported: %v", err)
						return
					}
					acknowledged.Add(1)
				}
			})
		}
		group.Wait()
		if stored := scalar(t, s, "SELECT sum(taken)::INT8 FROM skew"); stored != acknowledged.Load() || stored != writers*each {
			t.Errorf("%d writes were acknowledged and %d stored", acknowledged.Load(), stored)
		}
	})
}

// skewed adds to one row what it found out from both: the write is only right
// if nobody wrote the other one meanwhile.
func skewed(ctx context.Context, s *store.Store, row int) error {
	return s.InTxRaw(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var total int64
		if err := tx.QueryRow(ctx, "SELECT sum(taken)::INT8 FROM skew").Scan(&total); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE skew SET taken = $2::INT8 - (SELECT sum(taken)::INT8 FROM skew WHERE id <> $1) WHERE id = $1", row, total+1)
		return err
	})
}

// The skew forced step by step: both transactions have read before either
// writes, so one of them must run again.
func TestForcedWriteSkewRunsOneOfTheTwoAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		exec(t, s, "CREATE TABLE duty (id INT8 PRIMARY KEY, present BOOL NOT NULL)")
		exec(t, s, "INSERT INTO duty VALUES (1, true), (2, true)")
		var bothHaveRead sync.WaitGroup
		bothHaveRead.Add(2)
		var left atomic.Int64
		var group sync.WaitGroup
		for id := range 2 {
			group.Go(func() {
				var first sync.Once
				err := s.InTxRaw(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
					var present int64
					if err := tx.QueryRow(ctx, "SELECT count(*) FROM duty WHERE present").Scan(&present); err != nil {
						return err
					}
					first.Do(func() { bothHaveRead.Done(); bothHaveRead.Wait() })
					if present < 2 {
						return errAlone
					}
					_, err := tx.Exec(ctx, "UPDATE duty SET present = false WHERE id = $1", id+1)
					return err
				})
				switch {
				case err == nil:
					left.Add(1)
				case !errors.Is(err, errAlone):
					t.Errorf("the loser runs again and decides anew, got %v", err)
				}
			})
		}
		group.Wait()
		if present := scalar(t, s, "SELECT count(*) FROM duty WHERE present"); present != 1 || left.Load() != 1 {
			t.Errorf("%d of 2 are present and %d were told that they may go; want 1 and 1", present, left.Load())
		}
	})
}

var errAlone = errors.New("somebody has to stay")

// The second: what fails only at COMMIT is an error to the caller.
func TestDeferredConstraintFailsAtCommit(t *testing.T) {
	s := storetest.Open(t)
	if flavor, err := s.Flavor(t.Context()); err != nil || flavor != store.PostgreSQL {
		t.Skipf("CockroachDB has no deferred constraints (%s, %v)", flavor, err)
	}
	exec(t, s, "CREATE TABLE parent (id INT8 PRIMARY KEY)")
	exec(t, s, "CREATE TABLE child (id INT8 REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
	calls := 0
	err := s.InTxRaw(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		calls++
		_, err := tx.Exec(ctx, "INSERT INTO child VALUES (1)")
		return err
	})
	if !store.ForeignKeyViolation(err, "child_id_fkey") || errors.Is(err, store.ErrAmbiguous) || calls != 1 {
		t.Errorf("COMMIT was refused: want the violation once, certain and not retried; got %v after %d calls", err, calls)
	}
	if stored := scalar(t, s, "SELECT count(*) FROM child"); stored != 0 {
		t.Errorf("a refused transaction left %d rows", stored)
	}
}

// The third: one conflicting write costs one retry. ExecuteTx alone would stay
// on its stale snapshot and fail fifty times.
func TestOneConflictingWriteCostsOneRetry(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		exec(t, s, "CREATE TABLE counter (id INT8 PRIMARY KEY, n INT8 NOT NULL)")
		exec(t, s, "INSERT INTO counter VALUES (1, 0)")
		calls := 0
		err := s.InTxRaw(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			calls++
			var n int64
			if err := tx.QueryRow(ctx, "SELECT n FROM counter WHERE id = 1").Scan(&n); err != nil {
				return err
			}
			if calls == 1 {
				exec(t, s, "UPDATE counter SET n = n + 10 WHERE id = 1")
			}
			_, err := tx.Exec(ctx, "UPDATE counter SET n = $1 WHERE id = 1", n+1)
			return err
		})
		if err != nil || calls != 2 {
			t.Errorf("want one retry, got %d calls and %v", calls, err)
		}
		if n := scalar(t, s, "SELECT n FROM counter"); n != 11 {
			t.Errorf("both writes count: want 11, got %d", n)
		}
	})
}

func TestDeadlockIsRetried(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		exec(t, s, "CREATE TABLE pair (id INT8 PRIMARY KEY, n INT8 NOT NULL)")
		exec(t, s, "INSERT INTO pair VALUES (1, 0), (2, 0)")
		var group sync.WaitGroup
		for w := range 2 {
			group.Go(func() {
				for range 3 {
					if err := crosswise(t.Context(), s, 1+w, 2-w); err != nil {
						t.Errorf("a deadlock is retried: %v", err)
					}
				}
			})
		}
		group.Wait()
		if n := scalar(t, s, "SELECT sum(n)::INT8 FROM pair"); n != 12 {
			t.Errorf("six transactions of two writes: want 12, got %d", n)
		}
	})
}

func crosswise(ctx context.Context, s *store.Store, first, second int) error {
	return s.InTxRaw(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE pair SET n = n + 1 WHERE id = $1", first); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
		_, err := tx.Exec(ctx, "UPDATE pair SET n = n + 1 WHERE id = $1", second)
		return err
	})
}

func TestInTxEndings(t *testing.T) {
	s := storetest.Open(t)
	exec(t, s, "CREATE TABLE mark (n INT8)")
	insert := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO mark VALUES (1)")
		return err
	}
	refusal := errors.New("refused")
	cancelled, cancel := context.WithCancel(t.Context())
	cases := []struct {
		reason string
		ctx    context.Context
		fn     func(context.Context, pgx.Tx) error
		want   error
	}{
		{"an error of the caller's rolls back and comes back as it is", t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(insert(ctx, tx), refusal)
		}, refusal},
		{"a caller who gave up before COMMIT gets no write", cancelled, func(ctx context.Context, tx pgx.Tx) error {
			err := insert(ctx, tx)
			cancel()
			return err
		}, context.Canceled},
		{"a swallowed failure can't be committed", t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			_ = insert(ctx, tx)
			_, _ = tx.Exec(ctx, "SELECT 1/0")
			return nil
		}, pgx.ErrTxCommitRollback},
	}
	for _, c := range cases {
		err := s.InTxRaw(c.ctx, c.fn)
		if !errors.Is(err, c.want) || errors.Is(err, store.ErrAmbiguous) {
			t.Errorf("%s: got %v, want %v", c.reason, err, c.want)
		}
	}
	if n := scalar(t, s, "SELECT count(*) FROM mark"); n != 0 {
		t.Errorf("%d rows were stored by transactions that failed", n)
	}
	if stats := s.Stats(); stats.Total-stats.Idle != 0 {
		t.Errorf("%d connections were not given back", stats.Total-stats.Idle)
	}
}

func TestPanicGivesTheConnectionBack(t *testing.T) {
	s := storetest.Open(t, store.WithMaxConns(1))
	func() {
		defer func() { _ = recover() }()
		_ = s.InTx(t.Context(), func(context.Context, *db.Queries) error { panic("in the domain") })
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		t.Errorf("the only connection is lost after a panic: %v", err)
	}
}

func TestRetriesEndWithTheContext(t *testing.T) {
	s := storetest.Open(t)
	exec(t, s, "CREATE TABLE busy (n INT8)")
	exec(t, s, "INSERT INTO busy VALUES (0)")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	calls := 0
	err := s.InTxRaw(ctx, func(ctx context.Context, tx pgx.Tx) error {
		calls++
		var n int64
		if err := tx.QueryRow(ctx, "SELECT n FROM busy").Scan(&n); err != nil {
			return err
		}
		exec(t, s, "UPDATE busy SET n = n + 1") // somebody is always faster
		_, err := tx.Exec(ctx, "UPDATE busy SET n = n + 1")
		return err
	})
	if err == nil || calls < 2 {
		t.Errorf("want an error after several attempts, got %v after %d", err, calls)
	}
}

func TestSnapshotIsOnePicture(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		exec(t, s, "CREATE TABLE picture (n INT8)")
		exec(t, s, "INSERT INTO picture VALUES (1)")
		err := s.InSnapshot(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			var before, after int64
			if err := tx.QueryRow(ctx, "SELECT count(*) FROM picture").Scan(&before); err != nil {
				return err
			}
			exec(t, s, "INSERT INTO picture VALUES (2)")
			if err := tx.QueryRow(ctx, "SELECT count(*) FROM picture").Scan(&after); err != nil {
				return err
			}
			if before != after {
				t.Errorf("the picture changed from %d rows to %d", before, after)
			}
			if _, err := tx.Exec(ctx, "INSERT INTO picture VALUES (3)"); err == nil {
				t.Error("a reader must not write")
			}
			return errAlone
		})
		if !errors.Is(err, errAlone) {
			t.Errorf("want the caller's error, got %v", err)
		}
	})
}
