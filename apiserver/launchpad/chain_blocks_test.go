package launchpad_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// Everything that a live chain holds, from what it is down to one signature,
// through REST alone.
func TestLiveChain(t *testing.T) {
	p := newLivePlatform(t)
	base := "/chains/" + p.chain
	n := p.ok(p.whale, http.StatusOK, http.MethodGet, base+"/network", "")
	if n["chain_id"] != p.chain || n["network_id"] != p.live.ID || n["genesis_hash"] != p.live.GenesisHash || n["application"] != "lucid" ||
		n["consensus_mechanism"] != "nestbft" || n["engine"] != "CometBFT" || n["first_height"] != json.Number("1") || n["catching_up"] != false {
		t.Errorf("the network: %v", n)
	}
	sold := p.orderOK(http.StatusCreated, "swap", `"side": "sell", "token_amount": 1000`)
	hash, address := sold["transaction_hash"].(string), sold["address"].(string)

	block := p.ok(p.whale, http.StatusOK, http.MethodGet, fmt.Sprintf("%s/blocks/%v", base, sold["block_height"]), "")
	byHash := p.ok(p.whale, http.StatusOK, http.MethodGet, base+"/blocks/"+block["hash"].(string), "")
	listed, _ := block["transactions"].([]any)
	if byHash["height"] != sold["block_height"] || len(listed) != 1 || block["transaction_count"] != json.Number("1") {
		t.Fatalf("the block by its height %v and its hash %v", block, byHash)
	}
	inBlock := listed[0].(map[string]any)
	if inBlock["transaction_hash"] != hash || inBlock["type"] != "swap" || inBlock["status"] != "confirmed" || inBlock["signer"] != address {
		t.Errorf("its transaction: %v", inBlock)
	}
	blocks, pagination := p.list(p.whale, base+"/blocks?limit=2")
	if len(blocks) != 2 || blocks[0]["previous_hash"] != blocks[1]["hash"] || pagination["limit"] != json.Number("2") {
		t.Errorf("the newest two: %v, %v", blocks, pagination)
	}
	first := p.ok(p.whale, http.StatusOK, http.MethodGet, base+"/blocks/1?page=9", "")
	if page, _ := first["transactions"].([]any); first["previous_hash"] != nil || len(page) != 0 {
		t.Errorf("the first block, past its transactions: %v", first)
	}

	found := p.ok(p.whale, http.StatusOK, http.MethodGet, base+"/blocks/transactions/"+hash, "")
	signed := found["signed"].(map[string]any)
	message := map[string]any{"sell": "token", "amount_in": json.Number("1000"), "min_out": json.Number("0")}
	if !maps.Equal(signed["message"].(map[string]any), message) || signed["network_id"] != p.live.ID || found["block_hash"] != block["hash"] {
		t.Errorf("the transaction: %v", found)
	}
	if proof := found["proof"].(map[string]any); proof["data_hash"] != block["data_hash"] || proof["leaf"] != hash || proof["total"] != json.Number("1") {
		t.Errorf("its proof: %v", proof)
	}
	p.readAddress(base, address, hash)
}

// readAddress wants the whale's balance with its proof, and the swap in its history.
func (p *livePlatform) readAddress(base, address, hash string) {
	p.t.Helper()
	plain := p.ok(p.whale, http.StatusOK, http.MethodGet, base+"/addresses/"+address, "")
	proven := p.ok(p.whale, http.StatusOK, http.MethodGet, fmt.Sprintf("%s/addresses/%s?prove=true&height=%v", base, address, plain["block_height"]), "")
	proof := proven["proof"].(map[string]any)
	if plain["proof"] != nil || plain["nonce"] != json.Number("1") || proven["token_balance"] != plain["token_balance"] || proof["exists"] != true {
		p.t.Errorf("the balance %v, proven %v", plain, proven)
	}
	header := proof["signed_header"].(map[string]any)["header"].(map[string]any)
	if header["height"] != fmt.Sprint(proof["header_height"]) || header["chain_id"] != p.live.ID {
		p.t.Errorf("the header: %v", header)
	}
	p.awaitPool(1)
	history, pagination := p.list(p.whale, base+"/addresses/"+address+"/history")
	if len(history) != 1 || pagination["total"] != json.Number("1") || history[0]["transaction_hash"] != hash || history[0]["type"] != "swap" ||
		history[0]["token_change"] != json.Number("-1000") || history[0]["status"] != "confirmed" || history[0]["counterparty"] != nil {
		p.t.Errorf("the history: %v", history)
	}
	stranger := p.ok(p.whale, http.StatusOK, http.MethodGet, base+"/addresses/0x00000000000000000000000000000000000000aa?prove=true", "")
	if proof := stranger["proof"].(map[string]any); proof["exists"] != false || proof["value"] != "0x" {
		p.t.Errorf("nobody has used the address: %v", stranger)
	}
}

