package app_test

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// weighed is a chain of validators with keys 50, 51, … and these powers.
func weighed(t testing.TB, powers ...int64) *chain {
	c := governed(t)
	for i, power := range powers {
		c.do(authority, tx.ValidatorUpdate{Key: public(byte(50 + i)), Power: power})
	}
	return c
}

// votes has a validator vote, for which it pays nothing.
func (c *chain) votes(n, id byte, approve bool) *abci.ExecTxResult {
	raw := sign(c.t, key(n), tx.Body{Nonce: c.account(at(key(n))).Nonce, Message: tx.Vote{Proposal: number(id), Approve: approve}})
	checked, result := c.check(raw), c.block(raw)[0]
	require.EqualValues(c.t, checked, result.Code, result.Log)
	return result
}

// wantVote has a validator vote and wants the proposal's state after it.
func (c *chain) wantVote(n, id byte, approve bool, state string) {
	c.t.Helper()
	result := c.votes(n, id, approve)
	require.Zero(c.t, result.Code, result.Log)
	event, err := app.Outcome(result)
	require.NoError(c.t, err)
	require.Equal(c.t, app.Voted{Account: at(key(n)), Proposal: number(id), Approve: approve, State: state}, event)
}

func (c *chain) proposal(id byte) (p app.Proposal) {
	require.Zero(c.t, c.ask("/proposal/"+number(id).String(), &p))
	return p
}

func (c *chain) rules() (minFee money.Amount, poolFee uint32) {
	var info app.Info
	require.Zero(c.t, c.ask("/info", &info))
	var pool app.Pool
	require.Zero(c.t, c.ask("/pool", &pool))
	return info.MinFee, pool.FeeBasisPoints
}

// More than two thirds of the power pass a change, which holds from then on.
func TestValidatorsChangeTheRules(t *testing.T) {
	c := weighed(t, 10, 10, 10)
	require.Equal(t, app.Proposed{Account: at(key(1)), ID: number(1)}, c.do(key(1), tx.Proposal{ID: number(1), Change: tx.PoolFee(30)}))
	require.EqualValues(t, app.CodeDone, c.try(key(2), tx.Proposal{ID: number(1), Change: tx.PoolFee(31)}).Code, "an id is used once")
	c.wantVote(50, 1, true, "open")
	require.EqualValues(t, app.CodeDone, c.votes(50, 1, false).Code, "a vote can't be taken back")
	c.wantVote(51, 1, true, "open")
	_, poolFee := c.rules()
	require.EqualValues(t, 100, poolFee, "two thirds are not more than two thirds")
	c.reopen()
	c.wantVote(52, 1, true, "passed")
	_, poolFee = c.rules()
	require.EqualValues(t, 30, poolFee)
	p, thirty := c.proposal(1), uint32(30)
	require.WithinRange(t, p.Ends, born.Add(7*24*time.Hour), born.Add(7*24*time.Hour+time.Minute))
	p.Ends = time.Time{}
	require.Equal(t, app.Proposal{ID: number(1), By: at(key(1)), State: "passed", PoolFee: &thirty, Approve: 30, All: 30}, p)

	// a = 1e12·9970; floor(a·4e10 / (2e13·10000 + a)): the pool takes 0.3 % now.
	sold := c.do(key(1), tx.Swap{Sell: tx.Token, AmountIn: 1_000_000 * million}).(app.Swapped)
	require.Equal(t, money.Amount(3_000*million), sold.Fee)
	require.Equal(t, money.Amount(1_899_318_950), sold.Out)
}

// A fee that has changed counts for the next transaction of the same block.
func TestFeeChangesWithinABlock(t *testing.T) {
	c := weighed(t, 10, 0)
	c.do(key(1), tx.Proposal{ID: number(1), Change: tx.MinFee(0)})
	free := sign(t, key(99), tx.Body{Message: tx.SessionAnchor{Session: number(1), Chunks: 1, Size: 1}})
	vote := sign(t, key(50), tx.Body{Message: tx.Vote{Proposal: number(1), Approve: true}})
	results := c.block(free, vote, free)
	require.EqualValues(t, app.CodeFeeTooLow, results[0].Code)
	require.Zero(t, results[1].Code, results[1].Log)
	require.Zero(t, results[2].Code, results[2].Log)
	minFee, _ := c.rules()
	require.Zero(t, minFee)
	require.Zero(t, *c.proposal(1).MinFee, "told, though it is nothing")
}

