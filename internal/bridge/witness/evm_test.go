package witness

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/core/vm/program"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/ethclient/simulated"
	"github.com/ethereum/go-ethereum/node"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const simulatedChain = 1337

var (
	tokenAddress = common.HexToAddress("0xdAC17F958D2ee523a2206206994597C13D831ec7")
	otherToken   = common.HexToAddress("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
	seller       = common.HexToAddress("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
	bystander    = common.HexToAddress("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359")
)

// erc20 is a token with a balance for each address in the storage slot of that
// number: decimals(), balanceOf(address) and transfer(address,uint256),
// which moves the balance and logs Transfer.
func erc20(decimals int) []byte {
	selector := func(p *program.Program, signature string) *program.Program {
		return p.Push(0).Op(vm.CALLDATALOAD).Push(224).Op(vm.SHR).Push(crypto.Keccak256([]byte(signature))[:4]).Op(vm.EQ)
	}
	answer := func(p *program.Program) *program.Program { return p.Push(0).Op(vm.MSTORE).Return(0, 32) }
	// Each function is a piece of its own behind the dispatcher.
	bodies := []struct {
		signature string
		write     func(*program.Program)
	}{
		{"decimals()", func(p *program.Program) { answer(p.Push(decimals)) }},
		{"balanceOf(address)", func(p *program.Program) { answer(p.Push(4).Op(vm.CALLDATALOAD, vm.SLOAD)) }},
		{"transfer(address,uint256)", func(p *program.Program) {
			to := func() *program.Program { return p.Push(4).Op(vm.CALLDATALOAD) }
			amount := func() *program.Program { return p.Push(36).Op(vm.CALLDATALOAD) }
			// The balance wraps around below zero: the tests pay no more than there is.
			amount().Op(vm.CALLER, vm.SLOAD, vm.SUB, vm.CALLER, vm.SSTORE)
			amount()
			to().Op(vm.SLOAD, vm.ADD)
			to().Op(vm.SSTORE)
			amount().Push(0).Op(vm.MSTORE)
			to().Op(vm.CALLER).Push(transferTopic[:]).Push(32).Push(0).Op(vm.LOG3)
			answer(p.Push(1))
		}},
	}
	build := func(places []uint64) []byte {
		p := program.New()
		for i, body := range bodies {
			selector(p, body.signature).Push(places[i]).Op(vm.JUMPI)
		}
		p.Push(0).Push(0).Op(vm.REVERT)
		for i, body := range bodies {
			_, places[i] = p.Jumpdest()
			body.write(p)
		}
		return p.Bytes()
	}
	// Small places are pushed in fewer bytes, so that it takes a few passes.
	places := []uint64{0, 0, 0}
	code := build(places)
	for next := build(places); !bytes.Equal(code, next); next = build(places) {
		code = next
	}
	return code
}

// chain is a simulated Ethereum with the token on it, reached by HTTP through a
// front that can be told to misbehave.
type chain struct {
	*simulated.Backend
	t     *testing.T
	key   *ecdsa.PrivateKey
	nonce uint64
	URL   string
	front *front
}

// front lets requests through, save those that its rule answers.
type front struct {
	mu      sync.Mutex
	rule    func(w http.ResponseWriter, method string, params []json.RawMessage) bool
	methods map[string]int
	proxy   http.Handler
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var call struct {
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	_ = json.Unmarshal(raw, &call)
	f.mu.Lock()
	f.methods[call.Method]++
	rule := f.rule
	f.mu.Unlock()
	if rule != nil && rule(w, call.Method, call.Params) {
		return
	}
	r.URL.Path = "/"
	r.Body = io.NopCloser(bytes.NewReader(raw))
	f.proxy.ServeHTTP(w, r)
}

func (f *front) set(rule func(w http.ResponseWriter, method string, params []json.RawMessage) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rule = rule
}

func (f *front) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.methods[method]
}

func newChain(t *testing.T) *chain {
	t.Helper()
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	payer := crypto.PubkeyToAddress(key.PublicKey)
	contract := types.Account{Code: erc20(6), Balance: new(big.Int), Storage: map[common.Hash]common.Hash{
		common.BytesToHash(payer[:]): common.BigToHash(big.NewInt(1e18)),
	}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	backend := simulated.NewBackend(types.GenesisAlloc{
		payer: {Balance: new(big.Int).Exp(big.NewInt(10), big.NewInt(24), nil)}, tokenAddress: contract, otherToken: contract,
	}, func(n *node.Config, _ *ethconfig.Config) {
		n.HTTPHost, n.HTTPPort, n.HTTPModules = "127.0.0.1", port, []string{"eth"}
	})
	t.Cleanup(func() { _ = backend.Close() })
	target, err := url.Parse(fmt.Sprintf("http://127.0.0.1:%d", port))
	require.NoError(t, err)
	front := &front{methods: map[string]int{}, proxy: httputil.NewSingleHostReverseProxy(target)}
	server := httptest.NewServer(front)
	t.Cleanup(server.Close)
	return &chain{Backend: backend, t: t, key: key, URL: server.URL + "/v3/open-sesame", front: front}
}

// send puts a call into the pool; the next Commit takes it into a block.
func (c *chain) send(contract common.Address, data []byte) common.Hash {
	c.t.Helper()
	ctx, client := c.t.Context(), c.Client()
	nonce := c.nonce // counted here: the pool takes a moment to count
	c.nonce++
	head, err := client.HeaderByNumber(ctx, nil)
	require.NoError(c.t, err)
	tip := big.NewInt(1e9)
	tx, err := types.SignNewTx(c.key, types.LatestSignerForChainID(big.NewInt(simulatedChain)), &types.DynamicFeeTx{
		ChainID: big.NewInt(simulatedChain), Nonce: nonce, To: &contract, Data: data, Gas: 200_000,
		GasTipCap: tip, GasFeeCap: new(big.Int).Add(tip, new(big.Int).Mul(head.BaseFee, big.NewInt(2))),
	})
	require.NoError(c.t, err)
	require.NoError(c.t, client.SendTransaction(ctx, tx))
	return tx.Hash()
}

func (c *chain) pay(contract, to common.Address, units int64) common.Hash {
	c.t.Helper()
	data := append(crypto.Keccak256([]byte("transfer(address,uint256)"))[:4], common.LeftPadBytes(to[:], 32)...)
	return c.send(contract, append(data, common.BigToHash(big.NewInt(units)).Bytes()...))
}

func (c *chain) blocks(n int) {
	for range n {
		c.Commit()
	}
}

func (c *chain) asset() counterchain.Asset {
	return counterchain.Asset{
		Network: "ethereum", Symbol: "USDT", Kind: counterchain.EVM, ChainID: simulatedChain, Contract: tokenAddress.Hex(),
		Decimals: 6, Finality: counterchain.ByConfirmations, Confirmations: 3,
	}
}

func (c *chain) witness(asset counterchain.Asset) *evm {
	c.t.Helper()
	made, err := New(asset, Endpoint{URL: c.URL})
	require.NoError(c.t, err)
	return made.(*evm)
}

// tryLook asks for all that is paid to the addresses in final blocks.
func tryLook(t *testing.T, w bridge.Witness, to ...string) ([]bridge.Payment, error) {
	t.Helper()
	final, err := w.Final(t.Context())
	if err != nil {
		return nil, err
	}
	payments, _, err := read(t, w, to, bridge.Block{}, final)
	return payments, err
}

// read goes through the slices of a part of the chain, and returns how many there were.
func read(t *testing.T, w bridge.Witness, to []string, after, until bridge.Block) ([]bridge.Payment, int, error) {
	t.Helper()
	var payments []bridge.Payment
	count := 0
	for ; after.Number < until.Number; count++ {
		found, reached, err := w.Payments(t.Context(), to, after, until)
		if err != nil {
			return nil, count, err
		}
		require.Greater(t, reached.Number, after.Number, "a slice has a block at least")
		require.LessOrEqual(t, reached.Number, until.Number)
		require.False(t, reached.At.Before(after.At), "time never falls along a chain")
		payments, after = append(payments, found...), reached
	}
	return payments, count, nil
}

// look returns what is paid to the seller.
func look(t *testing.T, w bridge.Witness) []bridge.Payment {
	t.Helper()
	payments, err := tryLook(t, w, seller.Hex())
	require.NoError(t, err)
	return payments
}

func TestEVMPaymentIsToldOnceItIsDeepEnough(t *testing.T) {
	c := newChain(t)
	c.blocks(2)
	w := c.witness(c.asset())
	assert.Equal(t, bridge.Asset{Network: "ethereum", Symbol: "USDT"}, w.Asset())
	hash := c.pay(tokenAddress, seller, 12_500_000)
	c.Commit() // one confirmation: the block that holds it
	assert.Empty(t, look(t, w))
	c.Commit()
	assert.Empty(t, look(t, w), "two of three confirmations are not enough")
	c.Commit()
	payments := look(t, w)
	require.Len(t, payments, 1)

	header, err := c.Client().HeaderByNumber(t.Context(), big.NewInt(3))
	require.NoError(t, err)
	want := bridge.Payment{
		TxHash: hash.Hex(), From: crypto.PubkeyToAddress(c.key.PublicKey).Hex(), To: seller.Hex(),
		Amount: 12_500_000, Block: 3, At: time.Unix(int64(header.Time), 0).UTC(),
	}
	assert.Equal(t, want, payments[0])
	c.blocks(3)
	assert.Equal(t, payments, look(t, w), "a look takes nothing away")
}

func TestEVMTellsOnlyTheTokensTransfersToThoseAsked(t *testing.T) {
	c := newChain(t)
	w := c.witness(c.asset())
	first, second := c.pay(tokenAddress, seller, 1), c.pay(tokenAddress, seller, 1)
	c.pay(otherToken, seller, 7_000_000)
	c.pay(tokenAddress, bystander, 8_000_000)
	c.pay(tokenAddress, seller, 0)
	c.blocks(4)
	payments := look(t, w)
	require.Len(t, payments, 2, "not another token's, not to others, not of nothing; but both of two equal ones")
	ids := []string{payments[0].TxHash, payments[1].TxHash}
	assert.ElementsMatch(t, []string{first.Hex(), second.Hex()}, ids)

	both, err := tryLook(t, w, strings.ToLower(seller.Hex()), bystander.Hex(), seller.Hex())
	require.NoError(t, err)
	assert.Len(t, both, 3, "an address that is asked for twice is told once")
	none, err := tryLook(t, w)
	require.NoError(t, err)
	assert.Empty(t, none)
	_, err = tryLook(t, w, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
	assert.ErrorIs(t, err, counterchain.ErrNotEVM)
}

func TestEVMReorganisationBeforeItIsDeepEnough(t *testing.T) {
	c := newChain(t)
	w := c.witness(c.asset())
	parent := c.Commit()
	c.pay(tokenAddress, seller, 5_000_000)
	c.blocks(2)
	require.Empty(t, look(t, w))

	// Another branch without the payment wins: the payment never was.
	require.NoError(t, c.Fork(parent))
	c.Rollback()
	c.blocks(6)
	for _, payment := range look(t, w) {
		// The pool may have taken the transaction up again; then it is in the
		// branch that won, and as deep as it must be.
		assert.LessOrEqual(t, payment.Block, uint64(5))
		header, err := c.Client().HeaderByNumber(t.Context(), new(big.Int).SetUint64(payment.Block))
		require.NoError(t, err)
		receipt, err := c.Client().TransactionReceipt(t.Context(), common.HexToHash(payment.TxHash))
		require.NoError(t, err)
		assert.Equal(t, header.Hash(), receipt.BlockHash)
	}
}

func TestEVMLogOfABlockThatVanishedMeanwhile(t *testing.T) {
	c := newChain(t)
	w := c.witness(c.asset())
	c.pay(tokenAddress, seller, 5_000_000)
	c.blocks(4)
	foreign := common.HexToHash("0x01")
	vanished := func(changed func(*types.Log)) func(http.ResponseWriter, string, []json.RawMessage) bool {
		log := types.Log{
			Address: tokenAddress, Data: common.BigToHash(big.NewInt(1)).Bytes(), BlockNumber: 1, BlockHash: foreign,
			Topics: []common.Hash{transferTopic, common.BytesToHash(bystander[:]), common.BytesToHash(seller[:])},
		}
		changed(&log)
		return func(w http.ResponseWriter, method string, _ []json.RawMessage) bool {
			if method == "eth_getLogs" {
				answer(w, []types.Log{log})
			}
			return method == "eth_getLogs"
		}
	}
	c.front.set(vanished(func(*types.Log) {}))
	_, err := tryLook(t, w, seller.Hex())
	assert.ErrorIs(t, err, ErrReorganised, "the log's block is not the one at its height")
	c.front.set(vanished(func(l *types.Log) { l.BlockNumber = 99 }))
	_, err = tryLook(t, w, seller.Hex())
	assert.ErrorIs(t, err, errUnreadable, "a log that was not asked for")
	c.front.set(vanished(func(l *types.Log) { l.Removed = true }))
	assert.Empty(t, look(t, w), "a removed log is none")
}

func answer(w http.ResponseWriter, result any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": 1, "result": result})
}

func refuse(w http.ResponseWriter, code int) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"jsonrpc": "2.0", "id": 1, "error": map[string]any{"code": code, "message": "the node's own secret words"},
	})
}

// limit refuses ranges of more than the given number of blocks, as providers do.
func limit(t *testing.T, blocks uint64) func(http.ResponseWriter, string, []json.RawMessage) bool {
	return limitBy(t, blocks, func(w http.ResponseWriter) { refuse(w, -32005) })
}

// limitBy answers such ranges in another way.
func limitBy(t *testing.T, blocks uint64, refusal func(http.ResponseWriter)) func(http.ResponseWriter, string, []json.RawMessage) bool {
	return func(w http.ResponseWriter, method string, params []json.RawMessage) bool {
		if method != "eth_getLogs" {
			return false
		}
		var query struct{ FromBlock, ToBlock string }
		require.NoError(t, json.Unmarshal(params[0], &query))
		from, to := new(big.Int), new(big.Int)
		from.SetString(query.FromBlock, 0)
		to.SetString(query.ToBlock, 0)
		if to.Uint64()-from.Uint64()+1 <= blocks {
			return false
		}
		refusal(w)
		return true
	}
}

func TestEVMGoesDownToTheRangeThatTheNodeBears(t *testing.T) {
	c := newChain(t)
	w := c.witness(c.asset())
	want := map[string]bool{}
	for range 5 {
		want[c.pay(tokenAddress, seller, 1_000_000).Hex()] = true
		c.blocks(7)
	}
	c.front.set(limit(t, 4))
	payments := look(t, w)
	require.Len(t, payments, 5, "nothing is lost between the ranges, and nothing told twice")
	for i, payment := range payments {
		assert.True(t, want[payment.TxHash])
		assert.True(t, i == 0 || payments[i-1].Block < payment.Block)
	}
	assert.LessOrEqual(t, w.currentSpan(), uint64(8), "the range that was borne is remembered")
	c.front.set(limit(t, 0))
	_, err := tryLook(t, w, seller.Hex())
	var refused *codeError
	require.ErrorAs(t, err, &refused, "a node that refuses one block is of no use")
	assert.Equal(t, -32005, refused.code)
	c.front.set(nil)
	for range 100 {
		look(t, w)
	}
	assert.Equal(t, uint64(maxSpan), w.currentSpan(), "and grows back")
}

// A range that the node does not get through with in time is halved for the next
// look, and so is one that a gateway in front of it refuses in its own way.
func TestEVMGoesDownWhenTheNodeIsSlow(t *testing.T) {
	c := newChain(t)
	c.pay(tokenAddress, seller, 1_000_000)
	c.blocks(20)
	w := c.witness(c.asset())
	require.Len(t, look(t, w), 1)
	slow := limitBy(t, 4, func(http.ResponseWriter) { time.Sleep(time.Second) })
	c.front.set(slow)
	until, err := w.Final(t.Context())
	require.NoError(t, err)
	looks := 0
	for ; looks < 20; looks++ {
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		_, _, err = w.Payments(ctx, []string{seller.Hex()}, bridge.Block{}, until)
		cancel()
		if err == nil {
			break
		}
		checkSafe(t, err, "too long")
	}
	require.NoError(t, err)
	assert.Equal(t, 2, looks, "18 and 9 blocks are tried once each, 4 are borne")

	for _, status := range []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusGatewayTimeout} {
		c.front.set(limitBy(t, 3, func(w http.ResponseWriter) { http.Error(w, "open-sesame", status) }))
		assert.Len(t, look(t, c.witness(c.asset())), 1, "status %d", status)
	}
	c.front.set(limitBy(t, 3, func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat(" ", maxResponse+1)) }))
	assert.Len(t, look(t, c.witness(c.asset())), 1, "an answer that is too large")
	c.front.set(limitBy(t, 3, func(w http.ResponseWriter) { http.Error(w, "open-sesame", http.StatusForbidden) }))
	asked := c.front.count("eth_getLogs")
	_, err = tryLook(t, c.witness(c.asset()), seller.Hex())
	checkSafe(t, err, "status 403")
	assert.Equal(t, asked+1, c.front.count("eth_getLogs"), "fewer blocks are no remedy for a wrong key")
}

