// Package genesis turns the last state of a virtual pool into the first state
// of a live chain (docs/domain.md §3). The same input gives the same bytes, so the
// document can be built anew and compared.
package genesis

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/types"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/amm"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const (
	// AppVersion is the newest version of the application's rules. A new chain
	// begins with it; a node follows all versions up to it.
	AppVersion = 3
	// DefaultMinFee is the least fee of a transaction: 0.001 tokens.
	DefaultMinFee money.Amount = 1_000
	// DefaultMinStake is the CNPY that has to be on a validator for its stakes to count.
	DefaultMinStake = 1_000 * money.Unit
	// DefaultVesting is how long the treasury unlocks, evenly, from genesis on.
	DefaultVesting = 4 * 365 * 24 * time.Hour
	// MaxValidators bounds the set: each block carries a signature of every one.
	MaxValidators = 64
	// maxBlockBytes bounds a block to what one slow machine checks in a second.
	maxBlockBytes = 4 << 20
)

// Validator is one member of the first validator set.
type Validator struct {
	Name      string
	PublicKey ed25519.PublicKey
	Power     int64 // 1 to tx.MaxPower
}

// Input is all that a genesis depends on.
type Input struct {
	ChainID     string    // at most 50 characters
	GenesisTime time.Time // such as when the pool closed; kept to the second

	// Direct chains never had a virtual pool: the treasury gets the whole supply, and
	// nothing else of a curve or of holders is looked at.
	Direct       bool
	Holders      []Holder // in any order; each address once, each amount above zero
	CNPYRaised   money.Amount
	CNPYReserve  money.Amount // the curve's last x, its initial reserve included
	TokenReserve money.Amount // the curve's last y
	// Price is the curve's last price in CNPY per token where that is not x/y
	// (a Linear curve); the zero value means x/y.
	Price         money.Ratio
	TotalSupply   money.Amount
	InitialSupply money.Amount // what the curve had to sell

	Treasury       livechain.Address // must not be a holder's
	Vesting        time.Duration     // zero means DefaultVesting
	FeeBasisPoints uint32            // of the AMM
	MinFee         money.Amount      // zero means DefaultMinFee
	Authority      livechain.Address // may change the validators; zero means nobody
	Validators     []Validator
	Policy         Policy
	// ValidatorMinStake is the CNPY below which what is staked on a validator does not
	// count; zero means DefaultMinStake.
	ValidatorMinStake money.Amount
}

// BuildGenesis returns the document and the hash by which the chain is known:
// the SHA-256, in lower-case hex, of exactly these bytes, which are also how
// CometBFT encodes the document it has read (see Hash).
func BuildGenesis(in Input) (doc []byte, hash string, err error) {
	state, err := Plan(in)
	if err != nil {
		return nil, "", err
	}
	appState, err := json.Marshal(state)
	if err != nil {
		return nil, "", fmt.Errorf("encode the genesis state: %w", err)
	}
	validators, err := validatorSet(in.Validators)
	if err != nil {
		return nil, "", err
	}
	document := &types.GenesisDoc{
		GenesisTime: in.GenesisTime.UTC().Truncate(time.Second), ChainID: in.ChainID,
		InitialHeight: 1, ConsensusParams: consensusParams(), Validators: validators, AppState: appState,
	}
	if err := document.ValidateAndComplete(); err != nil {
		return nil, "", fmt.Errorf("complete the genesis document: %w", err)
	}
	return encode(document)
}

// Parse reads a document as CometBFT does and returns its hash with it. The
// document may be a stranger's, and CometBFT panics at keys that are none.
func Parse(doc []byte) (*types.GenesisDoc, string, error) {
	document := &types.GenesisDoc{}
	err := cmtjson.Unmarshal(doc, document)
	for i, v := range document.Validators {
		if key, ok := v.PubKey.(cmted25519.PubKey); err == nil && (!ok || len(key) != cmted25519.PubKeySize) {
			err = fmt.Errorf("validator %d has no Ed25519 public key", i)
		}
	}
	if err == nil {
		err = document.ValidateAndComplete()
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the genesis document: %w", err)
	}
	_, hash, err := encode(document)
	return document, hash, err
}

func encode(document *types.GenesisDoc) ([]byte, string, error) {
	raw, err := cmtjson.Marshal(document)
	if err != nil {
		return nil, "", fmt.Errorf("encode the genesis document: %w", err)
	}
	digest := sha256.Sum256(raw)
	return raw, hex.EncodeToString(digest[:]), nil
}

func consensusParams() *types.ConsensusParams {
	params := types.DefaultConsensusParams()
	params.Block.MaxBytes = maxBlockBytes
	params.Version.App = AppVersion
	return params
}

func validatorSet(in []Validator) ([]types.GenesisValidator, error) {
	if len(in) == 0 || len(in) > MaxValidators {
		return nil, fmt.Errorf("a genesis has 1 to %d validators, not %d", MaxValidators, len(in))
	}
	seen := map[string]bool{}
	out := make([]types.GenesisValidator, len(in))
	for i, v := range in {
		if len(v.PublicKey) != ed25519.PublicKeySize || v.Power < 1 || v.Power > tx.MaxPower {
			return nil, fmt.Errorf("validator %d needs an Ed25519 public key and a power of 1 to %d", i, int64(tx.MaxPower))
		}
		if seen[string(v.PublicKey)] {
			return nil, fmt.Errorf("validator %d has the key of one before it", i)
		}
		seen[string(v.PublicKey)] = true
		key := cmted25519.PubKey(slices.Clone(v.PublicKey))
		out[i] = types.GenesisValidator{Address: key.Address(), PubKey: key, Power: v.Power, Name: v.Name}
	}
	return out, nil
}