func TestPowerDecides(t *testing.T) {
	for _, r := range []struct {
		powers []int64
		votes  map[byte]bool // by validator
		want   string
		reason string
	}{
		{[]int64{1, 100}, map[byte]bool{51: true}, "passed", "one with nearly all power"},
		{[]int64{1, 100}, map[byte]bool{50: false}, "open", "one with hardly any"},
		{[]int64{2, 1}, map[byte]bool{51: false}, "rejected", "a third is enough to stop a change"},
		{[]int64{3, 1}, map[byte]bool{51: false}, "open", "a quarter is not"},
		{[]int64{tx.MaxPower, tx.MaxPower}, map[byte]bool{50: true}, "open", "sums of the greatest powers"},
	} {
		c := weighed(t, r.powers...)
		c.do(key(1), tx.Proposal{ID: number(1), Change: tx.PoolFee(30)})
		for n, approve := range r.votes {
			c.wantVote(n, 1, approve, r.want)
		}
		_, poolFee := c.rules()
		require.Equal(t, r.want == "passed", poolFee == 30, r.reason)
	}
}

// The set of validators changes by vote as it does by the authority's word, who can
// still change it.
func TestValidatorsVoteOnValidators(t *testing.T) {
	c := weighed(t, 10, 10, 10)
	propose := func(id, n byte, power int64) {
		c.do(key(1), tx.Proposal{ID: number(id), Change: tx.ValidatorUpdate{Key: public(n), Power: power}})
		c.wantVote(50, id, true, "open")
		c.wantVote(51, id, true, "open")
	}
	pass := func(id byte) map[string]int64 {
		raw := sign(t, key(52), tx.Body{Nonce: c.account(at(key(52))).Nonce, Message: tx.Vote{Proposal: number(id), Approve: true}})
		return c.updates(ok(1), raw)
	}
	propose(1, 53, 7)
	require.Equal(t, &app.ProposedValidator{PublicKey: hex.EncodeToString(public(53)), Power: 7}, c.proposal(1).Validator)
	require.Equal(t, map[string]int64{string(public(53)): 7}, pass(1))
	require.EqualValues(t, 37, c.proposal(1).All, "it votes from now on")
	propose(2, 53, 0)
	require.Equal(t, map[string]int64{string(public(53)): 0}, pass(2))
	c.do(authority, tx.ValidatorUpdate{Key: public(52), Power: 0})
	require.EqualValues(t, 20, c.proposal(2).All)
}

// A vote that would leave a chain without validators, or with too many, is refused
// and can come again when it would not.
func TestVotesThatTheSetCannotFollow(t *testing.T) {
	c := weighed(t, 10, 0)
	c.do(key(1), tx.Proposal{ID: number(1), Change: tx.ValidatorUpdate{Key: public(50)}})
	require.EqualValues(t, app.CodeValidators, c.votes(50, 1, true).Code, "the last validator stays")
	require.Equal(t, "open", c.proposal(1).State)
	require.Zero(t, c.proposal(1).Approve)

	c.do(key(1), tx.Proposal{ID: number(2), Change: tx.ValidatorUpdate{Key: public(51), Power: 1}})
	for n := range byte(63) {
		c.do(authority, tx.ValidatorUpdate{Key: public(100 + n), Power: 1})
		c.do(authority, tx.ValidatorUpdate{Key: public(50), Power: 1_000})
	}
	require.EqualValues(t, app.CodeValidators, c.votes(50, 2, true).Code, "a 65th is one too many")
	c.wantVote(50, 1, true, "passed")
	require.EqualValues(t, 63, c.proposal(1).All, "with more than two thirds it has voted itself out")
}

// Nor does a vote bring back who has signed two blocks of one height.
func TestVotesBringNobodyBackWhoSignedTwice(t *testing.T) {
	c := governed(t)
	c.height++
	c.run(&abci.RequestFinalizeBlock{Height: c.height, Misbehavior: caught(50)})
	c.do(key(1), tx.Proposal{ID: number(1), Change: tx.ValidatorUpdate{Key: public(50), Power: 10}})
	require.EqualValues(t, app.CodeValidators, c.votes(51, 1, true).Code)
}

// On a chain of the policy PoOT a vote says who, and work how much.
func TestVotesAndWork(t *testing.T) {
	c := working(t)
	c.updates(ok(0))
	propose := sign(t, key(1), tx.Body{Fee: fee, Message: tx.Proposal{ID: number(1), Change: tx.ValidatorUpdate{Key: public(52), Power: 50}}})
	vote := func(n byte) []byte {
		return sign(t, key(n), tx.Body{Message: tx.Vote{Proposal: number(1), Approve: true}})
	}
	require.Equal(t, powers(0, 0, 1), c.updates(ok(3), propose, vote(50), vote(51)))
}