// More addresses than go into one question: a slice ends where the node bore the
// range for all of them.
func TestEVMSlicesHoldForAllAddresses(t *testing.T) {
	c := newChain(t)
	c.blocks(4)
	first, last := c.pay(tokenAddress, seller, 1_000_000), c.pay(tokenAddress, bystander, 2_000_000)
	c.blocks(30)
	addresses := []string{seller.Hex()}
	for i := range maxTopics {
		addresses = append(addresses, common.BigToAddress(big.NewInt(int64(i+1))).Hex())
	}
	addresses = append(addresses, bystander.Hex())
	bearsAll := c.witness(c.asset())
	want, err := tryLook(t, bearsAll, addresses...)
	require.NoError(t, err)
	require.Len(t, want, 2)
	assert.ElementsMatch(t, []string{first.Hex(), last.Hex()}, []string{want[0].TxHash, want[1].TxHash})

	// Only questions with the bystander among them are refused beyond three blocks.
	narrow := limit(t, 3)
	c.front.set(func(w http.ResponseWriter, method string, params []json.RawMessage) bool {
		second := len(params) > 0 && strings.Contains(strings.ToLower(string(params[0])), strings.ToLower(bystander.Hex()[2:]))
		return second && narrow(w, method, params)
	})
	w := c.witness(c.asset())
	got, err := tryLook(t, w, addresses...)
	require.NoError(t, err)
	assert.Equal(t, want, got, "nothing is lost or told twice where the questions end at different blocks")
}

