package ledger

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/store"
)

// problemsPerCheck bounds a report: one broken rule is worth many rows, not a
// million.
const problemsPerCheck = 100

// Problem is one place where the book breaks one of its rules.
type Problem struct {
	Check   string // the rule's name, such as "account-balance"
	Subject string // what breaks it: an asset, an account, a journal, a pool, a trade
	Detail  string // the numbers that do not agree
}

// Report is the outcome of a verification.
type Report struct {
	Accounts, Entries, Pools, Trades int64 // what was looked at
	Checks                           int   // how many rules were proved
	Problems                         []Problem
}

// Clean reports that every rule holds.
func (r Report) Clean() bool { return len(r.Problems) == 0 }

// check is one rule: a query for the rows that break it, as subject and detail.
type check struct {
	name  string
	query string
}

// Verify proves the whole book against itself on one consistent picture of a
// live database: it holds nobody up and sees every transaction whole or not at
// all.
func Verify(ctx context.Context, s *store.Store) (Report, error) {
	report := Report{Checks: len(checks)}
	err := s.InSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		report.Problems = nil // a retry starts over
		if err := report.count(ctx, tx); err != nil {
			return err
		}
		for _, c := range checks {
			if err := report.run(ctx, tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Report{}, fmt.Errorf("verify the ledger: %w", err)
	}
	return report, nil
}

func (r *Report) count(ctx context.Context, tx pgx.Tx) error {
	const query = `SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM ledger_entries),
		(SELECT count(*) FROM pools), (SELECT count(*) FROM trades)`
	if err := tx.QueryRow(ctx, query).Scan(&r.Accounts, &r.Entries, &r.Pools, &r.Trades); err != nil {
		return fmt.Errorf("count the rows: %w", err)
	}
	return nil
}

func (r *Report) run(ctx context.Context, tx pgx.Tx, c check) error {
	rows, err := tx.Query(ctx, c.query+" LIMIT $1", problemsPerCheck)
	if err != nil {
		return fmt.Errorf("check %s: %w", c.name, err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Problem, error) {
		p := Problem{Check: c.name}
		return p, row.Scan(&p.Subject, &p.Detail)
	})
	if err != nil {
		return fmt.Errorf("check %s: %w", c.name, err)
	}
	r.Problems = append(r.Problems, found...)
	return nil
}
