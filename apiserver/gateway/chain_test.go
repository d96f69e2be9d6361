package gateway_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/gateway"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/explorer"
	"github.com/lucid-blockchain/lucid/internal/graduated/graduatedtest"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/node/nodetest"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

const network = "lucid_blocks"

// blocks is the surface over a live chain whose token is all its treasury's.
type blocks struct {
	*surfacetest.Client
	t        *testing.T
	live     *nodetest.Chain
	treasury ed25519.PrivateKey
	user     string
}

func newBlocks(t *testing.T) *blocks {
	t.Helper()
	b := &blocks{t: t, treasury: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, ed25519.SeedSize)), user: uuid.NewString()}
	s, id := storetest.Open(t), uuid.New()
	keys, err := keystore.New(s, bytes.Repeat([]byte{7}, keystore.KeySize))
	b.must(err)
	b.Client = surfacetest.Serve(t, gateway.New(database{}, &explorer.Service{Store: s}), identity.NewUsers(s))
	code, _ := b.refusal(http.StatusServiceUnavailable, http.MethodGet, "/info", "")
	if code != "LUCID_ERR_4009" {
		t.Errorf("before the chain is live: %s", code)
	}
	chains := &chain.Service{Store: s, Market: market.New(s, market.Options{})}
	_, err = chains.Declare(t.Context(), id, chain.Spec{ChainName: "Blocks", TokenSymbol: "BLK", ConsensusMechanism: "PoOT", Direct: true})
	b.must(err)
	_, err = chains.LaunchDeclared(t.Context(), id, nil)
	b.must(err)
	b.live = graduatedtest.Graduate(t, s, keys, id, func(in *genesis.Input) {
		in.ChainID, in.Treasury = network, livechain.AddressOf(b.treasury.Public().(ed25519.PublicKey))
	})
	return b
}

func (b *blocks) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *blocks) do(method, path, body string) surfacetest.Answer {
	b.t.Helper()
	return b.Do(method, "/api/v1/chain"+path, body, "X-User-ID", b.user)
}

func (b *blocks) ok(status int, method, path, body, example string) map[string]any {
	b.t.Helper()
	answer := b.do(method, path, body)
	if answer.Status != status {
		b.t.Fatalf("%s %s: %d %s", method, path, answer.Status, answer.Body)
	}
	surfacetest.MatchesExample(b.t, answer, example)
	var members map[string]any
	answer.Into(b.t, &members)
	return members
}

func (b *blocks) refusal(status int, method, path, body string) (code string, details map[string]any) {
	b.t.Helper()
	answer := b.do(method, path, body)
	if answer.Status != status {
		b.t.Errorf("%s %s %s: status %d, want %d: %s", method, path, body, answer.Status, status, answer.Body)
	}
	var refused struct {
		Error struct {
			Code    string
			Details map[string]any
		}
	}
	answer.Into(b.t, &refused)
	return refused.Error.Code, refused.Error.Details
}

// signed is a transaction of the treasury's with its next nonce.
func (b *blocks) signed(message tx.Message, change ...func(*tx.Body)) []byte {
	b.t.Helper()
	account, err := b.live.Account(b.t.Context(), livechain.AddressOf(b.treasury.Public().(ed25519.PublicKey)))
	b.must(err)
	body := tx.Body{ChainID: network, Nonce: account.Nonce, Fee: genesis.DefaultMinFee, Message: message}
	for _, c := range change {
		c(&body)
	}
	raw, err := tx.Sign(body, b.treasury)
	b.must(err)
	return raw
}

// apart is a submission by the body and the signature.
func (b *blocks) apart(kind string, raw []byte) string {
	b.t.Helper()
	body, signer, signature, err := tx.Split(raw)
	b.must(err)
	return fmt.Sprintf(`{"type": %q, "data": {"body": %q, "public_key": "0x%x"}, "signature": %q}`,
		kind, base64.StdEncoding.EncodeToString(body), []byte(signer), hex.EncodeToString(signature))
}

func (b *blocks) await(id any) client.Included {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	included, err := b.live.Await(ctx, client.Sent{Hash: strings.TrimPrefix(id.(string), "0x")})
	b.must(err)
	return included
}