// A backlog is read in slices, so that what was read is not read again.
func TestEVMReadsInSlices(t *testing.T) {
	c := newChain(t)
	w := c.witness(c.asset())
	for range 5 {
		c.pay(tokenAddress, seller, 1_000_000)
		c.blocks(4)
	}
	w.span = 3
	until, err := w.Final(t.Context())
	require.NoError(t, err)
	payments, reached, err := w.Payments(t.Context(), []string{seller.Hex()}, bridge.Block{}, until)
	require.NoError(t, err)
	assert.Len(t, payments, 1)
	header, err := c.Client().HeaderByNumber(t.Context(), big.NewInt(3))
	require.NoError(t, err)
	assert.Equal(t, bridge.Block{Number: 3, At: time.Unix(int64(header.Time), 0).UTC()}, reached)
	assert.Equal(t, 1, c.front.count("eth_getLogs"))
	rest, _, err := read(t, w, []string{seller.Hex()}, reached, until)
	require.NoError(t, err)
	assert.Len(t, rest, 4)
}

// A node that tells a log twice, and one that tells of two blocks at one height.
func TestEVMStrangeLogs(t *testing.T) {
	c := newChain(t)
	c.blocks(4)
	header, err := c.Client().HeaderByNumber(t.Context(), big.NewInt(1))
	require.NoError(t, err)
	log := types.Log{
		Address: tokenAddress, Data: common.BigToHash(big.NewInt(5)).Bytes(), BlockNumber: 1, BlockHash: header.Hash(),
		Topics: []common.Hash{transferTopic, common.BytesToHash(bystander[:]), common.BytesToHash(seller[:])},
	}
	second, fake, huge, other := log, log, log, log
	second.Index = 1 // a transaction that pays the same twice
	fake.Index, fake.Address = 2, otherToken
	huge.Index, huge.Data = 3, bytes.Repeat([]byte{0xff}, 32)
	other.Index, other.BlockHash = 4, common.HexToHash("0x01")
	cases := []struct {
		reason string
		logs   []types.Log
		want   int
		err    error
	}{
		{"told twice is paid once", []types.Log{log, log}, 1, nil},
		{"equal transfers of one transaction are two", []types.Log{log, second}, 2, nil},
		{"another contract's event is not the token's, though the node tells it", []types.Log{fake, log}, 1, nil},
		{"more than can be counted is no payment, and holds up no other", []types.Log{huge, log}, 1, nil},
		{"two blocks of one height", []types.Log{log, other}, 0, ErrReorganised},
	}
	for _, tc := range cases {
		c.front.set(func(w http.ResponseWriter, method string, _ []json.RawMessage) bool {
			if method == "eth_getLogs" {
				answer(w, tc.logs)
			}
			return method == "eth_getLogs"
		})
		payments, err := tryLook(t, c.witness(c.asset()), seller.Hex())
		assert.ErrorIs(t, err, tc.err, tc.reason)
		assert.Len(t, payments, tc.want, tc.reason)
	}
}

