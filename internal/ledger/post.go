package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// The kinds of journal. A trade's has the trade's id, the payment of a bridge
// order that of the lock that it closed.
const (
	KindFaucet      = "faucet"
	KindCreationFee = "creation_fee"
	KindMint        = "mint"
	KindTrade       = "trade"
	KindEscrow      = "escrow"     // into the escrow of a bridge order, or back to its seller
	KindBridge      = "bridge"     // out of the escrow to the buyer who paid
	KindGraduation  = "graduation" // what a pool raised, to its live chain
	KindVoucher     = "voucher"    // between a person and a live chain
)

// Leg is one account's part in a journal: positive is received, negative given.
type Leg struct {
	Account Account
	Amount  money.Amount
}

// Journal is one movement of value. Its legs sum to zero for each asset.
type Journal struct {
	ID   uuid.UUID // of its own; a trade's journal has the trade's id
	Kind string
	Legs []Leg
}

// ErrUnbalanced refuses a journal that would make or destroy value.
var ErrUnbalanced = errors.New("the journal does not sum to zero")

// Post writes a journal in the caller's transaction. An account that would
// fall below zero is an Unprocessable fault; then the caller must not commit.
func Post(ctx context.Context, q *db.Queries, j Journal) error {
	if err := j.check(); err != nil {
		return err
	}
	legs := slices.Clone(j.Legs)
	// Always in the order of the account ids, so that two journals over the
	// same accounts can't wait for each other.
	slices.SortStableFunc(legs, func(a, b Leg) int {
		left, right := a.Account.ID(), b.Account.ID()
		return bytes.Compare(left[:], right[:])
	})
	now := time.Now().UTC()
	for _, leg := range legs {
		if err := postLeg(ctx, q, j, leg, now); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a journal before anything is written.
func (j Journal) check() error {
	if j.ID == uuid.Nil || j.Kind == "" || len(j.Legs) == 0 {
		return errors.New("a journal needs an id, a kind and legs")
	}
	sums := map[uuid.UUID]money.Amount{}
	for _, leg := range j.Legs {
		sum, err := sums[leg.Account.Asset].Add(leg.Amount)
		if err != nil {
			return fmt.Errorf("add up journal %s: %w", j.ID, err)
		}
		sums[leg.Account.Asset] = sum
	}
	for asset, sum := range sums {
		if sum != 0 {
			return fmt.Errorf("%w: journal %s is off by %s in asset %s", ErrUnbalanced, j.ID, sum, asset)
		}
	}
	return nil
}

// postLeg moves one account's balance and writes the entry. Zero legs move
// nothing and leave no trace.
func postLeg(ctx context.Context, q *db.Queries, j Journal, leg Leg, now time.Time) error {
	if leg.Amount == 0 {
		return nil
	}
	balance, version, err := move(ctx, q, leg)
	if err != nil {
		return err
	}
	err = q.InsertLedgerEntry(ctx, db.InsertLedgerEntryParams{
		AccountID: leg.Account.ID(), Seq: version, JournalID: j.ID, Kind: j.Kind,
		Amount: int64(leg.Amount), BalanceAfter: balance, CreatedAt: now,
	})
	if err != nil {
		return fmt.Errorf("write the ledger entry: %w", err)
	}
	return nil
}

func move(ctx context.Context, q *db.Queries, leg Leg) (balance, version int64, err error) {
	a := leg.Account
	if leg.Amount < 0 && a.Type != Mint {
		row, err := q.DebitAccount(ctx, db.DebitAccountParams{ID: a.ID(), Amount: -int64(leg.Amount)})
		if store.NotFound(err) {
			return 0, 0, fault.New(fault.Unprocessable, "Insufficient balance")
		}
		if err != nil {
			return 0, 0, fmt.Errorf("debit a %s account: %w", a.Type, err)
		}
		return row.Balance, row.Version, nil
	}
	row, err := q.CreditAccount(ctx, db.CreditAccountParams{
		ID: a.ID(), OwnerType: string(a.Type), OwnerID: a.Owner, Asset: a.Asset, Amount: int64(leg.Amount),
	})
	if err != nil {
		return 0, 0, fmt.Errorf("credit a %s account: %w", a.Type, err)
	}
	return row.Balance, row.Version, nil
}