// What the seed says of the chain, answered by a chain.
func TestChainHasTheSeedsShape(t *testing.T) {
	b := newBlocks(t)
	info := b.ok(http.StatusOK, http.MethodGet, "/info", "", "chain_info.json")
	if info["network_name"] != network || info["consensus_algorithm"] != "PoOT" || info["genesis_block"] != b.live.GenesisHash {
		t.Errorf("info: %v", info)
	}
	session := uuid.New()
	sent := b.ok(http.StatusAccepted, http.MethodPost, "/transactions",
		b.apart("session_anchor", b.signed(tx.SessionAnchor{Session: session, Chunks: 1, Size: 1})), "chain_transaction.json")
	if sent["status"] != "pending" {
		t.Errorf("sent: %v", sent)
	}
	included := b.await(sent["transaction_id"])
	by := livechain.AddressOf(b.treasury.Public().(ed25519.PublicKey))
	if anchor, err := b.live.Anchor(t.Context(), by, session); err != nil || anchor.Chunks != 1 {
		t.Errorf("the anchor: %+v, %v", anchor, err)
	}
	block := b.ok(http.StatusOK, http.MethodGet, fmt.Sprintf("/blocks/%d", included.Height), "", "chain_block.json")
	byHash := b.ok(http.StatusOK, http.MethodGet, "/blocks/"+block["block_id"].(string), "", "chain_block.json")
	one := block["transactions"].([]any)[0].(map[string]any)
	if byHash["height"] != block["height"] || one["transaction_id"] != sent["transaction_id"] || one["type"] != "session_anchor" || one["status"] != "confirmed" {
		t.Errorf("its block: %v", block)
	}
	list := b.ok(http.StatusOK, http.MethodGet, "/blocks?limit=100", "", "chain_blocks.json")
	all := list["blocks"].([]any)
	if first := all[len(all)-1].(map[string]any); first["height"] != json.Number("1") || first["previous_hash"] != "" {
		t.Errorf("the first block: %v", first)
	}
	for query, want := range map[string]int{
		"height=1": 1, "height=0": 0, "height=99999999": 0, "hash=" + block["hash"].(string): 1, "hash=" + strings.Repeat("0", 64): 0,
		"height=1&hash=" + block["hash"].(string): 0, "height=1&page=2": 0, "page=1000": 0,
	} {
		list := b.ok(http.StatusOK, http.MethodGet, "/blocks?"+query, "", "chain_blocks.json")
		if got := list["blocks"].([]any); len(got) != want {
			t.Errorf("%s: %d blocks, want %d", query, len(got), want)
		}
	}
}

// The two forms of a submission, in both spellings; what is in a block already is
// told to be.
func TestSubmitTransaction(t *testing.T) {
	b := newBlocks(t)
	pay := b.signed(tx.Payout{ID: uuid.New(), Asset: tx.Token, Payments: []tx.Payment{{To: livechain.Address{1}, Amount: 5}}})
	whole := fmt.Sprintf(`{"type": "payout", "data": {"transaction": "%x"}}`, pay)
	sent := b.ok(http.StatusAccepted, http.MethodPost, "/transactions", whole, "chain_transaction.json")
	included := b.await(sent["transaction_id"])
	b.live.Stop() // the node forgets what it has seen
	b.live.Resume()
	b.live.AwaitHeight(included.Height + 2) // and knows the time from its next block on
	answer := b.do(http.MethodPost, "/transactions", whole)
	var again map[string]any
	answer.Into(t, &again)
	if answer.Status != http.StatusAccepted || again["status"] != "confirmed" || again["confirmed_at"] == nil || again["transaction_id"] != sent["transaction_id"] {
		t.Errorf("sent again: %d %v", answer.Status, again)
	}
	_, _, signature, err := tx.Split(pay)
	b.must(err)
	both := fmt.Sprintf(`{"type": "payout", "data": {"transaction": %q}, "signature": %q}`,
		base64.StdEncoding.EncodeToString(pay), base64.StdEncoding.EncodeToString(signature))
	if answer := b.do(http.MethodPost, "/transactions", both); answer.Status != http.StatusAccepted {
		t.Errorf("with its own signature beside it: %s", answer.Body)
	}
	proposal := b.signed(tx.Proposal{ID: uuid.New(), Change: tx.MinFee(2_000)})
	governed := b.ok(http.StatusAccepted, http.MethodPost, "/transactions", b.apart("governance", proposal), "chain_transaction.json")
	b.await(governed["transaction_id"])
}

