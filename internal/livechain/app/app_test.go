package app_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/amm"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const (
	chainID = "aurora-1"
	million = 1_000_000
	fee     = genesis.DefaultMinFee
)

var (
	born     = time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	treasury = key(200)
	// authority has no tokens at first.
	authority = key(150)
)

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func at(k ed25519.PrivateKey) livechain.Address {
	return livechain.AddressOf(k.Public().(ed25519.PublicKey))
}

// document is a small chain: ten holders with ten million tokens each.
func document(t testing.TB) genesis.State {
	in := genesis.Input{
		ChainID: chainID, GenesisTime: born, CNPYRaised: 40_000 * million, CNPYReserve: 50_000 * million,
		TokenReserve: 25_000_000 * million, InitialSupply: 125_000_000 * million, TotalSupply: 200_000_000 * million,
		Treasury: at(treasury), FeeBasisPoints: 100, Authority: at(authority),
	}
	for n := byte(1); n <= 10; n++ {
		in.Holders = append(in.Holders, genesis.Holder{Address: at(key(n)), Amount: 10_000_000 * million})
	}
	first, err := genesis.Plan(in)
	require.NoError(t, err)
	return first
}

// chain drives one application as CometBFT would.
type chain struct {
	t       testing.TB
	options app.Options
	app     *app.Application
	height  int64
	hash    []byte

	policy genesis.Policy
	pace   time.Duration // from block to block; 0 means a second
	newest uint64        // version of the rules that the program knows
}

func start(t testing.TB) *chain {
	c := fresh(t, app.Options{Dir: t.TempDir()})
	c.hash = c.init()
	return c
}

// fresh is a chain that has not seen its genesis yet.
func fresh(t testing.TB, options app.Options) *chain {
	options.GenesisHash = "abc"
	c := &chain{t: t, options: options, newest: genesis.AppVersion}
	c.open()
	t.Cleanup(func() { require.NoError(t, c.app.Close()) })
	return c
}

func (c *chain) open() {
	var err error
	c.app, err = app.NewKnowing(c.options, c.newest)
	require.NoError(c.t, err)
}

func (c *chain) init() []byte {
	first := document(c.t)
	first.Policy = c.policy
	raw, err := json.Marshal(first)
	require.NoError(c.t, err)
	res, err := c.app.InitChain(context.Background(), &abci.RequestInitChain{ChainId: chainID, Time: born, AppStateBytes: raw})
	require.NoError(c.t, err)
	return res.AppHash
}

func (c *chain) reopen() {
	require.NoError(c.t, c.app.Close())
	c.open()
}

func (c *chain) finalize(height int64, txs ...[]byte) *abci.ResponseFinalizeBlock {
	res, err := c.app.FinalizeBlock(context.Background(), &abci.RequestFinalizeBlock{
		Height: height, Time: born.Add(time.Duration(height) * max(c.pace, time.Second)), Txs: txs,
	})
	require.NoError(c.t, err)
	return res
}

func (c *chain) block(txs ...[]byte) []*abci.ExecTxResult {
	c.height++
	res := c.finalize(c.height, txs...)
	c.hash = res.AppHash
	_, err := c.app.Commit(context.Background(), &abci.RequestCommit{})
	require.NoError(c.t, err)
	return res.TxResults
}

func (c *chain) check(raw []byte) app.Code {
	res, err := c.app.CheckTx(context.Background(), &abci.RequestCheckTx{Tx: raw})
	require.NoError(c.t, err)
	require.Equal(c.t, res.Code != 0, res.Log != "", "a refusal has a reason")
	return app.Code(res.Code)
}

func (c *chain) ask(path string, into any) app.Code {
	res, err := c.app.Query(context.Background(), &abci.RequestQuery{Path: path})
	require.NoError(c.t, err)
	if res.Code == 0 {
		require.NoError(c.t, json.Unmarshal(res.Value, into))
	}
	return app.Code(res.Code)
}

func (c *chain) account(address livechain.Address) app.Account {
	var account app.Account
	require.Zero(c.t, c.ask("/account/"+address.String(), &account))
	return account
}

