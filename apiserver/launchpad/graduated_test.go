package launchpad_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/graduated/graduatedtest"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/node/nodetest"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// livePlatform is a platform with one chain that has graduated: a real node, an
// indexer, and a whale whose tokens lie at a platform wallet.
type livePlatform struct {
	*platform
	keys  *keystore.Keystore
	live  *nodetest.Chain
	chain string
	whale uuid.UUID
}

func newLivePlatform(t *testing.T) *livePlatform {
	t.Helper()
	p := &livePlatform{platform: newPlatform(t), whale: uuid.New()}
	p.keys = testKeys(t, p.store).Platform
	p.chain = p.launched(p.whale, "Graduated", `, "graduation_threshold": 12000`)
	p.ok(p.whale, http.StatusCreated, http.MethodPost, "/virtual-pools/"+p.chain+"/trades", `{"side": "buy", "cnpy_amount": 5000}`)
	p.live = graduatedtest.Graduate(t, p.store, p.keys, uuid.MustParse(p.chain))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	indexer := &graduated.Indexer{Store: p.store, Log: logr.Discard(), Every: 20 * time.Millisecond}
	go func() { done <- indexer.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the indexer stopped: %v", err)
		}
	})
	p.awaitPool(0)
	return p
}

// awaitPool waits until the pool shows that many transactions.
func (p *livePlatform) awaitPool(transactions int) map[string]any {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer := p.as(p.whale, http.MethodGet, "/graduated-pools/"+p.chain, "")
		var envelope struct{ Data map[string]any }
		if answer.Status == http.StatusOK {
			answer.Into(p.t, &envelope)
			if envelope.Data["total_transactions"] == json.Number(fmt.Sprint(transactions)) {
				return envelope.Data
			}
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("no %d transactions within 30 seconds: %s", transactions, answer.Body)
		}
	}
}

// order sends one of the three orders for the whale; body has no braces.
func (p *livePlatform) order(kind, body string) surfacetest.Answer {
	p.t.Helper()
	return p.as(p.whale, http.MethodPost, "/graduated-pools/"+kind, fmt.Sprintf(`{"chain_id": %q, %s}`, p.chain, body))
}

func (p *livePlatform) orderOK(status int, kind, body string) map[string]any {
	p.t.Helper()
	answer := p.order(kind, body)
	if answer.Status != status {
		p.t.Fatalf("%s %s: status %d, want %d: %s", kind, body, answer.Status, status, answer.Body)
	}
	var envelope struct{ Data map[string]any }
	answer.Into(p.t, &envelope)
	return envelope.Data
}

// From the first look at the pool to the last share out of it, through REST
// alone.
func TestGraduatedPool(t *testing.T) {
	p := newLivePlatform(t)
	opening := p.awaitPool(0)
	for _, id := range []string{p.chain, opening["id"].(string)} {
		answer := p.as(p.whale, http.MethodGet, "/graduated-pools/"+id, "")
		surfacetest.MatchesExample(t, answer, "graduated_pool.json")
	}
	pools, pagination := p.list(p.whale, "/graduated-pools")
	if len(pools) != 1 || pools[0]["id"] != opening["id"] || pagination["total"] != json.Number("1") {
		t.Errorf("the list: %v %v", pools, pagination)
	}

	foreseen := p.orderOK(http.StatusOK, "swap", `"side": "sell", "token_amount": "100000", "simulate": true`)
	sold := p.orderOK(http.StatusCreated, "swap", `"side": "sell", "token_amount": 100000, "min_out": 0.000001`)
	for _, member := range []string{"side", "in", "out", "fee", "price", "price_after", "slippage_percent", "network_fee", "network_fee_asset"} {
		if foreseen[member] != sold[member] {
			t.Errorf("%s: simulated %v, happened %v", member, foreseen[member], sold[member])
		}
	}
	if foreseen["simulated"] != true || foreseen["transaction_hash"] != nil || sold["simulated"] != false || sold["block_height"] == nil {
		t.Errorf("a simulation is in no block: %v %v", foreseen, sold)
	}
	if sold["fee"] != json.Number("1000") {
		t.Errorf("one percent of 100 000 tokens: %v", sold["fee"])
	}
	deposit := p.orderOK(http.StatusCreated, "liquidity-deposit", `"cnpy_amount": 1, "token_amount": 10000, "min_shares": 1`)
	withdrawn := p.orderOK(http.StatusCreated, "liquidity-withdrawal", `"percent": 100`)
	if withdrawn["shares"] != deposit["shares"] {
		t.Errorf("all shares: %v in, %v out", deposit, withdrawn)
	}
	p.awaitPool(3)
	transactions, _ := p.list(p.whale, "/graduated-pools/"+p.chain+"/transactions")
	if len(transactions) != 3 || transactions[0]["transaction_type"] != "withdrawal" || transactions[2]["transaction_hash"] != sold["transaction_hash"] {
		t.Errorf("newest first: %v", transactions)
	}
	address := sold["address"].(string)
	if own, _ := p.list(p.whale, "/graduated-pools/"+p.chain+"/transactions?transaction_type=sell&address="+address); len(own) != 1 {
		t.Errorf("one sell of that address: %v", own)
	}
	account := p.ok(p.whale, http.StatusOK, http.MethodGet, "/graduated-pools/"+p.chain+"/accounts/"+address, "")
	if account["nonce"] != json.Number("3") || account["lp_shares"] != json.Number("0") || account["network_id"] != p.live.ID {
		t.Errorf("account: %v", account)
	}
	// The seed: all transactions of the chain's virtual pool.
	if virtual, _ := p.list(p.whale, "/chains/"+p.chain+"/transactions"); len(virtual) != 1 {
		t.Errorf("the virtual pool keeps its history: %v", virtual)
	}
}

