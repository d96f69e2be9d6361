package genesis_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Whatever may be declared, and however it is traded over its threshold, has a
// first state: else its buyers' CNPY would be stuck in a closed pool.
func TestEveryDeclarableCurveHasAGenesis(t *testing.T) {
	declared := 0
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		if chain.Validate(spec) != nil {
			return
		}
		declared++
		pool := curve.Curve{
			Kind: spec.CurveType, InitialCNPY: *spec.InitialCNPYReserve, InitialTokens: *spec.InitialTokenSupply,
			Slope: *spec.BondingCurveSlope, FeeBasisPoints: *spec.FeeBasisPoints,
		}
		state := trade(t, pool, *spec.GraduationThreshold)
		if state.CNPY < *spec.GraduationThreshold {
			return // not crossed
		}
		in := input()
		in.GenesisTime = time.Unix(1, 0)
		in.CNPYRaised, in.CNPYReserve, in.TokenReserve = state.CNPY-pool.InitialCNPY, state.CNPY, state.Tokens
		in.TotalSupply, in.InitialSupply = *spec.TokenTotalSupply, pool.InitialTokens
		in.Holders = []genesis.Holder{{Address: address(1), Amount: pool.InitialTokens - state.Tokens}}
		if pool.Kind == curve.Linear {
			in.Price = pool.Price(state)
		}
		if _, err := genesis.Plan(in); err != nil {
			t.Fatalf("%+v ended at %+v: %v", pool, state, err)
		}
	})
	if declared == 0 {
		t.Error("nothing was declarable")
	}
}

// drawSpec draws within the limits, which the draft's own rules narrow further.
func drawSpec(t *rapid.T) chain.Spec {
	units := func(name string, least, most int64) *money.Amount {
		amount := money.Amount(rapid.Int64Range(least, most).Draw(t, name)) * money.Unit
		return &amount
	}
	spec := chain.Spec{
		ChainName: "Any", TokenSymbol: "ANY", CurveType: rapid.SampledFrom([]curve.Kind{curve.ConstantProduct, curve.Linear}).Draw(t, "kind"),
		TokenTotalSupply: units("total supply", 1_000_000, 10_000_000), InitialCNPYReserve: units("reserve", 1_000, 50_000),
	}
	spec.InitialTokenSupply = units("initial supply", 100_000, int64(*spec.TokenTotalSupply/money.Unit))
	slope := money.Slope(rapid.Int64Range(1_000, 10_000_000).Draw(t, "slope"))
	fee := rapid.Int32Range(0, 1_000).Draw(t, "fee")
	threshold := *spec.InitialCNPYReserve + money.Amount(rapid.OneOf(
		rapid.Int64Range(1, 1_000), rapid.Int64Range(1, int64(100_000*money.Unit)),
	).Draw(t, "raised"))
	spec.BondingCurveSlope, spec.FeeBasisPoints, spec.GraduationThreshold = &slope, &fee, &threshold
	return spec
}

// trade buys and sells until the reserve is at the threshold, by a last buyer who
// takes as much as the pool has where it can't be told how much he meant.
func trade(t *rapid.T, pool curve.Curve, threshold money.Amount) curve.State {
	state := pool.Initial()
	for range 20 {
		missing := threshold - state.CNPY
		if missing <= 0 {
			return state
		}
		cnpy := money.Amount(rapid.Int64Range(1, 3*int64(missing)).Draw(t, "order"))
		fill, err := pool.BuyExactIn(state, cnpy)
		if rapid.Bool().Draw(t, "sell") && state.Tokens < pool.InitialTokens {
			fill, err = pool.SellExactIn(state, (pool.InitialTokens-state.Tokens)/2)
		}
		if err == nil {
			state = fill.After
		}
	}
	if fill, err := pool.BuyExactOut(state, max(state.Tokens-1, 1)); err == nil {
		state = fill.After
	}
	return state
}
