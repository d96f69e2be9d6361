package witness

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
)

const (
	tronContract  = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t" // USDT
	tronSeller    = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8" // hex 5cbdd86a2fa8dc4bddd8a8f69dba48572eec07fb
	tronSellerHex = "5cbdd86a2fa8dc4bddd8a8f69dba48572eec07fb"
	tronOtherHex  = "a614f803b6fd780986a42c78ec9c7f77e6ded13c"
	tronMainnet   = 728126428
	topicHex      = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
)

// genesis and block shapes as the documentation of TRON's HTTP API has them.
const (
	genesisAnswer = `{"blockID":"00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc",
"block_header":{"raw_data":{"txTrieRoot":"8ef446bf3f395af929c218014f6101ec86576c5f61b2ae3236bf3a2ab5e2fecd",
"parentHash":"957dc2d350daecc7bb6a38f3938ebde0a0c1cedafe15f0edae4256a2907449f6","witness_address":"41","timestamp":0}}}`
	blockAnswer = `{"blockID":"0000000001f5b6d0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
"block_header":{"raw_data":{"number":%d,"txTrieRoot":"00","witness_address":"41f16412b9a17ee9408646e2a21e16478f72ed1e95",
"parentHash":"00","version":27,"timestamp":%d},"witness_signature":"00"}%s}`
	decimalsAnswer = `{"result":{"result":true},"energy_used":435,
"constant_result":["%064x"],"transaction":{"ret":[{}],"visible":true,"txID":"00"}}`
)

// tronNode answers as a full node does. Its fields are what it knows.
type tronNode struct {
	t           *testing.T
	mu          sync.Mutex
	head, solid int
	decimals    int
	infos       map[int][]string // what the transactions of a block did
	rule        func(w http.ResponseWriter, r *http.Request, height int) bool
	asked       map[string]int
	URL         string
}

func newTronNode(t *testing.T) *tronNode {
	t.Helper()
	n := &tronNode{t: t, head: 200, solid: 190, decimals: 6, infos: map[int][]string{}, asked: map[string]int{}}
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	n.URL = server.URL
	return n
}

func (n *tronNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked[r.URL.Path]++
	if r.Header.Get("TRON-PRO-API-KEY") != "open-sesame" {
		http.Error(w, `{"Success":false,"Error":"key"}`, http.StatusUnauthorized)
		return
	}
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	number, _ := body["num"].(float64)
	height := int(number)
	if n.rule != nil && n.rule(w, r, height) {
		return
	}
	switch path := r.URL.Path; {
	case path == anyBlock && height == 0:
		_, _ = io.WriteString(w, genesisAnswer)
	case path == "/wallet/getnowblock":
		n.block(w, n.head)
	case path == "/walletsolidity/getnowblock":
		n.block(w, n.solid)
	case path == solidBlock && height > n.solid:
		_, _ = io.WriteString(w, "{}")
	case path == solidBlock:
		n.block(w, height)
	case path == "/wallet/triggerconstantcontract" && body["contract_address"] == tronContract && body["function_selector"] == "decimals()":
		_, _ = fmt.Fprintf(w, decimalsAnswer, n.decimals)
	case path == infosOfBlock && height > n.solid:
		_, _ = io.WriteString(w, "[]")
	case path == infosOfBlock:
		_, _ = io.WriteString(w, "["+strings.Join(n.infos[height], ",")+"]")
	default:
		http.NotFound(w, r)
	}
}

const infosOfBlock = "/walletsolidity/gettransactioninfobyblocknum"

// block leaves the transactions out where there are none, as nodes do.
func (n *tronNode) block(w http.ResponseWriter, height int) {
	transactions := ""
	if count := len(n.infos[height]); count > 0 {
		transactions = `,"transactions":[{}` + strings.Repeat(`,{}`, count-1) + `]`
	}
	_, _ = fmt.Fprintf(w, blockAnswer, height, blockTime(height).UnixMilli(), transactions)
}

func txID(n int) string { return fmt.Sprintf("%064x", n) }

func transferLog(contract, to string, units int64) string {
	return fmt.Sprintf(`{"address":%q,"topics":[%q,"%064s","%064s"],"data":"%064x"}`, contract, topicHex, tronOtherHex, to, units)
}