func TestLiveChainRefusals(t *testing.T) {
	p := newLivePlatform(t)
	base := "/chains/" + p.chain
	const notLive = "The chain is not live: it has blocks from its graduation on"
	virtual := "/chains/" + p.launched(p.whale, "Virtual", "")
	draft := "/chains/" + p.draft(p.whale, "Draft", "")
	routes := []string{
		"/network", "/blocks", "/blocks/1", "/blocks/transactions/" + strings.Repeat("0", 64),
		"/addresses/" + seedAddress, "/addresses/" + seedAddress + "/history",
	}
	for _, route := range routes {
		expect(t, p.as(p.whale, http.MethodGet, virtual+route, ""), http.StatusNotFound, "NOT_FOUND", notLive)
		expect(t, p.as(p.whale, http.MethodGet, "/chains/"+seedChain+route, ""), http.StatusNotFound, "NOT_FOUND", "Chain not found")
		expect(t, p.as(uuid.New(), http.MethodGet, draft+route, ""), http.StatusNotFound, "NOT_FOUND", "Chain not found")
		expect(t, p.as(p.whale, http.MethodGet, "/chains/x"+route, ""), http.StatusBadRequest, "BAD_REQUEST", "Invalid chain ID")
		expect(t, p.Do(http.MethodGet, "/api/v1"+base+route, ""), http.StatusUnauthorized, "UNAUTHORIZED", "Authentication required")
	}
	for path, message := range map[string]string{
		"/blocks/latest":          "Invalid block: give its height, or its hash in hex",
		"/blocks/0":               "Invalid block: give its height, or its hash in hex",
		"/blocks/transactions/ab": "Invalid transaction hash",
		"/addresses/0x12":         "Invalid address",
		"/addresses/0x12/history": "Invalid address",
	} {
		expect(t, p.as(p.whale, http.MethodGet, base+path, ""), http.StatusBadRequest, "BAD_REQUEST", message)
	}
	got := details(t, p.as(p.whale, http.MethodGet, base+"/addresses/"+seedAddress+"?prove=yes&height=0", ""))
	if want := map[string]string{"prove": "must be true or false", "height": "must be greater than or equal to 1"}; !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	expect(t, p.as(p.whale, http.MethodGet, base+"/blocks/transactions/"+strings.Repeat("0", 64), ""),
		http.StatusNotFound, "NOT_FOUND", "No block of the chain holds that transaction")
	expect(t, p.as(p.whale, http.MethodGet, base+"/addresses/"+seedAddress+"?height=99999999", ""),
		http.StatusNotFound, "NOT_FOUND", "The chain has no state of height 99999999: it keeps that of its last heights alone")
	p.live.Stop()
	for _, route := range routes[:5] {
		expect(t, p.as(p.whale, http.MethodGet, base+route, ""),
			http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", "The chain does not answer at present")
	}
}

// Each message is shown by the names that it has on the wire.
func TestMessagesAreShown(t *testing.T) {
	p := newLivePlatform(t)
	key, err := p.keys.UserKey(t.Context(), p.whale)
	if err != nil {
		t.Fatal(err)
	}
	session, proposal := uuid.New(), uuid.New()
	for nonce, c := range []struct {
		message tx.Message
		kind    string
		want    map[string]any
	}{
		{tx.SessionAnchor{Session: session, Root: tx.Root{1}, Chunks: 2, Size: 3}, "session_anchor", map[string]any{
			"session_id": session.String(), "root": "01" + strings.Repeat("0", 62), "chunk_count": json.Number("2"), "total_size": json.Number("3"),
		}},
		{tx.Proposal{ID: proposal, Change: tx.MinFee(2_000)}, "proposal", map[string]any{"id": proposal.String(), "min_fee": json.Number("0.002")}},
		{tx.Transfer{Asset: tx.Token, Amount: 5}, "transfer", map[string]any{
			"to": "0x" + strings.Repeat("0", 40), "asset": "token", "amount": json.Number("0.000005"),
		}},
		{tx.Deposit{Tokens: 1_000_000}, "deposit", map[string]any{"cnpy": json.Number("0"), "tokens": json.Number("1"), "min_shares": json.Number("0")}},
		{tx.Withdrawal{Percent: 100}, "withdrawal", map[string]any{
			"percent": json.Number("100"), "min_cnpy": json.Number("0"), "min_tokens": json.Number("0"),
		}},
	} {
		raw, err := tx.Sign(tx.Body{ChainID: p.live.ID, Nonce: uint64(nonce), Fee: genesis.DefaultMinFee, Expires: time.Now().Add(time.Hour).Unix(), Message: c.message}, key)
		if err != nil {
			t.Fatal(err)
		}
		hash, err := p.live.Submit(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		found := p.awaitTransaction(hash)
		signed := found["signed"].(map[string]any)
		if found["type"] != c.kind || signed["expires"] == nil || signed["nonce"] != json.Number(fmt.Sprint(nonce)) || !maps.Equal(signed["message"].(map[string]any), c.want) {
			t.Errorf("%s is shown as %v", c.kind, found)
		}
	}
}

// awaitTransaction waits until a block holds a transaction.
func (p *livePlatform) awaitTransaction(hash string) map[string]any {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		answer := p.as(p.whale, http.MethodGet, "/chains/"+p.chain+"/blocks/transactions/"+hash, "")
		if answer.Status == http.StatusOK {
			var envelope struct{ Data map[string]any }
			answer.Into(p.t, &envelope)
			return envelope.Data
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("no block holds %s within 30 seconds: %s", hash, answer.Body)
		}
	}
}