func sign(t testing.TB, from ed25519.PrivateKey, body tx.Body) []byte {
	if body.ChainID == "" {
		body.ChainID = chainID
	}
	raw, err := tx.Sign(body, from)
	require.NoError(t, err)
	return raw
}

func send(to livechain.Address, amount money.Amount) tx.Message {
	return tx.Transfer{To: to, Asset: tx.Token, Amount: amount}
}

func TestTransferAndSwap(t *testing.T) {
	c := start(t)
	stranger := at(key(99))
	results := c.block(
		sign(t, key(1), tx.Body{Fee: fee, Message: send(stranger, 5*million)}),
		sign(t, key(1), tx.Body{Nonce: 1, Fee: fee, Message: tx.Swap{Sell: tx.Token, AmountIn: 1_000_000 * million, MinOut: 1}}),
	)
	for _, r := range results {
		require.Zero(t, r.Code, r.Log)
		require.Len(t, r.Events, 1, "an indexer can follow")
	}
	sold, err := app.Outcome(results[1])
	require.NoError(t, err)
	require.Equal(t, app.Swapped{
		Account: at(key(1)), Sold: tx.Token, In: 1_000_000 * million, Out: 1_886_612_672, Fee: 10_000 * million,
		After: amm.Pool{CNPY: 40_000*million - 1_886_612_672, Tokens: 21_000_000 * million, Shares: 894_427_190_999},
	}, sold)
	require.Equal(t, money.Amount(5*million), c.account(stranger).Balance)
	seller := c.account(at(key(1)))
	require.Equal(t, money.Amount((10_000_000-1_000_000-5)*million)-2*fee, seller.Balance)
	// a = 1e12·9900; floor(a·4e10 / (2e13·10000 + a)), T = floor(40000·25e12/50000) = 2e13.
	require.Equal(t, money.Amount(1_886_612_672), seller.CNPY)
	require.EqualValues(t, 2, seller.Nonce)
	require.Equal(t, 2*fee, c.account(livechain.ModuleAddress("fees")).Balance)

	results = c.block(sign(t, key(1), tx.Body{Nonce: 2, Fee: fee, Message: tx.Transfer{To: stranger, Asset: tx.CNPY, Amount: million}}))
	require.Zero(t, results[0].Code, results[0].Log)
	require.Equal(t, money.Amount(million), c.account(stranger).CNPY)
}

// Each refusal is the same at CheckTx and in a block, and moves nothing.
func TestRefusalsBeforeAnythingMoves(t *testing.T) {
	c := start(t)
	used := sign(t, key(1), tx.Body{Fee: fee, Message: send(at(key(2)), 1)})
	require.Zero(t, c.block(used)[0].Code)
	forged := sign(t, key(1), tx.Body{Nonce: 1, Fee: fee, Message: send(at(key(2)), 1)})
	forged[len(forged)-1] ^= 1
	for _, r := range []struct {
		raw    []byte
		want   app.Code
		reason string
	}{
		{used, app.CodeStaleNonce, "a replay"},
		{[]byte("hello"), app.CodeMalformed, "not a transaction"},
		{forged, app.CodeBadSignature, "one bit of the signature"},
		{sign(t, key(1), tx.Body{ChainID: "other-1", Nonce: 1, Fee: fee, Message: send(at(key(2)), 1)}), app.CodeWrongChain, "meant for another chain"},
		{sign(t, key(1), tx.Body{Nonce: 2, Fee: fee, Message: send(at(key(2)), 1)}), app.CodeNonceGap, "out of turn"},
		{sign(t, key(1), tx.Body{Nonce: 1, Fee: fee - 1, Message: send(at(key(2)), 1)}), app.CodeFeeTooLow, "too cheap"},
		{sign(t, key(1), tx.Body{Nonce: 1, Fee: fee, Expires: born.Unix(), Message: send(at(key(2)), 1)}), app.CodeExpired, "a second too late"},
		{sign(t, key(77), tx.Body{Fee: fee, Message: send(at(key(2)), 1)}), app.CodeInsufficientBalance, "an account that has nothing"},
		{sign(t, treasury, tx.Body{Fee: 100_000_000 * million, Message: send(at(key(2)), 1)}), app.CodeInsufficientBalance, "tokens that still vest"},
	} {
		require.Equal(t, r.want, c.check(r.raw), r.reason)
		hash := c.hash
		require.Equal(t, uint32(r.want), c.block(r.raw)[0].Code, r.reason)
		require.Equal(t, hash, c.hash, "nothing moved: %s", r.reason)
	}
}

