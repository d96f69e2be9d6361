// Package wallet keeps key pairs for people (seed launchpad, Wallets): an Ed25519
// key whose private half is sealed under a password that only its owner knows,
// or under the platform key where the platform made it. Whoever asks is checked
// on every call, and wrong passwords are counted in the database.
package wallet

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Wallet is a key pair as its owner may see it: all but the private key.
type Wallet struct {
	ID                uuid.UUID
	UserID            *uuid.UUID
	ChainID           *uuid.UUID
	Address           string // 0x and 40 hex digits
	PublicKey         ed25519.PublicKey
	Name              *string
	Description       *string
	IsActive          bool
	IsLocked          bool
	LastUsedAt        *time.Time
	PasswordChangedAt *time.Time // nil for the platform's, which have none
	LockedUntil       *time.Time // nil unless IsLocked
	CreatedBy         *uuid.UUID // nil for those that the platform made
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// Service is the wallets of one database. It is safe for concurrent use and keeps
// nothing itself, so several processes count as one.
type Service struct {
	store     *store.Store
	passwords *keystore.Passwords
}

// New returns the wallets in s, sealed under passwords.
func New(s *store.Store, passwords *keystore.Passwords) *Service {
	return &Service{store: s, passwords: passwords}
}

// Filter narrows a list of wallets; nil fields do not.
type Filter struct {
	UserID    *uuid.UUID
	ChainID   *uuid.UUID
	CreatedBy *uuid.UUID
	IsActive  *bool
	IsLocked  *bool
}

// Page is a page number from 1 and a size from 1 to 100.
type Page struct {
	Number int
	Size   int
}

// List returns a page of the caller's own wallets, most recently updated first,
// and how many match in all.
func (s *Service) List(ctx context.Context, caller uuid.UUID, f Filter, page Page) ([]Wallet, int64, error) {
	q := s.store.Queries()
	total, err := q.CountWallets(ctx, db.CountWalletsParams{
		Viewer: caller, UserID: f.UserID, ChainID: f.ChainID, CreatedBy: f.CreatedBy,
		IsActive: f.IsActive, IsLocked: f.IsLocked,
	})
	if err != nil {
		return nil, 0, fmt.Errorf("count the wallets: %w", err)
	}
	rows, err := q.ListWallets(ctx, db.ListWalletsParams{
		Viewer: caller, UserID: f.UserID, ChainID: f.ChainID, CreatedBy: f.CreatedBy,
		IsActive: f.IsActive, IsLocked: f.IsLocked,
		MaxRows: int32(page.Size), Skip: int32((page.Number - 1) * page.Size),
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the wallets: %w", err)
	}
	wallets := make([]Wallet, len(rows))
	for i, row := range rows {
		wallets[i] = fromRow(row.Wallet, row.IsLocked)
	}
	return wallets, total, nil
}

// Get returns a wallet to its owner; for everybody else there is none. NotFound
// "Wallet not found".
func (s *Service) Get(ctx context.Context, caller, id uuid.UUID) (Wallet, error) {
	row, err := owned(ctx, s.store.Queries(), caller, id)
	if fault.Is(err, fault.Forbidden) {
		return Wallet{}, errNotFound()
	}
	if err != nil {
		return Wallet{}, err
	}
	return fromRow(row.Wallet, row.IsLocked), nil
}

// Change is what an owner may change of a wallet; nil fields stay as they are.
type Change struct {
	Name        *string
	Description *string
	IsActive    *bool
}

// Update changes a wallet for its owner. Faults: Invalid with every wrong field,
// NotFound, Forbidden "Access denied".
func (s *Service) Update(ctx context.Context, caller, id uuid.UUID, c Change) (Wallet, error) {
	if err := c.Validate(); err != nil {
		return Wallet{}, err
	}
	var changed Wallet
	err := s.own(ctx, caller, id, func(ctx context.Context, q *db.Queries, _ db.Wallet) error {
		err := q.UpdateWallet(ctx, db.UpdateWalletParams{
			ID: id, WalletName: c.Name, WalletDescription: c.Description, IsActive: c.IsActive,
		})
		if err != nil {
			return fmt.Errorf("update the wallet: %w", err)
		}
		changed, err = reread(ctx, q, id)
		return err
	})
	return changed, err
}

// Delete removes a wallet and its key for its owner, for good. Faults: NotFound,
// Forbidden "Access denied", Unprocessable for a wallet that the platform keeps:
// value is paid out to its address, and without the key it would be stranded.
func (s *Service) Delete(ctx context.Context, caller, id uuid.UUID) error {
	return s.own(ctx, caller, id, func(ctx context.Context, q *db.Queries, row db.Wallet) error {
		if row.Custody == keystore.CustodyPlatform {
			return fault.New(fault.Unprocessable, "A wallet that the platform keeps can't be deleted")
		}
		if err := q.DeleteWallet(ctx, id); err != nil {
			return fmt.Errorf("delete the wallet: %w", err)
		}
		return nil
	})
}

// Unlock ends a lock for the wallet's owner and forgets the failures so far. It
// is content with a wallet that is not locked. Faults: NotFound, Forbidden
// "Access denied".
func (s *Service) Unlock(ctx context.Context, caller, id uuid.UUID) error {
	return s.own(ctx, caller, id, func(ctx context.Context, q *db.Queries, _ db.Wallet) error {
		if err := q.UnlockWallet(ctx, id); err != nil {
			return fmt.Errorf("unlock the wallet: %w", err)
		}
		return nil
	})
}

// own runs fn on a wallet in one transaction, if it is the caller's.
func (s *Service) own(ctx context.Context, caller, id uuid.UUID, fn func(context.Context, *db.Queries, db.Wallet) error) error {
	return s.store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		row, err := owned(ctx, q, caller, id)
		if err != nil {
			return err
		}
		return fn(ctx, q, row.Wallet)
	})
}

// owned reads a wallet and makes sure that it is the caller's.
func owned(ctx context.Context, q *db.Queries, caller, id uuid.UUID) (db.GetWalletRow, error) {
	row, err := read(ctx, q, id)
	if err == nil && row.Owner != caller {
		return db.GetWalletRow{}, errDenied()
	}
	return row, err
}

func read(ctx context.Context, q *db.Queries, id uuid.UUID) (db.GetWalletRow, error) {
	row, err := q.GetWallet(ctx, id)
	if store.NotFound(err) {
		return row, errNotFound()
	}
	if err != nil {
		return row, fmt.Errorf("read the wallet: %w", err)
	}
	return row, nil
}

// reread is a wallet as its transaction has left it.
func reread(ctx context.Context, q *db.Queries, id uuid.UUID) (Wallet, error) {
	row, err := read(ctx, q, id)
	return fromRow(row.Wallet, row.IsLocked), err
}

// fromRow hides a lock that has run out: nobody needs to end it.
func fromRow(r db.Wallet, locked bool) Wallet {
	w := Wallet{
		ID: r.ID, UserID: r.UserID, ChainID: r.ChainID, Address: r.Address, PublicKey: r.PublicKey,
		Name: r.WalletName, Description: r.WalletDescription, IsActive: r.IsActive, IsLocked: locked,
		LastUsedAt: r.LastUsedAt, PasswordChangedAt: r.PasswordChangedAt,
		CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	if locked {
		w.LockedUntil = r.LockedUntil
	}
	return w
}

func errNotFound() error { return fault.New(fault.NotFound, "Wallet not found") }

func errDenied() error { return fault.New(fault.Forbidden, "Access denied") }
