package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNotPipelined says that the transaction needs more than two round trips, or
// a database on which they can't be saved; use InTxRaw.
var ErrNotPipelined = errors.New("the transaction can't be pipelined")

const beginSerializable = "BEGIN ISOLATION LEVEL SERIALIZABLE"

// InTxPipelined is InTxRaw in two round trips instead of four or more: BEGIN
// goes out with the reads that queue adds, and COMMIT with the writes that
// decide returns. It is as SERIALIZABLE, retries as often and reports the same
// ErrAmbiguous. decide may return ErrNotPipelined, and nothing has happened.
//
// COMMIT is on its way before the writes have answered. A statement that fails
// takes the COMMIT with it, but a row count is known too late to stop it: decide
// must rely on the reads of the same transaction alone, whose rows nobody can
// have changed without failing the writes.
func (s *Store) InTxPipelined(ctx context.Context, queue func(*pgx.Batch), decide func() (*pgx.Batch, error)) error {
	flavor, err := s.Flavor(ctx)
	if err != nil {
		return err
	}
	if flavor != PostgreSQL { // CockroachDB's retries want ExecuteTx's savepoint
		return ErrNotPipelined
	}
	return retrySerialization(ctx, func() error { return s.attemptPipelined(ctx, queue, decide) })
}

// InTxBlind runs a transaction that writes without having read: BEGIN, the
// writes that decide returns and COMMIT leave in one round trip. What decide
// relied on may be out of date by then, so the writes themselves have to fail
// when it is, by a constraint; a row count is known too late. It is as
// SERIALIZABLE as InTxRaw, runs decide again for each retry and reports the same
// ErrAmbiguous. When decide returns an error nothing has happened.
func (s *Store) InTxBlind(ctx context.Context, decide func() (*pgx.Batch, error)) error {
	flavor, err := s.Flavor(ctx)
	if err != nil {
		return err
	}
	if flavor == CockroachDB {
		return s.executeTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(ctx context.Context, tx pgx.Tx) error {
			writes, err := decide()
			if err != nil {
				return err
			}
			return tx.SendBatch(ctx, writes).Close()
		})
	}
	return retrySerialization(ctx, func() error { return s.attemptBlind(ctx, decide) })
}

// attemptBlind is one BEGIN … COMMIT in one go.
func (s *Store) attemptBlind(ctx context.Context, decide func() (*pgx.Batch, error)) error {
	s.attempts.Add(1)
	writes, err := decide()
	if err != nil {
		return err
	}
	begun := &pgx.Batch{}
	begun.Queue(beginSerializable)
	begun.QueuedQueries = append(begun.QueuedQueries, writes.QueuedQueries...)
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	defer func() { leave(finish, conn) }()
	return writeAndCommit(finish, conn, begun)
}

// attemptPipelined is one BEGIN … COMMIT.
func (s *Store) attemptPipelined(ctx context.Context, queue func(*pgx.Batch), decide func() (*pgx.Batch, error)) error {
	s.attempts.Add(1)
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	defer func() { leave(finish, conn) }()
	reads := &pgx.Batch{}
	reads.Queue(beginSerializable)
	queue(reads)
	if err := conn.SendBatch(ctx, reads).Close(); err != nil {
		return fmt.Errorf("begin and read: %w", err)
	}
	writes, err := decide()
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("not committed: %w", err)
	}
	return writeAndCommit(finish, conn, writes)
}

// writeAndCommit tells a refusal from an answer that never came, as commit does.
func writeAndCommit(ctx context.Context, conn *pgxpool.Conn, writes *pgx.Batch) error {
	writes.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" { // a failed transaction answers ROLLBACK
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	err := conn.SendBatch(ctx, writes).Close()
	if err == nil {
		return nil
	}
	if isDefinite(err) {
		return fmt.Errorf("write and commit: %w", err)
	}
	return fmt.Errorf("%w: write and commit: %w", ErrAmbiguous, err)
}

// leave gives the connection back without a transaction on it. One that can't
// be cleaned is closed by the pool.
func leave(ctx context.Context, conn *pgxpool.Conn) {
	if conn.Conn().PgConn().TxStatus() != 'I' && !conn.Conn().IsClosed() {
		_, _ = conn.Exec(ctx, "ROLLBACK") // if this fails, Release closes it
	}
	conn.Release()
}
