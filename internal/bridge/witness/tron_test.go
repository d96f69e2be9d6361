package witness

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

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
"parentHash":"00","version":27,"timestamp":%d},"witness_signature":"00"},"transactions":[]}`
	decimalsAnswer = `{"result":{"result":true},"energy_used":435,
"constant_result":["%064x"],"transaction":{"ret":[{}],"visible":true,"txID":"00"}}`
	listItem = `{"transaction_id":%q,"token_info":{"symbol":"USDT","address":"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
"decimals":6,"name":"Tether USD"},"block_timestamp":1660000000000,"from":"TLa2f6VPqDgRE67v1736s7bJ8Ray5wYjU7",
"to":%q,"type":%q,"value":%q}`
)

// tronNode answers as TronGrid does. Its fields are what it knows.
type tronNode struct {
	t            *testing.T
	mu           sync.Mutex
	head, solid  int
	decimals     int
	pages        map[string][]string // items of the list, by address, a page each
	transactions map[string]string
	rule         func(w http.ResponseWriter, r *http.Request) bool
	asked        map[string]int
	queries      []string
	URL          string
}

func newTronNode(t *testing.T) *tronNode {
	t.Helper()
	n := &tronNode{t: t, head: 200, solid: 190, decimals: 6, pages: map[string][]string{}, transactions: map[string]string{}, asked: map[string]int{}}
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
	if n.rule != nil && n.rule(w, r) {
		return
	}
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	switch path := r.URL.Path; {
	case path == "/wallet/getblockbynum" && body["num"] == 0.0:
		_, _ = io.WriteString(w, genesisAnswer)
	case path == "/wallet/getnowblock":
		n.block(w, n.head)
	case path == "/walletsolidity/getnowblock":
		n.block(w, n.solid)
	case path == "/wallet/getblockbynum":
		height, _ := body["num"].(float64)
		n.block(w, int(height))
	case path == "/wallet/triggerconstantcontract" && body["contract_address"] == tronContract && body["function_selector"] == "decimals()":
		_, _ = fmt.Fprintf(w, decimalsAnswer, n.decimals)
	case path == "/wallet/gettransactioninfobyid":
		info, known := n.transactions[fmt.Sprint(body["value"])]
		if !known {
			info = "{}"
		}
		_, _ = io.WriteString(w, info)
	case strings.HasPrefix(path, "/v1/accounts/"):
		n.list(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (n *tronNode) block(w http.ResponseWriter, height int) {
	_, _ = fmt.Fprintf(w, blockAnswer, height, blockTime(height).UnixMilli())
}

func (n *tronNode) list(w http.ResponseWriter, r *http.Request) {
	n.queries = append(n.queries, r.URL.RawQuery)
	pages := n.pages[strings.Split(r.URL.Path, "/")[3]]
	var place int
	_, _ = fmt.Sscanf(r.URL.Query().Get("fingerprint"), "page-%d", &place)
	items, next := "", ""
	if place < len(pages) {
		items = pages[place]
	}
	if place+1 < len(pages) {
		next = fmt.Sprintf(`,"fingerprint":"page-%d","links":{"next":"https://api.trongrid.io/"}`, place+1)
	}
	_, _ = fmt.Fprintf(w, `{"data":[%s],"success":true,"meta":{"at":1660000000001%s,"page_size":1}}`, items, next)
}

func txID(n int) string { return fmt.Sprintf("%064x", n) }

func transferLog(contract, to string, units int64) string {
	return fmt.Sprintf(`{"address":%q,"topics":[%q,"%064s","%064s"],"data":"%064x"}`, contract, topicHex, tronOtherHex, to, units)
}

// pay puts a transaction with the given logs into the node, listed for the seller.
func (n *tronNode) pay(number, block int, logs ...string) string {
	id := txID(number)
	n.transactions[id] = fmt.Sprintf(`{"id":%q,"fee":13844850,"blockNumber":%d,"blockTimeStamp":%d,"contractResult":["%064x"],
"contract_address":"41a614f803b6fd780986a42c78ec9c7f77e6ded13c","receipt":{"energy_fee":13844850,"energy_usage_total":31895,"result":"SUCCESS"},
"log":[%s]}`, id, block, blockTime(block).UnixMilli(), 1, strings.Join(logs, ","))
	n.pages[tronSeller] = append(n.pages[tronSeller], fmt.Sprintf(listItem, id, tronSeller, "Transfer", "1000000"))
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
	n.head, n.solid = 200, 100
	payments, err = n.look()
	require.NoError(t, err)
	assert.Empty(t, payments, "deep, but the list of transfers may not have it yet")
	n.head, n.solid = 100, 101
	payments, err = n.look()
	require.NoError(t, err)
	assert.Equal(t, []bridge.Payment{{
		TxHash: id, From: tronContract, To: tronSeller, Amount: 12_500_000, Block: 81, At: blockTime(81),
	}}, payments)
	assert.Equal(t, "contract_address="+tronContract+"&limit=200&max_timestamp=1660000243000&min_timestamp=0"+
		"&only_confirmed=true&only_to=true&order_by=block_timestamp%2Casc", n.queries[len(n.queries)-1])

	w := n.witness(n.asset())
	for _, interval := range [][2]int{{81, 90}, {70, 80}} {
		after, until := bridge.Block{Number: uint64(interval[0])}, bridge.Block{Number: uint64(interval[1])}
		none, err := w.Payments(t.Context(), []string{tronSeller}, after, until)
		require.NoError(t, err)
		assert.Empty(t, none, "not outside of the blocks asked for, whatever the list says")
	}
}

func TestTRONTransactionsOwnLogDecides(t *testing.T) {
	n := newTronNode(t)
	id := n.pay(1, 10,
		transferLog(tronSellerHex, tronSellerHex, 1),
		transferLog(tronOtherHex, tronSellerHex, 2_000_000),
		transferLog(tronOtherHex, tronOtherHex, 3),
		transferLog(tronOtherHex, tronSellerHex, 2_000_000))
	failed := n.pay(2, 11, transferLog(tronOtherHex, tronSellerHex, 9))
	n.transactions[failed] = strings.Replace(n.transactions[failed], `"SUCCESS"`, `"OUT_OF_ENERGY"`, 1)
	payments, err := n.look()
	require.NoError(t, err)
	require.Len(t, payments, 2, "not another contract's, not to others, not what failed")
	for i, index := range []uint32{1, 3} {
		assert.Equal(t, id, payments[i].TxHash)
		assert.Equal(t, index, payments[i].LogIndex, "equal transfers of one transaction are two payments")
	}
	delete(n.transactions, n.pay(3, 12))
	_, err = n.look()
	assert.ErrorIs(t, err, errUnreadable, "a transaction that the node does not know yet must not be passed over")
}

func TestTRONReadsAllPages(t *testing.T) {
	n := newTronNode(t)
	for i := range 5 {
		n.pay(i+1, 10+i, transferLog(tronOtherHex, tronSellerHex, int64(i+1)))
	}
	n.pages[tronSeller] = append(n.pages[tronSeller],
		fmt.Sprintf(listItem, txID(77), tronSeller, "Transfer", "0"),
		fmt.Sprintf(listItem, txID(78), tronSeller, "Approval", "5"),
		fmt.Sprintf(listItem, txID(79), tronContract, "Transfer", "5"))
	payments, err := n.look()
	require.NoError(t, err)
	require.Len(t, payments, 5)
	for i, payment := range payments {
		assert.Equal(t, uint64(10+i), payment.Block, "in the chain's order")
	}
	assert.Equal(t, 5, n.asked["/wallet/gettransactioninfobyid"], "what moved nothing to the seller costs no question")

	n.pages[tronSeller] = make([]string, maxPages+1)
	_, err = n.look()
	assert.ErrorIs(t, err, errTooMany, "there is an end to it")
	n.rule = func(w http.ResponseWriter, r *http.Request) bool {
		listed := strings.HasPrefix(r.URL.Path, "/v1/")
		if listed {
			_, _ = io.WriteString(w, `{"data":[],"success":true,"meta":{"fingerprint":"same"}}`)
		}
		return listed
	}
	_, err = n.look()
	assert.ErrorIs(t, err, errUnreadable, "a list that goes in a circle")
}

func TestTRONWaitsWhenItIsToldTo(t *testing.T) {
	n := newTronNode(t)
	n.pay(1, 10, transferLog(tronOtherHex, tronSellerHex, 5))
	refusals := map[string]int{}
	n.rule = func(w http.ResponseWriter, r *http.Request) bool {
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

	n.rule = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	_, err = n.look()
	checkSafe(t, err, "asks to wait")
	n.rule = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	before := n.asked["/wallet/getblockbynum"]
	_, err = n.look()
	checkSafe(t, err, "asks to wait")
	assert.Equal(t, 1+maxRepeats, n.asked["/wallet/getblockbynum"]-before, "but not for ever")
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
		{"/v1/accounts/" + tronSeller + "/transactions/trc20", `{"success":false,"error":"open-sesame","statusCode":400}`, "can't be read"},
		{"/v1/accounts/" + tronSeller + "/transactions/trc20", `{"success":true,"data":[{"transaction_id":"../x"}]}`, "can't be read"},
		{"/v1/accounts/" + tronSeller + "/transactions/trc20", ``, "can't be read"},
		{"/wallet/gettransactioninfobyid", `{"id":"` + txID(2) + `","blockNumber":7}`, "can't be read"},
		{"/wallet/gettransactioninfobyid", `{"id":"` + id + `","log":[{"address":"zz"}]}`, "can't be read"},
		{"/wallet/gettransactioninfobyid", `{"id":"` + id + `","log":[{"address":"00","topics":["00"]}]}`, "can't be read"},
		{"/wallet/gettransactioninfobyid", strings.Repeat(" ", maxResponse+1), "can't be read"},
	}
	for _, tc := range cases {
		n := newTronNode(t)
		n.pay(1, 10, transferLog(tronOtherHex, tronSellerHex, 5))
		n.rule = func(w http.ResponseWriter, r *http.Request) bool {
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
	n.rule = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "{")
		return true
	}
	_, err = n.look()
	checkSafe(t, err, "can't be reached")
}

func FuzzTRONAnswers(f *testing.F) {
	f.Add([]byte(genesisAnswer))
	f.Add([]byte(fmt.Sprintf(blockAnswer, 7, 1)))
	f.Add([]byte(fmt.Sprintf(decimalsAnswer, 6)))
	f.Add([]byte(`{"data":[` + fmt.Sprintf(listItem, txID(1), tronSeller, "Transfer", "1") + `],"success":true,"meta":{"fingerprint":"x"}}`))
	f.Add([]byte(`{"id":"` + txID(1) + `","blockNumber":1,"receipt":{"result":"SUCCESS"},"log":[` + transferLog(tronOtherHex, tronSellerHex, 5) + `]}`))
	contract, err := counterchain.ParseAddress(counterchain.TRON, tronContract)
	require.NoError(f, err)
	w := &tron{token: &token{asset: counterchain.Asset{Kind: counterchain.TRON, Decimals: 6}, contract: contract}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if page, err := parsePage(raw); err == nil {
			for _, id := range page.transactions(tronSeller) {
				assert.True(t, isHash(id))
			}
		}
		if info, err := parseTransaction(raw); err == nil {
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
