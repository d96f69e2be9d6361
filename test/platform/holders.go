package platform

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"
)

// Holder is a position as the launchpad shows it.
type Holder struct {
	UserID        uuid.UUID `json:"user_id"`
	WalletAddress *string   `json:"wallet_address"`
	TokenAmount   Decimal   `json:"token_amount"`
}

// Holders pages through all holders of a chain's token.
func (u *User) Holders(ctx context.Context, chainID string) ([]Holder, error) {
	var all []Holder
	for page := 1; ; page++ {
		answer, err := u.Do(ctx, http.MethodGet, fmt.Sprintf("/chains/%s/holders?limit=100&page=%d", chainID, page), nil)
		if err != nil {
			return nil, err
		}
		var some []Holder
		if err := answer.Into(&some); err != nil {
			return nil, err
		}
		all = append(all, some...)
		if page >= answer.Pagination.Pages {
			return all, nil
		}
	}
}
