package genesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/amm"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// State is the application's part of the genesis document. Amounts are exact
// decimals.
type State struct {
	TokenSupply    money.Amount `json:"token_supply"`
	CNPYSupply     money.Amount `json:"cnpy_supply"`
	FeeBasisPoints uint32       `json:"fee_basis_points"`
	MinFee         money.Amount `json:"min_fee"`
	Holders        []Holder     `json:"holders"` // ascending by address
	Pool           Pool         `json:"pool"`
	Treasury       Treasury     `json:"treasury"`
	// Authority is whose key may change the validators; nobody's when left out.
	Authority livechain.Address `json:"authority,omitzero"`
	Policy    Policy            `json:"policy,omitempty"`
	// ValidatorMinStake is the CNPY below which a validator's stakes do not count;
	// DefaultMinStake where it is left out.
	ValidatorMinStake money.Amount `json:"validator_min_stake,omitzero"`
}

// Policy says where the validators' powers come from.
type Policy string

// The policies.
const (
	PolicyStake       Policy = ""     // as the authority says, and from the CNPY that is staked on them
	PolicyOperational Policy = "poot" // from the work that they do
)

// PolicyOf reads the consensus label of a chain: any but PoOT, in either case, is
// stake-weighted.
func PolicyOf(label string) Policy {
	if strings.EqualFold(label, string(PolicyOperational)) {
		return PolicyOperational
	}
	return PolicyStake
}

// Holder is a position in the chain's token.
type Holder struct {
	Address livechain.Address `json:"address"`
	Amount  money.Amount      `json:"amount"`
}

// Pool is the AMM's first liquidity; all of its shares are locked for good. It is
// empty on a chain that never had a virtual pool.
type Pool struct {
	CNPY         money.Amount `json:"cnpy"`
	Tokens       money.Amount `json:"tokens"`
	LockedShares uint64       `json:"locked_shares"`
}

// Treasury is the creator's part. It unlocks evenly between two moments, given
// in Unix seconds.
type Treasury struct {
	Address      livechain.Address `json:"address"`
	Amount       money.Amount      `json:"amount"`
	VestingStart int64             `json:"vesting_start"`
	VestingEnd   int64             `json:"vesting_end"`
}

// ParseState reads a state strictly and validates it.
func ParseState(raw []byte) (State, error) {
	var s State
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return State{}, fmt.Errorf("read the genesis state: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return State{}, errors.New("read the genesis state: there is more than one document")
	}
	return s, s.Validate()
}

// Validate refuses a state in which value appears or vanishes: every token of
// the supply is a holder's, the pool's or the treasury's, exactly once.
func (s State) Validate() error {
	sum, err := s.sum()
	switch {
	case err != nil:
		return err
	case sum != s.TokenSupply:
		return fmt.Errorf("genesis state: %s tokens are handed out, the supply is %s", sum, s.TokenSupply)
	case s.Pool.CNPY != s.CNPYSupply:
		return fmt.Errorf("genesis state: the pool has %s CNPY, the supply is %s", s.Pool.CNPY, s.CNPYSupply)
	case s.FeeBasisPoints >= amm.BasisPoints || s.MinFee < 0:
		return errors.New("genesis state: the pool's fee must be below 10000 basis points and the least fee not negative")
	case s.Policy != PolicyStake && s.Policy != PolicyOperational:
		return fmt.Errorf("genesis state: there is no policy %q", s.Policy)
	case s.ValidatorMinStake < 0:
		return errors.New("genesis state: the least stake must not be negative")
	case s.TokenSupply <= 0:
		return errors.New("genesis state: there must be tokens")
	case s.Treasury.Amount < 0 || s.Treasury.VestingEnd < s.Treasury.VestingStart:
		return errors.New("genesis state: the treasury's amount and vesting must not be negative")
	}
	if s.Pool.CNPY < 0 || s.Pool.Tokens < 0 {
		return errors.New("genesis state: the pool's reserves must not be negative")
	}
	if s.Pool == (Pool{}) {
		return nil // a chain that never had a virtual pool
	}
	_, pool, err := amm.Pool{}.Open(uint64(s.Pool.CNPY), uint64(s.Pool.Tokens))
	if err != nil {
		return fmt.Errorf("genesis state: open the pool: %w", err)
	}
	if pool.Shares != s.Pool.LockedShares {
		return fmt.Errorf("genesis state: the pool has %d shares and %d are locked", pool.Shares, s.Pool.LockedShares)
	}
	return nil
}

// sum also holds that addresses ascend, hence that each is there once.
func (s State) sum() (money.Amount, error) {
	sum, err := s.Pool.Tokens.Add(s.Treasury.Amount)
	if err != nil {
		return 0, fmt.Errorf("genesis state: %w", err)
	}
	var last livechain.Address
	for i, holder := range s.Holders {
		switch {
		case holder.Amount <= 0:
			return 0, fmt.Errorf("genesis state: %s holds nothing", holder.Address)
		case i > 0 && bytes.Compare(last[:], holder.Address[:]) >= 0:
			return 0, fmt.Errorf("genesis state: the holders must ascend by address, %s does not", holder.Address)
		case holder.Address == s.Treasury.Address:
			return 0, errors.New("genesis state: the treasury must have an address of its own")
		}
		last = holder.Address
		if sum, err = sum.Add(holder.Amount); err != nil {
			return 0, fmt.Errorf("genesis state: %w", err)
		}
	}
	return sum, nil
}
