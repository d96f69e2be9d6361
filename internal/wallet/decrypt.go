package wallet

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// The guard on a wallet's password (docs/domain.md §6).
const (
	maxFailures = 5
	lockFor     = 15 * time.Minute
)

// WithKey lends a wallet's private key to use, which must not keep it: it is
// wiped when use returns. Faults are as Decrypt's; otherwise the error is use's.
func (s *Service) WithKey(ctx context.Context, caller, id uuid.UUID, password string, use func(ed25519.PrivateKey) error) error {
	return s.Decrypt(ctx, caller, id, password, func(_ Wallet, key ed25519.PrivateKey) error { return use(key) })
}

// Decrypt is WithKey for whoever also wants the wallet, as it is after this use.
//
// Five wrong passwords in a row lock the wallet for 15 minutes, or until Unlock.
// What came of a password is told only after it was counted, and to nobody once
// the wallet is locked: however many are tried at once, on however many pods, five
// are answered. Faults: NotFound; Forbidden "Access denied", or when locked;
// Unauthenticated "Invalid password"; Unprocessable for a wallet that is not
// active, or that the platform keeps; Unavailable when too many passwords are
// being checked.
func (s *Service) Decrypt(ctx context.Context, caller, id uuid.UUID, password string, use func(Wallet, ed25519.PrivateKey) error) error {
	row, err := owned(ctx, s.store.Queries(), caller, id)
	if err != nil {
		return err
	}
	if err := openable(row); err != nil {
		return err
	}
	seed, renewed, err := s.passwords.Open(ctx, password, row.Wallet.SealedKey, id[:])
	defer clear(seed)
	if errors.Is(err, keystore.ErrPassword) {
		return s.fail(ctx, caller, id)
	}
	if err != nil {
		return fmt.Errorf("open the wallet: %w", err)
	}
	key, err := keyOf(row.Wallet, seed)
	if err != nil {
		return err
	}
	defer clear(key)
	used, err := s.succeed(ctx, caller, id, renewed)
	if err != nil {
		return err
	}
	return use(used, key)
}

// keyOf is the wallet's private key. Public key and address are not sealed, so
// those of a row that somebody changed must not be believed.
func keyOf(w db.Wallet, seed []byte) (ed25519.PrivateKey, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("open wallet %s: what is sealed is no key", w.ID)
	}
	key := ed25519.NewKeyFromSeed(seed)
	public := key.Public().(ed25519.PublicKey)
	if !public.Equal(ed25519.PublicKey(w.PublicKey)) || livechain.AddressOf(public).String() != w.Address {
		clear(key)
		return nil, fmt.Errorf("open wallet %s: its key is not that of address %s", w.ID, w.Address)
	}
	return key, nil
}

// openable refuses before any work is done on the password.
func openable(row db.GetWalletRow) error {
	switch {
	case row.Wallet.Custody != keystore.CustodyPassword:
		return fault.New(fault.Unprocessable, "The platform keeps this wallet's key: no password decrypts it")
	case row.IsLocked:
		return errLocked()
	case !row.Wallet.IsActive:
		return keystore.ErrInactive
	}
	return nil
}

// fail counts a wrong password. The refusal comes after the commit.
func (s *Service) fail(ctx context.Context, caller, id uuid.UUID) error {
	err := s.store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		row, err := owned(ctx, q, caller, id)
		if err != nil {
			return err
		}
		if row.IsLocked {
			return errLocked()
		}
		return q.NoteDecryptFailure(ctx, afterFailure(row.Wallet))
	})
	if err != nil {
		return refused(err, "count the failure")
	}
	return fault.New(fault.Unauthenticated, "Invalid password")
}

// afterFailure is the guard after one more failure of a wallet that is open. A
// lock that has run out began a new count.
func afterFailure(w db.Wallet) db.NoteDecryptFailureParams {
	next := db.NoteDecryptFailureParams{ID: w.ID, Attempts: w.FailedDecryptAttempts + 1}
	if w.LockedUntil != nil {
		next.Attempts = 1
	}
	if next.Attempts >= maxFailures {
		next.LockSeconds = int32(lockFor.Seconds())
	}
	return next
}

// succeed notes a use, unless the wallet has been locked while its password was
// being checked.
func (s *Service) succeed(ctx context.Context, caller, id uuid.UUID, renewed []byte) (Wallet, error) {
	var used Wallet
	err := s.store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		row, err := owned(ctx, q, caller, id)
		if err != nil {
			return err
		}
		if err := openable(row); err != nil {
			return err
		}
		if err := q.NoteDecryptSuccess(ctx, db.NoteDecryptSuccessParams{ID: id, SealedKey: renewed}); err != nil {
			return err
		}
		used, err = reread(ctx, q, id)
		return err
	})
	if err != nil {
		return Wallet{}, refused(err, "note the use")
	}
	return used, nil
}

// refused passes a fault on as it is and says of anything else what failed.
func refused(err error, doing string) error {
	if _, ok := fault.As(err); ok {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func errLocked() error {
	return fault.New(fault.Forbidden, "Wallet is locked due to too many failed attempts")
}