func TestSlicesAreBounded(t *testing.T) {
	of := func(counts ...int) (list []bridge.Payment) {
		for block, count := range counts {
			for range count {
				list = append(list, bridge.Payment{Block: uint64(10 + block)})
			}
		}
		return list
	}
	cases := []struct {
		reason string
		list   []bridge.Payment
		kept   int
		last   uint64
	}{
		{"nothing", nil, 0, 99},
		{"as many as may be", of(100, 100), 200, 99},
		{"one more, and its block is for the next slice", of(100, 100, 1), 200, 11},
		{"a block that does not fit whole is for the next slice", of(100, 101), 100, 10},
		{"blocks between that hold nothing are read", of(100, 0, 0, 101), 100, 12},
		{"a first block that is too large is taken all the same", of(300, 1), 300, 10},
		{"and alone too", of(300), 300, 99},
	}
	for _, tc := range cases {
		kept, last := bounded(tc.list, 99)
		assert.Len(t, kept, tc.kept, tc.reason)
		assert.Equal(t, tc.last, last, tc.reason)
	}
}

func TestEVMLooksFromBlockToBlock(t *testing.T) {
	c := newChain(t)
	w := c.witness(c.asset())
	var told []bridge.Payment
	var last bridge.Block
	for range 6 {
		c.pay(tokenAddress, seller, 1_000_000)
		c.Commit()
		final, err := w.Final(t.Context())
		require.NoError(t, err)
		found, _, err := read(t, w, []string{seller.Hex()}, last, final)
		require.NoError(t, err)
		assert.False(t, final.At.Before(last.At), "time never falls along a chain")
		told, last = append(told, found...), final
	}
	require.Len(t, told, 4, "two of six are not deep enough")
	assert.Equal(t, look(t, w), told, "each is told in one interval, none is passed over")
	nothing, reached, err := w.Payments(t.Context(), []string{seller.Hex()}, last, last)
	require.NoError(t, err)
	assert.Empty(t, nothing)
	assert.Equal(t, last, reached)
}

