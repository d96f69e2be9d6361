package launchpad

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// holderView is one user's position in a chain's token.
type holderView struct {
	UserID        uuid.UUID     `json:"user_id"`
	Username      *string       `json:"username"`
	WalletAddress *string       `json:"wallet_address"`
	TokenAmount   money.Amount  `json:"token_amount"`
	Percent       money.Decimal `json:"percent"` // of the total supply
}

// listHolders shows who holds a chain's token, the largest first.
func (s *Surface) listHolders(c *fiber.Ctx) error {
	found, err := s.visibleChain(c)
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	positions, total, err := s.domain.Chains.Holders(c.UserContext(), found.ID, chain.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, positions, func(p chain.Position) holderView {
		return holderView{
			UserID: p.UserID, Username: p.Username, WalletAddress: p.Address, TokenAmount: p.Amount,
			Percent: money.NewRatio(p.Amount, found.TokenTotalSupply).Percent(),
		}
	})
}