// Plan computes the first state: every holder's position; an AMM pool of
// R = CNPY raised and T = floor(R/price) tokens, so that it opens at the
// curve's last price; the rest to the treasury. Where fewer than T are left the
// pool takes them all and opens higher: CNPY can go nowhere else, since nobody
// but the buyers together has a claim on it.
func Plan(in Input) (State, error) {
	if in.Direct {
		return in.planDirect()
	}
	if err := in.check(); err != nil {
		return State{}, err
	}
	left := in.TotalSupply - (in.InitialSupply - in.TokenReserve)
	tokens, err := in.poolTokens(left)
	if err != nil {
		return State{}, err
	}
	_, pool, err := amm.Pool{}.Open(uint64(in.CNPYRaised), uint64(tokens))
	if err != nil {
		return State{}, fmt.Errorf("open the chain's pool with %s CNPY and %s tokens: %w", in.CNPYRaised, tokens, err)
	}
	start := in.GenesisTime.UTC().Truncate(time.Second)
	state := State{
		TokenSupply: in.TotalSupply, CNPYSupply: in.CNPYRaised,
		FeeBasisPoints: in.FeeBasisPoints, MinFee: orDefault(in.MinFee, DefaultMinFee),
		Holders: slices.Clone(in.Holders), Authority: in.Authority, Policy: in.Policy, ValidatorMinStake: in.ValidatorMinStake,
		Pool: Pool{CNPY: in.CNPYRaised, Tokens: tokens, LockedShares: pool.Shares},
		Treasury: Treasury{
			Address: in.Treasury, Amount: left - tokens,
			VestingStart: start.Unix(), VestingEnd: start.Add(orDefault(in.Vesting, DefaultVesting)).Unix(),
		},
	}
	slices.SortFunc(state.Holders, func(a, b Holder) int { return slices.Compare(a.Address[:], b.Address[:]) })
	return state, state.Validate()
}

// planDirect gives the treasury everything at once: nobody has bought a token
// whom a lock would protect. The AMM's pool is empty until somebody fills it.
func (in Input) planDirect() (State, error) {
	if in.TotalSupply <= 0 || in.GenesisTime.IsZero() {
		return State{}, fmt.Errorf("genesis input: a chain without a pool needs a supply and a genesis time")
	}
	start := in.GenesisTime.UTC().Truncate(time.Second).Unix()
	state := State{
		TokenSupply: in.TotalSupply, FeeBasisPoints: in.FeeBasisPoints, MinFee: orDefault(in.MinFee, DefaultMinFee),
		Holders: []Holder{}, Authority: in.Authority, Policy: in.Policy, ValidatorMinStake: in.ValidatorMinStake,
		Treasury: Treasury{Address: in.Treasury, Amount: in.TotalSupply, VestingStart: start, VestingEnd: start},
	}
	return state, state.Validate()
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// check refuses numbers that can't be a curve's.
func (in Input) check() error {
	for name, amount := range map[string]money.Amount{
		"raised CNPY": in.CNPYRaised, "CNPY reserve": in.CNPYReserve,
		"total supply": in.TotalSupply, "initial supply": in.InitialSupply,
	} {
		if amount <= 0 {
			return fmt.Errorf("genesis input: the %s must be greater than zero, it is %s", name, amount)
		}
	}
	switch {
	case in.TokenReserve < 0 || in.TokenReserve > in.InitialSupply || in.InitialSupply > in.TotalSupply:
		return fmt.Errorf("genesis input: reserve %s, initial supply %s and total supply %s must rise",
			in.TokenReserve, in.InitialSupply, in.TotalSupply)
	case in.GenesisTime.IsZero():
		return fmt.Errorf("genesis input: the genesis time is missing")
	}
	return in.checkHolders()
}

// checkHolders holds the input against the curve: what was sold, and nothing
// else, is in holders' hands.
func (in Input) checkHolders() error {
	var sum money.Amount
	var err error
	for _, holder := range in.Holders {
		if sum, err = sum.Add(holder.Amount); err != nil {
			return fmt.Errorf("genesis input: the holders' sum: %w", err)
		}
	}
	if sold := in.InitialSupply - in.TokenReserve; sum != sold {
		return fmt.Errorf("genesis input: holders have %s tokens, the curve has sold %s", sum, sold)
	}
	return nil
}

// poolTokens is what the AMM gets of the tokens that nobody has bought.
func (in Input) poolTokens(left money.Amount) (money.Amount, error) {
	price := in.Price
	if price.Sign() == 0 {
		if in.TokenReserve == 0 {
			return 0, fmt.Errorf("genesis input: a curve without tokens has no price")
		}
		price = money.NewRatio(in.CNPYReserve, in.TokenReserve)
	}
	if price.Sign() < 0 {
		return 0, fmt.Errorf("genesis input: the price %s is negative", price)
	}
	exact := money.NewRatio(in.CNPYRaised, 1).Div(price).Rat()
	tokens := exact.Num().Quo(exact.Num(), exact.Denom())
	if tokens.Cmp(big.NewInt(int64(left))) > 0 {
		return left, nil
	}
	return money.Amount(tokens.Int64()), nil
}