func TestEVMFinalityByTag(t *testing.T) {
	c := newChain(t)
	asset := c.asset()
	c.pay(tokenAddress, seller, 1_000_000)
	c.blocks(4)
	for finality, tag := range map[counterchain.Finality]string{counterchain.BySafe: `"safe"`, counterchain.ByFinalized: `"finalized"`} {
		asset.Finality = finality
		w := c.witness(asset)
		for height, want := range map[uint64]int{0: 0, 1: 1} {
			c.front.set(func(w http.ResponseWriter, method string, params []json.RawMessage) bool {
				if method != "eth_getBlockByNumber" || string(params[0]) != tag {
					return false
				}
				answer(w, map[string]any{"number": fmt.Sprintf("0x%x", height), "timestamp": "0x1", "hash": common.Hash{}})
				return true
			})
			assert.Len(t, look(t, w), want, "%s at %d", finality, height)
		}
	}
}

func TestEVMAddressesAreWrittenInOneWay(t *testing.T) {
	w := newChain(t).witness(counterchain.Asset{Kind: counterchain.EVM, Contract: tokenAddress.Hex()})
	written, err := w.ParseAddress(strings.ToLower(seller.Hex()))
	require.NoError(t, err)
	assert.Equal(t, seller.Hex(), written)
	_, err = w.ParseAddress("seller")
	assert.ErrorIs(t, err, counterchain.ErrNotEVM)
}

