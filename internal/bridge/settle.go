package bridge

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Outcome is what came of a payment.
type Outcome string

// The outcomes. Only the first moves value: what else arrives lies with the seller,
// and is kept and shown so that the two can settle it.
const (
	PaymentClosed    Outcome = "closed"    // it closed the order of its lock
	PaymentLate      Outcome = "late"      // its block is younger than its lock's deadline
	PaymentRepeated  Outcome = "repeated"  // its lock had been paid
	PaymentUnmatched Outcome = "unmatched" // its amount is that of no lock at this address, or was before the lock
)

// Receipt is a payment that was recorded, and what came of it.
type Receipt struct {
	Payment
	Asset   Asset
	Outcome Outcome
	LockID  *uuid.UUID // nil for one that is unmatched
}

// receiptsOf puts the payments of locks and those of none together, newest first.
func receiptsOf(ofLocks, stray []db.BridgePayment) []Receipt {
	rows := slices.Concat(ofLocks, stray)
	slices.SortStableFunc(rows, func(a, b db.BridgePayment) int {
		return cmp.Or(b.PaidAt.Compare(a.PaidAt), cmp.Compare(b.Block, a.Block), cmp.Compare(b.LogIndex, a.LogIndex))
	})
	receipts := make([]Receipt, len(rows))
	for i, row := range rows {
		receipts[i] = Receipt{
			Payment: Payment{
				TxHash: row.TxHash, LogIndex: uint32(row.LogIndex), From: row.FromAddress, To: row.ToAddress,
				Amount: money.Amount(row.Amount), Block: uint64(row.Block), At: row.PaidAt,
			},
			Asset: Asset{row.Network, row.Symbol}, Outcome: Outcome(row.Outcome), LockID: row.LockID,
		}
	}
	return receipts
}

// outcomeOf decides what a payment does to the lock that it names.
func outcomeOf(lock db.BridgeLock, p Payment) Outcome {
	switch {
	case p.Block <= uint64(lock.AfterBlock):
		return PaymentUnmatched // made before there was anything to pay; no clock is asked
	case LockStatus(lock.Status) == LockClosed:
		return PaymentRepeated
	case LockStatus(lock.Status) == LockPending && !p.At.After(lock.Deadline):
		return PaymentClosed
	}
	return PaymentLate
}

// settlement writes what one look at a counter chain has found, in one transaction.
type settlement struct {
	q        *db.Queries
	asset    Asset
	now      time.Time
	outcomes []Outcome
	swaps    []uuid.UUID // of the locks that ended
}

// settle moves the cursor and writes everything that the blocks up to it held:
// payments first and only then, for deadlines that these blocks are past, resets.
// That is how close beats reset. It reports false, and writes nothing, when
// another process was faster.
func (s *Service) settle(ctx context.Context, a Asset, after, until Block, payments []Payment) ([]Outcome, bool, error) {
	var done settlement
	ahead := false
	err := s.store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		done = settlement{q: q, asset: a, now: s.now()} // a retry starts over
		rows, err := q.AdvanceBridgeCursor(ctx, db.AdvanceBridgeCursorParams{
			Network: a.Network, Symbol: a.Symbol, AfterBlock: int64(after.Number),
			UntilBlock: int64(until.Number), UntilAt: until.At,
		})
		if ahead = rows == 1; err != nil || !ahead {
			return err
		}
		return done.run(ctx, until, payments)
	})
	return done.outcomes, ahead, err
}

func (s *settlement) run(ctx context.Context, until Block, payments []Payment) error {
	for _, p := range payments {
		if err := s.record(ctx, p); err != nil {
			return fmt.Errorf("record payment %s:%d: %w", p.TxHash, p.LogIndex, err)
		}
	}
	// Strictly past: a later block may still bear the same second.
	overdue, err := s.q.ListOverdueBridgeLocks(ctx, db.ListOverdueBridgeLocksParams{
		Network: s.asset.Network, Symbol: s.asset.Symbol, UntilAt: until.At, UntilBlock: int64(until.Number),
	})
	if err != nil {
		return err
	}
	for _, lock := range overdue {
		if err := s.end(ctx, lock, LockExpired, Open); err != nil {
			return fmt.Errorf("reset lock %s: %w", lock.ID, err)
		}
	}
	for _, swap := range s.swaps {
		if err := s.q.SettleBridgeSwap(ctx, db.SettleBridgeSwapParams{ID: swap, Now: s.now}); err != nil {
			return fmt.Errorf("settle swap %s: %w", swap, err)
		}
	}
	return nil
}

// record writes a payment, once, and closes the order that it pays.
func (s *settlement) record(ctx context.Context, p Payment) error {
	lock, outcome, err := s.match(ctx, p)
	if err != nil {
		return err
	}
	row := db.InsertBridgePaymentParams{
		Network: s.asset.Network, TxHash: p.TxHash, LogIndex: int64(p.LogIndex), Symbol: s.asset.Symbol,
		FromAddress: p.From, ToAddress: p.To, Amount: int64(p.Amount), Block: int64(p.Block), PaidAt: p.At,
		Outcome: string(outcome), RecordedAt: s.now,
	}
	if outcome != PaymentUnmatched {
		row.LockID = &lock.ID
	}
	added, err := s.q.InsertBridgePayment(ctx, row)
	if err != nil || added == 0 {
		return err
	}
	s.outcomes = append(s.outcomes, outcome)
	if outcome != PaymentClosed {
		return nil
	}
	if err := s.end(ctx, lock, LockClosed, Closed); err != nil {
		return err
	}
	return ledger.Post(ctx, s.q, ledger.Journal{ID: lock.ID, Kind: ledger.KindBridge, Legs: []ledger.Leg{
		{Account: escrow(lock.OrderID), Amount: -money.Amount(lock.CnpyAmount)},
		{Account: cnpyOf(lock.BuyerID), Amount: money.Amount(lock.CnpyAmount)},
	}})
}

// match finds the lock that a payment names: by the address and the amount.
func (s *settlement) match(ctx context.Context, p Payment) (db.BridgeLock, Outcome, error) {
	lock, err := s.q.GetBridgeLockOfPayment(ctx, db.GetBridgeLockOfPaymentParams{
		Network: s.asset.Network, Symbol: s.asset.Symbol, Address: p.To, PayAmount: int64(p.Amount),
	})
	if store.NotFound(err) {
		return lock, PaymentUnmatched, nil
	}
	return lock, outcomeOf(lock, p), err
}

// end ends a pending lock, and with it the hold on its order.
func (s *settlement) end(ctx context.Context, lock db.BridgeLock, as LockStatus, order OrderStatus) error {
	rows, err := s.q.EndBridgeLock(ctx, db.EndBridgeLockParams{ID: lock.ID, Status: string(as), Now: s.now})
	if err := exactlyOne(rows, err); err != nil {
		return err
	}
	s.swaps = append(s.swaps, lock.SwapID)
	return moveOrder(ctx, s.q, lock.OrderID, Locked, order, s.now)
}
