package launchpad_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

func TestTradeQuoteAndAccount(t *testing.T) {
	p := newPlatform(t)
	creator, trader := uuid.New(), uuid.New()
	id := p.launched(creator, "Traded", "")
	p.fund(trader, `"2000.5"`)
	quote := p.ok(trader, http.StatusOK, http.MethodPost, "/virtual-pools/"+id+"/quote", `{"side": "buy", "cnpy_amount": 1000}`)
	answer := p.as(trader, http.MethodPost, "/virtual-pools/"+id+"/trades", `{"side": "buy", "cnpy_amount": "1000", "min_out": 1}`)
	if answer.Status != http.StatusCreated {
		t.Fatalf("trade: %d %s", answer.Status, answer.Body)
	}
	var envelope struct{ Data map[string]any }
	answer.Into(t, &envelope)
	trade := envelope.Data
	if trade["trading_fee_cnpy"] != json.Number("10") || trade["cnpy_amount"] != json.Number("1000") {
		t.Errorf("the seed's fee is 10 on 1000 CNPY: %v", trade)
	}
	if quote["out"] != trade["token_amount"] || quote["fee"] != trade["trading_fee_cnpy"] || quote["price"] != trade["price_per_token_cnpy"] {
		t.Errorf("the quote %v is not what the trade came to %v", quote, trade)
	}
	if quote["crosses_threshold"] != false || quote["in"] != json.Number("1000") {
		t.Errorf("quote: %v", quote)
	}
	account := p.ok(trader, http.StatusOK, http.MethodGet, "/accounts/me", "")
	holding := account["tokens"].([]any)[0].(map[string]any)
	if account["cnpy_balance"] != json.Number("1000.5") || holding["balance"] != trade["token_amount"] || holding["chain_id"] != id {
		t.Errorf("account: %v", account)
	}
	entries, pagination := p.list(trader, "/accounts/me/entries?limit=2")
	if len(entries) != 2 || pagination["total"] != json.Number("3") || entries[0]["journal_id"] != trade["id"] {
		t.Errorf("entries: %v %v", entries, pagination)
	}
	checkBooks(t, p)
}

// checkBooks proves the ledger after a test's trades.
func checkBooks(t *testing.T, p *platform) {
	t.Helper()
	report, err := ledger.Verify(t.Context(), p.store)
	if err != nil || !report.Clean() {
		t.Errorf("the ledger: %v %v", report, err)
	}
}

func TestTransactionsFilter(t *testing.T) {
	p := newPlatform(t)
	creator, trader := uuid.New(), uuid.New()
	id := p.launched(creator, "Filtered", `, "creator_initial_purchase_cnpy": 100`)
	p.fund(trader, "1000")
	p.ok(trader, http.StatusCreated, http.MethodPost, "/virtual-pools/"+id+"/trades", `{"side": "buy", "cnpy_amount": 500}`)
	p.ok(trader, http.StatusCreated, http.MethodPost, "/virtual-pools/"+id+"/trades", `{"side": "sell", "token_amount": 1000}`)
	for path, want := range map[string]int{
		"":                                3,
		"?transaction_type=sell":          1,
		"?user_id=" + trader.String():     2,
		"?user_id=" + uuid.New().String(): 0,
	} {
		if items, _ := p.list(trader, "/chains/"+id+"/transactions"+path); len(items) != want {
			t.Errorf("%q: %d transactions, want %d", path, len(items), want)
		}
	}
	if items, _ := p.list(trader, "/chains/"+id+"/transactions"); items[0]["transaction_type"] != "sell" {
		t.Errorf("the most recent comes first: %v", items[0])
	}
	got := details(t, p.as(trader, http.MethodGet, "/chains/"+id+"/transactions?transaction_type=swap", ""))
	if got["transaction_type"] != "must be buy or sell" {
		t.Errorf("got %v", got)
	}
}

