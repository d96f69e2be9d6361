package app_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

func stakeOn(n byte, by ed25519.PrivateKey) string {
	return "/stake/" + hex.EncodeToString(public(n)) + "/" + at(by).String()
}

// staking is a chain on which 100 CNPY on a validator count, with validators of
// these powers, and two accounts with 1 000 CNPY each.
func staking(t testing.TB, powers ...int64) *chain {
	first := document(t)
	first.ValidatorMinStake = 100 * million
	c := twoValidators(t, first)
	for i, power := range powers {
		c.do(authority, tx.ValidatorUpdate{Key: public(byte(50 + i)), Power: power})
	}
	for n := byte(1); n <= 2; n++ {
		c.do(authority, tx.VoucherIn{Transfer: number(n), To: at(key(n)), Amount: 1_000 * million})
	}
	return c
}

func (c *chain) validator(n byte) (v app.Validator) {
	c.t.Helper()
	require.Zero(c.t, c.ask("/validator/"+hex.EncodeToString(public(n)), &v))
	return v
}

func (c *chain) powers(count int) (all []int64) {
	c.t.Helper()
	for n := range count {
		all = append(all, c.validator(byte(50+n)).Power)
	}
	return all
}

// A validator weighs what it was given and one for each whole CNPY on it, once that
// is as much as the chain asks for.
func TestStakesWeigh(t *testing.T) {
	c := staking(t, 1_000, 1_000, 1_000, 1_000)
	put := c.do(key(1), tx.Stake{Validator: public(50), Amount: 60 * million})
	require.Equal(t, app.Staked{Account: at(key(1)), Validator: public(50), Amount: 60 * million, Total: 60 * million}, put)
	require.Equal(t, []int64{1_000, 1_000, 1_000, 1_000}, c.powers(4), "60 CNPY are too few to count")
	c.do(key(2), tx.Stake{Validator: public(50), Amount: 39*million + 999_999})
	require.Equal(t, []int64{1_000, 1_000, 1_000, 1_000}, c.powers(4), "a unit is missing")
	c.do(key(2), tx.Stake{Validator: public(50), Amount: 1_000_000})
	require.Equal(t, []int64{1_100, 1_000, 1_000, 1_000}, c.powers(4), "100.999999 CNPY of two accounts; the part of one does not count")
	require.Equal(t, app.Validator{
		PublicKey: hex.EncodeToString(public(50)), Power: 1_100, Staked: 100*million + 999_999, MinStake: 100 * million,
	}, c.validator(50))

	c.reopen()
	back := c.do(key(1), tx.Unstake{Validator: public(50), Amount: 60 * million})
	require.Equal(t, app.Unstaked{Account: at(key(1)), Validator: public(50), Amount: 60 * million}, back)
	require.Equal(t, 1_000*million, int(c.account(at(key(1))).CNPY), "the fees are paid in tokens")
	require.Equal(t, []int64{1_000, 1_000, 1_000, 1_000}, c.powers(4))
	var own app.Stake
	require.Zero(t, c.ask(stakeOn(50, key(1)), &own))
	require.Equal(t, app.Stake{Account: at(key(1)), Validator: hex.EncodeToString(public(50))}, own, "the record stays")
	require.Equal(t, app.CodeAbsent, c.ask(stakeOn(51, key(1)), nil))
	require.Equal(t, app.CodeBadQuery, c.ask("/stake/12/"+at(key(1)).String(), nil))
	require.Equal(t, app.CodeBadQuery, c.ask("/validator/12", nil))
}

// CometBFT hears of it in the same block.
func TestStakesAreValidatorUpdates(t *testing.T) {
	c := staking(t, 1_000, 1_000, 1_000, 1_000)
	stake := sign(t, key(1), tx.Body{Fee: fee, Message: tx.Stake{Validator: public(51), Amount: 200 * million}})
	require.Equal(t, map[string]int64{string(public(51)): 1_200}, c.updates(ok(1), stake))
	unstake := sign(t, key(1), tx.Body{Nonce: 1, Fee: fee, Message: tx.Unstake{Validator: public(51), Amount: million}})
	require.Equal(t, map[string]int64{string(public(51)): 1_199}, c.updates(ok(1), unstake))
}