// A message that fails in a block costs the fee and the nonce and nothing else.
func TestMessagesThatFail(t *testing.T) {
	c := start(t)
	for i, r := range []struct {
		message tx.Message
		want    app.Code
		reason  string
	}{
		{send(at(key(2)), 10_000_000*million), app.CodeInsufficientBalance, "all of it leaves nothing for the fee"},
		{tx.Transfer{To: at(key(2)), Asset: tx.CNPY, Amount: 1}, app.CodeInsufficientBalance, "no CNPY at all"},
		{tx.Swap{Sell: tx.CNPY, AmountIn: 1}, app.CodeInsufficientBalance, "no CNPY to sell"},
		{tx.Swap{Sell: tx.Token, AmountIn: million, MinOut: million}, app.CodeMinOut, "below the minimum"},
		{tx.Swap{Sell: tx.Token, AmountIn: 1}, app.CodePool, "too little to be worth a unit"},
		{tx.Deposit{CNPY: 1}, app.CodeInsufficientBalance, "no CNPY to deposit"},
		{tx.Deposit{Tokens: 10_000_000 * million}, app.CodeInsufficientBalance, "all of it leaves nothing for the fee"},
		{tx.Deposit{Tokens: million, MinShares: million}, app.CodeMinOut, "fewer shares than wanted"},
		{tx.Deposit{Tokens: 1}, app.CodePool, "too little for a share"},
		{tx.Withdrawal{Percent: 100}, app.CodeShares, "no liquidity of its own"},
	} {
		raw := sign(t, key(1), tx.Body{Nonce: uint64(i), Fee: fee, Message: r.message})
		require.Equal(t, r.want, c.check(raw), r.reason)
		require.Equal(t, uint32(r.want), c.block(raw)[0].Code, r.reason)
		account := c.account(at(key(1)))
		require.EqualValues(t, i+1, account.Nonce, r.reason)
		require.Equal(t, money.Amount(10_000_000*million)-money.Amount(i+1)*fee, account.Balance, r.reason)
		require.Zero(t, account.CNPY, r.reason)
	}
	var pool app.Pool
	require.Zero(t, c.ask("/pool", &pool))
	require.Equal(t, money.Amount(40_000*million), pool.CNPYReserve)
	require.Equal(t, "0.002", pool.Price().String())
}

// Liquidity goes in from both sides and from one, and out again in parts; the
// opening's shares stay locked and the fees of others' swaps are shared.
func TestLiquidity(t *testing.T) {
	c := start(t)
	var nonce uint64
	do := func(message tx.Message) app.Event {
		t.Helper()
		result := c.block(sign(t, key(1), tx.Body{Nonce: nonce, Fee: fee, Message: message}))[0]
		require.Zero(t, result.Code, result.Log)
		nonce++
		event, err := app.Outcome(result)
		require.NoError(t, err)
		return event
	}
	do(tx.Swap{Sell: tx.Token, AmountIn: 1_000_000 * million})
	before := c.account(at(key(1)))
	// The pool is at (38113.387328, 21e6) with 894427.190999 shares.
	both := do(tx.Deposit{CNPY: 100 * million, Tokens: 60_000 * million, MinShares: 1}).(app.Provided)
	require.Equal(t, money.Amount(2_346_753_342), both.Shares, "min(1e8·L/x, 6e10·L/y): the CNPY decides")
	one := do(tx.Deposit{Tokens: 10_000 * million}).(app.Provided)
	held := c.account(at(key(1)))
	require.EqualValues(t, both.Shares+one.Shares, held.Shares)
	require.Equal(t, before.CNPY-100*million, held.CNPY)
	require.Equal(t, before.Balance-70_000*million-2*fee, held.Balance)

	half := do(tx.Withdrawal{Percent: 50}).(app.Removed)
	require.EqualValues(t, held.Shares/2, half.Shares)
	rest := do(tx.Withdrawal{Percent: 100}).(app.Removed)
	require.EqualValues(t, held.Shares-held.Shares/2, rest.Shares)
	require.Zero(t, c.account(at(key(1))).Shares)
	var pool app.Pool
	require.Zero(t, c.ask("/pool", &pool))
	require.Equal(t, pool.LockedShares, pool.Shares, "what is left belongs to nobody, as at the opening")
	requireSums(t, c)
}

