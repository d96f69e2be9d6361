package chain

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/ptr"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// reader collects what can't be read. The schema refuses all of it, but an
// object may be older than the schema.
type reader struct{ errs []error }

func (r *reader) fail(field string, err error) {
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", field, err))
	}
}

func (r *reader) amount(field, text string) *money.Amount {
	if text == "" {
		return nil
	}
	value, err := money.Parse(text)
	r.fail(field, err)
	return &value
}

func (r *reader) id(field, text string) *uuid.UUID {
	if text == "" {
		return nil
	}
	value, err := uuid.Parse(text)
	r.fail(field, err)
	return &value
}

func (r *reader) slope(field, text string) *money.Slope {
	if text == "" {
		return nil
	}
	value, err := money.ParseSlope(text)
	r.fail(field, err)
	return &value
}

// declared translates an object's spec into the ledger's words.
func declared(spec *lucidv1.ChainSpec) (chain.Spec, error) {
	var r reader
	out := chain.Spec{
		ChainName: spec.ChainName, TokenSymbol: spec.Token.Symbol, Description: spec.Description,
		TemplateID:             r.id("spec.templateID", spec.TemplateID),
		ConsensusMechanism:     spec.Network.Consensus,
		TokenTotalSupply:       r.amount("spec.token.totalSupply", spec.Token.TotalSupply),
		GraduationThreshold:    r.amount("spec.graduation.thresholdCNPY", spec.Graduation.ThresholdCNPY),
		CreationFee:            r.amount("spec.launch.creationFeeCNPY", spec.Launch.CreationFeeCNPY),
		InitialCNPYReserve:     r.amount("spec.curve.initialCNPYReserve", spec.Curve.InitialCNPYReserve),
		InitialTokenSupply:     r.amount("spec.curve.initialTokenSupply", spec.Curve.InitialTokenSupply),
		CurveType:              curve.Kind(spec.Curve.Type),
		BondingCurveSlope:      r.slope("spec.curve.slope", spec.Curve.Slope),
		FeeBasisPoints:         spec.Curve.FeeBasisPoints,
		ValidatorMinStake:      r.amount("spec.network.validatorMinStake", spec.Network.ValidatorMinStake),
		CreatorInitialPurchase: r.amount("spec.launch.creatorInitialPurchaseCNPY", spec.Launch.CreatorInitialPurchaseCNPY),
		ScheduledLaunchTime:    launchTime(spec.Launch),
		Direct:                 spec.Launch.Mode == lucidv1.LaunchDirect,
		CreatedBy:              identity.PlatformUserID,
	}
	limits, err := book.LimitsOf(spec.Limits)
	r.fail("spec", err)
	out.Limits = limits
	if creator := r.id("spec.creatorID", spec.CreatorID); creator != nil {
		out.CreatedBy = *creator
	}
	return out, errors.Join(r.errs...)
}

func launchTime(launch lucidv1.Launch) *time.Time {
	if launch.Mode != lucidv1.LaunchScheduled || launch.Time == nil {
		return nil
	}
	return ptr.To(launch.Time.UTC())
}

// Declaration is the spec of the object of a chain that was born through the
// API. It says exactly what the row says, so that declaring it back changes
// nothing, and leaves the launch to the API.
func Declaration(c chain.Chain, gateway string) lucidv1.ChainSpec {
	spec := lucidv1.ChainSpec{
		GatewayRef:  lucidv1.LocalObjectReference{Name: gateway},
		ID:          c.ID.String(),
		ChainName:   c.ChainName,
		Description: c.Description,
		Token:       lucidv1.Token{Symbol: c.TokenSymbol, TotalSupply: c.TokenTotalSupply.String()},
		Curve: lucidv1.Curve{
			Type: lucidv1.CurveType(c.CurveType), InitialCNPYReserve: c.InitialCNPYReserve.String(),
			InitialTokenSupply: c.InitialTokenSupply.String(), Slope: c.BondingCurveSlope.String(),
			FeeBasisPoints: ptr.To(c.FeeBasisPoints),
		},
		Graduation: lucidv1.Graduation{ThresholdCNPY: c.GraduationThreshold.String()},
		Launch: lucidv1.Launch{
			Mode: lucidv1.LaunchManual, CreationFeeCNPY: c.CreationFee.String(),
			CreatorInitialPurchaseCNPY: c.CreatorInitialPurchase.String(),
		},
		Limits:  book.ShowLimits(c.Limits),
		Network: lucidv1.Network{Consensus: c.ConsensusMechanism, ValidatorMinStake: c.ValidatorMinStake.String()},
	}
	if c.TemplateID != nil {
		spec.TemplateID = c.TemplateID.String()
	}
	if c.CreatedBy != identity.PlatformUserID {
		spec.CreatorID = c.CreatedBy.String()
	}
	return spec
}
