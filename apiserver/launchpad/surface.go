// Package launchpad is the launchpad surface (seed launchpad): chains on their
// way from a draft to a live blockchain, their virtual pools and trades. Its
// handlers decode, ask the domain and encode; every rule is the domain's.
package launchpad

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/explorer"
	"github.com/lucid-blockchain/lucid/internal/feed"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/wallet"
)

// Chains is the life cycle of chains; *chain.Service is one.
type Chains interface {
	Create(ctx context.Context, spec chain.Spec) (chain.Chain, error)
	GetFor(ctx context.Context, id, user uuid.UUID) (chain.Chain, error)
	List(ctx context.Context, f chain.Filter, page chain.Page) ([]chain.Chain, int64, error)
	Delete(ctx context.Context, id, by uuid.UUID) error
	Launch(ctx context.Context, id, by uuid.UUID, at *time.Time) (chain.Chain, error)
	CancelLaunch(ctx context.Context, id, by uuid.UUID) (chain.Chain, error)
	Holders(ctx context.Context, id uuid.UUID, page chain.Page) ([]chain.Position, int64, error)
	Template(ctx context.Context, id uuid.UUID) (chain.Template, error)
	Templates(ctx context.Context, f chain.TemplateFilter, page chain.Page) ([]chain.Template, int64, error)
}

// Market trades virtual pools; *market.Market is one.
type Market interface {
	Pool(ctx context.Context, id uuid.UUID) (market.Pool, error)
	Pools(ctx context.Context, search market.Search, page market.Page) ([]market.Pool, int64, error)
	PoolsOf(ctx context.Context, chainIDs []uuid.UUID) (map[uuid.UUID]market.Pool, error)
	Quote(ctx context.Context, id uuid.UUID, r market.QuoteRequest) (market.Quote, error)
	Trade(ctx context.Context, o market.Order) (market.Trade, error)
	Trades(ctx context.Context, f market.TradeFilter, page market.Page) ([]market.Trade, int64, error)
}

// Accounts is what users hold.
type Accounts interface {
	Faucet(ctx context.Context, user uuid.UUID, amount money.Amount) error
	Balances(ctx context.Context, user uuid.UUID) ([]ledger.Balance, error)
	Entries(ctx context.Context, user uuid.UUID, page ledger.Page) ([]ledger.Entry, int64, error)
}

// Users finds users by their ids; *db.Queries is one.
type Users interface {
	GetUsers(ctx context.Context, ids []uuid.UUID) ([]db.User, error)
}

// Domain is everything the surface asks.
type Domain struct {
	Chains    Chains
	Market    Market
	Data      MarketData
	Accounts  Accounts
	Users     Users
	Wallets   Wallets
	People    People
	Sessions  Sessions
	Mail      func(mail.Settings) mail.Sender
	Graduated Graduated
	Explorer  Explorer
	Bridge    Bridge
	Feed      *feed.Feed
}

// Over is the domain on a store, with the market that trades on it and what keys
// are sealed with. People, Sessions and Mail need more secrets, and the Bridge
// and the Feed have to be run: they are for the caller to add.
func Over(s *store.Store, m *market.Market, keys Keys) Domain {
	wallets := wallet.New(s, keys.Passwords)
	return Domain{
		Chains: &chain.Service{Store: s, Market: m, Keys: keys.Platform}, Market: m, Data: m, Accounts: book{s}, Users: s.Queries(),
		Wallets: wallets, Graduated: &graduated.Service{Store: s, Rate: m.Rate, Wallets: wallets, Custody: keys.Platform},
		Explorer: &explorer.Service{Store: s},
	}
}

// book is the ledger of one store.
type book struct{ store *store.Store }

func (b book) Faucet(ctx context.Context, user uuid.UUID, amount money.Amount) error {
	_, err := ledger.Faucet(ctx, b.store, user, amount)
	return err
}

func (b book) Balances(ctx context.Context, user uuid.UUID) ([]ledger.Balance, error) {
	return ledger.Balances(ctx, b.store, user)
}

func (b book) Entries(ctx context.Context, user uuid.UUID, page ledger.Page) ([]ledger.Entry, int64, error) {
	return ledger.Entries(ctx, b.store, user, page)
}

// Surface answers for the launchpad.
type Surface struct {
	domain Domain
	now    func() time.Time
}

var _ middleware.Surface = (*Surface)(nil)

// New makes the surface over its domain.
func New(d Domain) *Surface { return &Surface{domain: d, now: time.Now} }

// Name implements middleware.Surface.
func (s *Surface) Name() string { return ratelimit.SurfaceLaunchpad }

// Register implements middleware.Surface. The sentences are what the seed says
// when an operation fails inside.
func (s *Surface) Register(r fiber.Router) {
	r.Get("/health", s.health)
	s.Document().Register(r)
	api := describedBy(s.Document(), r.Group(prefix))
	api.Get("/templates", httpx.Operation("Failed to retrieve templates", s.listTemplates))
	s.registerPeople(api)
	s.registerChains(api)
	api.Get("/virtual-pools", httpx.Operation("Failed to retrieve virtual pools", s.listPools))
	api.Get("/virtual-pools/:id", httpx.Operation("Failed to retrieve virtual pool", s.getPool))
	api.Post("/virtual-pools/:id/quote", httpx.Operation("Failed to quote the trade", s.quote))
	api.Post("/virtual-pools/:id/trades", httpx.Operation("Failed to execute the trade", s.trade))
	s.registerWallets(api)
	s.registerGraduated(api)
	s.registerExplorer(api)
	s.registerMarketData(api)
	api.Get("/ws", httpx.Operation("Failed to open the live feed", s.liveFeed))
	s.registerBridge(api)
	api.Post("/faucet", httpx.Operation("Failed to fund the account", s.faucet))
	api.Get("/accounts/me", httpx.Operation("Failed to retrieve account", s.account))
	api.Get("/accounts/me/entries", httpx.Operation("Failed to retrieve account entries", s.entries))
}

func (s *Surface) registerChains(api fiber.Router) {
	api.Get("/chains", httpx.Operation("Failed to retrieve chains", s.listChains))
	api.Post("/chains", httpx.Operation("Failed to create chain", s.createChain))
	api.Get("/chains/:id", httpx.Operation("Failed to retrieve chain", s.getChain))
	api.Delete("/chains/:id", httpx.Operation("Failed to delete chain", s.deleteChain))
	api.Post("/chains/:id/launch", httpx.Operation("Failed to launch chain", s.launchChain))
	api.Delete("/chains/:id/launch", httpx.Operation("Failed to cancel launch", s.cancelLaunch))
	api.Get("/chains/:id/virtual-pool", httpx.Operation("Failed to retrieve virtual pool", s.getChainPool))
	api.Get("/chains/:id/transactions", httpx.Operation("Failed to retrieve transactions", s.listTransactions))
	api.Get("/chains/:id/holders", httpx.Operation("Failed to retrieve holders", s.listHolders))
	api.Get("/chains/:id/progress", httpx.Operation("Failed to retrieve progress", s.getProgress))
}

// caller is the user behind a request; each route but /health needs one.
func caller(c *fiber.Ctx) (uuid.UUID, error) {
	identity, err := middleware.RequireUser(c)
	return identity.UserID, err
}

// callerAndID is how every route about one thing begins; what names the thing:
// "Invalid chain ID".
func callerAndID(c *fiber.Ctx, what string) (user, id uuid.UUID, err error) {
	if user, err = caller(c); err != nil {
		return user, id, err
	}
	id, err = httpx.PathID(c, "id", what)
	return user, id, err
}