func TestSubmissionsThatAreRefused(t *testing.T) {
	b := newBlocks(t)
	anchor := b.signed(tx.SessionAnchor{Session: uuid.New(), Chunks: 1, Size: 1})
	whole := fmt.Sprintf(`"data": {"transaction": "%x"}`, anchor)
	other := b.signed(tx.SessionAnchor{Session: uuid.New(), Chunks: 1, Size: 1})
	_, _, foreign, err := tx.Split(other)
	b.must(err)
	body, signer, _, err := tx.Split(anchor)
	b.must(err)
	forged, err := tx.Join(body, signer, foreign)
	b.must(err)
	for _, c := range []struct {
		reason, body, code, field string
	}{
		{"nothing", `{}`, "LUCID_ERR_1002", "type"},
		{"no JSON", `{`, "LUCID_ERR_1009", "body"},
		{"no such type", `{"type": "swap", ` + whole + `}`, "LUCID_ERR_1003", "type"},
		{"data of no object", `{"type": "payout", "data": 7, "signature": "00"}`, "LUCID_ERR_1001", "data"},
		{"nothing in data", `{"type": "payout", "data": {}}`, "LUCID_ERR_1002", "data.body"},
		{"no text of bytes", `{"type": "session_anchor", "data": {"transaction": "?"}}`, "LUCID_ERR_1003", "data.transaction"},
		{"no transaction", `{"type": "session_anchor", "data": {"transaction": "0x00"}}`, "LUCID_ERR_1003", "data"},
		{"two forms", `{"type": "session_anchor", "data": {"transaction": "0x00", "body": "0x00"}}`, "LUCID_ERR_1001", "data.body"},
		{"an unknown member", `{"type": "session_anchor", "data": {"transaction": "0x00", "x": 1}}`, "LUCID_ERR_1001", "data.x"},
		{"another type", `{"type": "payout", ` + whole + `}`, "LUCID_ERR_1003", "type"},
		{"another signature", fmt.Sprintf(`{"type": "session_anchor", %s, "signature": "%x"}`, whole, foreign), "LUCID_ERR_1003", "signature"},
		{"a forged one", b.apart("session_anchor", forged), "LUCID_ERR_1003", "signature"},
	} {
		code, details := b.refusal(http.StatusBadRequest, http.MethodPost, "/transactions", c.body)
		fields, _ := json.Marshal(details["fields"])
		if code != c.code || !strings.Contains(string(fields), `"field":"`+c.field+`"`) {
			t.Errorf("%s: %s %s, want %s of %s", c.reason, code, fields, c.code, c.field)
		}
	}
	for reason, raw := range map[string][]byte{
		"the transaction is for another chain": b.signed(tx.SessionAnchor{Session: uuid.New(), Chunks: 1, Size: 1}, func(body *tx.Body) { body.ChainID = "other" }),
		"an earlier nonce is missing":          b.signed(tx.SessionAnchor{Session: uuid.New(), Chunks: 1, Size: 1}, func(body *tx.Body) { body.Nonce = 9 }),
		"the fee is too low":                   b.signed(tx.SessionAnchor{Session: uuid.New(), Chunks: 1, Size: 1}, func(body *tx.Body) { body.Fee = 0 }),
	} {
		code, details := b.refusal(http.StatusBadRequest, http.MethodPost, "/transactions", b.apart("session_anchor", raw))
		if code != "LUCID_ERR_4008" || details["reason"] != reason {
			t.Errorf("want %q, got %s %v", reason, code, details)
		}
	}
	upgrade := b.apart("governance", b.signed(tx.Upgrade{Version: 9, Height: 9}))
	if code, details := b.refusal(http.StatusBadRequest, http.MethodPost, "/transactions", upgrade); code != "LUCID_ERR_4008" ||
		details["reason"] != "only the chain's authority may do that" {
		t.Errorf("an upgrade that the treasury signed: %s %v", code, details)
	}
	stake := b.apart("governance", b.signed(tx.Stake{Validator: make([]byte, ed25519.PublicKeySize), Amount: 1}))
	if code, details := b.refusal(http.StatusBadRequest, http.MethodPost, "/transactions", stake); code != "LUCID_ERR_4008" ||
		details["reason"] != "the chain has no such stake, or does not count it" {
		t.Errorf("a stake on nobody: %s %v", code, details)
	}
}