func TestTradeRefusals(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.launched(user, "Strict", "")
	path := "/virtual-pools/" + id + "/trades"
	const both = "give exactly one of cnpy_amount and token_amount"
	for _, test := range []struct {
		reason, body string
		want         map[string]string
	}{
		{"nothing given", `{}`, map[string]string{"side": "is required", "cnpy_amount": both, "token_amount": both}},
		{"both amounts", `{"side": "buy", "cnpy_amount": 1, "token_amount": 1}`, map[string]string{"cnpy_amount": both, "token_amount": both}},
		{"everything wrong", `{"side": "short", "cnpy_amount": -1, "min_out": [], "deadline": "soon", "leverage": 10}`, map[string]string{
			"side": "must be buy or sell", "cnpy_amount": "must be greater than 0", "min_out": "must be a number",
			"deadline": "must be an RFC 3339 timestamp such as 2024-01-15T10:30:00Z", "leverage": "is not a known field",
		}},
		{"what can't be read and what the market refuses", `{"side": "buy", "cnpy_amount": 1, "max_in": -1, "deadline": 5}`, map[string]string{
			"max_in": "goes with an exact amount to receive; use min_out", "deadline": "must be a string",
		}},
		{"an amount that can't be read is not missing", `{"side": "sell", "token_amount": "all", "min_out": -1}`, map[string]string{
			"token_amount": "must be a decimal number such as 12.5", "min_out": "must be at least 0",
		}},
		{"a bound on the wrong side", `{"side": "buy", "cnpy_amount": 1, "max_in": 1}`, map[string]string{
			"max_in": "goes with an exact amount to receive; use min_out",
		}},
	} {
		if got := details(t, p.as(user, http.MethodPost, path, test.body)); !maps.Equal(got, test.want) {
			t.Errorf("%s:\n got %v\nwant %v", test.reason, got, test.want)
		}
	}
	for _, test := range []struct{ body, reason string }{
		{`{"side": "buy", "cnpy_amount": 1000000}`, "more than the user has"},
		{`{"side": "buy", "cnpy_amount": 1, "min_out": 999999999}`, "less than the user wants"},
		{`{"side": "buy", "cnpy_amount": 1, "deadline": "2020-01-01T00:00:00Z"}`, "too late"},
	} {
		if answer := p.as(user, http.MethodPost, path, test.body); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", test.reason, answer.Status, answer.Body)
		}
	}
	missing := p.as(user, http.MethodPost, "/virtual-pools/"+seedChain+"/trades", `{"side": "buy", "cnpy_amount": 1}`)
	expect(t, missing, http.StatusNotFound, "NOT_FOUND", "Virtual pool not found")
	checkBooks(t, p)
}

// Who names what is to come out gets exactly that, for no more than they allow.
func TestExactOut(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.launched(user, "Exact", "")
	path := "/virtual-pools/" + id
	for _, test := range []struct{ reason, body, fixed, other string }{
		{"tokens to buy", `"side": "buy", "token_amount": 1000`, "token_amount", "cnpy_amount"},
		{"CNPY to sell for", `"side": "sell", "cnpy_amount": 0.005`, "cnpy_amount", "token_amount"},
	} {
		quote := p.ok(user, http.StatusOK, http.MethodPost, path+"/quote", "{"+test.body+"}")
		most := quote["in"].(json.Number)
		least, err := money.Parse(most.String())
		if err != nil {
			t.Fatal(err)
		}
		short := p.as(user, http.MethodPost, path+"/trades", fmt.Sprintf(`{%s, "max_in": %s}`, test.body, least-1))
		expect(t, short, http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY",
			fmt.Sprintf("Slippage limit: the trade would cost %s, more than max_in %s", least, least-1))
		trade := p.ok(user, http.StatusCreated, http.MethodPost, path+"/trades", fmt.Sprintf(`{%s, "max_in": %s}`, test.body, most))
		if trade[test.fixed] != quote["out"] || trade[test.other] != most || !strings.Contains(test.body, trade[test.fixed].(json.Number).String()) {
			t.Errorf("%s: quoted %v, traded %v", test.reason, quote, trade)
		}
		got := details(t, p.as(user, http.MethodPost, path+"/trades", fmt.Sprintf(`{%s, "min_out": 1}`, test.body)))
		if got["min_out"] != "goes with an exact amount to pay; use max_in" {
			t.Errorf("%s has no least: %v", test.reason, got)
		}
	}
	if items, _ := p.list(user, "/chains/"+id+"/transactions"); len(items) != 2 {
		t.Errorf("%d trades, want 2", len(items))
	}
	checkBooks(t, p)
}

