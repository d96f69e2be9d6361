package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/pgserver"
)

const (
	database = "bench"
	mostUser = 64
)

// environment is one server with one hot pool and users who can pay.
type environment struct {
	server  *pgserver.Server
	store   *store.Store
	version string
	scratch string
	shared  *market.Market
	stop    context.CancelFunc
	stopped chan struct{}
	chain   uuid.UUID
	users   []uuid.UUID

	acknowledged atomic.Int64
}

func setUp(ctx context.Context, dir string) (*environment, error) {
	// synchronous_commit stays on: an answer means that the trade is on disk.
	server, err := pgserver.Start(ctx, pgserver.Options{Fsync: true, Dir: dir, Settings: map[string]string{
		"shared_buffers": "256MB", "max_wal_size": "4GB", "checkpoint_timeout": "30min",
	}})
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	e := &environment{server: server, stopped: make(chan struct{})}
	if err := e.prepare(ctx); err != nil {
		e.tearDown()
		return nil, err
	}
	return e, nil
}

func (e *environment) tearDown() {
	if e.stop != nil {
		e.stop()
		<-e.stopped
	}
	if e.store != nil {
		e.store.Close()
	}
	if e.scratch != "" {
		_ = os.RemoveAll(e.scratch) // only pgbench's logs are in it
	}
	if err := e.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-market: stop PostgreSQL:", err)
	}
}

func (e *environment) prepare(ctx context.Context) (err error) {
	if e.scratch, err = os.MkdirTemp("", "lucid-bench-"); err != nil {
		return fmt.Errorf("make a scratch directory: %w", err)
	}
	maintenance, err := store.Open(ctx, e.server.URL())
	if err != nil {
		return err
	}
	err = maintenance.Exec(ctx, "CREATE DATABASE "+database)
	maintenance.Close()
	if err != nil {
		return err
	}
	url := e.server.DatabaseURL(database)
	if err := store.Migrate(ctx, url); err != nil {
		return err
	}
	if e.store, err = store.Open(ctx, url, store.WithMaxConns(mostUser+8)); err != nil {
		return err
	}
	if e.version, err = e.serverVersion(ctx); err != nil {
		return err
	}
	e.startMarket()
	if err := e.openPool(ctx); err != nil {
		return err
	}
	return e.prepareRaw(ctx)
}

func (e *environment) serverVersion(ctx context.Context) (version string, err error) {
	rows, err := e.store.Query(ctx, "SHOW server_version")
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&version); err != nil {
			return "", err
		}
	}
	return version, rows.Err()
}

func (e *environment) startMarket() {
	e.shared = market.New(e.store, market.Options{})
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	go func() {
		defer close(e.stopped)
		if err := e.shared.Run(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "bench-market:", err)
		}
	}()
}

// openPool launches a chain with the default curve and a threshold that nobody
// reaches, and gives the users CNPY.
func (e *environment) openPool(ctx context.Context) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	service := &chain.Service{Store: e.store, Market: e.shared}
	threshold := 10_000_000 * money.Unit
	spec := chain.Spec{ChainName: "Hot", TokenSymbol: "HOT", GraduationThreshold: &threshold}
	if _, err := service.Declare(ctx, id, spec); err != nil {
		return fmt.Errorf("declare the chain: %w", err)
	}
	if _, err := service.LaunchDeclared(ctx, id, nil); err != nil {
		return fmt.Errorf("launch the chain: %w", err)
	}
	e.chain = id
	users := identity.NewUsers(e.store)
	for range mostUser {
		user, err := uuid.NewV7()
		if err != nil {
			return err
		}
		if err := users.Ensure(ctx, user); err != nil {
			return err
		}
		if _, err := ledger.Faucet(ctx, e.store, user, ledger.FaucetLimit); err != nil {
			return err
		}
		e.users = append(e.users, user)
	}
	return nil
}

// prepareRaw makes what pgbench writes: a pool row and trade rows with the
// columns and indexes of the real ones, in tables of their own so that the
// ledger's proof at the end is about the market alone.
func (e *environment) prepareRaw(ctx context.Context) error {
	for _, statement := range []string{
		"CREATE TABLE raw_pools (LIKE pools INCLUDING ALL)",
		"CREATE TABLE raw_trades (LIKE trades INCLUDING ALL)",
		"INSERT INTO raw_pools SELECT * FROM pools",
	} {
		if err := e.store.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return os.WriteFile(e.script(), []byte(rawTrade), 0o644)
}

func (e *environment) script() string { return filepath.Join(e.scratch, "trade.sql") }

// settleDown lets what one contender left running end on nobody's time. There
// is no CHECKPOINT: after one, the first write to each page carries the whole
// page into the log, which a server pays once in minutes and not once a run.
func settleDown() { time.Sleep(300 * time.Millisecond) }