func TestChainRefusals(t *testing.T) {
	b := newBlocks(t)
	for _, route := range []string{"GET /info", "GET /blocks", "GET /blocks/1", "POST /transactions"} {
		method, path, _ := strings.Cut(route, " ")
		answer := b.Do(method, "/api/v1/chain"+path, "")
		if code, _ := errorOf(t, answer); answer.Status != http.StatusUnauthorized || code != "LUCID_ERR_2003" {
			t.Errorf("%s of nobody: %d %s", route, answer.Status, code)
		}
	}
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/blocks/latest": {400, "LUCID_ERR_1003"}, "/blocks/99999999": {404, "LUCID_ERR_4001"}, "/blocks/" + strings.Repeat("0", 64): {404, "LUCID_ERR_4001"},
		"/blocks?height=-1": {400, "LUCID_ERR_1004"}, "/blocks?hash=12": {400, "LUCID_ERR_1003"}, "/blocks?limit=101": {400, "LUCID_ERR_1004"},
		"/blocks?colour=1": {400, "LUCID_ERR_1001"}, "/info?verbose=1": {400, "LUCID_ERR_1001"},
	} {
		if code, _ := b.refusal(want.status, http.MethodGet, path, ""); code != want.code {
			t.Errorf("%s: %s, want %s", path, code, want.code)
		}
	}
	b.live.Stop()
	anchor := `{"type": "session_anchor", "data": {"transaction": "0x00"}}`
	for _, route := range []string{"/info", "/blocks", "/blocks/1", "/blocks?height=1"} {
		code, details := b.refusal(http.StatusServiceUnavailable, http.MethodGet, route, "")
		if code != "LUCID_ERR_4009" || details["reason"] != "The chain does not answer at present" {
			t.Errorf("%s of a chain that is away: %s %v", route, code, details)
		}
	}
	if code, _ := b.refusal(http.StatusBadRequest, http.MethodPost, "/transactions", anchor); code != "LUCID_ERR_1003" {
		t.Errorf("what is wrong is said without the chain: %s", code)
	}
}

// session is a token that one user has.
type session struct {
	token string
	user  uuid.UUID
}

func (s session) Find(_ context.Context, token []byte) (identity.Holder, bool, error) {
	return identity.Holder{User: s.user, Session: uuid.New()}, string(token) == s.token, nil
}

// away is a blockchain that nobody can find.
type away struct{ gateway.Blockchain }

func (away) Named(context.Context, string) (uuid.UUID, error) { return uuid.Nil, errors.New("secret") }

// In production a session says who calls, and the header that development
// believes does not.
func TestChainTakesSessions(t *testing.T) {
	c := surfacetest.Serve(t, gateway.New(database{}, away{}), nil)
	c.Recognise(session{"good", uuid.New()})
	c.Configure(func(s *snapshot.Snapshot) { s.Identity = snapshot.Production })
	for _, test := range []struct {
		reason, header, value, code string
	}{
		{"a session", "Authorization", "Bearer good", "LUCID_ERR_5001"},
		{"no session", "Authorization", "Bearer bad", "LUCID_ERR_2003"},
		{"a header", "X-User-ID", uuid.NewString(), "LUCID_ERR_2003"},
	} {
		answer := c.Do(http.MethodGet, "/api/v1/chain/info", "", test.header, test.value)
		if code, _ := errorOf(t, answer); code != test.code || strings.Contains(string(answer.Body), "secret") {
			t.Errorf("%s: %s %s", test.reason, code, answer.Body)
		}
	}
}
