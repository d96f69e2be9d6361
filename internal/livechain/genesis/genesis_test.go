package genesis_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"
	"time"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const million = 1_000_000

func address(n byte) livechain.Address { return livechain.Address{n} }

// input is the default pool after one buy of 40 000 CNPY without a fee
// (docs/domain.md §2): 640 000 000 tokens sold, marginal price 0.0003125.
func input() genesis.Input {
	return genesis.Input{
		ChainID: "aurora-1", GenesisTime: time.Date(2026, 11, 23, 7, 0, 0, 123, time.UTC),
		Holders: []genesis.Holder{
			{Address: address(3), Amount: 140_000_000 * million},
			{Address: address(1), Amount: 500_000_000 * million},
		},
		CNPYRaised: 40_000 * million, CNPYReserve: 50_000 * million, TokenReserve: 160_000_000 * million,
		TotalSupply: 1_000_000_000 * million, InitialSupply: 800_000_000 * million,
		Treasury: address(9), FeeBasisPoints: 100,
		Validators: []genesis.Validator{{Name: "aurora-0", PublicKey: bytes.Repeat([]byte{7}, ed25519.PublicKeySize), Power: 10}},
	}
}

func validators(n int) []genesis.Validator {
	all := make([]genesis.Validator, n)
	for i := range all {
		all[i] = genesis.Validator{PublicKey: bytes.Repeat([]byte{byte(i + 1)}, ed25519.PublicKeySize), Power: tx.MaxPower}
	}
	return all
}

func TestMostValidators(t *testing.T) {
	in := input()
	in.Validators = validators(genesis.MaxValidators)
	_, _, err := genesis.BuildGenesis(in)
	require.NoError(t, err, "all of them, each with the most power")
}

func TestPlanOfTheDefaultPool(t *testing.T) {
	state, err := genesis.Plan(input())
	require.NoError(t, err)
	require.Equal(t, money.Amount(40_000*million), state.Pool.CNPY)
	require.Equal(t, money.Amount(128_000_000*million), state.Pool.Tokens, "40 000 / 0.0003125")
	require.Equal(t, money.Amount(232_000_000*million), state.Treasury.Amount, "1e9 − 640e6 − 128e6")
	require.EqualValues(t, 2_262_741_699_796, state.Pool.LockedShares, "isqrt of the reserves' product, all of it locked")
	require.Equal(t, address(1), state.Holders[0].Address, "in the order of addresses")
	require.Equal(t, genesis.DefaultVesting, time.Duration(state.Treasury.VestingEnd-state.Treasury.VestingStart)*time.Second)
}

func TestDocumentIsReproducible(t *testing.T) {
	doc, hash, err := genesis.BuildGenesis(input())
	require.NoError(t, err)
	other := input()
	slices.Reverse(other.Holders)
	other.GenesisTime = other.GenesisTime.In(time.FixedZone("elsewhere", 3600)).Add(time.Millisecond)
	again, sameHash, err := genesis.BuildGenesis(other)
	require.NoError(t, err)
	require.Equal(t, string(doc), string(again), "neither the holders' order nor the clock's zone matter")
	require.Equal(t, hash, sameHash)

	digest := sha256.Sum256(doc)
	require.Equal(t, hex.EncodeToString(digest[:]), hash, "sha256sum of the file is the hash")
	parsed, parsedHash, err := genesis.Parse(doc)
	require.NoError(t, err)
	require.Equal(t, hash, parsedHash)
	seen, err := cmtjson.MarshalIndent(parsed, "", "  ")
	require.NoError(t, err)
	_, indented, err := genesis.Parse(seen)
	require.NoError(t, err)
	require.Equal(t, hash, indented, "layout does not change what the document says")
	state, err := genesis.ParseState(parsed.AppState)
	require.NoError(t, err)
	want, err := genesis.Plan(input())
	require.NoError(t, err)
	require.Equal(t, want, state)
}

// A chain that never had a pool: all of it is the treasury's, at once.
func TestDirectChain(t *testing.T) {
	in := genesis.Input{
		Direct: true, ChainID: "lucid_blocks", GenesisTime: time.Date(2026, 11, 23, 7, 0, 0, 123, time.UTC),
		TotalSupply: 1_000 * million, Treasury: address(9), FeeBasisPoints: 30, Validators: input().Validators,
	}
	state, err := genesis.Plan(in)
	require.NoError(t, err)
	require.Equal(t, genesis.Pool{}, state.Pool, "no CNPY comes from nowhere")
	require.Zero(t, state.CNPYSupply)
	require.Equal(t, in.TotalSupply, state.Treasury.Amount)
	require.Equal(t, state.Treasury.VestingStart, state.Treasury.VestingEnd, "nothing is locked: nobody has bought any")
	doc, hash, err := genesis.BuildGenesis(in)
	require.NoError(t, err)
	again, same, err := genesis.BuildGenesis(in)
	require.NoError(t, err)
	require.Equal(t, string(doc), string(again))
	require.Equal(t, hash, same)
	parsed, _, err := genesis.Parse(doc)
	require.NoError(t, err)
	read, err := genesis.ParseState(parsed.AppState)
	require.NoError(t, err)
	require.Equal(t, state, read)

	without := in
	without.TotalSupply = 0
	_, err = genesis.Plan(without)
	require.Error(t, err, "a chain without tokens")
	without = in
	without.GenesisTime = time.Time{}
	_, err = genesis.Plan(without)
	require.Error(t, err, "a document that would not be reproducible")
	state.Pool.LockedShares = 1
	require.Error(t, state.Validate(), "shares of nothing")
}

