package app

import (
	"bytes"
	"encoding/hex"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// votingPeriod is how long validators may vote on a proposal, by the time of the
// blocks.
const votingPeriod = 7 * 24 * time.Hour

func (e execution) propose(m tx.Proposal) (Event, error) {
	key := onceKey(proposalPrefix, m.ID)
	if err := e.first(key, &statepb.Proposal{}); err != nil {
		return nil, err
	}
	record := &statepb.Proposal{By: e.from[:], Ends: e.now.Add(votingPeriod).Unix()}
	switch change := m.Change.(type) {
	case tx.MinFee:
		record.Change = &statepb.Proposal_MinFee{MinFee: uint64(change)}
	case tx.PoolFee:
		record.Change = &statepb.Proposal_FeeBasisPoints{FeeBasisPoints: uint32(change)}
	case tx.ValidatorUpdate:
		record.Change = &statepb.Proposal_Validator{Validator: &statepb.Validator{PublicKey: change.Key, Power: change.Power}}
	}
	e.on.set(key, record)
	return Proposed{Account: e.from, ID: m.ID}, nil
}

// vote counts all votes anew, by the powers of now, and carries the change out
// when it passes. A vote that would pass what can't be done is refused, and may
// come again.
func (e execution) vote(m tx.Vote) (Event, error) {
	key, record := onceKey(proposalPrefix, m.Proposal), &statepb.Proposal{}
	if err := e.on.record(key, record); err != nil {
		return nil, err
	}
	set, err := validatorsOf(e.on)
	if err != nil {
		return nil, err
	}
	if err := e.mayVote(record, set); err != nil {
		return nil, err
	}
	if m.Approve {
		record.Approving = append(record.Approving, e.tx.Signer)
	} else {
		record.Opposing = append(record.Opposing, e.tx.Signer)
	}
	record.State = count(record, set).state()
	if record.State == statepb.Proposal_STATE_PASSED {
		if err := e.enact(record); err != nil {
			return nil, err
		}
	}
	e.on.set(key, record)
	return Voted{Account: e.from, Proposal: m.Proposal, Approve: m.Approve, State: stateName(record.State)}, nil
}

func (e execution) mayVote(record *statepb.Proposal, set *statepb.Validators) error {
	voted := func(keys [][]byte) bool {
		return slices.ContainsFunc(keys, func(key []byte) bool { return bytes.Equal(key, e.tx.Signer) })
	}
	switch {
	case powerOf(set, e.tx.Signer) == 0:
		return refuse(CodeNoVote, "a proposal is voted on by validators alone, with their keys")
	case proto.Size(record) == 0:
		return refuse(CodeAbsent, "there is no such proposal")
	case record.GetState() != statepb.Proposal_STATE_OPEN || e.now.Unix() > record.GetEnds():
		return refuse(CodeClosed, "the vote on the proposal is over")
	case voted(record.GetApproving()) || voted(record.GetOpposing()):
		return refuse(CodeDone, "the validator has voted on the proposal")
	}
	return nil
}

// tally is votes by power. All sums are far within an int64: see tx.MaxPower.
type tally struct{ approve, oppose, all int64 }

func count(record *statepb.Proposal, set *statepb.Validators) (t tally) {
	for _, v := range set.GetValidators() {
		t.all += v.GetPower()
	}
	for _, key := range record.GetApproving() {
		t.approve += powerOf(set, key)
	}
	for _, key := range record.GetOpposing() {
		t.oppose += powerOf(set, key)
	}
	return t
}

// state asks for as much as a block needs: more than two thirds of the power.
func (t tally) state() statepb.Proposal_State {
	switch {
	case 3*t.approve > 2*t.all:
		return statepb.Proposal_STATE_PASSED
	case 3*t.oppose >= t.all:
		return statepb.Proposal_STATE_REJECTED
	}
	return statepb.Proposal_STATE_OPEN
}

// enact changes the rules for the transactions that follow, in the same block
// too.
func (e execution) enact(record *statepb.Proposal) error {
	chain, err := chainOf(e.on)
	if err != nil {
		return err
	}
	switch change := record.GetChange().(type) {
	case *statepb.Proposal_MinFee:
		chain.MinFee = change.MinFee
	case *statepb.Proposal_FeeBasisPoints:
		chain.FeeBasisPoints = change.FeeBasisPoints
	case *statepb.Proposal_Validator:
		_, err := e.empower(chain, tx.ValidatorUpdate{Key: change.Validator.GetPublicKey(), Power: change.Validator.GetPower()})
		return err
	}
	e.on.set(chainKey, chain)
	return nil
}

// Proposal answers /proposal/{id}. Exactly one of MinFee, PoolFee and Validator is
// what it asks for.
type Proposal struct {
	ID      uuid.UUID         `json:"id"`
	By      livechain.Address `json:"by"`
	Ends    time.Time         `json:"ends"`
	State   string            `json:"state"` // "open", "passed" or "rejected"; past its end an open one has failed
	MinFee  *money.Amount     `json:"min_fee,omitempty"`
	PoolFee *uint32           `json:"fee_basis_points,omitempty"`
	// Validator's power is 0 to take it out; on a chain of the policy PoOT any other
	// one is as much as its work is worth.
	Validator *ProposedValidator `json:"validator,omitempty"`
	// Powers of the validators of the height asked for.
	Approve int64 `json:"approve"`
	Oppose  int64 `json:"oppose"`
	All     int64 `json:"all"`
}

// ProposedValidator is whose power a proposal would change.
type ProposedValidator struct {
	PublicKey string `json:"public_key"` // Ed25519, in lower-case hex
	Power     int64  `json:"power"`
}

func proposalAnswer(from source, id uuid.UUID, record *statepb.Proposal) (Proposal, error) {
	set, err := validatorsOf(from)
	votes := count(record, set)
	answer := Proposal{
		ID: id, Ends: time.Unix(record.GetEnds(), 0).UTC(), State: stateName(record.GetState()),
		Approve: votes.approve, Oppose: votes.oppose, All: votes.all,
	}
	copy(answer.By[:], record.GetBy())
	switch change := record.GetChange().(type) {
	case *statepb.Proposal_MinFee:
		fee := money.Amount(change.MinFee)
		answer.MinFee = &fee
	case *statepb.Proposal_FeeBasisPoints:
		answer.PoolFee = &change.FeeBasisPoints
	case *statepb.Proposal_Validator:
		answer.Validator = &ProposedValidator{hex.EncodeToString(change.Validator.GetPublicKey()), change.Validator.GetPower()}
	}
	return answer, err
}

func stateName(state statepb.Proposal_State) string {
	switch state {
	case statepb.Proposal_STATE_PASSED:
		return "passed"
	case statepb.Proposal_STATE_REJECTED:
		return "rejected"
	}
	return "open"
}
