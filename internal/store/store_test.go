package store_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/pgserver"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func TestOpenRefusesWhatIsNoURLWithoutRepeatingIt(t *testing.T) {
	for _, url := range []string{"", "mysql://u:hunter2@h/d", "postgres://u:hunter2@h:port/d", "user=u password=hunter2"} {
		_, err := store.Open(t.Context(), url)
		if err == nil {
			t.Errorf("%q is no URL of a database", url)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells the password: %v", err)
		}
		if err := store.Migrate(t.Context(), url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("migrating %q: %v", url, err)
		}
	}
}

func TestOpenNeedsNoDatabaseYet(t *testing.T) {
	s, err := store.Open(t.Context(), "postgres://u:hunter2@127.0.0.1:1/d")
	if err != nil {
		t.Fatalf("a process may start before its database: %v", err)
	}
	defer s.Close()
	err = s.InTx(t.Context(), func(context.Context, *db.Queries) error { return nil })
	if !store.IsUnavailable(err) || errors.Is(err, store.ErrAmbiguous) {
		t.Errorf("a refused connection is Unavailable, and certain: %v", err)
	}
	if err := s.Ping(t.Context()); !store.IsUnavailable(err) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Ping: %v", err)
	}
}

func TestIsUnavailable(t *testing.T) {
	closed, err := store.Open(t.Context(), "postgres://u@127.0.0.1:1/d")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	cases := []struct {
		reason string
		err    error
		want   bool
	}{
		{"no error", nil, false},
		{"the server is being shut down", &pgconn.PgError{Code: "57P01"}, true},
		{"the server is starting up", &pgconn.PgError{Code: "57P03"}, true},
		{"the server's own connection failed", &pgconn.PgError{Code: "08006"}, true},
		{"too many clients", &pgconn.PgError{Code: "53300"}, true},
		{"a statement that took too long says nothing about the server", &pgconn.PgError{Code: "57014"}, false},
		{"a violated constraint is an answer", &pgconn.PgError{Code: "23505"}, false},
		{"a network failure", &net.OpError{Op: "read", Err: errors.New("reset")}, true},
		{"a deadline that passed while waiting for a connection", context.DeadlineExceeded, true},
		{"a caller who went away says nothing about the server", context.Canceled, false},
		{"no rows is an answer", pgx.ErrNoRows, false},
		{"a pool that is closed, as while shutting down", closed.Ping(t.Context()), true},
	}
	for _, c := range cases {
		if got := store.IsUnavailable(c.err); got != c.want {
			t.Errorf("%s: IsUnavailable(%v) = %v", c.reason, c.err, got)
		}
	}
}

func TestViolationsNameTheirConstraint(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		err := s.Exec(t.Context(), "INSERT INTO users (id, username) SELECT gen_random_uuid(), username FROM users LIMIT 1")
		if !store.UniqueViolation(err, "users_username_key") || !store.UniqueViolation(err, "") {
			t.Errorf("a name that is taken: %v", err)
		}
		if store.UniqueViolation(err, "users_email_key") || store.ForeignKeyViolation(err, "") || store.UniqueViolation(nil, "") {
			t.Errorf("it is no other violation: %v", err)
		}
	})
}

// The templates and the platform's user are the same wherever the migrations
// ran, and running them again, by many at once, changes nothing.
func TestMigrateFromSeveralPodsAtOnce(t *testing.T) {
	s := storetest.Open(t)
	exec(t, s, "CREATE DATABASE migrate_at_once")
	defer exec(t, s, "DROP DATABASE migrate_at_once WITH (FORCE)")
	url := strings.Replace(storetest.URL(t), "/lucid_test_", "/migrate_at_once?was=", 1)
	url = strings.Replace(strings.Replace(url, "?host=", "&host=", 1), "?was=", "?application_name=", 1)
	if done, err := store.Migrated(t.Context(), url); err != nil || done {
		t.Fatalf("an empty database is not migrated: %v, %v", done, err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := store.Migrate(t.Context(), url); err != nil {
				t.Errorf("migrate: %v", err)
			}
		})
	}
	group.Wait()
	if done, err := store.Migrated(t.Context(), url); err != nil || !done {
		t.Errorf("the database is migrated: %v, %v", done, err)
	}
	m, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if n := scalar(t, m, "SELECT count(*) FROM chain_templates"); n != 5 {
		t.Errorf("want the seed's 5 templates once, got %d", n)
	}
	if n := scalar(t, m, "SELECT count(*) FROM users WHERE id = '00000000-0000-7000-8000-000000000001'"); n != 1 {
		t.Errorf("want the platform's user once, got %d", n)
	}
}

// A pod outlives its database: it says Unavailable while that is away, and
// works again after, with nothing done to it.
func TestStoreRecoversWhenTheServerComesBack(t *testing.T) {
	server, url := ownServer(t)
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	exec(t, s, "CREATE TABLE kept (n INT8)")
	for _, crash := range []bool{false, true} {
		if err := server.Pause(crash); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := s.Ping(t.Context()); !store.IsUnavailable(err) {
				t.Errorf("crash=%v: a server that is away is Unavailable, got %v", crash, err)
			}
			err := s.InTx(t.Context(), func(ctx context.Context, q *db.Queries) error { return nil })
			if !store.IsUnavailable(err) {
				t.Errorf("crash=%v: a transaction too, got %v", crash, err)
			}
		}
		if err := server.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		awaitPing(t, s)
		exec(t, s, "INSERT INTO kept VALUES (1)")
	}
	if n := scalar(t, s, "SELECT count(*) FROM kept"); n != 2 {
		t.Errorf("want both rows, got %d", n)
	}
}

func awaitPing(t *testing.T, s *store.Store) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for s.Ping(t.Context()) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the store has not recovered within 10 s")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// ownServer is a PostgreSQL that the test may stop.
func ownServer(t *testing.T) (*pgserver.Server, string) {
	t.Helper()
	server, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	return server, server.URL()
}

// A connection that dies while COMMIT is under way leaves the outcome open, and
// the caller must be told so rather than that it failed.
func TestConnectionLossDuringCommitIsAmbiguous(t *testing.T) {
	server, url := ownServer(t)
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	exec(t, s, "CREATE TABLE slow (n INT8)")
	// The deferred trigger makes COMMIT take long enough to be interrupted.
	exec(t, s, "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NULL; END'")
	exec(t, s, "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()")
	calls := 0
	err = s.InTxRaw(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		calls++
		_, err := tx.Exec(ctx, "INSERT INTO slow VALUES (1)")
		go func() {
			time.Sleep(300 * time.Millisecond)
			_ = server.Pause(true)
		}()
		return err
	})
	if !errors.Is(err, store.ErrAmbiguous) || calls != 1 {
		t.Errorf("want ErrAmbiguous and no retry, got %v after %d calls", err, calls)
	}
}

func TestStatementsAreBounded(t *testing.T) {
	s := storetest.Open(t, store.WithStatementTimeout(100*time.Millisecond))
	start := time.Now()
	err := s.Exec(t.Context(), "SELECT pg_sleep(10)")
	if err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("the server must end a statement that runs too long: %v after %s", err, time.Since(start))
	}
	if store.IsUnavailable(err) {
		t.Errorf("a slow statement is no outage: %v", err)
	}
}
