// Package chain is the life of a chain before it is one: draft, launch onto a
// bonding curve, graduation. It knows the database alone; who is told of what
// happens reads the outbox.
package chain

import (
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Status is where a chain is in its life (seed launchpad, Chains).
type Status string

// The five states. A chain goes down this list and never back, save that a
// scheduled launch may be cancelled; Failed is an end that any of the others but
// Graduated may come to.
const (
	Draft         Status = "draft"
	PendingLaunch Status = "pending_launch" // a launch time is set, or a live chain without a pool is starting
	VirtualActive Status = "virtual_active" // traded on the curve
	Graduated     Status = "graduated"      // a live chain produces blocks
	Failed        Status = "failed"
)

// Statuses lists the states for the validation of filters.
var Statuses = []Status{Draft, PendingLaunch, VirtualActive, Graduated, Failed}

// Origin says which side a chain was born on.
type Origin string

// The two births.
const (
	FromAPI        Origin = "api"
	FromKubernetes Origin = "kubernetes"
)

// Definition is what a chain was declared to be, complete with defaults. It is
// fixed once the chain has launched. Field by field it is the body of the
// seed's POST /chains.
type Definition struct {
	ChainName              string
	TokenSymbol            string
	Description            string
	TemplateID             *uuid.UUID
	ConsensusMechanism     string
	TokenTotalSupply       money.Amount // whole tokens, as 1e-6
	GraduationThreshold    money.Amount // CNPY reserve at which the pool closes
	CreationFee            money.Amount // CNPY that launching costs the creator
	InitialCNPYReserve     money.Amount // virtual liquidity
	InitialTokenSupply     money.Amount // tokens that the curve sells
	CurveType              curve.Kind
	BondingCurveSlope      money.Slope // CNPY per token per token sold
	FeeBasisPoints         int32       // of the CNPY side of a trade
	ValidatorMinStake      money.Amount
	CreatorInitialPurchase money.Amount // CNPY spent in the launching transaction
	Limits                 Limits       // that the pool opens with
	// Direct chains never have a pool: they go straight to a live chain
	// (docs/domain.md §4), and what is said of a curve plays no part.
	Direct bool
}

// Chain is a chain as the ledger knows it.
type Chain struct {
	ID uuid.UUID
	Definition
	ScheduledLaunchTime *time.Time
	ActualLaunchTime    *time.Time
	Status              Status
	FailureReason       string // also why a due launch could not be done yet
	IsGraduated         bool
	GraduationTime      *time.Time
	ChainID             *string // of the live chain
	GenesisHash         *string
	RPCEndpoint         *string
	CreatedBy           uuid.UUID
	Origin              Origin
	Version             int64 // number of its last event
	CreatedAt           time.Time
	UpdatedAt           time.Time
}

// Launched reports whether the chain has a pool, or its live chain is being
// started without one: its definition is fixed. A failed chain counts as
// launched: nothing about it changes any more.
func (c Chain) Launched() bool {
	return c.Status != Draft && c.Status != PendingLaunch || c.Direct && c.ActualLaunchTime != nil
}

// Live is what a live chain is known by once it produces blocks.
type Live struct {
	ChainID     string
	GenesisHash string
	RPCEndpoint string
}

// VisibleTo reports whether a user may see the chain: everybody sees every
// chain, save that a draft made through the API is its creator's own. A draft
// declared in Kubernetes is public already.
func (c Chain) VisibleTo(user uuid.UUID) bool {
	return c.Status != Draft || c.Origin == FromKubernetes || c.CreatedBy == user
}

// fromRow gives the row's integers their types.
func fromRow(r db.Chain) Chain {
	return Chain{
		ID: r.ID,
		Definition: Definition{
			ChainName: r.ChainName, TokenSymbol: r.TokenSymbol, Description: r.ChainDescription,
			TemplateID: r.TemplateID, ConsensusMechanism: r.ConsensusMechanism,
			TokenTotalSupply:       money.Amount(r.TokenTotalSupply),
			GraduationThreshold:    money.Amount(r.GraduationThreshold),
			CreationFee:            money.Amount(r.CreationFeeCnpy),
			InitialCNPYReserve:     money.Amount(r.InitialCnpyReserve),
			InitialTokenSupply:     money.Amount(r.InitialTokenSupply),
			CurveType:              curve.Kind(r.CurveType),
			BondingCurveSlope:      money.Slope(r.BondingCurveSlope),
			FeeBasisPoints:         r.FeeBasisPoints,
			ValidatorMinStake:      money.Amount(r.ValidatorMinStake),
			CreatorInitialPurchase: money.Amount(r.CreatorInitialPurchaseCnpy),
			Limits:                 LimitsOf(r.MaxBuyCnpy, r.AntiSnipeSeconds, r.AntiSnipeMaxBuyCnpy),
			Direct:                 r.Direct,
		},
		ScheduledLaunchTime: r.ScheduledLaunchTime, ActualLaunchTime: r.ActualLaunchTime,
		Status: Status(r.Status), FailureReason: r.FailureReason,
		IsGraduated: r.IsGraduated, GraduationTime: r.GraduationTime,
		ChainID: r.ChainID, GenesisHash: r.GenesisHash, RPCEndpoint: r.RpcEndpoint,
		CreatedBy: r.CreatedBy, Origin: Origin(r.Origin), Version: r.Version,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}