func TestOutcomes(t *testing.T) {
	refused, err := app.Outcome(&abci.ExecTxResult{Code: uint32(app.CodeMinOut)})
	require.NoError(t, err)
	require.Nil(t, refused, "a refused transaction did nothing")
	for reason, result := range map[string]*abci.ExecTxResult{
		"no event at all":    {},
		"one of CometBFT's":  {Events: []abci.Event{{Type: "tx"}}},
		"an empty swap":      {Events: []abci.Event{{Type: "swap"}}},
		"a negative amount":  {Events: []abci.Event{{Type: "deposit", Attributes: []abci.EventAttribute{{Key: "cnpy", Value: "-1"}}}}},
		"an unknown address": {Events: []abci.Event{{Type: "transfer", Attributes: []abci.EventAttribute{{Key: "to", Value: "me"}}}}},
	} {
		_, err := app.Outcome(result)
		require.Error(t, err, reason)
	}
}

func TestMempoolSeesItsOwnTransactions(t *testing.T) {
	c := start(t)
	first := sign(t, key(1), tx.Body{Fee: fee, Message: send(at(key(2)), 1)})
	second := sign(t, key(1), tx.Body{Nonce: 1, Fee: fee, Message: send(at(key(2)), 1)})
	require.Equal(t, app.CodeNonceGap, c.check(second))
	require.Equal(t, app.CodeOK, c.check(first))
	require.Equal(t, app.CodeOK, c.check(second), "after the first one waits, the second is in turn")
	require.Equal(t, app.CodeStaleNonce, c.check(first))
	c.block(first)
	require.Equal(t, app.CodeOK, c.check(second), "a block starts the check state anew")
}

func TestTreasuryVests(t *testing.T) {
	c := start(t)
	whole := document(t).Treasury
	require.Zero(t, c.account(at(treasury)).Spendable)
	half := born.Add(genesis.DefaultVesting / 2)
	res, err := c.app.FinalizeBlock(context.Background(), &abci.RequestFinalizeBlock{Height: 1, Time: half, Txs: [][]byte{
		sign(t, treasury, tx.Body{Fee: fee, Message: send(at(key(2)), whole.Amount/2+1)}),
		sign(t, treasury, tx.Body{Nonce: 1, Fee: fee, Message: send(at(key(2)), whole.Amount/2-2*fee)}),
	}})
	require.NoError(t, err)
	require.Equal(t, uint32(app.CodeInsufficientBalance), res.TxResults[0].Code, "more than half, after half of the time")
	require.Zero(t, res.TxResults[1].Code, res.TxResults[1].Log)
	_, err = c.app.Commit(context.Background(), &abci.RequestCommit{})
	require.NoError(t, err)
	require.Zero(t, c.account(at(treasury)).Spendable)
	require.Equal(t, whole.Amount-whole.Amount/2, c.account(at(treasury)).Balance)
}