// pay puts a transaction with the given logs into a block.
func (n *tronNode) pay(number, block int, logs ...string) string {
	id := txID(number)
	n.infos[block] = append(n.infos[block], fmt.Sprintf(`{"id":%q,"fee":13844850,"blockNumber":%d,"blockTimeStamp":%d,"contractResult":["%064x"],
"contract_address":"41a614f803b6fd780986a42c78ec9c7f77e6ded13c","receipt":{"energy_fee":13844850,"energy_usage_total":31895,"result":"SUCCESS"},
"log":[%s]}`, id, block, blockTime(block).UnixMilli(), 1, strings.Join(logs, ",")))
	return id
}

func blockTime(block int) time.Time {
	return time.UnixMilli(1_660_000_000_000).Add(time.Duration(block) * 3 * time.Second).UTC()
}

func (n *tronNode) asset() counterchain.Asset {
	return counterchain.Asset{
		Network: "tron", Symbol: "USDT", Kind: counterchain.TRON, ChainID: tronMainnet, Contract: tronContract,
		Decimals: 6, Finality: counterchain.ByConfirmations, Confirmations: 20,
	}
}

func (n *tronNode) witness(asset counterchain.Asset) bridge.Witness {
	n.t.Helper()
	made, err := New(asset, Endpoint{URL: n.URL + "/", APIKey: "open-sesame"})
	require.NoError(n.t, err)
	return made
}

func (n *tronNode) look() ([]bridge.Payment, error) {
	return tryLook(n.t, n.witness(n.asset()), tronSeller)
}

func TestTRONPaymentIsToldOnceItIsDeepEnough(t *testing.T) {
	n := newTronNode(t)
	id := n.pay(1, 81, transferLog(tronOtherHex, tronSellerHex, 12_500_000))
	n.head, n.solid = 99, 101
	payments, err := n.look()
	require.NoError(t, err)
	assert.Empty(t, payments, "nineteen confirmations of twenty")
	n.head, n.solid = 200, 80
	payments, err = n.look()
	require.NoError(t, err)
	assert.Empty(t, payments, "deep, but the chain itself does not hold it for irreversible")
	n.head, n.solid = 100, 101
	payments, err = n.look()
	require.NoError(t, err)
	assert.Equal(t, []bridge.Payment{{
		TxHash: id, From: tronContract, To: tronSeller, Amount: 12_500_000, Block: 81, At: blockTime(81),
	}}, payments)

	w := n.witness(n.asset())
	for _, interval := range [][2]uint64{{81, 90}, {70, 80}} {
		none, _, err := read(t, w, []string{tronSeller}, at(interval[0]), at(interval[1]))
		require.NoError(t, err)
		assert.Empty(t, none, "not outside of the blocks asked for")
	}
}

func at(height uint64) bridge.Block { return bridge.Block{Number: height, At: blockTime(int(height))} }

func TestTRONTransactionsOwnLogDecides(t *testing.T) {
	n := newTronNode(t)
	id := n.pay(1, 10,
		transferLog(tronSellerHex, tronSellerHex, 1),
		transferLog(tronOtherHex, tronSellerHex, 2_000_000),
		transferLog(tronOtherHex, tronOtherHex, 3),
		transferLog(tronOtherHex, tronSellerHex, 2_000_000))
	n.pay(2, 11, transferLog(tronOtherHex, tronSellerHex, 9))
	n.infos[11][0] = strings.Replace(n.infos[11][0], `"SUCCESS"`, `"OUT_OF_ENERGY"`, 1)
	n.infos[11] = append(n.infos[11], fmt.Sprintf(`{"id":%q,"fee":267000,"blockNumber":11,"blockTimeStamp":1,"contractResult":[""],"receipt":{"net_fee":267}}`, txID(3)))
	payments, err := n.look()
	require.NoError(t, err)
	require.Len(t, payments, 2, "not another contract's, not to others, not what failed")
	for i, index := range []uint32{1, 3} {
		assert.Equal(t, id, payments[i].TxHash)
		assert.Equal(t, index, payments[i].LogIndex, "equal transfers of one transaction are two payments")
	}
}

