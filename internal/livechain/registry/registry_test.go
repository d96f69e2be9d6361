package registry_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/registry"
)

const chainID = "names-1"

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func at(k ed25519.PrivateKey) livechain.Address {
	return livechain.AddressOf(k.Public().(ed25519.PublicKey))
}

// chain drives one application as CometBFT would.
type chain struct {
	t      require.TestingT
	dir    string
	app    *registry.Application
	height int64
	hash   []byte
}

func start(t *testing.T) *chain {
	c := &chain{t: t, dir: t.TempDir()}
	c.open()
	t.Cleanup(func() { require.NoError(t, c.app.Close()) })
	c.hash = c.init(chainID)
	return c
}

func (c *chain) open() {
	var err error
	c.app, err = registry.New(c.dir)
	require.NoError(c.t, err)
}

func (c *chain) init(id string) []byte {
	res, err := c.app.InitChain(context.Background(), &abci.RequestInitChain{ChainId: id, AppStateBytes: []byte(`{"token_supply":1}`)})
	require.NoError(c.t, err)
	return res.AppHash
}

func (c *chain) finalize(height int64, txs ...[]byte) *abci.ResponseFinalizeBlock {
	res, err := c.app.FinalizeBlock(context.Background(), &abci.RequestFinalizeBlock{Height: height, Txs: txs})
	require.NoError(c.t, err)
	return res
}

func (c *chain) block(txs ...[]byte) (codes []uint32) {
	c.height++
	res := c.finalize(c.height, txs...)
	_, err := c.app.Commit(context.Background(), &abci.RequestCommit{})
	require.NoError(c.t, err)
	c.hash = res.AppHash
	for _, result := range res.TxResults {
		require.Equal(c.t, result.Code != 0, result.Log != "", "a refusal has a reason")
		codes = append(codes, result.Code)
	}
	return codes
}

func (c *chain) check(raw []byte) uint32 {
	res, err := c.app.CheckTx(context.Background(), &abci.RequestCheckTx{Tx: raw})
	require.NoError(c.t, err)
	return res.Code
}

func (c *chain) ask(path string, into any) uint32 {
	res, err := c.app.Query(context.Background(), &abci.RequestQuery{Path: path})
	require.NoError(c.t, err)
	if res.Code == 0 {
		require.NoError(c.t, json.Unmarshal(res.Value, into))
	}
	return res.Code
}

func sign(t require.TestingT, from ed25519.PrivateKey, body registry.Body) []byte {
	if body.ChainID == "" {
		body.ChainID = chainID
	}
	raw, err := registry.Sign(body, from)
	require.NoError(t, err)
	return raw
}

// A name's life: taken, changed, given away; and only by its owner.
func TestName(t *testing.T) {
	c := start(t)
	ann, bob := key(1), key(2)
	require.Equal(t, []uint32{0, registry.CodeTaken, 0}, c.block(
		sign(t, ann, registry.Body{Op: registry.Register, Name: "aurora", Value: "one"}),
		sign(t, bob, registry.Body{Op: registry.Register, Name: "aurora", Value: "mine"}),
		sign(t, ann, registry.Body{Sequence: 1, Op: registry.Set, Name: "aurora", Value: "two"}),
	), "the first to come has it")
	var name registry.Name
	require.Zero(t, c.ask("/name/aurora", &name))
	require.Equal(t, registry.Name{Name: "aurora", Owner: at(ann), Value: "two", Height: 1}, name)

	require.Equal(t, []uint32{registry.CodeOwner, 0, registry.CodeOwner, 0}, c.block(
		sign(t, bob, registry.Body{Sequence: 1, Op: registry.Transfer, Name: "aurora", To: at(bob)}),
		sign(t, ann, registry.Body{Sequence: 2, Op: registry.Transfer, Name: "aurora", To: at(bob)}),
		sign(t, ann, registry.Body{Sequence: 3, Op: registry.Set, Name: "aurora", Value: "still mine"}),
		sign(t, bob, registry.Body{Sequence: 2, Op: registry.Set, Name: "aurora"}),
	), "what is refused counts in the sequence, so that it can't be sent again later")
	require.Zero(t, c.ask("/name/aurora", &name))
	require.Equal(t, registry.Name{Name: "aurora", Owner: at(bob), Height: 2}, name)
	var account registry.Account
	require.Zero(t, c.ask("/account/"+at(ann).String(), &account))
	require.EqualValues(t, 4, account.Sequence)
}

