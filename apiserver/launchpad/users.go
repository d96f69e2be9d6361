package launchpad

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// userView is the seed's user, as shown to nobody but the user.
type userView struct {
	ID               uuid.UUID    `json:"id"`
	WalletAddress    string       `json:"wallet_address"`
	Email            *string      `json:"email"`
	Username         *string      `json:"username"`
	DisplayName      *string      `json:"display_name"`
	Bio              *string      `json:"bio"`
	AvatarURL        *string      `json:"avatar_url"`
	WebsiteURL       *string      `json:"website_url"`
	TwitterHandle    *string      `json:"twitter_handle"`
	GithubUsername   *string      `json:"github_username"`
	TelegramHandle   *string      `json:"telegram_handle"`
	IsVerified       bool         `json:"is_verified"`
	VerificationTier string       `json:"verification_tier"`
	ChainsCreated    int64        `json:"total_chains_created"`
	Invested         money.Amount `json:"total_cnpy_invested"`
	ReputationScore  int64        `json:"reputation_score"`
	CreatedAt        time.Time    `json:"created_at"`
}

func viewUser(u identity.User) userView {
	return userView{
		ID: u.ID, WalletAddress: u.WalletAddress, Email: u.Email, Username: u.Username, DisplayName: u.DisplayName,
		Bio: u.Bio, AvatarURL: u.AvatarURL, WebsiteURL: u.WebsiteURL, TwitterHandle: u.TwitterHandle,
		GithubUsername: u.GithubUsername, TelegramHandle: u.TelegramHandle, IsVerified: u.IsVerified,
		VerificationTier: u.VerificationTier, ChainsCreated: u.ChainsCreated, Invested: u.Invested,
		ReputationScore: u.ReputationScore, CreatedAt: u.CreatedAt.UTC(),
	}
}

// profileCaller is caller with the words that the seed has for profiles.
func profileCaller(c *fiber.Ctx) (uuid.UUID, error) {
	user, err := caller(c)
	if fault.Is(err, fault.Unauthenticated) {
		return user, fault.New(fault.Unauthenticated, "User not authenticated")
	}
	return user, err
}

func (s *Surface) getProfile(c *fiber.Ctx) error {
	id, err := profileCaller(c)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	user, err := s.domain.People.Profile(c.UserContext(), id)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, viewUser(user))
}

// profileView answers PUT /users/profile.
type profileView struct {
	User    userView `json:"user"`
	Message string   `json:"message"`
}

func (s *Surface) updateProfile(c *fiber.Ctx) error {
	id, err := profileCaller(c)
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	change := readChange(body)
	// The domain's own complaints go into the same list.
	if err := body.Err(change.Validate()); err != nil {
		return err
	}
	if change.Empty() {
		return fault.New(fault.Malformed, "No fields provided to update")
	}
	user, err := s.domain.People.UpdateProfile(c.UserContext(), id, change)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, profileView{User: viewUser(user), Message: "Profile updated successfully"})
}

func readChange(body *httpx.Object) identity.Change {
	return identity.Change{
		Username: body.Text("username"), DisplayName: body.Text("display_name"), Bio: body.Text("bio"),
		AvatarURL: body.Text("avatar_url"), WebsiteURL: body.Text("website_url"),
		TwitterHandle: body.Text("twitter_handle"), GithubUsername: body.Text("github_username"),
		TelegramHandle: body.Text("telegram_handle"),
	}
}
