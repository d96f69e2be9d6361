package explorer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/explorer"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// node answers CometBFT's RPC with fixed results by method; a text that begins with
// "!" is the data of an error.
type node map[string]string

func (n node) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var call struct {
		ID     json.RawMessage
		Method string
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	answer := n[call.Method]
	rw.Header().Set("Content-Type", "application/json")
	if answer == "" || answer[0] == '!' {
		_, _ = fmt.Fprintf(rw, `{"jsonrpc": "2.0", "id": %s, "error": {"code": -32603, "message": "Internal error", "data": %q}}`, call.ID, answer)
		return
	}
	_, _ = fmt.Fprintf(rw, `{"jsonrpc": "2.0", "id": %s, "result": %s}`, call.ID, answer)
}

// newNodeWorld is a chain whose endpoint is such a node.
func newNodeWorld(t *testing.T, answers node) *world {
	t.Helper()
	server := httptest.NewServer(answers)
	t.Cleanup(server.Close)
	w := &world{t: t, store: storetest.Open(t), chain: uuid.New()}
	w.service = &explorer.Service{Store: w.store}
	chains := &chain.Service{Store: w.store, Market: market.New(w.store, market.Options{})}
	_, err := chains.Declare(t.Context(), w.chain, chain.Spec{ChainName: "Blocks", TokenSymbol: "BLK", Direct: true})
	w.must(err)
	_, err = chains.LaunchDeclared(t.Context(), w.chain, nil)
	w.must(err)
	w.must(chains.MarkGraduated(t.Context(), w.chain, chain.Live{ChainID: network, GenesisHash: "g", RPCEndpoint: server.URL}))
	return w
}

func statusOf(network string) string {
	return `{"node_info": {"network": "` + network + `"}, "sync_info": {"earliest_block_height": "50", "latest_block_height": "60",
		"latest_block_time": "2024-01-15T10:30:00Z"}}`
}

// A block that the chain has let go of is not one that never was.
func TestPrunedBlocks(t *testing.T) {
	w := newNodeWorld(t, node{
		"status": statusOf(network), "header_by_hash": `{"header": null}`,
		"blockchain": "!min height 50 can't be greater than max height 49",
	})
	const gone = "Block not found: the chain does not keep it any more, only those from height 50 on"
	for _, height := range []int64{1, 49} {
		_, err := w.service.Block(t.Context(), w.chain, explorer.BlockID{Height: height})
		w.refused("a pruned block", err, fault.NotFound, gone)
	}
	_, err := w.service.Block(t.Context(), w.chain, explorer.BlockID{Height: 55}) // let go of meanwhile
	w.refused("a block of that moment", err, fault.NotFound, "Block not found: the chain does not keep it any more")
	_, err = w.service.Block(t.Context(), w.chain, explorer.BlockID{Hash: make([]byte, 32)})
	w.refused("its hash", err, fault.NotFound,
		"Block not found: the chain has none of that hash, or does not keep it any more (it keeps those from height 50 on)")
	if none, total, err := w.service.Blocks(t.Context(), w.chain, explorer.Page{Number: 2, Size: 20}, 0); err != nil || total != 11 || len(none) != 0 {
		t.Errorf("a page past what is kept: %d of %d, %v", len(none), total, err)
	}
}

// A transaction outlives its block: what came of it is told without a proof.
func TestTransactionOfAPrunedBlock(t *testing.T) {
	w := newNodeWorld(t, node{
		"status":     statusOf(network),
		"blockchain": "!min height 50 can't be greater than max height 7",
		"tx": `{"hash": "01", "height": "7", "index": 0, "tx": "bm9uZQ==", "tx_result": {"code": 5, "codespace": "registry"},
			"proof": {"root_hash": "", "data": null, "proof": {"total": "0", "index": "0", "leaf_hash": null, "aunts": null}}}`,
	})
	found, err := w.service.Transaction(t.Context(), w.chain, make([]byte, 32))
	w.must(err)
	if found.Height != 7 || found.Proof != nil || found.BlockHash != "" || !found.Time.IsZero() {
		t.Errorf("found %+v", found)
	}
	if found.Tx != nil || found.Kind() != "unknown" || found.Reason() != "refused by the chain's application" || explorer.StatusOf(found.Entry) != explorer.Failed {
		t.Errorf("another application's refusal: %+v", found.Entry)
	}
}

// A chain with an application of its own has no accounts of Lucid's, whatever it
// answers to a question for one.
func TestAnotherApplicationsAccounts(t *testing.T) {
	w := newNodeWorld(t, node{
		"abci_info":  `{"response": {"data": "registry"}}`,
		"abci_query": `{"response": {"code": 0, "height": "60", "value": "eyJjaGFpbl9pZCI6Imx1Y2lkX2Jsb2NrcyJ9"}}`, // {"chain_id":"lucid_blocks"}
	})
	_, err := w.service.Account(t.Context(), w.chain, explorer.AccountQuery{Address: livechain.Address{1}})
	w.refused("an account", err, fault.NotFound, "The chain runs an application of its own")
	w.index()
	time.Sleep(300 * time.Millisecond) // many rounds
	if found, err := w.store.Queries().GraduatedTarget(t.Context(), graduated.PoolID(w.chain)); !store.NotFound(err) {
		t.Errorf("the indexer follows a chain that it can't read: %+v, %v", found, err)
	}
}

// Another chain at the endpoint is not taken for this one, nor is nonsense.
func TestNotTheChain(t *testing.T) {
	for reason, answers := range map[string]node{
		"another chain": {"status": statusOf("other"), "abci_info": `{"response": {"data": "lucid"}}`,
			"abci_query": `{"response": {"code": 0, "value": "eyJjaGFpbl9pZCI6Im90aGVyIn0="}}`},
		"nonsense": {"status": `7`, "abci_info": `7`, "abci_query": `7`},
		"silence":  {},
	} {
		w := newNodeWorld(t, answers)
		const away = "The chain does not answer at present"
		_, err := w.service.Network(t.Context(), w.chain)
		w.refused(reason, err, fault.Unavailable, away)
		_, err = w.service.Block(t.Context(), w.chain, explorer.BlockID{Height: 55})
		w.refused(reason, err, fault.Unavailable, away)
		_, err = w.service.Transaction(t.Context(), w.chain, make([]byte, 32))
		w.refused(reason, err, fault.Unavailable, away)
		_, err = w.service.Account(t.Context(), w.chain, explorer.AccountQuery{})
		w.refused(reason, err, fault.Unavailable, away)
	}
}

// A proof that does not lead to the header's data hash is not passed on.
func TestForgedInclusion(t *testing.T) {
	const zero = "0000000000000000000000000000000000000000000000000000000000000000"
	w := newNodeWorld(t, node{
		"status": statusOf(network),
		"blockchain": `{"last_height": "60", "block_metas": [{"block_id": {"hash": "` + zero + `"}, "num_txs": "1",
			"header": {"height": "55", "time": "2024-01-15T10:30:00Z", "data_hash": "` + zero + `"}}]}`,
		"tx": `{"hash": "01", "height": "55", "index": 0, "tx": "bm9uZQ==", "tx_result": {"code": 0},
			"proof": {"root_hash": "` + zero + `", "data": "bm9uZQ==", "proof": {"total": "1", "index": "0", "leaf_hash": "AAAA", "aunts": null}}}`,
	})
	_, err := w.service.Transaction(t.Context(), w.chain, make([]byte, 32))
	w.refused("a forged proof", err, fault.Unavailable, "The chain's answer is not proven")
}