func TestEVMChainThatIsYoungerThanItsConfirmations(t *testing.T) {
	c := newChain(t)
	asset := c.asset()
	asset.Confirmations = 50
	assert.Empty(t, look(t, c.witness(asset)))
}

func TestEVMWrongChainOrTokenIsRefused(t *testing.T) {
	c := newChain(t)
	cases := map[string]struct {
		change func(*counterchain.Asset)
		want   error
	}{
		"another chain":           {func(a *counterchain.Asset) { a.ChainID = 1 }, ErrWrongChain},
		"another scale of tokens": {func(a *counterchain.Asset) { a.Decimals = 18 }, ErrWrongToken},
		"no contract there":       {func(a *counterchain.Asset) { a.Contract = bystander.Hex() }, ErrWrongToken},
	}
	for name, tc := range cases {
		asset := c.asset()
		tc.change(&asset)
		w := c.witness(asset)
		for range 2 {
			_, err := tryLook(t, w, seller.Hex())
			assert.ErrorIs(t, err, tc.want, name)
		}
	}
	assert.Zero(t, c.front.count("eth_getLogs"), "nothing else is asked of such a node")
	c.front.set(func(w http.ResponseWriter, method string, _ []json.RawMessage) bool {
		if method == "eth_call" {
			refuse(w, 3)
		}
		return method == "eth_call"
	})
	_, err := tryLook(t, c.witness(c.asset()), seller.Hex())
	assert.ErrorIs(t, err, ErrWrongToken, "a call that reverts")
	c.front.set(func(w http.ResponseWriter, _ string, _ []json.RawMessage) bool {
		answer(w, "0x1"+strings.Repeat("0", 40))
		return true
	})
	_, err = tryLook(t, c.witness(c.asset()), seller.Hex())
	assert.ErrorIs(t, err, ErrWrongChain, "an id beyond 64 bits")
}

