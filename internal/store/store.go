// Package store is the way to the database: one pool of connections, one
// transaction helper that is right on CockroachDB and on PostgreSQL, the
// embedded migrations, and the queries that sqlc generates (package db).
package store

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"

	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Flavor is the database product behind a URL; both speak PostgreSQL's protocol.
type Flavor string

// The two products that the store is right on.
const (
	PostgreSQL  Flavor = "postgresql"
	CockroachDB Flavor = "cockroachdb"
)

const (
	defaultMaxConns         = 16
	defaultStatementTimeout = 15 * time.Second
	connectTimeout          = 5 * time.Second
	healthCheckPeriod       = 15 * time.Second
)

// Store is a bounded pool of connections to one database. It is safe for
// concurrent use and heals by itself when the database comes back.
type Store struct {
	pool     *pgxpool.Pool
	queries  *db.Queries
	flavor   atomic.Pointer[Flavor]
	attempts atomic.Int64
}

type options struct {
	maxConns         int32
	statementTimeout time.Duration
}

// Option changes how Open sets up the pool.
type Option func(*options)

// WithMaxConns bounds the pool (16 by default). Who needs more waits its turn.
func WithMaxConns(n int32) Option { return func(o *options) { o.maxConns = n } }

// WithStatementTimeout bounds each statement on the server's side (15 s by
// default), so that nothing that the caller gave up on goes on running.
func WithStatementTimeout(d time.Duration) Option {
	return func(o *options) { o.statementTimeout = d }
}

// Open makes a store for a postgres:// URL. It does not connect: a process may
// start before its database and is ready once Ping succeeds.
func Open(ctx context.Context, url string, opts ...Option) (*Store, error) {
	o := options{maxConns: defaultMaxConns, statementTimeout: defaultStatementTimeout}
	for _, opt := range opts {
		opt(&o)
	}
	config, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = o.maxConns
	config.HealthCheckPeriod = healthCheckPeriod
	config.ConnConfig.ConnectTimeout = connectTimeout
	setDefault(config, "application_name", "lucid")
	setDefault(config, "statement_timeout", milliseconds(o.statementTimeout))
	// A client that stalls inside a transaction must not hold its locks for good.
	setDefault(config, "idle_in_transaction_session_timeout", milliseconds(2*o.statementTimeout))
	// Without it pgx writes each uuid.UUID as text by way of reflection, which
	// took a quarter of the market's CPU time.
	config.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		pgxuuid.Register(c.TypeMap())
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("set up the connection pool: %w", err)
	}
	return &Store{pool: pool, queries: db.New(pool)}, nil
}

// parseURL keeps the URL, which holds a password, out of the error.
func parseURL(url string) (*pgxpool.Config, error) {
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return nil, fmt.Errorf("the database URL must start with postgres:// or postgresql://")
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the database URL can't be read; it must have the form postgres://user:password@host:port/database?option=value")
	}
	return config, nil
}

func setDefault(config *pgxpool.Config, name, value string) {
	if _, given := config.ConnConfig.RuntimeParams[name]; !given {
		config.ConnConfig.RuntimeParams[name] = value
	}
}

// milliseconds is a duration as both databases read it in a setting.
func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// Queries runs single statements outside of a transaction.
func (s *Store) Queries() *db.Queries { return s.queries }

// Ping reports whether the database answers now.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	return nil
}

// Close gives all connections back; running transactions are waited for.
func (s *Store) Close() { s.pool.Close() }

// Flavor asks the server once which product it is.
func (s *Store) Flavor(ctx context.Context) (Flavor, error) {
	if known := s.flavor.Load(); known != nil {
		return *known, nil
	}
	var version string
	if err := s.pool.QueryRow(ctx, "SELECT version()").Scan(&version); err != nil {
		return "", fmt.Errorf("ask the database for its version: %w", err)
	}
	flavor := flavorOf(version)
	s.flavor.Store(&flavor)
	return flavor, nil
}

// flavorOf reads the answer of version(): "CockroachDB CCL v25.2.1 (…)" or
// "PostgreSQL 15.8 (…)".
func flavorOf(version string) Flavor {
	if strings.Contains(version, "CockroachDB") {
		return CockroachDB
	}
	return PostgreSQL
}

// Stats is a picture of the pool for metrics.
type Stats struct {
	// Total, Idle and Max count connections.
	Total, Idle, Max int32
	// Attempts counts transactions begun, retries included, since Open.
	Attempts int64
}

// Stats returns the pool's present numbers.
func (s *Store) Stats() Stats {
	stat := s.pool.Stat()
	return Stats{
		Total: stat.TotalConns(), Idle: stat.IdleConns(), Max: stat.MaxConns(),
		Attempts: s.attempts.Load(),
	}
}

// Exec runs one statement outside of a transaction: maintenance and tests. The
// domain's statements are generated queries.
func (s *Store) Exec(ctx context.Context, sql string, args ...any) error {
	if _, err := s.pool.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("execute: %w", err)
	}
	return nil
}

// Query runs one reading statement outside of a transaction.
func (s *Store) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return s.pool.Query(ctx, sql, args...)
}