// Votes count by the powers of when they are counted.
func TestWhoLeavesHasNoVote(t *testing.T) {
	c := weighed(t, 10, 10, 10)
	c.do(key(1), tx.Proposal{ID: number(1), Change: tx.PoolFee(30)})
	c.wantVote(50, 1, true, "open")
	c.do(authority, tx.ValidatorUpdate{Key: public(50), Power: 0})
	c.wantVote(51, 1, true, "open")
	require.EqualValues(t, 10, c.proposal(1).Approve)
	require.EqualValues(t, 20, c.proposal(1).All)
	c.wantVote(52, 1, true, "passed")
}

func TestRefusedVotes(t *testing.T) {
	c := weighed(t, 10, 5)
	c.do(key(1), tx.Proposal{ID: number(1), Change: tx.PoolFee(30)})
	require.EqualValues(t, app.CodeNoVote, c.try(key(1), tx.Vote{Proposal: number(1), Approve: true}).Code, "a holder who pays the fee")
	require.Equal(t, app.CodeFeeTooLow, c.check(sign(t, key(1), tx.Body{Nonce: 2, Message: tx.Vote{Proposal: number(1)}})), "nor for nothing")
	require.EqualValues(t, app.CodeAbsent, c.votes(50, 2, true).Code)
	c.wantVote(51, 1, false, "rejected")
	require.EqualValues(t, app.CodeClosed, c.votes(50, 1, true).Code, "a third has rejected it for good")
	_, poolFee := c.rules()
	require.EqualValues(t, 100, poolFee)

	c.do(key(1), tx.Proposal{ID: number(3), Change: tx.PoolFee(30)})
	ends := c.proposal(3).Ends
	vote := sign(t, key(50), tx.Body{Nonce: c.account(at(key(50))).Nonce, Message: tx.Vote{Proposal: number(3), Approve: true}})
	for _, r := range []struct {
		now  time.Time
		want app.Code
	}{{ends, app.CodeOK}, {ends.Add(time.Second), app.CodeClosed}} {
		res, err := c.app.FinalizeBlock(context.Background(), &abci.RequestFinalizeBlock{Height: c.height + 1, Time: r.now, Txs: [][]byte{vote}})
		require.NoError(t, err)
		require.EqualValues(t, r.want, res.TxResults[0].Code)
	}
}

func TestEventsOfGovernanceAreReadStrictly(t *testing.T) {
	c := weighed(t, 10, 5)
	proposed := c.try(key(1), tx.Proposal{ID: number(1), Change: tx.PoolFee(30)})
	proposed.Events[0].Attributes[1].Value = "?"
	_, err := app.Outcome(proposed)
	require.ErrorContains(t, err, "id")
	voted := c.votes(50, 1, true)
	voted.Events[0].Attributes[2].Value = "perhaps"
	_, err = app.Outcome(voted)
	require.ErrorContains(t, err, "approve")
}

// However validators vote and come and go, a change passes exactly when more than
// two thirds of the power of then had approved, and the rules are those of the
// last one that passed.
func TestVotesAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	c := weighed(t, 3, 3, 3, 3)
	powers, fees := map[byte]int64{50: 3, 51: 3, 52: 3, 53: 3}, uint32(100)
	for id := byte(1); id <= 60; id++ {
		want := r.Uint32N(tx.MaxFeeBasisPoints + 1)
		c.do(key(1), tx.Proposal{ID: number(id), Change: tx.PoolFee(want)})
		approve, oppose, state := []byte{}, []byte{}, "open"
		weigh := func(who []byte) (sum int64) {
			for _, n := range who {
				sum += powers[n]
			}
			return sum
		}
		for _, i := range r.Perm(4) {
			n := byte(50 + i)
			if r.IntN(3) == 0 {
				m := byte(50 + r.IntN(4))
				powers[m] = 1 + r.Int64N(9)
				c.do(authority, tx.ValidatorUpdate{Key: public(m), Power: powers[m]})
			}
			if r.IntN(4) > 0 {
				approve = append(approve, n)
			} else {
				oppose = append(oppose, n)
			}
			all := weigh([]byte{50, 51, 52, 53})
			switch {
			case 3*weigh(approve) > 2*all:
				state, fees = "passed", want
			case 3*weigh(oppose) >= all:
				state = "rejected"
			}
			c.wantVote(n, id, len(approve) > 0 && approve[len(approve)-1] == n, state)
			_, poolFee := c.rules()
			require.Equal(t, fees, poolFee)
			if state != "open" {
				break
			}
		}
		require.Equal(t, state, c.proposal(id).State)
	}
}
