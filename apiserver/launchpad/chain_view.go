package launchpad

import (
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// chainView is the seed's chain (seed launchpad, GET /chains), and whatever was
// asked for by include. An included relation that there is not is null.
type chainView struct {
	ID                     uuid.UUID    `json:"id"`
	ChainName              string       `json:"chain_name"`
	TokenSymbol            string       `json:"token_symbol"`
	ChainDescription       string       `json:"chain_description"`
	TemplateID             *uuid.UUID   `json:"template_id"`
	ConsensusMechanism     string       `json:"consensus_mechanism"`
	TokenTotalSupply       money.Amount `json:"token_total_supply"`
	GraduationThreshold    money.Amount `json:"graduation_threshold"`
	CreationFee            money.Amount `json:"creation_fee_cnpy"`
	InitialCNPYReserve     money.Amount `json:"initial_cnpy_reserve"`
	InitialTokenSupply     money.Amount `json:"initial_token_supply"`
	BondingCurveSlope      money.Slope  `json:"bonding_curve_slope"`
	ScheduledLaunchTime    *time.Time   `json:"scheduled_launch_time"`
	ActualLaunchTime       *time.Time   `json:"actual_launch_time"`
	CreatorInitialPurchase money.Amount `json:"creator_initial_purchase_cnpy"`
	Status                 chain.Status `json:"status"`
	FailureReason          string       `json:"failure_reason,omitempty"`
	IsGraduated            bool         `json:"is_graduated"`
	GraduationTime         *time.Time   `json:"graduation_time"`
	ChainID                *string      `json:"chain_id"`
	GenesisHash            *string      `json:"genesis_hash"`
	ValidatorMinStake      money.Amount `json:"validator_min_stake"`
	CreatedBy              uuid.UUID    `json:"created_by"`
	CreatedAt              time.Time    `json:"created_at"`
	UpdatedAt              time.Time    `json:"updated_at"`

	// nil is "not asked for"; see null.
	Template    any `json:"template,omitempty"`
	Creator     any `json:"creator,omitempty"`
	Repository  any `json:"repository,omitempty"`
	SocialLinks any `json:"social_links,omitempty"`
	Assets      any `json:"assets,omitempty"`
	VirtualPool any `json:"virtual_pool,omitempty"`
}

func viewChain(c chain.Chain) chainView {
	return chainView{
		ID: c.ID, ChainName: c.ChainName, TokenSymbol: c.TokenSymbol, ChainDescription: c.Description,
		TemplateID: c.TemplateID, ConsensusMechanism: c.ConsensusMechanism,
		TokenTotalSupply: c.TokenTotalSupply, GraduationThreshold: c.GraduationThreshold, CreationFee: c.CreationFee,
		InitialCNPYReserve: c.InitialCNPYReserve, InitialTokenSupply: c.InitialTokenSupply,
		BondingCurveSlope: c.BondingCurveSlope, CreatorInitialPurchase: c.CreatorInitialPurchase,
		ScheduledLaunchTime: utc(c.ScheduledLaunchTime), ActualLaunchTime: utc(c.ActualLaunchTime),
		Status: c.Status, FailureReason: c.FailureReason, IsGraduated: c.IsGraduated, GraduationTime: utc(c.GraduationTime),
		ChainID: c.ChainID, GenesisHash: c.GenesisHash, ValidatorMinStake: c.ValidatorMinStake,
		CreatedBy: c.CreatedBy, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
	}
}

// templateView is the seed's chain template.
type templateView struct {
	ID                 uuid.UUID    `json:"id"`
	Name               string       `json:"template_name"`
	Description        string       `json:"template_description"`
	Category           string       `json:"template_category"`
	Language           string       `json:"supported_language"`
	DefaultTokenSupply money.Amount `json:"default_token_supply"`
	DocumentationURL   *string      `json:"documentation_url"`
	ExampleChains      []string     `json:"example_chains"`
	Version            string       `json:"version"`
	IsActive           bool         `json:"is_active"`
	CreatedAt          time.Time    `json:"created_at"`
	UpdatedAt          time.Time    `json:"updated_at"`
}

func viewTemplate(t chain.Template) templateView {
	return templateView{
		ID: t.ID, Name: t.Name, Description: t.Description, Category: t.Category, Language: t.Language,
		DefaultTokenSupply: t.DefaultTokenSupply, DocumentationURL: t.DocumentationURL, ExampleChains: t.ExampleChains,
		Version: t.Version, IsActive: t.IsActive, CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
	}
}

// creatorView is what everybody may know of a user: the seed's user without the
// e-mail address and what is computed for the user alone.
type creatorView struct {
	ID               uuid.UUID `json:"id"`
	WalletAddress    *string   `json:"wallet_address"`
	Username         *string   `json:"username"`
	DisplayName      *string   `json:"display_name"`
	Bio              *string   `json:"bio"`
	AvatarURL        *string   `json:"avatar_url"`
	WebsiteURL       *string   `json:"website_url"`
	TwitterHandle    *string   `json:"twitter_handle"`
	GithubUsername   *string   `json:"github_username"`
	TelegramHandle   *string   `json:"telegram_handle"`
	IsVerified       bool      `json:"is_verified"`
	VerificationTier string    `json:"verification_tier"`
	ReputationScore  int64     `json:"reputation_score"`
	CreatedAt        time.Time `json:"created_at"`
}

func viewCreator(u db.User) creatorView {
	return creatorView{
		ID: u.ID, WalletAddress: u.WalletAddress, Username: u.Username, DisplayName: u.DisplayName, Bio: u.Bio,
		AvatarURL: u.AvatarUrl, WebsiteURL: u.WebsiteUrl, TwitterHandle: u.TwitterHandle,
		GithubUsername: u.GithubUsername, TelegramHandle: u.TelegramHandle, IsVerified: u.IsVerified,
		VerificationTier: u.VerificationTier, ReputationScore: u.ReputationScore, CreatedAt: u.CreatedAt.UTC(),
	}
}