// Who borrows CNPY for as long as a block takes decides no vote in it, and moves no
// power: votes count by the powers that the block began with.
func TestStakesOfOneBlockDecideNothing(t *testing.T) {
	c := staking(t, 1_000, 1_000, 1_000, 1_000)
	c.do(key(2), tx.Proposal{ID: number(1), Change: tx.PoolFee(30)})
	res, told := c.run(&abci.RequestFinalizeBlock{Height: c.height + 1, Txs: [][]byte{
		sign(t, key(1), tx.Body{Fee: fee, Message: tx.Stake{Validator: public(50), Amount: 1_000 * million}}),
		sign(t, key(50), tx.Body{Message: tx.Vote{Proposal: number(1), Approve: true}}),
		sign(t, key(1), tx.Body{Nonce: 1, Fee: fee, Message: tx.Unstake{Validator: public(50), Amount: 1_000 * million}}),
	}})
	for _, result := range res.TxResults {
		require.Zero(t, result.Code, result.Log)
	}
	require.Empty(t, told)
	var open app.Proposal
	require.Zero(t, c.ask("/proposal/"+number(1).String(), &open))
	require.Equal(t, "open", open.State)
	require.EqualValues(t, []int64{1_000, 4_000}, []int64{open.Approve, open.All})
}

// Among four nobody gets a third, whatever is staked on them, and who was given more
// does not lose it for good.
func TestStakesAreCapped(t *testing.T) {
	c := staking(t, 20, 20, 10, 10)
	c.do(key(1), tx.Stake{Validator: public(50), Amount: 1_000 * million})
	powers := c.powers(4)
	require.Equal(t, []int64{19, 19, 10, 10}, powers, "19 of 58; 20 of 60 were a third")
	c.do(key(1), tx.Unstake{Validator: public(50), Amount: 1_000 * million})
	c.do(key(2), tx.Stake{Validator: public(53), Amount: 100 * million})
	c.do(key(1), tx.Stake{Validator: public(52), Amount: 100 * million})
	require.Equal(t, []int64{20, 20, 39, 39}, c.powers(4))
}

// Among three, whose loss of one halts the chain anyway, a stake would have its
// validator make the blocks alone: none counts until a fourth is there.
func TestStakesAmongFew(t *testing.T) {
	c := staking(t, 10, 10, 10)
	c.do(key(1), tx.Stake{Validator: public(50), Amount: 1_000 * million})
	require.Equal(t, []int64{10, 10, 10}, c.powers(3))
	c.do(authority, tx.ValidatorUpdate{Key: public(53), Power: 10})
	require.Equal(t, []int64{14, 10, 10, 10}, c.powers(4), "14 of 44; 15 of 45 were a third")
	c.do(authority, tx.ValidatorUpdate{Key: public(53), Power: 0})
	require.Equal(t, []int64{10, 10, 10}, c.powers(3))
}

// A chain of older rules has no least stake in its genesis: once it is upgraded, the
// default counts.
func TestDefaultLeastStake(t *testing.T) {
	c := weighed(t, 1_000, 1_000, 1_000, 1_000)
	require.Equal(t, genesis.DefaultMinStake, c.validator(50).MinStake)
	c.do(authority, tx.VoucherIn{Transfer: number(1), To: at(key(1)), Amount: 1_000 * million})
	c.do(key(1), tx.Stake{Validator: public(50), Amount: 999 * million})
	require.Equal(t, []int64{1_000, 1_000}, c.powers(2))
	c.do(key(1), tx.Stake{Validator: public(50), Amount: million})
	require.Equal(t, []int64{1_499, 1_000}, c.powers(2), "2000 of 5000 were more than a third")
}

// Among seven the loss of two halts nothing, whichever two a stranger has made heavy.
func TestStakesKeepWhatAChainStands(t *testing.T) {
	c := staking(t, 10, 10, 10, 10, 10, 10, 10)
	for n := byte(50); n < 53; n++ {
		c.do(key(1), tx.Stake{Validator: public(n), Amount: 300 * million})
	}
	powers := c.powers(7)
	require.Equal(t, []int64{13, 13, 13, 10, 10, 10, 10}, powers, "26 of 79; 28 of 82 were more than a third")
}