func TestRefusals(t *testing.T) {
	c := start(t)
	ann := key(1)
	good := registry.Body{Op: registry.Register, Name: "good"}
	with := func(change func(*registry.Body)) []byte {
		body := good
		change(&body)
		return sign(t, ann, body)
	}
	tampered := bytes.Replace(sign(t, ann, good), []byte(`"good"`), []byte(`"evil"`), 1)
	for _, tc := range []struct {
		reason string
		raw    []byte
		code   uint32
	}{
		{"no JSON", []byte("name"), registry.CodeMalformed},
		{"another encoding of the same", append([]byte(" "), sign(t, ann, good)...), registry.CodeMalformed},
		{"a member that nobody reads", bytes.Replace(sign(t, ann, good), []byte(`{"body"`), []byte(`{"x":1,"body"`), 1), registry.CodeMalformed},
		{"changed after it was signed", tampered, registry.CodeSignature},
		{"half a key", []byte(`{"body":{"chain_id":"names-1","sequence":0,"op":"register","name":"good"},"public_key":"AA==","signature":"AA=="}`), registry.CodeSignature},
		{"signed for another chain", with(func(b *registry.Body) { b.ChainID = "names-2" }), registry.CodeChain},
		{"one too early", with(func(b *registry.Body) { b.Sequence = 1 }), registry.CodeSequence},
		{"an empty name", with(func(b *registry.Body) { b.Name = "" }), registry.CodeMalformed},
		{"a name that could be a path", with(func(b *registry.Body) { b.Name = "a/b" }), registry.CodeMalformed},
		{"a dash at the end", with(func(b *registry.Body) { b.Name = "a-" }), registry.CodeMalformed},
		{"a name that is too long", with(func(b *registry.Body) { b.Name = strings.Repeat("a", 64) }), registry.CodeMalformed},
		{"a value that is too long", with(func(b *registry.Body) { b.Value = strings.Repeat("a", 1025) }), registry.CodeMalformed},
		{"an owner at registration", with(func(b *registry.Body) { b.To = at(key(2)) }), registry.CodeMalformed},
		{"a transfer to nobody", with(func(b *registry.Body) { b.Op = registry.Transfer }), registry.CodeMalformed},
		{"no such operation", with(func(b *registry.Body) { b.Op = "burn" }), registry.CodeMalformed},
		{"a name that nobody has", with(func(b *registry.Body) { b.Op = registry.Set }), registry.CodeAbsent},
	} {
		require.Equal(t, tc.code, c.check(tc.raw), tc.reason)
	}
	require.Equal(t, []uint32{0, registry.CodeSequence}, c.block(sign(t, ann, good), sign(t, ann, good)), "a replay")
	var answer any
	require.Equal(t, registry.CodeAbsent, c.ask("/name/free", &answer))
	require.Equal(t, registry.CodePath, c.ask("/pool", &answer))
	require.Equal(t, registry.CodePath, c.ask("/account/nobody", &answer))
	var info registry.Info
	require.Zero(t, c.ask("/info", &info))
	require.Equal(t, chainID, info.ChainID)
	res, err := c.app.Query(t.Context(), &abci.RequestQuery{Path: "/name/good", Height: 1_000})
	require.NoError(t, err)
	require.NotZero(t, res.Code, "a height that is not there")
}

// The mempool admits what works after all that waits there.
func TestCheckTxCountsWhatWaits(t *testing.T) {
	c := start(t)
	first := sign(t, key(1), registry.Body{Op: registry.Register, Name: "one"})
	second := sign(t, key(1), registry.Body{Sequence: 1, Op: registry.Set, Name: "one", Value: "1"})
	require.Equal(t, registry.CodeSequence, c.check(second))
	require.Zero(t, c.check(first))
	require.Zero(t, c.check(second))
	require.Equal(t, []uint32{0}, c.block(first))
	require.Zero(t, c.check(second), "it still waits after the block, and is looked at again")
}