func TestQueries(t *testing.T) {
	c := start(t)
	c.block()
	var supply app.Supply
	require.Zero(t, c.ask("/supply", &supply))
	require.Equal(t, app.Supply{Tokens: 200_000_000 * million, CNPY: 40_000 * million}, supply)
	var info app.Info
	require.Zero(t, c.ask("/info", &info))
	require.Equal(t, app.Info{ChainID: chainID, GenesisHash: "abc", Height: 1, AppHash: fmt.Sprintf("%x", c.hash),
		AppVersion: genesis.AppVersion, MinFee: fee, MinFeeCNPY: 2, Treasury: at(treasury)}, info)
	var pool map[string]json.Number
	require.Zero(t, c.ask("/pool", &pool))
	require.Equal(t, json.Number("0.002"), pool["price_cnpy"])
	require.Equal(t, app.CodeUnknownPath, c.ask("/accounts", nil))
	require.Equal(t, app.CodeBadQuery, c.ask("/account/0x12", nil))
	require.Zero(t, c.account(at(key(55))).Balance, "an address nobody used is an empty account")
}

func TestQueryProvesABalance(t *testing.T) {
	c := start(t)
	c.block(sign(t, key(1), tx.Body{Fee: fee, Message: send(at(key(2)), 7)}))
	hash := c.hash
	c.block(sign(t, key(1), tx.Body{Nonce: 1, Fee: fee, Message: send(at(key(2)), 7)}))
	res, err := c.app.Query(context.Background(), &abci.RequestQuery{Path: "/account/" + at(key(2)).String(), Height: 1, Prove: true})
	require.NoError(t, err)
	var nodes [][]byte
	for _, op := range res.ProofOps.Ops {
		require.Equal(t, app.ProofNode, op.Type)
		nodes = append(nodes, op.Data)
	}
	value, err := state.VerifyProof(state.Root(hash), res.Key, nodes)
	require.NoError(t, err)
	var account statepb.Account
	require.NoError(t, proto.Unmarshal(value, &account))
	require.EqualValues(t, 10_000_000*million+7, account.GetTokens(), "as it was at height 1")
	res, err = c.app.Query(context.Background(), &abci.RequestQuery{Path: "/info", Prove: true})
	require.NoError(t, err)
	require.Equal(t, uint32(app.CodeUnknownPath), res.Code)
	res, err = c.app.Query(context.Background(), &abci.RequestQuery{Path: "/pool", Height: 99})
	require.NoError(t, err)
	require.NotZero(t, res.Code, "a height that is not kept")
}

