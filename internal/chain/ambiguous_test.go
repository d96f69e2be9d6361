package chain_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/pgserver"
)

// The connection dies after PostgreSQL has committed and before it has said so:
// it waits for a standby that there is not, and is terminated meanwhile. The
// launch must find out that it happened, rather than report an error.
func TestLaunchSettlesALostAcknowledgement(t *testing.T) {
	w, id := launchable(t)
	exec := func(sql string) {
		if err := w.store.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE probe (n INT)")
	exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	exec("SELECT pg_reload_conf()")
	for acknowledges(t.Context(), w.store) {
		time.Sleep(10 * time.Millisecond)
	}
	for terminate(t.Context(), w.store) > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	terminated := make(chan bool, 1)
	go func() { terminated <- terminateWaiting(ctx, w.store) }()
	c, err := w.chains.Launch(ctx, id, w.get(id).CreatedBy, nil)
	if err != nil || c.Status != chain.VirtualActive {
		t.Fatalf("the launch had happened: %+v, %v", c, err)
	}
	if !<-terminated {
		t.Error("no connection was lost: the test proves nothing")
	}
	if got := w.balance(c.CreatedBy, ledger.CNPY); got != 900*money.Unit {
		t.Errorf("one fee of 100 was due, %s are left", got)
	}
	if events := w.events(id); !slices.Equal(events, []string{"chain.created", "chain.launched"}) {
		t.Errorf("events: %v", events)
	}
	w.clean()
}

// acknowledges reports whether the server still answers a COMMIT: it takes a new
// setting when it gets round to it.
func acknowledges(ctx context.Context, s *store.Store) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return s.Exec(ctx, "INSERT INTO probe VALUES (1)") == nil
}

// launchable is a draft of somebody who can pay, on a server of its own.
func launchable(t *testing.T) (*world, uuid.UUID) {
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
	if err := store.Migrate(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := newWorld(t, s)
	return w, w.draft("Doubtful", w.user(1_000*money.Unit)).ID
}

// terminateWaiting ends the first connection that waits for the standby and
// reports whether it did.
func terminateWaiting(ctx context.Context, s *store.Store) bool {
	for ctx.Err() == nil {
		if terminate(ctx, s) > 0 {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// terminate ends all connections that wait for the standby, and counts them.
func terminate(ctx context.Context, s *store.Store) (n int64) {
	rows, err := s.Query(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	if err != nil {
		return 0
	}
	n, _ = pgx.CollectOneRow(rows, pgx.RowTo[int64]) // nothing, and asked again
	return n
}