// Whatever goes wrong, the error says neither the key in the URL nor what the node
// said, and says that trying again may help.
func TestEVMTroubleIsToldWithoutSecrets(t *testing.T) {
	type rule = func(http.ResponseWriter, string, []json.RawMessage) bool
	always := func(handler func(http.ResponseWriter)) rule {
		return func(w http.ResponseWriter, _ string, _ []json.RawMessage) bool {
			handler(w)
			return true
		}
	}
	cases := map[string]struct {
		rule rule
		says string
	}{
		"status": {always(func(w http.ResponseWriter) { http.Error(w, "open-sesame", http.StatusForbidden) }), "status 403"},
		"redirect": {always(func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://open-sesame/")
			w.WriteHeader(http.StatusFound)
		}), "status 302"},
		"refusal": {always(func(w http.ResponseWriter) { refuse(w, -32000) }), "code -32000"},
		"no JSON": {always(func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>open-sesame") }), "can't be read"},
		"null":    {always(func(w http.ResponseWriter) { answer(w, nil) }), "can't be read"},
		"no block": {func(w http.ResponseWriter, method string, _ []json.RawMessage) bool {
			if method == "eth_getBlockByNumber" {
				answer(w, nil)
			}
			return method == "eth_getBlockByNumber"
		}, "can't be read"},
		"busy": {always(func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
		}), "wait 2m"},
	}
	c := newChain(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c.front.set(tc.rule)
			_, err := tryLook(t, c.witness(c.asset()), seller.Hex())
			checkSafe(t, err, tc.says)
		})
	}
}

