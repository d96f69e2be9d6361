// Package storetest gives every test a fresh, migrated database. It starts a
// PostgreSQL once per test process from the installed binaries and leaves
// nothing behind; LUCID_TEST_DATABASE_URL names a server to use instead.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/pgserver"
)

const setUpTimeout = 2 * time.Minute

// Open returns a store on a database of its own, which goes when t ends.
func Open(t testing.TB, opts ...store.Option) *store.Store {
	t.Helper()
	return open(t, URL(t), opts...)
}

// URL makes a fresh, migrated database and returns its URL, for tests that
// start programs of their own. The database goes when t ends.
func URL(t testing.TB) string {
	t.Helper()
	server, err := shared()
	if err != nil {
		t.Fatalf("test database: %v", err)
	}
	return server.fresh(t)
}

// Each runs fn on PostgreSQL and, where LUCID_TEST_COCKROACH_URL or a
// `cockroach` binary is there, on CockroachDB, and logs which.
func Each(t *testing.T, fn func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Run("postgresql", func(t *testing.T) {
		t.Log("store suite runs on PostgreSQL")
		fn(t, Open(t))
	})
	t.Run("cockroachdb", func(t *testing.T) {
		server, err := sharedCockroach()
		if err != nil {
			t.Fatalf("start CockroachDB: %v", err)
		}
		if server == nil {
			t.Skip("store suite does not run on CockroachDB: no LUCID_TEST_COCKROACH_URL and no cockroach binary")
		}
		t.Log("store suite runs on CockroachDB")
		fn(t, open(t, server.fresh(t)))
	})
}

func open(t testing.TB, url string, opts ...store.Option) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// server makes databases on one running server.
type server struct {
	maintenance string // URL of a database to create others from
	template    string // name of a migrated database to copy, if any
}

// shared starts the process's server with the first test that needs it. It is
// never stopped: its janitor ends it with the process.
var shared = sync.OnceValues(func() (*server, error) {
	if given := os.Getenv("LUCID_TEST_DATABASE_URL"); given != "" {
		return &server{maintenance: given}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), setUpTimeout)
	defer cancel()
	running, err := pgserver.Start(ctx, pgserver.Options{})
	if err != nil {
		return nil, err
	}
	s := &server{maintenance: running.URL(), template: "lucid_template"}
	if err := s.execute(ctx, "CREATE DATABASE lucid_template"); err != nil {
		return nil, err
	}
	return s, store.Migrate(ctx, running.DatabaseURL(s.template))
})

// fresh makes a migrated database: a copy of the template where there is one.
func (s *server) fresh(t testing.TB) string {
	t.Helper()
	// Not t.Context(), which is over when the clean-up runs.
	ctx, cancel := context.WithTimeout(context.Background(), setUpTimeout)
	defer cancel()
	name := "lucid_test_" + randomHex()
	create := "CREATE DATABASE " + name
	if s.template != "" {
		create += " TEMPLATE " + s.template
	}
	if err := s.execute(ctx, create); err != nil {
		t.Fatalf("make a test database: %v", err)
	}
	t.Cleanup(func() { s.drop(t, name) })
	address, err := s.address(name)
	if err != nil {
		t.Fatalf("address the test database: %v", err)
	}
	if s.template == "" {
		if err := store.Migrate(ctx, address); err != nil {
			t.Fatalf("migrate the test database: %v", err)
		}
	}
	return address
}

// drop removes a test's database. Connections that a test forgot don't keep it:
// PostgreSQL is told to send them away, CockroachDB does not mind them.
func (s *server) drop(t testing.TB, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setUpTimeout)
	defer cancel()
	err := s.execute(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	if err != nil {
		err = s.execute(ctx, "DROP DATABASE IF EXISTS "+name+" CASCADE")
	}
	if err != nil {
		t.Errorf("drop the test database: %v", err)
	}
}

// address is the maintenance URL with another database in its path.
func (s *server) address(database string) (string, error) {
	parsed, err := url.Parse(s.maintenance)
	if err != nil {
		return "", fmt.Errorf("read the server's URL: %w", err)
	}
	parsed.Path = "/" + database
	return parsed.String(), nil
}

func (s *server) execute(ctx context.Context, sql string) error {
	connection, err := pgx.Connect(ctx, s.maintenance)
	if err != nil {
		return fmt.Errorf("connect to the test server: %w", err)
	}
	defer func() { _ = connection.Close(ctx) }()
	if _, err := connection.Exec(ctx, sql); err != nil {
		return fmt.Errorf("prepare a test database: %w", err)
	}
	return nil
}

func randomHex() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