// The authority says who validates and with what to begin with; stakes stay where
// they are, and count again when their validator is back.
func TestStakesOutliveTheirValidator(t *testing.T) {
	c := staking(t, 1_000, 1_000, 1_000, 1_000)
	c.do(key(1), tx.Stake{Validator: public(50), Amount: 100 * million})
	require.Equal(t, []int64{1_100, 1_000, 1_000, 1_000}, c.powers(4))
	c.do(authority, tx.ValidatorUpdate{Key: public(50), Power: 1_200})
	require.Equal(t, []int64{1_300, 1_000, 1_000, 1_000}, c.powers(4))
	c.do(authority, tx.ValidatorUpdate{Key: public(54), Power: 500})
	require.Equal(t, []int64{1_300, 1_000, 1_000, 1_000, 500}, c.powers(5))
	c.do(authority, tx.ValidatorUpdate{Key: public(50), Power: 0})
	require.Equal(t, []int64{0, 1_000, 1_000, 1_000, 500}, c.powers(5))
	require.EqualValues(t, app.CodeStake, c.try(key(1), tx.Stake{Validator: public(50), Amount: 1}).Code, "nobody to lend weight to")
	c.do(key(1), tx.Unstake{Validator: public(50), Amount: million})
	c.do(authority, tx.ValidatorUpdate{Key: public(50), Power: 1_000})
	require.Equal(t, []int64{1_000, 1_000, 1_000, 1_000, 500}, c.powers(5), "99 CNPY are too few")

	c.do(key(1), tx.Stake{Validator: public(50), Amount: million})
	_, told := c.run(&abci.RequestFinalizeBlock{Height: c.height + 1, Misbehavior: caught(50)})
	require.Equal(t, map[string]int64{string(public(50)): 0}, told)
	require.EqualValues(t, app.CodeValidators, c.try(authority, tx.ValidatorUpdate{Key: public(50), Power: 10}).Code)
	c.do(key(1), tx.Unstake{Validator: public(50), Amount: 100 * million})
	require.Equal(t, 1_000*million, int(c.account(at(key(1))).CNPY), "who lent it weight did no wrong")
}

func TestStakesAreRefused(t *testing.T) {
	c := staking(t, 10, 10)
	c.do(key(1), tx.Stake{Validator: public(50), Amount: 5 * million})
	for reason, r := range map[string]struct {
		from    byte
		message tx.Message
		code    app.Code
	}{
		"more than there is":             {1, tx.Stake{Validator: public(50), Amount: 996 * million}, app.CodeInsufficientBalance},
		"on nobody":                      {1, tx.Stake{Validator: public(60), Amount: 1}, app.CodeStake},
		"back more than was staked":      {1, tx.Unstake{Validator: public(50), Amount: 5*million + 1}, app.CodeStake},
		"back from another validator":    {1, tx.Unstake{Validator: public(51), Amount: 1}, app.CodeStake},
		"back what somebody else staked": {2, tx.Unstake{Validator: public(50), Amount: 1}, app.CodeStake},
		"by who has no CNPY":             {3, tx.Stake{Validator: public(50), Amount: 1}, app.CodeInsufficientBalance},
	} {
		result := c.try(key(r.from), r.message)
		require.EqualValues(t, r.code, result.Code, "%s: %s", reason, result.Log)
	}
	require.EqualValues(t, 995*million, c.account(at(key(1))).CNPY)

	work := working(t)
	work.do(authority, tx.VoucherIn{Transfer: number(1), To: at(key(1)), Amount: million})
	require.EqualValues(t, app.CodeStake, work.try(key(1), tx.Stake{Validator: public(50), Amount: 1}).Code, "there work decides")
}

// Under older rules nobody knows what a stake is, and an upgrade brings it.
func TestStakesNeedTheirRules(t *testing.T) {
	old := program(t, 3, 2)
	stake := sign(t, key(1), tx.Body{Fee: fee, Message: tx.Stake{Validator: public(50), Amount: 1}})
	require.EqualValues(t, app.CodeMalformed, old.block(stake)[0].Code)
	require.EqualValues(t, 3, tx.Body{Message: tx.Unstake{}}.Since())
}

// When the last stake goes back nothing is left, also after the block, and the next
// one is all that there is.
func TestLastStakeLeavesNothing(t *testing.T) {
	c := staking(t, 10, 10)
	for range 2 {
		c.do(key(1), tx.Stake{Validator: public(50), Amount: 100 * million})
		require.EqualValues(t, 100*million, c.account(livechain.ModuleAddress("stakes")).CNPY)
		c.do(key(1), tx.Unstake{Validator: public(50), Amount: 100 * million})
		require.Zero(t, c.account(livechain.ModuleAddress("stakes")).CNPY)
		c.reopen()
	}
}