func TestInitChainRefusals(t *testing.T) {
	c := start(t)
	require.Equal(t, c.hash, c.init(), "asked again before the first block")
	first := document(t)
	first.Treasury.Amount++
	raw, err := json.Marshal(first)
	require.NoError(t, err)
	_, err = c.app.InitChain(context.Background(), &abci.RequestInitChain{ChainId: chainID, AppStateBytes: raw})
	require.ErrorContains(t, err, "handed out", "sums that don't match")
	raw, err = json.Marshal(document(t))
	require.NoError(t, err)
	_, err = c.app.InitChain(context.Background(), &abci.RequestInitChain{ChainId: "other-1", AppStateBytes: raw})
	require.ErrorContains(t, err, "another genesis")
	fresh, err := app.New(app.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	defer func() { require.NoError(t, fresh.Close()) }()
	res, err := fresh.CheckTx(context.Background(), &abci.RequestCheckTx{Tx: sign(t, key(1), tx.Body{Message: send(at(key(2)), 1)})})
	require.NoError(t, err)
	require.Equal(t, uint32(app.CodeNotStarted), res.Code)
	_, err = fresh.Commit(context.Background(), &abci.RequestCommit{})
	require.Error(t, err)
}

// A crash between FinalizeBlock and Commit loses the block; its replay gives
// what it would have given.
func TestCrashBeforeCommit(t *testing.T) {
	c := start(t)
	c.block(sign(t, key(1), tx.Body{Fee: fee, Message: send(at(key(2)), 1)}))
	next := sign(t, key(2), tx.Body{Fee: fee, Message: send(at(key(3)), 1)})
	want := c.finalize(2, next).AppHash
	hash := c.hash
	c.reopen()
	info, err := c.app.Info(context.Background(), &abci.RequestInfo{})
	require.NoError(t, err)
	require.EqualValues(t, 1, info.LastBlockHeight)
	require.Equal(t, hash, info.LastBlockAppHash)
	c.block(next)
	require.Equal(t, want, c.hash)
}

// randomTxs mixes good transactions with every kind of bad one.
func randomTxs(t testing.TB, r *rand.Rand, nonces map[byte]uint64) [][]byte {
	var txs [][]byte
	for range r.IntN(8) {
		from := byte(1 + r.IntN(10))
		body := tx.Body{Nonce: nonces[from], Fee: fee}
		switch r.IntN(6) {
		case 4:
			body.Message = tx.Deposit{CNPY: money.Amount(r.Int64N(million)), Tokens: money.Amount(1 + r.Int64N(1_000*million))}
		case 5:
			body.Message = tx.Withdrawal{Percent: uint32(1 + r.IntN(100)), MinCNPY: money.Amount(r.Int64N(2))}
		case 0:
			body.Message = tx.Swap{Sell: tx.Token, AmountIn: money.Amount(1 + r.Int64N(1_000*million)), MinOut: money.Amount(r.Int64N(million))}
		case 1:
			body.Message = tx.Swap{Sell: tx.CNPY, AmountIn: money.Amount(1 + r.Int64N(million))}
		default:
			body.Message = send(at(key(byte(1+r.IntN(30)))), money.Amount(1+r.Int64N(50_000*million)))
		}
		switch r.IntN(10) {
		case 0:
			body.Nonce += uint64(r.IntN(3))
		case 1:
			txs = append(txs, []byte{byte(r.IntN(256))})
			continue
		}
		if body.Nonce == nonces[from] {
			nonces[from]++
		}
		txs = append(txs, sign(t, key(from), body))
	}
	return txs
}

// Two applications given the same random blocks agree at every height, though
// one of them is restarted and asked to check transactions in between; and no
// value appears or vanishes.
func TestDeterminism(t *testing.T) {
	steady, shaken := start(t), start(t)
	require.Equal(t, steady.hash, shaken.hash)
	r, nonces := rand.New(rand.NewPCG(5, 6)), map[byte]uint64{}
	for height := range 300 {
		txs := randomTxs(t, r, nonces)
		for _, raw := range txs {
			shaken.check(raw)
		}
		one, two := steady.block(txs...), shaken.block(txs...)
		require.Equal(t, one, two)
		require.Equal(t, steady.hash, shaken.hash, "height %d", height)
		if height%60 == 59 {
			shaken.reopen()
		}
	}
	requireSums(t, steady)
}

func requireSums(t *testing.T, c *chain) {
	var pool app.Pool
	require.Zero(t, c.ask("/pool", &pool))
	tokens, cnpy, shares := pool.TokenReserve, pool.CNPYReserve, pool.LockedShares
	everybody := []livechain.Address{at(treasury), livechain.ModuleAddress("fees")}
	for n := byte(1); n <= 31; n++ {
		everybody = append(everybody, at(key(n)))
	}
	for _, address := range everybody {
		account := c.account(address)
		tokens, cnpy, shares = tokens+account.Balance, cnpy+account.CNPY, shares+account.Shares
	}
	require.Equal(t, money.Amount(200_000_000*million), tokens)
	require.Equal(t, money.Amount(40_000*million), cnpy)
	require.Equal(t, pool.Shares, shares, "every share is somebody's or locked")
}

func BenchmarkBlockOfTransfers(b *testing.B) {
	c := start(b)
	var nonce uint64
	for b.Loop() {
		b.StopTimer()
		txs := make([][]byte, 0, 1000)
		for range 100 {
			for n := byte(1); n <= 10; n++ {
				txs = append(txs, sign(b, key(n), tx.Body{Nonce: nonce, Fee: fee, Message: send(at(key(n+100)), 1)}))
			}
			nonce++
		}
		b.StartTimer()
		c.block(txs...)
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}
