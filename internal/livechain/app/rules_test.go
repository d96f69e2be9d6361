package app_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx/txpb"
)

// program is a validator that knows the rules up to newest, on a chain whose
// genesis follows those of a version.
func program(t testing.TB, newest, version uint64) *chain {
	c := &chain{t: t, options: app.Options{Dir: t.TempDir(), GenesisHash: "abc"}, newest: newest}
	c.open()
	t.Cleanup(func() { require.NoError(t, c.app.Close()) })
	res, err := c.begin(version)
	require.NoError(t, err)
	require.Equal(t, version, res.ConsensusParams.Version.App, "the first header says it")
	c.hash = res.AppHash
	return c
}

func (c *chain) begin(version uint64) (*abci.ResponseInitChain, error) {
	raw, err := json.Marshal(document(c.t))
	require.NoError(c.t, err)
	return c.app.InitChain(context.Background(), &abci.RequestInitChain{
		ChainId: chainID, Time: born, AppStateBytes: raw, ConsensusParams: inHeader(version),
		Validators: []abci.ValidatorUpdate{abci.Ed25519ValidatorUpdate(public(50), 10), abci.Ed25519ValidatorUpdate(public(51), 10)},
	})
}

func inHeader(version uint64) *cmtproto.ConsensusParams {
	return &cmtproto.ConsensusParams{Version: &cmtproto.VersionParams{App: version}}
}

func (c *chain) version() uint64 {
	info, err := c.app.Info(context.Background(), &abci.RequestInfo{})
	require.NoError(c.t, err)
	return info.AppVersion
}

// future signs a message that this program can't decode, as an older one can't
// decode this one's.
func future(t testing.TB, from ed25519.PrivateKey, nonce uint64) []byte {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(&txpb.Body{ChainId: chainID, Nonce: nonce, Fee: uint64(fee)})
	require.NoError(t, err)
	body = protowire.AppendBytes(protowire.AppendTag(body, 999, protowire.BytesType), []byte("tomorrow"))
	digest := sha256.Sum256(append([]byte("lucid.chain.v1/transaction\x00"), body...))
	raw, err := proto.Marshal(&txpb.Envelope{
		Body: body, PublicKey: from.Public().(ed25519.PublicKey), Signature: ed25519.Sign(from, digest[:]),
	})
	require.NoError(t, err)
	return raw
}

// What is newer than the chain's rules gets the results of what can't be decoded,
// whatever else is wrong with it, and moves nothing.
func TestNewerMessagesAreAsIfUnreadable(t *testing.T) {
	newer := func(change func(*tx.Body)) []byte {
		body := tx.Body{Fee: fee, Message: tx.Proposal{ID: number(1), Change: tx.ValidatorUpdate{Key: public(52), Power: 1}}}
		change(&body)
		return sign(t, key(1), body)
	}
	forged := newer(func(*tx.Body) {})
	forged[len(forged)-1] ^= 1
	unreadable := future(t, key(1), 0)
	for reason, r := range map[string]struct {
		raw    []byte
		inTwo  app.Code // once the rules know it
		inBoth bool     // it stays unreadable
	}{
		"as it should be":   {newer(func(*tx.Body) {}), app.CodeOK, false},
		"a wrong signature": {forged, app.CodeBadSignature, false},
		"another chain":     {newer(func(b *tx.Body) { b.ChainID = "other-1" }), app.CodeWrongChain, false},
		"a nonce too early": {newer(func(b *tx.Body) { b.Nonce = 1 }), app.CodeNonceGap, false},
		"no fee":            {newer(func(b *tx.Body) { b.Fee = 0 }), app.CodeFeeTooLow, false},
		"long expired":      {newer(func(b *tx.Body) { b.Expires = 1 }), app.CodeExpired, false},
		"of rules to come":  {unreadable, app.CodeMalformed, true},
	} {
		one, two := program(t, 2, 1), program(t, 2, 2)
		hash := one.hash
		require.NotZero(t, one.check(r.raw), reason)
		require.EqualValues(t, app.CodeMalformed, one.block(r.raw)[0].Code, reason)
		require.Equal(t, hash, one.hash, "nothing moved: %s", reason)
		require.EqualValues(t, r.inTwo, two.block(r.raw)[0].Code, reason)
	}
	one := program(t, 2, 1)
	vote := sign(t, key(1), tx.Body{Fee: fee, Message: tx.Proposal{ID: number(1), Change: tx.PoolFee(30)}})
	require.Zero(t, one.block(vote)[0].Code, "what the rules of version 1 know goes on")
}

