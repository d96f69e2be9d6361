package app_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

func public(n byte) ed25519.PublicKey { return key(n).Public().(ed25519.PublicKey) }

// governed is a chain of two validators.
func governed(t testing.TB) *chain { return ruledBy(t, at(authority)) }

func ruledBy(t testing.TB, whom livechain.Address) *chain {
	first := document(t)
	first.Authority = whom
	return twoValidators(t, first)
}

func twoValidators(t testing.TB, first genesis.State) *chain {
	c := fresh(t, app.Options{Dir: t.TempDir()})
	raw, err := json.Marshal(first)
	require.NoError(t, err)
	res, err := c.app.InitChain(context.Background(), &abci.RequestInitChain{
		ChainId: chainID, Time: born, AppStateBytes: raw,
		Validators: []abci.ValidatorUpdate{abci.Ed25519ValidatorUpdate(public(51), 10), abci.Ed25519ValidatorUpdate(public(50), 10)},
	})
	require.NoError(t, err)
	c.hash = res.AppHash
	return c
}

func (c *chain) power(nonce uint64, n byte, power int64) []byte {
	return sign(c.t, authority, tx.Body{Nonce: nonce, Message: tx.ValidatorUpdate{Key: public(n), Power: power}})
}

// updates commits a block and returns what it tells CometBFT, by key.
func (c *chain) updates(codes []app.Code, txs ...[]byte) map[string]int64 {
	c.height++
	res := c.finalize(c.height, txs...)
	_, err := c.app.Commit(context.Background(), &abci.RequestCommit{})
	require.NoError(c.t, err)
	for i, r := range res.TxResults {
		require.EqualValues(c.t, codes[i], r.Code, r.Log)
	}
	told := map[string]int64{}
	for _, u := range res.ValidatorUpdates {
		told[string(u.PubKey.GetEd25519())] = u.Power
	}
	require.Len(c.t, told, len(res.ValidatorUpdates), "each validator is told of once")
	return told
}

func ok(n int) []app.Code { return make([]app.Code, n) }

func TestAuthorityChangesValidators(t *testing.T) {
	c := governed(t)
	joining := c.power(0, 52, 10)
	require.Zero(t, c.check(joining), "the authority needs no tokens for the fee")
	require.Equal(t, map[string]int64{string(public(52)): 10}, c.updates(ok(1), joining))
	require.Equal(t, map[string]int64{string(public(50)): 0, string(public(51)): 20},
		c.updates(ok(2), c.power(1, 50, 0), c.power(2, 51, 20)))
	require.Empty(t, c.updates(ok(0)), "CometBFT remembers")
	require.Empty(t, c.updates(ok(2), c.power(3, 50, 0), c.power(4, 51, 20)), "what is so already is no news")
	require.Empty(t, c.updates(ok(2), c.power(5, 53, 10), c.power(6, 53, 0)), "nor is what a block takes back")

	c.reopen()
	require.Equal(t, map[string]int64{string(public(52)): 0}, c.updates(ok(1), c.power(7, 52, 0)), "the set is part of the state")
}

func TestRefusedValidatorUpdates(t *testing.T) {
	c := governed(t)
	other := sign(t, key(1), tx.Body{Fee: fee, Message: tx.ValidatorUpdate{Key: public(52), Power: 10}})
	poor := sign(t, key(99), tx.Body{Message: tx.ValidatorUpdate{Key: public(52), Power: 10}})
	require.Equal(t, app.CodeAuthority, c.check(other), "a holder is not the authority")
	require.Equal(t, app.CodeFeeTooLow, c.check(poor), "nobody else goes free")
	require.Equal(t, app.CodeFeeTooLow, c.check(sign(t, authority, tx.Body{Message: send(at(key(1)), 1)})), "nor the authority for anything else")
	last := []app.Code{app.CodeOK, app.CodeValidators}
	require.Equal(t, map[string]int64{string(public(50)): 0}, c.updates(last, c.power(0, 50, 0), c.power(1, 51, 0)), "somebody must make blocks")

	nobody := ruledBy(t, livechain.Address{})
	require.Equal(t, app.CodeFeeTooLow, nobody.check(nobody.power(0, 52, 10)))
}

func TestNoMoreValidatorsThanBlocksCanCarry(t *testing.T) {
	c := governed(t)
	var joining [][]byte
	for n := range byte(63) {
		joining = append(joining, c.power(uint64(n), 160+n, 10))
	}
	codes := ok(63)
	codes[62] = app.CodeValidators
	require.Len(t, c.updates(codes, joining...), 62)
}

// The bounds hold from the genesis on, whoever wrote its document.
func TestRefusedFirstValidators(t *testing.T) {
	raw, err := json.Marshal(document(t))
	require.NoError(t, err)
	c := fresh(t, app.Options{Dir: t.TempDir()})
	var many []abci.ValidatorUpdate
	for n := range byte(65) {
		many = append(many, abci.Ed25519ValidatorUpdate(public(n), 1))
	}
	for want, set := range map[string][]abci.ValidatorUpdate{
		"64 at most": many,
		"a power of": {abci.Ed25519ValidatorUpdate(public(50), tx.MaxPower+1)},
		"an Ed25519": {abci.UpdateValidator(make([]byte, 33), 1, "secp256k1")},
	} {
		_, err := c.app.InitChain(t.Context(), &abci.RequestInitChain{ChainId: chainID, Time: born, AppStateBytes: raw, Validators: set})
		require.ErrorContains(t, err, want)
	}
	_, err = c.app.InitChain(t.Context(), &abci.RequestInitChain{ChainId: chainID, Time: born, AppStateBytes: raw, Validators: many[:64]})
	require.NoError(t, err, "nothing was kept of the refused ones")
}

// Two applications that saw the same updates in another order of keys agree.
func TestValidatorUpdatesAreToldInOrder(t *testing.T) {
	var told [][]abci.ValidatorUpdate
	var hashes [][]byte
	for range 3 {
		c := governed(t)
		res := c.finalize(1, c.power(0, 60, 1), c.power(1, 52, 1), c.power(2, 51, 0), c.power(3, 50, 0))
		told, hashes = append(told, res.ValidatorUpdates), append(hashes, res.AppHash)
	}
	require.Equal(t, told[0], told[1])
	require.Equal(t, told[0], told[2])
	require.True(t, bytes.Equal(hashes[0], hashes[1]) && bytes.Equal(hashes[0], hashes[2]))
}

func TestEmpoweredEventComesBack(t *testing.T) {
	c := governed(t)
	results := c.block(c.power(0, 52, 10))
	event, err := app.Outcome(results[0])
	require.NoError(t, err)
	require.Equal(t, app.Empowered{Account: at(authority), Key: public(52), Power: 10}, event)
	results[0].Events[0].Attributes[2].Value = "much"
	_, err = app.Outcome(results[0])
	require.ErrorContains(t, err, "power")
}