func TestLinearCurveOpensAtItsOwnPrice(t *testing.T) {
	in := input()
	in.Price = money.NewRatio(1, 2000)
	state, err := genesis.Plan(in)
	require.NoError(t, err)
	require.Equal(t, money.Amount(80_000_000*million), state.Pool.Tokens)
}

// The pool of a curve that was closed before such curves were refused.
func TestTooFewTokensAreLeft(t *testing.T) {
	in := input()
	in.Price = money.NewRatio(1, 1_000_000)
	state, err := genesis.Plan(in)
	require.NoError(t, err, "its buyers' CNPY must not be stuck")
	require.Equal(t, in.CNPYRaised, state.Pool.CNPY, "all of it, for nobody else has a claim on it")
	require.Equal(t, money.Amount(360_000_000*million), state.Pool.Tokens, "all that nobody has bought")
	require.Zero(t, state.Treasury.Amount)
	in.Price = money.NewRatio(1, money.Max)
	_, err = genesis.Plan(in)
	require.NoError(t, err, "however many the price asks for")
}

func TestRefusedInputs(t *testing.T) {
	for _, c := range []struct {
		spoil  func(*genesis.Input)
		reason string
	}{
		{func(in *genesis.Input) { in.Holders[0].Amount++ }, "a token that was never sold"},
		{func(in *genesis.Input) { in.Holders = in.Holders[:1] }, "a holder was lost"},
		{func(in *genesis.Input) { in.Holders[0].Address = in.Holders[1].Address }, "two holders at one address"},
		{func(in *genesis.Input) { in.Holders[0].Address = in.Treasury }, "a holder at the treasury's address"},
		{func(in *genesis.Input) { in.Holders[0].Amount, in.Holders[1].Amount = 0, 640_000_000*million }, "an empty position"},
		{func(in *genesis.Input) { in.CNPYRaised = 0 }, "nothing raised"},
		{func(in *genesis.Input) { in.CNPYRaised = -1 }, "less than nothing raised"},
		{func(in *genesis.Input) { in.TotalSupply = in.InitialSupply - 1 }, "more to sell than there is"},
		{func(in *genesis.Input) { in.Price = money.NewRatio(-1, 2) }, "a negative price"},
		{func(in *genesis.Input) { in.FeeBasisPoints = 10_000 }, "a fee of everything"},
		{func(in *genesis.Input) { in.Validators = nil }, "nobody to make blocks"},
		{func(in *genesis.Input) { in.Validators[0].Power = 0 }, "a validator without a vote"},
		{func(in *genesis.Input) { in.Validators[0].Power = tx.MaxPower + 1 }, "a power whose sums can't be counted"},
		{func(in *genesis.Input) { in.Validators = append(in.Validators, in.Validators[0]) }, "a validator twice"},
		{func(in *genesis.Input) { in.Validators = validators(65) }, "more validators than a block can carry signatures of"},
		{func(in *genesis.Input) { in.Validators[0].PublicKey = in.Validators[0].PublicKey[:31] }, "half a key"},
		{func(in *genesis.Input) { in.ChainID = "" }, "no chain id"},
		{func(in *genesis.Input) { in.GenesisTime = time.Time{} }, "no time: the document would not be reproducible"},
	} {
		in := input()
		c.spoil(&in)
		_, _, err := genesis.BuildGenesis(in)
		require.Error(t, err, c.reason)
	}
}