// Anybody can send CNPY to the account that will hold the stakes. Under older rules
// that is no stake: the powers stay as a program has them that knows of none.
func TestGiftIsNoStake(t *testing.T) {
	for version := uint64(1); version <= 2; version++ {
		c := program(t, 3, version)
		c.do(authority, tx.VoucherIn{Transfer: number(1), To: at(key(1)), Amount: million})
		c.do(key(1), tx.Transfer{To: livechain.ModuleAddress("stakes"), Asset: tx.CNPY, Amount: 1})
		for i, power := range []int64{20, 20, 10, 10} {
			c.do(authority, tx.ValidatorUpdate{Key: public(byte(50 + i)), Power: power})
		}
		require.Equal(t, []int64{20, 20, 10, 10}, c.powers(4), "nobody is capped")
		_, told := c.run(&abci.RequestFinalizeBlock{Height: c.height + 1, Misbehavior: caught(53)})
		require.Equal(t, map[string]int64{string(public(53)): 0}, told)
	}
}

// A stake is proven from the app hash, and so is that there is none.
func TestStakesAreProven(t *testing.T) {
	c := staking(t, 10, 10)
	c.do(key(1), tx.Stake{Validator: public(50), Amount: 7 * million})
	proven := func(by ed25519.PrivateKey) (app.Stake, bool) {
		res, err := c.app.Query(context.Background(), &abci.RequestQuery{Path: stakeOn(50, by), Prove: true})
		require.NoError(t, err)
		seen, exists, err := app.ProvenStake(state.Root(c.hash), public(50), at(by), res.ProofOps)
		require.NoError(t, err)
		return seen, exists
	}
	seen, exists := proven(key(1))
	require.True(t, exists)
	require.Equal(t, app.Stake{Account: at(key(1)), Validator: hex.EncodeToString(public(50)), Amount: 7 * million}, seen)
	_, exists = proven(key(2))
	require.False(t, exists)
}

// However accounts stake and validators come and go, no CNPY appears or vanishes, a
// validator's stakes are the sum of its accounts', and a node that replays the
// blocks, restarted in between, agrees.
func TestStakesAddUp(t *testing.T) {
	const seed, blocks = 11, 400
	c, again := staking(t, 10, 10, 10, 10), staking(t, 10, 10, 10, 10)
	r := rand.New(rand.NewPCG(seed, seed))
	nonce := map[livechain.Address]uint64{}
	for _, account := range []ed25519.PrivateKey{key(1), key(2), authority} {
		nonce[at(account)] = c.account(at(account)).Nonce
	}
	for range blocks {
		from, body := key(byte(1+r.IntN(2))), tx.Body{Fee: fee}
		validator := public(byte(50 + r.IntN(5)))
		switch amount := money.Amount(1 + r.Int64N(400*million)); r.IntN(5) {
		case 0:
			from, body = authority, tx.Body{Message: tx.ValidatorUpdate{Key: validator, Power: r.Int64N(20)}}
		case 1, 2:
			body.Message = tx.Unstake{Validator: validator, Amount: amount}
		default:
			body.Message = tx.Stake{Validator: validator, Amount: amount}
		}
		body.Nonce = nonce[at(from)]
		nonce[at(from)]++
		raw := sign(t, from, body)
		c.block(raw)
		if r.IntN(20) == 0 {
			again.reopen()
		}
		again.block(raw)
		require.True(t, bytes.Equal(c.hash, again.hash))
	}
	staked, whole := money.Amount(0), c.account(at(key(1))).CNPY+c.account(at(key(2))).CNPY
	for n := byte(50); n < 55; n++ {
		var sum money.Amount
		for by := byte(1); by <= 2; by++ {
			var own app.Stake
			c.ask(stakeOn(n, key(by)), &own)
			sum += own.Amount
		}
		require.Equal(t, sum, c.validator(n).Staked)
		staked += sum
	}
	require.Equal(t, staked, c.account(livechain.ModuleAddress("stakes")).CNPY)
	require.NotZero(t, staked)
	require.EqualValues(t, 2_000*million, whole+staked)
}
