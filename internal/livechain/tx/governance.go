package tx

import (
	"fmt"

	"math"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx/txpb"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// The bounds of what a proposal may ask for: no vote can close a chain to its
// users, nor take their trades' worth.
const (
	MaxMinFee         = money.Unit // one native token
	MaxFeeBasisPoints = 1_000      // ten percent
)

// Proposal asks the validators for one change of the chain's rules, once for
// each id.
type Proposal struct {
	ID     uuid.UUID
	Change Change
}

// Change is one of MinFee, PoolFee and ValidatorUpdate.
type Change interface{ change(into *txpb.Proposal) }

// MinFee is the least fee of a transaction in native tokens, up to MaxMinFee.
type MinFee money.Amount

// PoolFee is the AMM's fee in basis points, up to MaxFeeBasisPoints.
type PoolFee uint32

// Vote is a validator's word on a proposal, signed with the key that signs its
// blocks. It weighs as much as the validator does, can't be taken back, and costs
// no fee.
type Vote struct {
	Proposal uuid.UUID
	Approve  bool
}

// Upgrade puts another version of the rules in force, from the block of a height
// on, or from the next one where that is past. Only the chain's authority may, and
// it pays no fee. The version in force takes back one that still waits.
type Upgrade struct {
	Version uint64 // 1 and more
	Height  int64  // 1 and more
}

// Since is the first version of the rules that knows the body. A program that is
// older than they are can't even read it, so under older rules it has to be as if
// nobody could (docs/live-chain.md, Upgrades).
func (b Body) Since() uint64 {
	switch m := b.Message.(type) {
	case Stake, Unstake:
		return 3
	case Proposal:
		if _, is := m.Change.(ValidatorUpdate); is {
			return 2
		}
	}
	return 1
}

func (Proposal) message() {}
func (Vote) message()     {}
func (Upgrade) message()  {}

func (f MinFee) change(into *txpb.Proposal) { into.Change = &txpb.Proposal_MinFee{MinFee: uint64(f)} }
func (f PoolFee) change(into *txpb.Proposal) {
	into.Change = &txpb.Proposal_FeeBasisPoints{FeeBasisPoints: uint32(f)}
}
func (m ValidatorUpdate) change(into *txpb.Proposal) {
	into.Change = &txpb.Proposal_Validator{Validator: m.proto()}
}

func (m Proposal) encode(into *txpb.Body) {
	pb := &txpb.Proposal{Id: m.ID[:]}
	if m.Change != nil {
		m.Change.change(pb)
	}
	into.Message = &txpb.Body_Proposal{Proposal: pb}
}

func (m Vote) encode(into *txpb.Body) {
	into.Message = &txpb.Body_Vote{Vote: &txpb.Vote{ProposalId: m.Proposal[:], Approve: m.Approve}}
}

func (m Upgrade) encode(into *txpb.Body) {
	into.Message = &txpb.Body_Upgrade{Upgrade: &txpb.Upgrade{Version: m.Version, Height: uint64(m.Height)}}
}

func proposal(pb *txpb.Proposal) (Message, error) {
	number, err := id(pb.GetId())
	if err != nil {
		return nil, err
	}
	switch c := pb.GetChange().(type) {
	case *txpb.Proposal_MinFee:
		if c.MinFee > uint64(MaxMinFee) {
			return nil, fmt.Errorf("%w: a proposal's least fee is %s tokens at most", ErrMalformed, MaxMinFee)
		}
		return Proposal{ID: number, Change: MinFee(c.MinFee)}, nil
	case *txpb.Proposal_FeeBasisPoints:
		if c.FeeBasisPoints > MaxFeeBasisPoints {
			return nil, fmt.Errorf("%w: a proposal's pool fee is %d basis points at most", ErrMalformed, MaxFeeBasisPoints)
		}
		return Proposal{ID: number, Change: PoolFee(c.FeeBasisPoints)}, nil
	case *txpb.Proposal_Validator:
		update, err := validatorUpdate(c.Validator)
		return Proposal{ID: number, Change: update}, err
	}
	return nil, fmt.Errorf("%w: a proposal of no change", ErrMalformed)
}

func vote(pb *txpb.Vote) (Message, error) {
	number, err := id(pb.GetProposalId())
	return Vote{Proposal: number, Approve: pb.GetApprove()}, err
}

func upgrade(pb *txpb.Upgrade) (Message, error) {
	if pb.GetVersion() < 1 || pb.GetHeight() < 1 || pb.GetHeight() > math.MaxInt64 {
		return nil, fmt.Errorf("%w: rules have a version and a height of 1 or more", ErrMalformed)
	}
	return Upgrade{Version: pb.GetVersion(), Height: int64(pb.GetHeight())}, nil
}
