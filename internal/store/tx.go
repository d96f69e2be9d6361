package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cockroachdb/cockroach-go/v2/crdb/crdbpgxv5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// ErrAmbiguous says that the connection died while COMMIT was under way: the
// transaction may or may not have happened. The caller settles it by looking
// for what it wrote (an idempotency key, the id of the row).
var ErrAmbiguous = errors.New("the outcome of the transaction is unknown")

const (
	// A conflict on PostgreSQL is over as soon as the other transaction is, so
	// the first pause is about one commit long.
	firstPause   = 2 * time.Millisecond
	longestPause = 250 * time.Millisecond
	// COMMIT and ROLLBACK outlive the caller's context by this much: giving up
	// half-way would turn a known outcome into an ambiguous one.
	finishTimeout = 10 * time.Second
)

// InTx runs fn in one SERIALIZABLE transaction and returns nil only when the
// database has acknowledged its COMMIT. On a serialization failure or a
// deadlock fn runs again from the start, so it must not keep what it did
// outside the transaction; retries end with ctx. See ErrAmbiguous for the one
// error after which the transaction may have happened all the same.
//
// This is the only way to open a transaction: ExecuteTx by itself loses writes on
// PostgreSQL (docs/decisions/0001-one-transaction-helper.md).
func (s *Store) InTx(ctx context.Context, fn func(context.Context, *db.Queries) error) error {
	return s.InTxRaw(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return fn(ctx, db.New(tx))
	})
}

// InTxRaw is InTx for callers that pipeline statements with pgx.Batch. fn must
// neither commit nor roll back tx.
func (s *Store) InTxRaw(ctx context.Context, fn func(context.Context, pgx.Tx) error) error {
	flavor, err := s.Flavor(ctx)
	if err != nil {
		return err
	}
	options := pgx.TxOptions{IsoLevel: pgx.Serializable}
	if flavor == CockroachDB {
		return s.executeTx(ctx, options, fn)
	}
	return s.retryTx(ctx, options, fn)
}

// InSnapshot runs fn, which only reads, on one consistent picture of the
// database with no limit on a statement's time. It holds nobody up.
func (s *Store) InSnapshot(ctx context.Context, fn func(context.Context, pgx.Tx) error) error {
	flavor, err := s.Flavor(ctx)
	if err != nil {
		return err
	}
	read := func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return fmt.Errorf("lift the statement timeout: %w", err)
		}
		return fn(ctx, tx)
	}
	if flavor == CockroachDB {
		return s.executeTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly}, read)
	}
	// A PostgreSQL snapshot is enough for a reader and, unlike SERIALIZABLE,
	// can't make a writer fail.
	return s.retryTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, read)
}

// executeTx is the CockroachDB side: its RELEASE SAVEPOINT has committed
// already, which is why ExecuteTx may ignore the COMMIT that follows.
func (s *Store) executeTx(ctx context.Context, options pgx.TxOptions, fn func(context.Context, pgx.Tx) error) error {
	err := crdbpgx.ExecuteTx(ctx, s.pool, options, func(tx pgx.Tx) error {
		s.attempts.Add(1)
		return fn(ctx, tx)
	})
	if isAmbiguousRelease(err) {
		return fmt.Errorf("%w: %w", ErrAmbiguous, err)
	}
	return err
}

// retryTx is the PostgreSQL side. A transaction that failed to serialize has a
// snapshot that stays in conflict whatever is done inside it, so the retry
// starts at BEGIN, never at a savepoint.
func (s *Store) retryTx(ctx context.Context, options pgx.TxOptions, fn func(context.Context, pgx.Tx) error) error {
	return retrySerialization(ctx, func() error { return s.attempt(ctx, options, fn) })
}

// retrySerialization runs a whole transaction until it lost no race.
func retrySerialization(ctx context.Context, attempt func() error) error {
	for attempts := 0; ; attempts++ {
		err := attempt()
		if !isSerialization(err) || errors.Is(err, ErrAmbiguous) {
			return err
		}
		if pause(ctx, attempts) != nil {
			return fmt.Errorf("gave up after %d attempts: %w", attempts+1, err)
		}
	}
}

// attempt is one BEGIN … COMMIT.
func (s *Store) attempt(ctx context.Context, options pgx.TxOptions, fn func(context.Context, pgx.Tx) error) (err error) {
	s.attempts.Add(1)
	tx, err := s.pool.BeginTx(ctx, options)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	// Also on a panic in fn, or the connection would leak. After a COMMIT,
	// whatever came of it, this does nothing.
	defer func() { _ = tx.Rollback(finish) }()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("not committed: %w", err)
	}
	if tx.Conn().IsClosed() {
		return fmt.Errorf("not committed: %w", pgconn.ErrConnClosed)
	}
	return commit(finish, tx)
}

// commit tells a refused COMMIT from one whose answer never came.
func commit(ctx context.Context, tx pgx.Tx) error {
	err := tx.Commit(ctx)
	if err == nil {
		return nil
	}
	if isDefinite(err) {
		return fmt.Errorf("commit: %w", err)
	}
	return fmt.Errorf("%w: commit: %w", ErrAmbiguous, err)
}

// isDefinite reports that a failed COMMIT has certainly not happened, because
// the server said so. A server that is shutting down (class 57P), lost its own
// connection (08) or says so itself (40003) may have committed first.
//
// pgconn.SafeToRetry is no help: after a server's last words it answers "conn
// closed", which counts as safe although the COMMIT was sent.
func isDefinite(err error) bool {
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return true
	}
	code := sqlState(err)
	return code != "" && !isConnectionState(code) && code != codeCompletionUnknown
}

// pause waits with full jitter, so that those who collided spread out.
func pause(ctx context.Context, attempt int) error {
	ceiling := longestPause
	if attempt < 7 {
		ceiling = min(longestPause, firstPause<<attempt)
	}
	timer := time.NewTimer(rand.N(ceiling))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