// A node that lags behind the one that named the block says that it is empty.
func TestTRONEmptyBlocksAreAskedForAgain(t *testing.T) {
	n := newTronNode(t)
	id := n.pay(1, 185, transferLog(tronOtherHex, tronSellerHex, 5))
	w := n.witness(n.asset())
	n.solid = 184
	_, _, err := w.Payments(t.Context(), []string{tronSeller}, at(184), at(190))
	checkSafe(t, err, "can't be read")
	n.solid = 190
	n.rule = func(w http.ResponseWriter, r *http.Request, height int) bool {
		lagging := r.URL.Path == infosOfBlock && height == 185
		if lagging {
			_, _ = io.WriteString(w, "[]")
		}
		return lagging
	}
	_, _, err = w.Payments(t.Context(), []string{tronSeller}, at(184), at(190))
	checkSafe(t, err, "can't be read")
	payments, reached, err := w.Payments(t.Context(), []string{tronSeller}, at(180), at(190))
	require.NoError(t, err)
	assert.Equal(t, at(184), reached, "what is before it is read all the same")
	assert.Empty(t, payments)
	n.rule = nil
	payments, reached, err = w.Payments(t.Context(), []string{tronSeller}, reached, at(190))
	require.NoError(t, err)
	assert.Equal(t, at(190), reached)
	require.Len(t, payments, 1)
	assert.Equal(t, id, payments[0].TxHash)
}

// A backlog is read in slices, of which each costs so many questions whatever the
// number of addresses and of transfers.
func TestTRONReadsInSlices(t *testing.T) {
	n := newTronNode(t)
	n.head, n.solid = 1000, 990
	for i := range 30 {
		n.pay(i+1, 10+i*30, transferLog(tronOtherHex, tronSellerHex, int64(i+1)))
	}
	addresses := []string{tronSeller}
	for i := range 1000 {
		account := common.BigToAddress(big.NewInt(int64(i + 1)))
		addresses = append(addresses, counterchain.FormatAddress(counterchain.TRON, account))
	}
	payments, slices, err := read(t, n.witness(n.asset()), addresses, at(0), at(981))
	require.NoError(t, err)
	require.Len(t, payments, 30)
	for i, payment := range payments {
		assert.Equal(t, uint64(10+i*30), payment.Block, "in the chain's order")
	}
	assert.Equal(t, 9, slices, "981 blocks, 120 at once")
	assert.Equal(t, 981, n.asked[infosOfBlock], "one question a block")
}

// What a slice holds is bounded too, but a block is never torn.
func TestTRONSlicesEndWhereThereIsEnough(t *testing.T) {
	n := newTronNode(t)
	logs := make([]string, 150)
	for i := range logs {
		logs[i] = transferLog(tronOtherHex, tronSellerHex, 5)
	}
	for block := 10; block < 13; block++ {
		n.pay(block, block, logs...)
	}
	n.pay(99, 12, logs...)
	w := n.witness(n.asset())
	after := at(1)
	for _, want := range []struct{ payments, reached int }{{150, 10}, {150, 11}, {300, 100}} {
		payments, reached, err := w.Payments(t.Context(), []string{tronSeller}, after, at(100))
		require.NoError(t, err)
		assert.Len(t, payments, want.payments)
		assert.Equal(t, at(uint64(want.reached)), reached)
		after = reached
	}
}