// A transaction signed by its owner, in both spellings; sent twice it is one.
func TestGraduatedSignedTransaction(t *testing.T) {
	p := newLivePlatform(t)
	key, err := p.keys.UserKey(t.Context(), p.whale)
	if err != nil {
		t.Fatal(err)
	}
	body := tx.Body{ChainID: p.live.ID, Fee: genesis.DefaultMinFee, Message: tx.Swap{Sell: tx.Token, AmountIn: 1_000_000_000}}
	raw, err := tx.Sign(body, key)
	if err != nil {
		t.Fatal(err)
	}
	var hashes []any
	for _, spelling := range []string{base64.StdEncoding.EncodeToString(raw), "0x" + hex.EncodeToString(raw), hex.EncodeToString(raw)} {
		sold := p.orderOK(http.StatusCreated, "swap", fmt.Sprintf(`"side": "sell", "token_amount": 1000, "signed_transaction": %q`, spelling))
		hashes = append(hashes, sold["transaction_hash"])
	}
	if hashes[0] != hashes[1] || hashes[1] != hashes[2] {
		t.Errorf("one transaction: %v", hashes)
	}
	got := details(t, p.order("swap", fmt.Sprintf(`"side": "sell", "token_amount": 1001, "signed_transaction": %q`, hex.EncodeToString(raw))))
	if got["signed_transaction"] != "says something else than the body" {
		t.Errorf("got %v", got)
	}
	if pool := p.awaitPool(1); pool["unique_traders"] != json.Number("1") {
		t.Errorf("the pool: %v", pool)
	}
}

