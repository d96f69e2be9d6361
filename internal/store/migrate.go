package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

const (
	lockRetryEvery = 250 * time.Millisecond
	lockRetries    = 1200 // five minutes: another pod may be in a long migration
)

// Migrate brings the database to the schema of this program, forward only. It
// may run in several processes at once: one works while the others wait, by a
// row with a lease, since CockroachDB has no advisory locks. A process that
// dies half-way is succeeded once its lease (30 s) is over.
func Migrate(ctx context.Context, url string) error {
	config, err := parseURL(url)
	if err != nil {
		return err
	}
	pool := stdlib.OpenDB(*config.ConnConfig)
	defer func() { _ = pool.Close() }()
	provider, err := newProvider(pool)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// Migrated reports whether the database has the schema that this program needs.
// A newer one is fine: migrations only ever add to what is there.
func Migrated(ctx context.Context, url string) (bool, error) {
	config, err := parseURL(url)
	if err != nil {
		return false, err
	}
	pool := stdlib.OpenDB(*config.ConnConfig)
	defer func() { _ = pool.Close() }()
	provider, err := newProvider(pool)
	if err != nil {
		return false, err
	}
	pending, err := provider.HasPending(ctx)
	if err != nil {
		return false, fmt.Errorf("read the schema's version: %w", err)
	}
	return !pending, nil
}

func newProvider(pool *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	locker, err := lock.NewPostgresTableLocker(lock.WithTableLockTimeout(lockRetryEvery, lockRetries))
	if err != nil {
		return nil, fmt.Errorf("set up the migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, files, goose.WithLocker(locker))
	if err != nil {
		return nil, fmt.Errorf("set up the migrations: %w", err)
	}
	return provider, nil
}