func TestTRONWaitsWhenItIsToldTo(t *testing.T) {
	n := newTronNode(t)
	n.pay(1, 10, transferLog(tronOtherHex, tronSellerHex, 5))
	refusals := map[string]int{}
	n.rule = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		refusals[r.URL.Path]++
		if refusals[r.URL.Path] > 1 {
			return false
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	payments, err := n.look()
	require.NoError(t, err)
	assert.Len(t, payments, 1, "every kind of request is repeated, with its body")

	n.rule = func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	_, err = n.look()
	checkSafe(t, err, "asks to wait")
	n.rule = func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	before := n.asked[anyBlock]
	_, err = n.look()
	checkSafe(t, err, "asks to wait")
	assert.Equal(t, 1+maxRepeats, n.asked[anyBlock]-before, "but not for ever")
}

func TestTRONWrongChainOrTokenIsRefused(t *testing.T) {
	n := newTronNode(t)
	cases := map[string]struct {
		change func(*counterchain.Asset)
		want   error
	}{
		"a test network's":   {func(a *counterchain.Asset) { a.ChainID = 3448148188 }, ErrWrongChain},
		"another scale":      {func(a *counterchain.Asset) { a.Decimals = 18 }, ErrWrongToken},
		"nothing configured": {func(a *counterchain.Asset) { a.ChainID = 0 }, ErrWrongChain},
	}
	for name, tc := range cases {
		asset := n.asset()
		tc.change(&asset)
		_, err := tryLook(t, n.witness(asset), tronSeller)
		assert.ErrorIs(t, err, tc.want, name)
	}
	_, err := tryLook(t, n.witness(n.asset()), seller.Hex())
	assert.ErrorIs(t, err, counterchain.ErrNotTRON)
	none, err := tryLook(t, n.witness(n.asset()))
	require.NoError(t, err)
	assert.Empty(t, none)
	n.head, n.solid = 5, 3
	young, err := n.look()
	require.NoError(t, err)
	assert.Empty(t, young, "a chain younger than its confirmations")
}

// Each answer in turn is spoilt; no spoilt answer is a payment, and no error has a
// word of the node's.
func TestTRONSpoiltAnswers(t *testing.T) {
	id := txID(1)
	cases := []struct{ path, answer, says string }{
		{"/wallet/getblockbynum", `<html>open-sesame`, "can't be read"},
		{"/wallet/getblockbynum", `{"blockID":"00"}`, "can't be read"},
		{"/wallet/getnowblock", `{"Error":"open-sesame"}`, "can't be read"},
		{"/walletsolidity/getnowblock", `{}`, "can't be read"},
		{"/wallet/triggerconstantcontract", `{"result":{"code":"CONTRACT_VALIDATE_ERROR","message":"open-sesame"}}`, "not a token"},
		{"/wallet/triggerconstantcontract", `{"constant_result":["06"]}`, "not a token"},
		{"/wallet/triggerconstantcontract", `[]`, "can't be read"},
		{solidBlock, `{}`, "can't be read"},
		{infosOfBlock, `{"Error":"open-sesame"}`, "can't be read"},
		{infosOfBlock, ``, "can't be read"},
		{infosOfBlock, `[{"id":"../x","blockNumber":1}]`, "can't be read"},
		{infosOfBlock, `[{"id":"` + id + `","blockNumber":7}]`, "can't be read"},
		{infosOfBlock, `[{"id":"` + id + `","blockNumber":1,"log":[{"address":"zz"}]}]`, "can't be read"},
		{infosOfBlock, `[{"id":"` + id + `","blockNumber":1,"log":[{"address":"00","topics":["00"]}]}]`, "can't be read"},
		{infosOfBlock, strings.Repeat(" ", maxResponse+1), "too large"},
	}
	for _, tc := range cases {
		n := newTronNode(t)
		n.pay(1, 10, transferLog(tronOtherHex, tronSellerHex, 5))
		n.rule = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.URL.Path == tc.path {
				_, _ = io.WriteString(w, tc.answer)
			}
			return r.URL.Path == tc.path
		}
		payments, err := n.look()
		checkSafe(t, err, tc.says)
		assert.Empty(t, payments)
	}
	n := newTronNode(t)
	w, err := New(n.asset(), Endpoint{URL: n.URL, APIKey: "wrong"})
	require.NoError(t, err)
	_, err = tryLook(t, w, tronSeller)
	checkSafe(t, err, "status 401")
	n.rule = func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "{")
		return true
	}
	_, err = n.look()
	checkSafe(t, err, "can't be reached")
}

func FuzzTRONAnswers(f *testing.F) {
	f.Add([]byte(genesisAnswer))
	f.Add([]byte(fmt.Sprintf(blockAnswer, 7, 1, `,"transactions":[{}]`)))
	f.Add([]byte(fmt.Sprintf(decimalsAnswer, 6)))
	f.Add([]byte(`[{"id":"` + txID(1) + `","blockNumber":1,"receipt":{"result":"SUCCESS"},"log":[` + transferLog(tronOtherHex, tronSellerHex, 5) + `]}]`))
	contract, err := counterchain.ParseAddress(counterchain.TRON, tronContract)
	require.NoError(f, err)
	w := &tron{token: &token{asset: counterchain.Asset{Kind: counterchain.TRON, Decimals: 6}, contract: contract}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		infos, err := parseTransactions(raw)
		for _, info := range infos {
			assert.NoError(t, err)
			assert.True(t, isHash(info.ID))
			for _, payment := range w.transfers(info, map[string]bool{tronSeller: true}) {
				assert.Positive(t, payment.Amount)
				assert.Equal(t, tronSeller, payment.To)
			}
		}
		if found, err := parseTronBlock(raw); err == nil {
			assert.Len(t, found.ID, 32)
		}
		if constant, err := parseConstant(raw); err == nil {
			_, _ = word(constant)
		}
	})
}