// give sends tokens from the whale's platform wallet to an address on the chain.
func (p *livePlatform) give(to string, tokens money.Amount) {
	p.t.Helper()
	key, err := p.keys.UserKey(p.t.Context(), p.whale)
	if err != nil {
		p.t.Fatal(err)
	}
	address, err := livechain.ParseAddress(to)
	if err != nil {
		p.t.Fatal(err)
	}
	sent, err := p.live.Act(p.t.Context(), key, tx.Body{
		ChainID: p.live.ID, Fee: genesis.DefaultMinFee, Message: tx.Transfer{To: address, Asset: tx.Token, Amount: tokens},
	})
	if err == nil {
		_, err = p.live.Await(p.t.Context(), sent)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// An order that is signed by a wallet of the caller's, under its password. Simulating
// needs none, and asks for whose the wallet is all the same.
func TestGraduatedOwnWallet(t *testing.T) {
	p := newLivePlatform(t)
	user, stranger := uuid.New(), uuid.New()
	own := p.ok(user, http.StatusCreated, http.MethodPost, "/wallets", `{"password": "`+walletPassword+`"}`)
	id, address := own["id"].(string), own["address"].(string)
	p.give(address, 10_000*money.Unit)
	const path = "/graduated-pools/swap"
	order := func(more string) string {
		return fmt.Sprintf(`{"chain_id": %q, "side": "sell", "token_amount": 1000%s}`, p.chain, more)
	}
	by := func(id, more string) string { return order(fmt.Sprintf(`, "wallet_id": %q%s`, id, more)) }
	const simulate, guess = `, "simulate": true`, `, "password": "a wrong one"`
	foreseen := p.ok(user, http.StatusOK, http.MethodPost, path, by(id, simulate))
	sold := p.ok(user, http.StatusCreated, http.MethodPost, path, by(id, `, "password": "`+walletPassword+`"`))
	if foreseen["address"] != address || sold["address"] != address || foreseen["out"] != sold["out"] || sold["transaction_hash"] == nil {
		t.Errorf("simulated %v, happened %v", foreseen, sold)
	}
	if anybody := p.ok(stranger, http.StatusOK, http.MethodPost, path, order(simulate)); anybody["address"] != nil {
		t.Errorf("what a swap comes to is no secret, and nobody's: %v", anybody)
	}
	for _, more := range []string{simulate, guess} {
		expect(t, p.as(stranger, http.MethodPost, path, by(id, more)), http.StatusForbidden, "FORBIDDEN", "Access denied")
		expect(t, p.as(user, http.MethodPost, path, by(seedWallet, more)), http.StatusNotFound, "NOT_FOUND", "Wallet not found")
	}
	expect(t, p.as(user, http.MethodPost, path, by(id, guess)), http.StatusUnauthorized, "UNAUTHORIZED", "Invalid password")
	for range 4 {
		p.as(user, http.MethodPost, path, by(id, guess))
	}
	for _, more := range []string{simulate, `, "password": "` + walletPassword + `"`} {
		expect(t, p.as(user, http.MethodPost, path, by(id, more)), http.StatusForbidden, "FORBIDDEN", "Wallet is locked due to too many failed attempts")
	}
	got := details(t, p.as(user, http.MethodPost, path, order(`, "simulate": true, "signed_transaction": "0x00"`)))
	if got["signed_transaction"] != "is not the canonical encoding of a transaction" {
		t.Errorf("a simulation looks at what was signed: %v", got)
	}
}

// Whoever lost the answer asks again under the same key: it moves once.
func TestGraduatedIdempotencyKey(t *testing.T) {
	p := newLivePlatform(t)
	const key = "Idempotency-Key"
	send := func(user uuid.UUID, kind, body string) surfacetest.Answer {
		return p.as(user, http.MethodPost, "/graduated-pools/"+kind, fmt.Sprintf(`{"chain_id": %q, %s}`, p.chain, body), key, kind)
	}
	orders := []struct{ kind, body, other string }{
		{"swap", `"side": "sell", "token_amount": 100000`, `"side": "sell", "token_amount": "100000.000001"`},
		{"liquidity-deposit", `"cnpy_amount": 1, "token_amount": 10000`, `"cnpy_amount": 1, "token_amount": 10001`},
		{"liquidity-withdrawal", `"percent": 50.0`, `"percent": 51`},
	}
	for _, order := range orders {
		foreseen := send(p.whale, order.kind, order.body+`, "simulate": true`)
		first, again := send(p.whale, order.kind, order.body), send(p.whale, order.kind, order.body)
		if foreseen.Status != http.StatusOK || first.Status != http.StatusCreated || again.Status != http.StatusCreated || string(first.Body) != string(again.Body) {
			t.Errorf("%s: a repeated key is answered the same:\n%s\n%s\n%s", order.kind, foreseen.Body, first.Body, again.Body)
		}
		if first.Header.Get("Idempotency-Replayed") != "" || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: only the replay is marked as one", order.kind)
		}
		expect(t, send(p.whale, order.kind, order.other), http.StatusConflict, "CONFLICT", "The Idempotency-Key was used for another request")
	}
	if pool := p.awaitPool(len(orders)); pool["unique_traders"] != json.Number("1") {
		t.Errorf("the pool: %v", pool)
	}
	stranger := uuid.New()
	expect(t, send(stranger, "swap", orders[0].body), http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY",
		"The platform keeps no wallet for you: name one by wallet_id, or send a signed_transaction")
	got := details(t, p.as(p.whale, http.MethodPost, "/graduated-pools/swap", `{"side": "sell", "token_amount": 0}`, key, strings.Repeat("k", 256)))
	if got[key] != "must be at most 255 bytes of printable text" || got["token_amount"] == "" || got["pool_id"] == "" {
		t.Errorf("got %v", got)
	}
	if pool := p.awaitPool(len(orders)); pool["total_transactions"] != json.Number("3") {
		t.Errorf("moved again: %v", pool)
	}
}

// A chain's creator orders from its treasury; others are refused, and so is what
// still vests.
func TestOrdersFromTheTreasury(t *testing.T) {
	p := newLivePlatform(t)
	body := `{"chain_id": "` + p.chain + `", "side": "sell", "token_amount": 1, "from": "treasury", "simulate": true}`
	expect(t, p.as(uuid.New(), http.MethodPost, "/graduated-pools/swap", body), http.StatusForbidden, "FORBIDDEN", "Access denied")
	answer := p.as(p.whale, http.MethodPost, "/graduated-pools/swap", body)
	if answer.Status != http.StatusOK {
		t.Fatalf("the creator: %d %s", answer.Status, answer.Body)
	}
	expect(t, p.order("swap", `"side": "sell", "token_amount": 1, "from": "treasury"`),
		http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", "The account's balance on the chain is too low for the order and its network fee")
}

func TestGraduatedRefusals(t *testing.T) {
	p := newLivePlatform(t)
	const which = "give exactly one of pool_id and chain_id"
	const some = "give cnpy_amount, token_amount or both"
	for _, test := range []struct {
		reason, kind, body string
		want               map[string]string
	}{
		{"nothing given", "swap", `{}`, map[string]string{"side": "is required", "pool_id": which, "chain_id": which}},
		{"everything wrong", "swap", `{"chain_id": "x", "side": "buy", "token_amount": 1, "min_out": -1, "deadline": "soon", "simulate": 1,
			"wallet_id": 7, "password": "p", "signed_transaction": "?", "leverage": 10}`, map[string]string{
			"chain_id": "must be a valid UUID", "cnpy_amount": "is required",
			"token_amount": "is what comes out of this side; bound it with min_out", "min_out": "must be at least 0",
			"deadline": "must be an RFC 3339 timestamp such as 2024-01-15T10:30:00Z", "simulate": "must be a boolean",
			"wallet_id": "must be a string", "password": "does not go with signed_transaction",
			"signed_transaction": "must be a transaction in hex or base64", "leverage": "is not a known field",
		}},
		{"a password of nothing", "swap", `{"chain_id": "` + p.chain + `", "side": "sell", "token_amount": 0, "password": "p"}`, map[string]string{
			"wallet_id": "is required with password", "token_amount": "must be greater than 0",
		}},
		{"a wallet without its password", "liquidity-deposit", `{"pool_id": "` + p.chain + `", "wallet_id": "` + p.chain + `"}`, map[string]string{
			"password": "is required with wallet_id", "cnpy_amount": some, "token_amount": some,
		}},
		{"two who sign", "swap", `{"chain_id": "` + p.chain + `", "side": "sell", "token_amount": 1, "from": "treasury", "wallet_id": "` + p.chain + `", "signed_transaction": "?"}`,
			map[string]string{"wallet_id": "does not go with from", "signed_transaction": "does not go with from"}},
		{"somebody else's purse", "swap", `{"chain_id": "` + p.chain + `", "side": "sell", "token_amount": 1, "from": "fees"}`, map[string]string{"from": "must be treasury"}},
		{"an amount that can't be read is not missing", "liquidity-deposit", `{"pool_id": "` + p.chain + `", "cnpy_amount": "much", "min_shares": -1}`,
			map[string]string{"cnpy_amount": "must be a decimal number such as 12.5", "min_shares": "must be at least 0"}},
		{"too large a part", "liquidity-withdrawal", `{"pool_id": "` + p.chain + `", "percent": 101, "min_cnpy": "a"}`, map[string]string{
			"percent": "must be between 1 and 100", "min_cnpy": "must be a decimal number such as 12.5",
		}},
	} {
		if got := details(t, p.as(p.whale, http.MethodPost, "/graduated-pools/"+test.kind, test.body)); !maps.Equal(got, test.want) {
			t.Errorf("%s:\n got %v\nwant %v", test.reason, got, test.want)
		}
	}
	got := details(t, p.as(p.whale, http.MethodGet, "/graduated-pools/"+p.chain+"/transactions?address=0x12&transaction_type=gift&limit=0", ""))
	if len(got) != 3 {
		t.Errorf("each wrong parameter: %v", got)
	}
	const swap = `{"chain_id": "` + seedChain + `", "side": "sell", "token_amount": 1}`
	expect(t, p.as(p.whale, http.MethodPost, "/graduated-pools/swap", swap), http.StatusNotFound, "NOT_FOUND", "Graduated pool not found")
	expect(t, p.as(p.whale, http.MethodGet, "/graduated-pools/"+seedChain, ""), http.StatusNotFound, "NOT_FOUND", "Graduated pool not found")
	expect(t, p.as(p.whale, http.MethodGet, "/graduated-pools/x", ""), http.StatusBadRequest, "BAD_REQUEST", "Invalid graduated pool ID")
	expect(t, p.as(p.whale, http.MethodGet, "/graduated-pools/"+p.chain+"/accounts/0x12", ""), http.StatusBadRequest, "BAD_REQUEST", "Invalid address")
	expect(t, p.Do(http.MethodGet, "/api/v1/graduated-pools", ""), http.StatusUnauthorized, "UNAUTHORIZED", "Authentication required")
	expect(t, p.order("swap", `"side": "sell", "token_amount": 1, "min_out": 1000`),
		http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", "The order would give less than its minimum")
	p.live.Stop()
	expect(t, p.order("swap", `"side": "sell", "token_amount": 1`),
		http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", "The chain does not answer at present")
}
