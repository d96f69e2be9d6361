package launchpad

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// accountView is what a user holds.
type accountView struct {
	UserID      uuid.UUID     `json:"user_id"`
	CNPYBalance money.Amount  `json:"cnpy_balance"`
	Tokens      []holdingView `json:"tokens"`
}

// holdingView is a user's balance of one chain's token.
type holdingView struct {
	ChainID uuid.UUID    `json:"chain_id"`
	Balance money.Amount `json:"balance"`
}

func viewAccount(user uuid.UUID, balances []ledger.Balance) accountView {
	view := accountView{UserID: user, Tokens: []holdingView{}}
	for _, b := range balances {
		if b.Asset == ledger.CNPY {
			view.CNPYBalance = b.Amount
			continue
		}
		view.Tokens = append(view.Tokens, holdingView{ChainID: b.Asset, Balance: b.Amount})
	}
	return view
}

// faucet gives the caller CNPY out of nothing, where the gateway declares
// development mode.
func (s *Surface) faucet(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	if !inDevelopment(c) {
		return fault.New(fault.Forbidden, "The faucet is open in development mode only")
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	body.Require("amount_cnpy")
	amount := amountOr(body, "amount_cnpy")
	if err := body.Err(ledger.ValidateFaucet(amount)); err != nil {
		return err
	}
	if err := s.domain.Accounts.Faucet(c.UserContext(), user, amount); err != nil {
		return err
	}
	return s.answerAccount(c, user)
}

func (s *Surface) account(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	return s.answerAccount(c, user)
}

func (s *Surface) answerAccount(c *fiber.Ctx, user uuid.UUID) error {
	balances, err := s.domain.Accounts.Balances(c.UserContext(), user)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, viewAccount(user, balances))
}

// entryView is one line of a user's account. chain_id is null for CNPY.
type entryView struct {
	JournalID    uuid.UUID    `json:"journal_id"`
	Kind         string       `json:"kind"`
	Asset        string       `json:"asset"` // CNPY or token
	ChainID      *uuid.UUID   `json:"chain_id"`
	Amount       money.Amount `json:"amount"` // positive is received
	BalanceAfter money.Amount `json:"balance_after"`
	CreatedAt    time.Time    `json:"created_at"`
}

func viewEntry(e ledger.Entry) entryView {
	view := entryView{
		JournalID: e.JournalID, Kind: e.Kind, Asset: "CNPY", Amount: e.Amount,
		BalanceAfter: e.BalanceAfter, CreatedAt: e.CreatedAt.UTC(),
	}
	if e.Asset != ledger.CNPY {
		view.Asset, view.ChainID = "token", &e.Asset
	}
	return view
}

func (s *Surface) entries(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	entries, total, err := s.domain.Accounts.Entries(c.UserContext(), user, ledger.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, entries, viewEntry)
}