func checkSafe(t *testing.T, err error, says string) {
	t.Helper()
	require.Error(t, err)
	assert.True(t, fault.Is(err, fault.Unavailable))
	assert.Contains(t, err.Error(), says)
	for _, secret := range []string{"sesame", "http", "127.0.0.1", "secret words"} {
		assert.NotContains(t, err.Error(), secret)
		assert.NotContains(t, fmt.Sprintf("%+v", err), secret)
	}
}

func TestDownNode(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	for kind, contract := range map[counterchain.Kind]string{counterchain.EVM: seller.Hex(), counterchain.TRON: tronContract} {
		asset := counterchain.Asset{Network: "n", Symbol: "USDT", Kind: kind, ChainID: 1, Contract: contract, Decimals: 6, Confirmations: 1}
		w, err := New(asset, Endpoint{URL: server.URL + "/v3/open-sesame", APIKey: "open-sesame"})
		require.NoError(t, err)
		_, err = tryLook(t, w, contract)
		checkSafe(t, err, "can't be reached")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = w.Final(ctx)
		assert.ErrorIs(t, err, context.Canceled)
	}
}

func TestTransferIsReadStrictly(t *testing.T) {
	word := func(a common.Address) common.Hash { return common.BytesToHash(a[:]) }
	good := func() entry {
		return entry{address: tokenAddress, topics: []common.Hash{transferTopic, word(bystander), word(seller)}, data: common.BigToHash(big.NewInt(9)).Bytes()}
	}
	w := &token{asset: counterchain.Asset{Kind: counterchain.EVM, Decimals: 6}, contract: tokenAddress}
	payment, ok := w.transfer(good())
	require.True(t, ok)
	assert.Equal(t, bridge.Payment{From: bystander.Hex(), To: seller.Hex(), Amount: money.Amount(9)}, payment)
	cases := map[string]func(*entry){
		"of another contract":             func(e *entry) { e.address = otherToken },
		"another event":                   func(e *entry) { e.topics[0] = common.Hash{} },
		"an ERC-721's, with four topics":  func(e *entry) { e.topics = append(e.topics, common.Hash{}) },
		"without topics":                  func(e *entry) { e.topics = nil },
		"a value of half a word":          func(e *entry) { e.data = e.data[:16] },
		"a value of two words":            func(e *entry) { e.data = append(e.data, e.data...) },
		"more than an address in a topic": func(e *entry) { e.topics[2][0] = 1 },
		"a value of nothing":              func(e *entry) { e.data = make([]byte, 32) },
		"more than the ledger counts":     func(e *entry) { e.data[0] = 1 },
	}
	for name, change := range cases {
		e := good()
		change(&e)
		_, ok := w.transfer(e)
		assert.False(t, ok, name)
	}
}

func FuzzTransfer(f *testing.F) {
	f.Add(append(append(append([]byte{}, transferTopic[:]...), common.LeftPadBytes(seller[:], 32)...), common.LeftPadBytes(seller[:], 32)...), common.BigToHash(big.NewInt(1)).Bytes())
	f.Fuzz(func(t *testing.T, topics, data []byte) {
		w := &token{asset: counterchain.Asset{Kind: counterchain.EVM, Decimals: 6}, contract: tokenAddress}
		e := entry{address: tokenAddress, data: data}
		for ; len(topics) >= 32; topics = topics[32:] {
			e.topics = append(e.topics, common.BytesToHash(topics[:32]))
		}
		if payment, ok := w.transfer(e); ok {
			assert.Positive(t, payment.Amount)
			_, err := counterchain.ParseAddress(counterchain.EVM, payment.To)
			assert.True(t, err == nil || payment.To == common.Address{}.Hex())
		}
	})
}
