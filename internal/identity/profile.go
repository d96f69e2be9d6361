package identity

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/text"
)

// User is all that a user is shown about themselves (seed launchpad, User
// Management). What was never set is nil.
type User struct {
	ID               uuid.UUID
	WalletAddress    string // their own, else that of the platform's wallet for them
	Email            *string
	Username         *string
	DisplayName      *string
	Bio              *string
	AvatarURL        *string
	WebsiteURL       *string
	TwitterHandle    *string
	GithubUsername   *string
	TelegramHandle   *string
	IsVerified       bool
	VerificationTier string // basic, verified or premium
	ChainsCreated    int64
	Invested         money.Amount // CNPY paid for tokens, fees included
	ReputationScore  int64
	CreatedAt        time.Time
}

// Change is what a user wants to be different; nil leaves a field as it is, and
// an empty text empties one that may be empty.
type Change struct {
	Username       *string
	DisplayName    *string
	Bio            *string
	AvatarURL      *string
	WebsiteURL     *string
	TwitterHandle  *string
	GithubUsername *string
	TelegramHandle *string
}

// The seed's limits, in characters.
const (
	usernameMin, usernameMax = 3, 50
	displayNameMax           = 100
	bioMax                   = 500
	urlMax                   = 500
	handleMax                = 50
	githubMax                = 100
)

// Empty reports that nothing is to change.
func (c Change) Empty() bool { return c == Change{} }

// Validate reports every wrong field at once, as a *fault.Fault of kind Invalid.
func (c Change) Validate() error {
	var v checker
	v.username(c.Username)
	v.line("display_name", c.DisplayName, displayNameMax)
	v.text("bio", c.Bio, bioMax, true)
	v.link("avatar_url", c.AvatarURL)
	v.link("website_url", c.WebsiteURL)
	v.line("twitter_handle", c.TwitterHandle, handleMax)
	if v.line("github_username", c.GithubUsername, githubMax) {
		v.alphanumeric("github_username", *c.GithubUsername)
	}
	v.line("telegram_handle", c.TelegramHandle, handleMax)
	if len(v.wrong) == 0 {
		return nil
	}
	return fault.InvalidFields(v.wrong...)
}

// checker collects what is wrong.
type checker struct{ wrong []fault.Field }

func (v *checker) add(name, rule, format string, args ...any) bool {
	v.wrong = append(v.wrong, fault.Field{Name: name, Rule: rule, Reason: fmt.Sprintf(format, args...)})
	return false
}

// username may not be emptied: once somebody has a name it is theirs.
func (v *checker) username(value *string) {
	if value == nil {
		return
	}
	if length := utf8.RuneCountInString(*value); length < usernameMin || length > usernameMax {
		v.add("username", "length", "must be between %d and %d characters", usernameMin, usernameMax)
		return
	}
	v.alphanumeric("username", *value)
}

func (v *checker) alphanumeric(name, value string) {
	if !text.Alphanumeric(value) {
		v.add(name, "pattern", "must contain only letters and numbers")
	}
}

func (v *checker) line(name string, value *string, longest int) bool {
	return v.text(name, value, longest, false)
}

// text reports whether a text is there and can be kept.
func (v *checker) text(name string, value *string, longest int, multiline bool) bool {
	switch {
	case value == nil:
		return false
	case utf8.RuneCountInString(*value) > longest:
		return v.add(name, "max_length", "must be at most %d characters", longest)
	case !text.Printable(*value, multiline):
		return v.add(name, "characters", "must not contain control characters")
	}
	return true
}

// link takes web addresses alone: others see them as links, and a javascript:
// one would run in their browsers.
func (v *checker) link(name string, value *string) {
	if !v.line(name, value, urlMax) || *value == "" {
		return
	}
	parsed, err := url.Parse(*value)
	if err != nil || (parsed.Scheme != "https" && parsed.Scheme != "http") || parsed.Hostname() == "" || parsed.User != nil ||
		strings.ContainsRune(*value, ' ') {
		v.add(name, "format", "must be a valid URL")
	}
}

// Profile returns a user.
func (s *Service) Profile(ctx context.Context, id uuid.UUID) (User, error) {
	row, err := s.store.Queries().GetUser(ctx, id)
	if err != nil {
		return User{}, notFound(err, "read the user")
	}
	return s.complete(ctx, row)
}

// UpdateProfile changes a user and returns them. The change must have passed
// Validate. A username that somebody has, in whatever case, is a Conflict.
func (s *Service) UpdateProfile(ctx context.Context, id uuid.UUID, c Change) (User, error) {
	row, err := s.store.Queries().UpdateProfile(ctx, db.UpdateProfileParams{
		ID: id, Username: c.Username, DisplayName: c.DisplayName, Bio: c.Bio,
		AvatarUrl: c.AvatarURL, WebsiteUrl: c.WebsiteURL, TwitterHandle: c.TwitterHandle,
		GithubUsername: c.GithubUsername, TelegramHandle: c.TelegramHandle,
	})
	// Of what a profile can change the username alone is unique.
	if store.UniqueViolation(err, "") {
		return User{}, fault.New(fault.Conflict, "Username is already taken").Because(err)
	}
	if err != nil {
		return User{}, notFound(err, "update the user")
	}
	return s.complete(ctx, row)
}

func notFound(err error, doing string) error {
	if store.NotFound(err) {
		return fault.New(fault.NotFound, "User not found")
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// complete adds what is computed: the address, the chains and what was invested.
func (s *Service) complete(ctx context.Context, row db.User) (User, error) {
	user := userOf(row)
	if row.WalletAddress == nil {
		address, err := s.addresses.EnsureAddress(ctx, row.ID)
		if err != nil {
			return User{}, fmt.Errorf("find the user's address: %w", err)
		}
		user.WalletAddress = address.String()
	}
	var err error
	if user.ChainsCreated, err = s.store.Queries().CountUserChains(ctx, row.ID); err != nil {
		return User{}, fmt.Errorf("count the user's chains: %w", err)
	}
	invested, err := s.store.Queries().UserInvested(ctx, row.ID)
	if err != nil {
		return User{}, fmt.Errorf("sum up what the user invested: %w", err)
	}
	user.Invested = money.Amount(invested)
	return user, nil
}

func userOf(row db.User) User {
	user := User{
		ID: row.ID, Email: row.Email, Username: row.Username, DisplayName: row.DisplayName, Bio: row.Bio,
		AvatarURL: row.AvatarUrl, WebsiteURL: row.WebsiteUrl, TwitterHandle: row.TwitterHandle,
		GithubUsername: row.GithubUsername, TelegramHandle: row.TelegramHandle,
		IsVerified: row.IsVerified, VerificationTier: row.VerificationTier,
		ReputationScore: row.ReputationScore, CreatedAt: row.CreatedAt,
	}
	if row.WalletAddress != nil {
		user.WalletAddress = *row.WalletAddress
	}
	return user
}
