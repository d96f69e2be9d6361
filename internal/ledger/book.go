package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// FaucetLimit is the most CNPY one faucet call gives.
const FaucetLimit = 1_000_000 * money.Unit

// Balance is what a user holds of one asset.
type Balance struct {
	Asset   uuid.UUID    // CNPY, or a chain's id
	Amount  money.Amount // never negative
	Entries int64        // how many entries the account has
}

// Entry is one line of a user's account.
type Entry struct {
	JournalID    uuid.UUID // a trade's id where Kind is "trade"
	Kind         string
	Asset        uuid.UUID
	Amount       money.Amount // positive is received
	BalanceAfter money.Amount
	CreatedAt    time.Time
}

// Page is a page number from 1 and a size.
type Page struct {
	Number int
	Size   int
}

func (p Page) limitOffset() (limit, offset int64) {
	return int64(p.Size), int64(p.Number-1) * int64(p.Size)
}

// ValidateFaucet refuses an amount that Faucet would not give.
func ValidateFaucet(amount money.Amount) error {
	if amount > 0 && amount <= FaucetLimit {
		return nil
	}
	return fault.InvalidFields(fault.Field{
		Name: "amount_cnpy", Value: amount, Rule: "range",
		Reason: fmt.Sprintf("must be greater than 0 and at most %s", FaucetLimit),
	})
}

// Faucet gives a user CNPY out of nothing, for development. It answers with
// the CNPY balance after it.
func Faucet(ctx context.Context, s *store.Store, user uuid.UUID, amount money.Amount) (Balance, error) {
	if err := ValidateFaucet(amount); err != nil {
		return Balance{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Balance{}, fmt.Errorf("make a journal id: %w", err)
	}
	account := Account{Type: User, Owner: user, Asset: CNPY}
	journal := Journal{ID: id, Kind: KindFaucet, Legs: []Leg{
		{Account: Account{Type: Mint, Owner: user, Asset: CNPY}, Amount: -amount},
		{Account: account, Amount: amount},
	}}
	var after db.Account
	err = s.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		if err := Post(ctx, q, journal); err != nil {
			return err
		}
		after, err = q.GetAccount(ctx, account.ID())
		return err
	})
	if err != nil {
		return Balance{}, fmt.Errorf("faucet: %w", err)
	}
	return balanceOf(after), nil
}

// Balances returns all that a user holds, CNPY first even at zero, then tokens
// in the order in which the user first had them.
func Balances(ctx context.Context, s *store.Store, user uuid.UUID) ([]Balance, error) {
	rows, err := s.Queries().ListUserAccounts(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read the user's accounts: %w", err)
	}
	balances := []Balance{{Asset: CNPY}}
	for _, row := range rows {
		if row.Asset == CNPY {
			balances[0] = balanceOf(row)
			continue
		}
		balances = append(balances, balanceOf(row))
	}
	return balances, nil
}

// BalanceOf returns the amount on one account, zero when it was never used.
func BalanceOf(ctx context.Context, q *db.Queries, account Account) (money.Amount, error) {
	row, err := q.GetAccount(ctx, account.ID())
	if store.NotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read a %s account: %w", account.Type, err)
	}
	return money.Amount(row.Balance), nil
}

// Entries returns a page of a user's entries, newest first, and how many there
// are in all.
func Entries(ctx context.Context, s *store.Store, user uuid.UUID, page Page) ([]Entry, int64, error) {
	total, err := s.Queries().CountUserEntries(ctx, user)
	if err != nil {
		return nil, 0, fmt.Errorf("count the user's entries: %w", err)
	}
	limit, offset := page.limitOffset()
	rows, err := s.Queries().ListUserEntries(ctx, db.ListUserEntriesParams{OwnerID: user, MaxRows: limit, Skip: offset})
	if err != nil {
		return nil, 0, fmt.Errorf("read the user's entries: %w", err)
	}
	entries := make([]Entry, len(rows))
	for i, row := range rows {
		entries[i] = Entry{
			JournalID: row.JournalID, Kind: row.Kind, Asset: row.Asset, Amount: money.Amount(row.Amount),
			BalanceAfter: money.Amount(row.BalanceAfter), CreatedAt: row.CreatedAt,
		}
	}
	return entries, total, nil
}

func balanceOf(row db.Account) Balance {
	return Balance{Asset: row.Asset, Amount: money.Amount(row.Balance), Entries: row.Version}
}