func TestRefusedStates(t *testing.T) {
	good, err := genesis.Plan(input())
	require.NoError(t, err)
	require.NoError(t, good.Validate())
	for reason, spoil := range map[string]func(*genesis.State){
		"a policy that there is not":  func(s *genesis.State) { s.Policy = "luck" },
		"a negative least stake":      func(s *genesis.State) { s.ValidatorMinStake = -1 },
		"a token from nothing":        func(s *genesis.State) { s.Treasury.Amount++ },
		"a token lost":                func(s *genesis.State) { s.Pool.Tokens-- },
		"CNPY from nothing":           func(s *genesis.State) { s.Pool.CNPY++ },
		"shares that nobody locked":   func(s *genesis.State) { s.Pool.LockedShares-- },
		"a negative treasury":         func(s *genesis.State) { s.Holders[0].Amount += s.Treasury.Amount + 1; s.Treasury.Amount = -1 },
		"vesting that runs backwards": func(s *genesis.State) { s.Treasury.VestingEnd = s.Treasury.VestingStart - 1 },
		"a negative least fee":        func(s *genesis.State) { s.MinFee = -1 },
		"holders out of order":        func(s *genesis.State) { slices.Reverse(s.Holders) },
	} {
		bad := good
		bad.Holders = slices.Clone(good.Holders)
		spoil(&bad)
		require.Error(t, bad.Validate(), reason)
	}
	for reason, text := range map[string]string{
		"an unknown field": `{"gift": 1}`, "two documents": `{} {}`, "no JSON": `holders`, "nothing": `{}`,
	} {
		_, err := genesis.ParseState([]byte(text))
		require.Error(t, err, reason)
	}
}

// A light client reads the document of an endpoint that it does not trust yet.
func TestDocumentsOfStrangers(t *testing.T) {
	for reason, text := range map[string]string{
		"no JSON":                   `genesis`,
		"no chain id":               `{}`,
		"a validator without a key": `{"chain_id":"a","validators":[{"power":"1"}]}`,
		"half a key":                `{"chain_id":"a","validators":[{"power":"1","pub_key":{"type":"tendermint/PubKeyEd25519","value":"AAAA"}}]}`,
		"a key of another kind":     `{"chain_id":"a","validators":[{"power":"1","pub_key":{"type":"tendermint/PubKeySecp256k1","value":"AAAA"}}]}`,
	} {
		_, _, err := genesis.Parse([]byte(text))
		require.Error(t, err, reason)
	}
}

// Whatever a constant-product curve ended at: all tokens are handed out once,
// and the AMM opens within a millionth of the curve's last price.
func TestSumsAndFirstPrice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := input()
		in.InitialSupply = money.Amount(rapid.Int64Range(1_000*million, 1e18).Draw(t, "initial supply"))
		in.TotalSupply = in.InitialSupply + money.Amount(rapid.Int64Range(0, 1e18).Draw(t, "reserve"))
		initial := money.Amount(rapid.Int64Range(million, 1e15).Draw(t, "initial cnpy"))
		in.CNPYRaised = money.Amount(rapid.Int64Range(million, 1e15).Draw(t, "raised"))
		in.CNPYReserve = initial + in.CNPYRaised
		left, err := money.MulDivCeil(initial, in.InitialSupply, in.CNPYReserve)
		if err != nil {
			t.Fatal(err)
		}
		in.TokenReserve = left
		in.Holders = shareOut(t, in.InitialSupply-left)

		state, err := genesis.Plan(in)
		if err != nil {
			return // too small a pool to open
		}
		sum := state.Pool.Tokens + state.Treasury.Amount
		for _, holder := range state.Holders {
			sum += holder.Amount
		}
		if sum != in.TotalSupply {
			t.Fatalf("%s tokens of %s", sum, in.TotalSupply)
		}
		if state.Pool.Tokens < million {
			return // one unit more or less of so few is more than a millionth
		}
		curve, first := money.NewRatio(in.CNPYReserve, in.TokenReserve), money.NewRatio(state.Pool.CNPY, state.Pool.Tokens)
		if curve.Sub(first).Abs().Div(curve).Rat().Cmp(big.NewRat(1, 1_000_000)) > 0 {
			t.Fatalf("the curve ended at %s, the AMM opens at %s", curve, first)
		}
	})
}

func shareOut(t *rapid.T, sold money.Amount) []genesis.Holder {
	var holders []genesis.Holder
	for n := byte(1); sold > 0 && n < 8; n++ {
		amount := money.Amount(rapid.Int64Range(1, int64(sold)).Draw(t, "position"))
		if n == 7 {
			amount = sold
		}
		holders = append(holders, genesis.Holder{Address: address(n), Amount: amount})
		sold -= amount
	}
	return holders
}

func TestPolicyOf(t *testing.T) {
	for label, want := range map[string]genesis.Policy{
		"PoOT": genesis.PolicyOperational, "poot": genesis.PolicyOperational,
		"nestbft": genesis.PolicyStake, "tendermint": genesis.PolicyStake, "": genesis.PolicyStake,
	} {
		require.Equal(t, want, genesis.PolicyOf(label), label)
	}
	in := input()
	in.Policy, in.ValidatorMinStake = genesis.PolicyOperational, 7
	for _, direct := range []bool{false, true} {
		in.Direct = direct
		state, err := genesis.Plan(in)
		require.NoError(t, err)
		require.Equal(t, genesis.PolicyOperational, state.Policy, "validators read it in the genesis")
		require.EqualValues(t, 7, state.ValidatorMinStake, "and what has to be staked")
	}
}
