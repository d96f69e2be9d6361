package launchpad

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/wallet"
)

// Wallets keeps key pairs for people; *wallet.Service is one.
type Wallets interface {
	List(ctx context.Context, caller uuid.UUID, f wallet.Filter, page wallet.Page) ([]wallet.Wallet, int64, error)
	Create(ctx context.Context, caller uuid.UUID, n wallet.Request) (wallet.Wallet, error)
	Get(ctx context.Context, caller, id uuid.UUID) (wallet.Wallet, error)
	Update(ctx context.Context, caller, id uuid.UUID, c wallet.Change) (wallet.Wallet, error)
	Delete(ctx context.Context, caller, id uuid.UUID) error
	Decrypt(ctx context.Context, caller, id uuid.UUID, password string, use func(wallet.Wallet, ed25519.PrivateKey) error) error
	Unlock(ctx context.Context, caller, id uuid.UUID) error
}

// Keys is what private keys are sealed with.
type Keys struct {
	Passwords *keystore.Passwords
	// Platform may be nil: chains are then made without a wallet of their own.
	Platform *keystore.Keystore
}

func (s *Surface) registerWallets(api fiber.Router) {
	api.Get("/wallets", httpx.Operation("Failed to retrieve wallets", s.listWallets))
	api.Post("/wallets", httpx.Operation("Failed to create wallet", s.createWallet))
	api.Get("/wallets/:id", httpx.Operation("Failed to retrieve wallet", s.getWallet))
	api.Put("/wallets/:id", httpx.Operation("Failed to update wallet", s.updateWallet))
	api.Delete("/wallets/:id", httpx.Operation("Failed to delete wallet", s.deleteWallet))
	api.Post("/wallets/:id/decrypt", httpx.Operation("Failed to decrypt wallet", s.decryptWallet))
	api.Post("/wallets/:id/unlock", httpx.Operation("Failed to unlock wallet", s.unlockWallet))
}

// walletView is the seed's wallet. PrivateKey is the answer of decrypt alone, and
// is never the key itself: see answerKey.
type walletView struct {
	ID                uuid.UUID  `json:"id"`
	UserID            *uuid.UUID `json:"user_id"`
	ChainID           *uuid.UUID `json:"chain_id"`
	Address           string     `json:"address"`
	PublicKey         string     `json:"public_key"`
	PrivateKey        string     `json:"private_key,omitempty"`
	WalletName        *string    `json:"wallet_name"`
	WalletDescription *string    `json:"wallet_description"`
	IsActive          bool       `json:"is_active"`
	IsLocked          bool       `json:"is_locked"`
	LastUsedAt        *time.Time `json:"last_used_at"`
	PasswordChangedAt *time.Time `json:"password_changed_at"`
	LockedUntil       *time.Time `json:"locked_until"`
	CreatedBy         *uuid.UUID `json:"created_by"`
	CreatedAt         time.Time  `json:"created_at"`
	UpdatedAt         time.Time  `json:"updated_at"`
}

func viewWallet(w wallet.Wallet) walletView {
	return walletView{
		ID: w.ID, UserID: w.UserID, ChainID: w.ChainID, Address: w.Address, PublicKey: hex.EncodeToString(w.PublicKey),
		WalletName: w.Name, WalletDescription: w.Description, IsActive: w.IsActive, IsLocked: w.IsLocked,
		LastUsedAt: utc(w.LastUsedAt), PasswordChangedAt: utc(w.PasswordChangedAt), LockedUntil: utc(w.LockedUntil),
		CreatedBy: w.CreatedBy, CreatedAt: w.CreatedAt.UTC(), UpdatedAt: w.UpdatedAt.UTC(),
	}
}

func (s *Surface) listWallets(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	filter := wallet.Filter{
		UserID: q.UUID("user_id"), ChainID: q.UUID("chain_id"), CreatedBy: q.UUID("created_by"),
		IsActive: q.Bool("is_active"), IsLocked: q.Bool("is_locked"),
	}
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	wallets, total, err := s.domain.Wallets.List(c.UserContext(), user, filter, wallet.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, wallets, viewWallet)
}

func (s *Surface) createWallet(c *fiber.Ctx) error {
	defer forgetBody(c)
	user, err := caller(c)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	wanted := wallet.Request{
		Password: body.String("password"), UserID: body.UUID("user_id"), ChainID: body.UUID("chain_id"),
		Name: body.Text("wallet_name"), Description: body.Text("wallet_description"),
	}
	if err := body.Err(wanted.Validate()); err != nil {
		return err
	}
	made, err := s.domain.Wallets.Create(c.UserContext(), user, wanted)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusCreated, viewWallet(made))
}

func (s *Surface) getWallet(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "wallet")
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	found, err := s.domain.Wallets.Get(c.UserContext(), user, id)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, viewWallet(found))
}

func (s *Surface) updateWallet(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "wallet")
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	change := wallet.Change{
		Name: body.Text("wallet_name"), Description: body.Text("wallet_description"), IsActive: body.Bool("is_active"),
	}
	if err := body.Err(change.Validate()); err != nil {
		return err
	}
	changed, err := s.domain.Wallets.Update(c.UserContext(), user, id, change)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, viewWallet(changed))
}

func (s *Surface) deleteWallet(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "wallet")
	if err != nil {
		return err
	}
	if err := s.domain.Wallets.Delete(c.UserContext(), user, id); err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, message{"Wallet deleted successfully"})
}

// decryptWallet writes the answer while the key is lent.
func (s *Surface) decryptWallet(c *fiber.Ctx) error {
	defer forgetBody(c)
	user, id, err := callerAndID(c, "wallet")
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	password := body.String("password")
	if password == "" {
		body.Refuse("password", httpx.RuleRequired, "is required", nil)
	}
	if err := body.Err(); err != nil {
		return err
	}
	return s.domain.Wallets.Decrypt(c.UserContext(), user, id, password, func(w wallet.Wallet, key ed25519.PrivateKey) error {
		return answerKey(c, w, key)
	})
}

func (s *Surface) unlockWallet(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "wallet")
	if err != nil {
		return err
	}
	if err := s.domain.Wallets.Unlock(c.UserContext(), user, id); err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, message{"Wallet unlocked successfully"})
}