func TestPausedPool(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.launched(user, "Resting", "")
	control := market.New(p.store, market.Options{})
	buy := func() surfacetest.Answer {
		return p.as(user, http.MethodPost, "/virtual-pools/"+id+"/trades", `{"side": "buy", "cnpy_amount": 1}`)
	}
	if err := control.SetTrading(t.Context(), uuid.MustParse(id), market.Paused); err != nil {
		t.Fatal(err)
	}
	expect(t, buy(), http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", "Trading is paused for this pool")
	if err := control.SetTrading(t.Context(), uuid.MustParse(id), market.Enabled); err != nil {
		t.Fatal(err)
	}
	if answer := buy(); answer.Status != http.StatusCreated {
		t.Errorf("afterwards: %d %s", answer.Status, answer.Body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.launched(user, "Once", "")
	send := func(body string) surfacetest.Answer {
		return p.as(user, http.MethodPost, "/virtual-pools/"+id+"/trades", body, "Idempotency-Key", "k1")
	}
	first, second := send(`{"side": "buy", "cnpy_amount": 10}`), send(`{"side": "buy", "cnpy_amount": 10}`)
	if first.Status != http.StatusCreated || string(first.Body) != string(second.Body) || second.Status != first.Status {
		t.Errorf("a replay gives the first answer:\n%d %s\n%d %s", first.Status, first.Body, second.Status, second.Body)
	}
	if first.Header.Get("Idempotency-Replayed") != "" || second.Header.Get("Idempotency-Replayed") != "true" {
		t.Error("only the replay is marked as one")
	}
	if other := send(`{"side": "buy", "cnpy_amount": 11}`); other.Status != http.StatusConflict {
		t.Errorf("another request under the same key: %d %s", other.Status, other.Body)
	}
	if items, _ := p.list(user, "/chains/"+id+"/transactions"); len(items) != 1 {
		t.Errorf("%d trades, want 1", len(items))
	}
}

func TestProgress(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	draft := p.draft(user, "Draft", "")
	before := p.ok(user, http.StatusOK, http.MethodGet, "/chains/"+draft+"/progress", "")
	if before["cnpy_reserve"] != json.Number("10000") || before["percent"] != json.Number("20") || before["state"] != "draft" {
		t.Errorf("a draft stands at its initial reserve: %v", before)
	}
	id := p.launched(user, "Far", `, "graduation_threshold": 12000`)
	p.ok(user, http.StatusCreated, http.MethodPost, "/virtual-pools/"+id+"/trades", `{"side": "buy", "cnpy_amount": 1000}`)
	after := p.ok(user, http.StatusOK, http.MethodGet, "/chains/"+id+"/progress", "")
	if after["cnpy_reserve"] != json.Number("10990") || after["remaining_cnpy"] != json.Number("1010") {
		t.Errorf("990 of 1000 CNPY reach the reserve: %v", after)
	}
	p.ok(user, http.StatusCreated, http.MethodPost, "/virtual-pools/"+id+"/trades", `{"side": "buy", "cnpy_amount": 2000}`)
	done := p.ok(user, http.StatusOK, http.MethodGet, "/chains/"+id+"/progress", "")
	if done["remaining_cnpy"] != json.Number("0") || done["percent"] != json.Number("100") {
		t.Errorf("crossed: %v", done)
	}
}

func TestFaucet(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	for body, want := range map[string]string{
		`{}`:                         "is required",
		`{"amount_cnpy": 0}`:         "must be greater than 0 and at most 1000000",
		`{"amount_cnpy": 1000000.1}`: "must be greater than 0 and at most 1000000",
		`{"amount_cnpy": "much"}`:    "must be a decimal number such as 12.5",
	} {
		if got := details(t, p.as(user, http.MethodPost, "/faucet", body)); got["amount_cnpy"] != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	if got := details(t, p.as(user, http.MethodPost, "/faucet?x=1", `{"amount_cnpy": 0, "drops": 1}`)); len(got) != 3 {
		t.Errorf("everything at once: %v", got)
	}
	account := p.ok(user, http.StatusOK, http.MethodPost, "/faucet", `{"amount_cnpy": 1000000}`)
	if account["cnpy_balance"] != json.Number("1000000") || account["user_id"] != user.String() {
		t.Errorf("account: %v", account)
	}
	p.Configure(func(s *snapshot.Snapshot) { s.Identity = snapshot.Production })
	// Production knows no X-User-ID, so that nobody comes as far as the faucet.
	expect(t, p.as(user, http.MethodPost, "/faucet", `{"amount_cnpy": 1}`), http.StatusUnauthorized, "UNAUTHORIZED", "Authentication required")
}