// Programs of two versions agree on every block up to the upgrade's height; there
// the old one stops, and one that knows the rules goes on from its folder.
func TestUpgrade(t *testing.T) {
	old, current := program(t, 1, 1), program(t, 2, 1)
	require.Equal(t, old.hash, current.hash)
	newer := sign(t, key(1), tx.Body{Nonce: 0, Fee: fee, Message: tx.Proposal{ID: number(1), Change: tx.ValidatorUpdate{Key: public(52), Power: 1}}})
	blocks := [][][]byte{
		{sign(t, authority, tx.Body{Message: tx.Upgrade{Version: 2, Height: 4}}), newer},
		{newer, sign(t, key(2), tx.Body{Fee: fee, Message: send(at(key(3)), 1)})},
		{newer},
	}
	for i, txs := range blocks {
		height := int64(i + 1)
		one, two := old.finalize(height, txs...), current.finalize(height, txs...)
		require.Equal(t, two, one, "height %d", height)
		var params *cmtproto.ConsensusParams
		if height == 3 {
			params = inHeader(2)
		}
		require.Equal(t, params, one.ConsensusParamUpdates, "the header of height 4 tells of the new rules")
		old.block(txs...)
		current.block(txs...)
	}

	_, err := old.app.FinalizeBlock(t.Context(), &abci.RequestFinalizeBlock{Height: 4, Time: born, Txs: [][]byte{newer}})
	require.ErrorContains(t, err, "run a newer image")
	require.Equal(t, err, <-old.app.Failed(), "the node ends, and does not wait for ever")
	require.EqualValues(t, 2, current.version())
	require.Zero(t, current.block(newer)[0].Code)

	require.NoError(t, old.app.Close())
	_, err = app.NewKnowing(old.options, 1)
	require.ErrorContains(t, err, "rules of version 2, this program knows those up to 1")
	old.newest = 2
	old.open()
	require.Zero(t, old.block(newer)[0].Code)
	require.Equal(t, current.hash, old.hash)
}

func TestUpgradesThatWait(t *testing.T) {
	c := program(t, 2, 1)
	info := func() (info app.Info) {
		require.Zero(t, c.ask("/info", &info))
		return info
	}
	require.EqualValues(t, app.CodeAuthority, c.try(key(1), tx.Upgrade{Version: 2, Height: 9}).Code, "a holder is not the authority")
	require.Equal(t, app.Upgraded{Account: at(authority), Upgrade: tx.Upgrade{Version: 7, Height: 90}},
		c.do(authority, tx.Upgrade{Version: 7, Height: 90}))
	require.EqualValues(t, []any{uint64(1), uint64(7), int64(90)}, []any{info().AppVersion, info().NextVersion, info().NextHeight})
	c.do(authority, tx.Upgrade{Version: 1, Height: 1})
	require.Zero(t, info().NextVersion, "nobody knows version 7: it is taken back")

	c.do(authority, tx.Upgrade{Version: 2, Height: 1})
	require.EqualValues(t, 2, info().AppVersion, "a height that is past is the next one")
	require.EqualValues(t, app.CodeRules, c.try(authority, tx.Upgrade{Version: 1, Height: 100}).Code, "rules never go back")
	c.reopen()
	require.EqualValues(t, 2, c.version())
}

func TestChainsOfOtherRules(t *testing.T) {
	c := fresh(t, app.Options{Dir: t.TempDir()})
	for version, want := range map[uint64]string{0: "before its rules had versions", genesis.AppVersion + 1: "run a newer image"} {
		_, err := c.begin(version)
		require.ErrorContains(t, err, want)
	}
	require.EqualValues(t, genesis.AppVersion, c.version(), "it has not begun")

	dir := t.TempDir()
	store, err := state.Open(dir)
	require.NoError(t, err)
	raw, err := proto.Marshal(&statepb.Chain{ChainId: chainID})
	require.NoError(t, err)
	pending, err := store.PrepareEmpty(map[string][]byte{"chain": raw})
	require.NoError(t, err)
	require.NoError(t, store.Commit(7, pending))
	require.NoError(t, store.Close())
	_, err = app.New(app.Options{Dir: dir})
	require.ErrorContains(t, err, "before its rules had versions")
}

func TestUpgradedEventIsReadStrictly(t *testing.T) {
	c := start(t)
	result := c.block(sign(t, authority, tx.Body{Message: tx.Upgrade{Version: 9, Height: 9}}))[0]
	for i, a := range result.Events[0].Attributes {
		result.Events[0].Attributes[i].Value = "?"
		_, err := app.Outcome(result)
		require.ErrorContains(t, err, a.Key)
		result.Events[0].Attributes[i].Value = a.Value
	}
}
