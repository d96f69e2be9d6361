package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// add moves a counter on by one, reading it first, in one pipelined transaction.
func add(ctx context.Context, s *store.Store, between func()) error {
	var n int64
	return s.InTxPipelined(ctx, func(reads *pgx.Batch) {
		reads.Queue("SELECT n FROM counter").QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	}, func() (*pgx.Batch, error) {
		between()
		writes := &pgx.Batch{}
		writes.Queue("UPDATE counter SET n = $1", n+1)
		return writes, nil
	})
}

func counter(t *testing.T) *store.Store {
	t.Helper()
	s := storetest.Open(t)
	for _, sql := range []string{"CREATE TABLE counter (n INT8 CHECK (n < 1000))", "INSERT INTO counter VALUES (0)"} {
		if err := s.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func count(t *testing.T, s *store.Store) (n int64) {
	t.Helper()
	rows, err := s.Query(t.Context(), "SELECT n FROM counter")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func TestPipelinedLosesNothing(t *testing.T) {
	s := counter(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if err := add(t.Context(), s, func() {}); err != nil {
					t.Errorf("one of many writers: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, s); n != 80 {
		t.Errorf("counter %d, want 80: an acknowledged write was lost", n)
	}
}

func TestPipelinedConflictRetriesOnce(t *testing.T) {
	s := counter(t)
	runs := 0
	err := add(t.Context(), s, func() {
		if runs++; runs == 1 { // somebody is faster
			if err := s.Exec(t.Context(), "UPDATE counter SET n = n + 10"); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil || runs != 2 || count(t, s) != 11 {
		t.Errorf("%d runs, counter %d, %v; want one retry that sees the other's 10", runs, count(t, s), err)
	}
}

func TestPipelinedRefusals(t *testing.T) {
	s := counter(t)
	own := errors.New("changed my mind")
	for _, tc := range []struct {
		name   string
		decide func() (*pgx.Batch, error)
		reason string
	}{
		{"decide", func() (*pgx.Batch, error) { return nil, own }, "nothing was written yet"},
		{"statement", func() (*pgx.Batch, error) {
			writes := &pgx.Batch{}
			writes.Queue("UPDATE counter SET n = 5")
			writes.Queue("UPDATE counter SET n = 5000")
			return writes, nil
		}, "a statement that fails takes the COMMIT with it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := s.InTxPipelined(t.Context(), func(*pgx.Batch) {}, tc.decide)
			if err == nil || errors.Is(err, store.ErrAmbiguous) || count(t, s) != 0 {
				t.Errorf("%v, counter %d: %s", err, count(t, s), tc.reason)
			}
		})
	}
	if err := add(t.Context(), s, func() {}); err != nil || count(t, s) != 1 {
		t.Errorf("the connection is clean afterwards: %v", err)
	}
}

func TestPipelinedDeferredConstraint(t *testing.T) {
	s := counter(t)
	if err := s.Exec(t.Context(), "ALTER TABLE counter ADD UNIQUE (n) DEFERRABLE INITIALLY DEFERRED"); err != nil {
		t.Fatal(err)
	}
	err := s.InTxPipelined(t.Context(), func(*pgx.Batch) {}, func() (*pgx.Batch, error) {
		writes := &pgx.Batch{}
		writes.Queue("INSERT INTO counter VALUES (0)")
		return writes, nil
	})
	if !store.UniqueViolation(err, "") || errors.Is(err, store.ErrAmbiguous) {
		t.Errorf("a constraint that speaks at COMMIT: %v, want a definite refusal", err)
	}
}

func TestPipelinedConnectionDies(t *testing.T) {
	s := counter(t)
	err := s.InTxPipelined(t.Context(), func(*pgx.Batch) {}, func() (*pgx.Batch, error) {
		writes := &pgx.Batch{}
		writes.Queue("UPDATE counter SET n = 7")
		writes.Queue("SELECT pg_terminate_backend(pg_backend_pid())")
		return writes, nil
	})
	if !errors.Is(err, store.ErrAmbiguous) {
		t.Errorf("%v, want ErrAmbiguous: COMMIT was on its way", err)
	}
	if n := count(t, s); n != 0 && n != 7 {
		t.Errorf("counter %d", n)
	}
}

// blindAdd moves the counter from what is remembered of it, which the CHECK
// refuses when it is out of date.
func blindAdd(ctx context.Context, s *store.Store, known int64, between func()) error {
	return s.InTxBlind(ctx, func() (*pgx.Batch, error) {
		between()
		writes := &pgx.Batch{}
		writes.Queue("UPDATE counter SET n = CASE WHEN n = $1 THEN n + 1 ELSE 1000 END", known)
		return writes, nil
	})
}

func TestBlindIsFenced(t *testing.T) {
	s := counter(t)
	raced := false
	for _, tc := range []struct {
		name    string
		known   int64
		between func()
		want    int64
		refused bool
		reason  string
	}{
		{"up to date", 0, func() {}, 1, false, "nobody was faster"},
		{"out of date", 0, func() {}, 1, true, "the constraint takes the COMMIT with it"},
		{"overtaken", 1, func() {
			if !raced {
				raced = true
				if err := s.Exec(t.Context(), "UPDATE counter SET n = 5"); err != nil {
					t.Error(err)
				}
			}
		}, 5, true, "also between the decision and the write"},
		{"afterwards", 5, func() {}, 6, false, "the connection is clean"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := blindAdd(t.Context(), s, tc.known, tc.between)
			if store.CheckViolation(err, "counter_n_check") != tc.refused || errors.Is(err, store.ErrAmbiguous) {
				t.Errorf("%v, want refused %t: %s", err, tc.refused, tc.reason)
			}
			if n := count(t, s); n != tc.want {
				t.Errorf("counter %d, want %d: %s", n, tc.want, tc.reason)
			}
		})
	}
}

func TestBlindLeavesNothingBehind(t *testing.T) {
	s := counter(t)
	own := errors.New("changed my mind")
	if err := s.InTxBlind(t.Context(), func() (*pgx.Batch, error) { return nil, own }); !errors.Is(err, own) {
		t.Errorf("%v, want decide's own error", err)
	}
	err := s.InTxBlind(t.Context(), func() (*pgx.Batch, error) {
		writes := &pgx.Batch{}
		writes.Queue("UPDATE counter SET n = 7")
		writes.Queue("SELECT pg_terminate_backend(pg_backend_pid())")
		return writes, nil
	})
	if !errors.Is(err, store.ErrAmbiguous) {
		t.Errorf("%v, want ErrAmbiguous: COMMIT was on its way", err)
	}
}