// What CheckTx refuses has changed nothing: the next one of its signer is in turn.
func TestCheckTxForgetsWhatItRefuses(t *testing.T) {
	c := start(t)
	c.block(sign(t, key(2), registry.Body{Op: registry.Register, Name: "taken"}))
	for _, refused := range []registry.Body{
		{Op: registry.Register, Name: "taken"},
		{Op: registry.Set, Name: "taken", Value: "mine"},
		{Op: registry.Set, Name: "free"},
		{Sequence: 1, Op: registry.Register, Name: "mine"},
	} {
		require.NotZero(t, c.check(sign(t, key(1), refused)), "%+v", refused)
	}
	first := sign(t, key(1), registry.Body{Op: registry.Register, Name: "mine"})
	second := sign(t, key(1), registry.Body{Sequence: 1, Op: registry.Set, Name: "mine", Value: "1"})
	require.Zero(t, c.check(first))
	require.Equal(t, registry.CodeSequence, c.check(first), "it waits already")
	require.Zero(t, c.check(second))
	require.Equal(t, []uint32{0, 0}, c.block(first, second))
}

// The node may be ended between any two calls: what was not committed is
// computed again to the same hash.
func TestRestarts(t *testing.T) {
	c := start(t)
	require.NoError(t, c.app.Close())
	c.open()
	require.Equal(t, c.hash, c.init(chainID), "before the first block the chain is begun again")
	_, err := c.app.InitChain(t.Context(), &abci.RequestInitChain{ChainId: "names-2"})
	require.Error(t, err, "the folder is another chain's")
	_, err = c.app.Commit(t.Context(), &abci.RequestCommit{})
	require.Error(t, err, "there is nothing to commit")

	c.block(sign(t, key(1), registry.Body{Op: registry.Register, Name: "one"}))
	next := sign(t, key(1), registry.Body{Sequence: 1, Op: registry.Set, Name: "one", Value: "1"})
	lost := c.finalize(2, next).AppHash
	require.NoError(t, c.app.Close())
	c.open()
	info, err := c.app.Info(t.Context(), &abci.RequestInfo{})
	require.NoError(t, err)
	require.EqualValues(t, 1, info.LastBlockHeight)
	require.Equal(t, c.hash, info.LastBlockAppHash)
	require.Equal(t, []uint32{0}, c.block(next))
	require.Equal(t, lost, c.hash)
	_, err = c.app.InitChain(t.Context(), &abci.RequestInitChain{ChainId: chainID})
	require.Error(t, err, "a chain with blocks does not begin again")
}

// The same blocks give the same hash, however often the application restarts.
func TestDeterminism(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		whole, restarted := start(t), start(t)
		sequences := map[byte]uint64{}
		for range rapid.IntRange(1, 6).Draw(rt, "blocks") {
			var txs [][]byte
			for range rapid.IntRange(0, 4).Draw(rt, "transactions") {
				who := rapid.Byte().Draw(rt, "who") % 3
				body := registry.Body{
					Sequence: sequences[who], Name: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name"),
					Op: rapid.SampledFrom([]registry.Op{registry.Register, registry.Set, registry.Transfer}).Draw(rt, "op"),
				}
				if body.Op == registry.Transfer {
					body.To = at(key(rapid.Byte().Draw(rt, "to") % 3))
				}
				sequences[who]++
				txs = append(txs, sign(rt, key(who), body))
			}
			require.Equal(rt, whole.block(txs...), restarted.block(txs...))
			require.Equal(rt, whole.hash, restarted.hash)
			if rapid.Bool().Draw(rt, "restart") {
				require.NoError(rt, restarted.app.Close())
				restarted.open()
			}
		}
	})
}

func FuzzCheckTx(f *testing.F) {
	f.Add(sign(f, key(1), registry.Body{Op: registry.Register, Name: "one"}))
	f.Add([]byte(`{"body":null}`))
	app, err := registry.New(f.TempDir())
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, app.Close()) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := app.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: raw})
		require.NoError(t, err, "a stranger's bytes are never this node's trouble")
	})
}

func TestCommand(t *testing.T) {
	for args, want := range map[string]string{
		"":                    "--address and --home are required",
		"--address=unix:///x": "--address and --home are required",
		"--address=nonsense --home=" + t.TempDir(): "listen for CometBFT",
	} {
		cmd := registry.NewCommand()
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(strings.Fields(args))
		require.ErrorContains(t, cmd.ExecuteContext(t.Context()), want)
	}
}
