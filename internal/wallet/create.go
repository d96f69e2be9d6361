package wallet

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/text"
)

// Limits of the seed, in characters.
const (
	passwordMin    = 8
	nameMax        = 100
	descriptionMax = 500
)

// Request is a wallet that somebody asks for (seed launchpad, POST /wallets).
type Request struct {
	Password    string
	UserID      *uuid.UUID // the caller or nil
	ChainID     *uuid.UUID // a chain of the caller's or nil
	Name        *string
	Description *string
}

// Validate reports every wrong field as one Invalid fault. The password is
// measured and never repeated.
func (n Request) Validate() error {
	var wrong []fault.Field
	switch {
	case n.Password == "":
		wrong = append(wrong, fault.Field{Name: "password", Rule: "required", Reason: "is required"})
	case utf8.RuneCountInString(n.Password) < passwordMin:
		wrong = append(wrong, fault.Field{Name: "password", Rule: "min_length", Reason: fmt.Sprintf("must be at least %d characters", passwordMin)})
	}
	return invalid(append(wrong, checkTexts(n.Name, n.Description)...))
}

// Validate reports every wrong field as one Invalid fault.
func (c Change) Validate() error { return invalid(checkTexts(c.Name, c.Description)) }

func checkTexts(name, description *string) []fault.Field {
	var wrong []fault.Field
	add := func(field, rule, reason string, args ...any) {
		wrong = append(wrong, fault.Field{Name: field, Rule: rule, Reason: fmt.Sprintf(reason, args...)})
	}
	if name != nil {
		switch length := utf8.RuneCountInString(*name); {
		case length < 1 || length > nameMax:
			add("wallet_name", "length", "must be between 1 and %d characters", nameMax)
		case !text.Printable(*name, false):
			add("wallet_name", "characters", "must not contain control characters")
		}
	}
	if description != nil {
		switch {
		case utf8.RuneCountInString(*description) > descriptionMax:
			add("wallet_description", "max_length", "must be at most %d characters", descriptionMax)
		case !text.Printable(*description, true):
			add("wallet_description", "characters", "must not contain control characters")
		}
	}
	return wrong
}

func invalid(wrong []fault.Field) error {
	if len(wrong) == 0 {
		return nil
	}
	return fault.InvalidFields(wrong...)
}

// Create makes a wallet for the caller, who becomes a user if need be. Faults:
// Invalid with every wrong field; Forbidden "Access denied" for another user or
// another's chain; NotFound "Chain not found"; Unavailable when too many
// passwords are being checked.
func (s *Service) Create(ctx context.Context, caller uuid.UUID, n Request) (Wallet, error) {
	if err := n.Validate(); err != nil {
		return Wallet{}, err
	}
	// Before the password is derived from: that is the expensive part.
	if err := s.mayCreate(ctx, caller, n); err != nil {
		return Wallet{}, err
	}
	fresh, err := s.generate(ctx, caller, n)
	if err != nil {
		return Wallet{}, err
	}
	var made Wallet
	err = s.store.InTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
		if err := q.EnsureUser(ctx, caller); err != nil {
			return fmt.Errorf("ensure the user: %w", err)
		}
		if err := q.InsertWallet(ctx, fresh); err != nil {
			return err
		}
		made, err = reread(ctx, q, fresh.ID)
		return err
	})
	if store.ForeignKeyViolation(err, "") {
		return Wallet{}, errNoChain().Because(err) // deleted a moment ago
	}
	if err != nil {
		return Wallet{}, fmt.Errorf("create the wallet: %w", err)
	}
	return made, nil
}

func (s *Service) mayCreate(ctx context.Context, caller uuid.UUID, n Request) error {
	if n.UserID != nil && *n.UserID != caller {
		return errDenied()
	}
	if n.ChainID == nil {
		return nil
	}
	chain, err := s.store.Queries().GetChain(ctx, *n.ChainID)
	if store.NotFound(err) {
		return errNoChain()
	}
	if err != nil {
		return fmt.Errorf("read the chain: %w", err)
	}
	if chain.CreatedBy != caller {
		return errDenied()
	}
	return nil
}

func errNoChain() *fault.Fault { return fault.New(fault.NotFound, "Chain not found") }

// generate makes the key pair, sealed for the wallet's id.
func (s *Service) generate(ctx context.Context, caller uuid.UUID, n Request) (db.InsertWalletParams, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return db.InsertWalletParams{}, fmt.Errorf("make a wallet's id: %w", err)
	}
	pair, err := keystore.Generate(func(seed []byte, _ livechain.Address) ([]byte, error) {
		return s.passwords.Seal(ctx, n.Password, seed, id[:])
	})
	if err != nil {
		return db.InsertWalletParams{}, err
	}
	return db.InsertWalletParams{
		ID: id, UserID: n.UserID, ChainID: n.ChainID, Address: pair.Address.String(),
		PublicKey: pair.Public, SealedKey: pair.Sealed, Custody: keystore.CustodyPassword,
		WalletName: n.Name, WalletDescription: n.Description, CreatedBy: &caller,
	}, nil
}
