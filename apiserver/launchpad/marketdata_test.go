package launchpad_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
)

// members are an object's, sorted.
func members(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }

// items decodes a list without pagination.
func (p *platform) items(user uuid.UUID, path string) []map[string]any {
	p.t.Helper()
	answer := p.as(user, http.MethodGet, path, "")
	if answer.Status != http.StatusOK {
		p.t.Fatalf("GET %s: status %d: %s", path, answer.Status, answer.Body)
	}
	var envelope struct{ Data []map[string]any }
	answer.Into(p.t, &envelope)
	return envelope.Data
}

func TestCandlesRoute(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.launched(user, "Candled", "")
	p.ok(user, http.StatusCreated, http.MethodPost, "/virtual-pools/"+id+"/trades", `{"side": "buy", "cnpy_amount": 500}`)
	price := p.ok(user, http.StatusOK, http.MethodGet, "/virtual-pools/"+id, "")["current_price_cnpy"]
	candles := p.items(user, "/virtual-pools/"+id+"/candles?interval=1d")
	if len(candles) == 0 {
		t.Fatal("no candles")
	}
	last := candles[len(candles)-1]
	want := []string{"close_cnpy", "high_cnpy", "low_cnpy", "open_cnpy", "time", "transactions", "volume_cnpy"}
	if got := members(last); !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	if last["close_cnpy"] != price || last["high_cnpy"] != price || last["transactions"] != json.Number("1") || last["volume_cnpy"] != json.Number("500") {
		t.Errorf("the candle of now is always current: %v, price %v", last, price)
	}
	at := func(t time.Time) string { return url.QueryEscape(t.Format(time.RFC3339)) }
	now := time.Now()
	for _, test := range []struct {
		query  string
		want   map[string]string
		reason string
	}{
		{"?interval=2m&start=yesterday&end=1700000000&zoom=1", map[string]string{
			"interval": "must be 1m, 5m, 15m, 1h, 4h or 1d", "zoom": "is not a known parameter",
			"start": "must be an RFC 3339 timestamp such as 2024-01-15T10:30:00Z", "end": "must be an RFC 3339 timestamp such as 2024-01-15T10:30:00Z",
		}, "everything wrong at once"},
		{"?interval=1m&start=" + at(now.Add(-24*time.Hour)), map[string]string{"start": "must be at most 1000 candles before end"}, "1440 minutes"},
		{"?start=" + at(now) + "&end=" + at(now.Add(-time.Hour)), map[string]string{"start": "must be before end"}, "backwards"},
		{"?zoom=1&start=" + at(now) + "&end=" + at(now.Add(-time.Hour)), map[string]string{
			"start": "must be before end", "zoom": "is not a known parameter",
		}, "backwards, and of no known parameter"},
		{"?interval=2m&start=" + at(now.Add(-24*365*time.Hour)), map[string]string{"interval": "must be 1m, 5m, 15m, 1h, 4h or 1d"},
			"how many candles that is, nobody knows"},
	} {
		if got := details(t, p.as(user, http.MethodGet, "/virtual-pools/"+id+"/candles"+test.query, "")); !maps.Equal(got, test.want) {
			t.Errorf("%s:\n got %v\nwant %v", test.reason, got, test.want)
		}
	}
	expect(t, p.as(user, http.MethodGet, "/virtual-pools/"+seedChain+"/candles", ""), http.StatusNotFound, "NOT_FOUND", "Virtual pool not found")
	expect(t, p.as(user, http.MethodGet, "/virtual-pools/7/candles", ""), http.StatusBadRequest, "BAD_REQUEST", "Invalid virtual pool ID")
	if answer := p.Do(http.MethodGet, "/api/v1/virtual-pools/"+id+"/candles", ""); answer.Status != http.StatusUnauthorized {
		t.Errorf("without a caller: %d", answer.Status)
	}
}

func TestPortfolioRoute(t *testing.T) {
	p := newPlatform(t)
	creator, trader := uuid.New(), uuid.New()
	id := p.launched(creator, "Held", "")
	p.fund(trader, "1000")
	bought := p.ok(trader, http.StatusCreated, http.MethodPost, "/virtual-pools/"+id+"/trades", `{"side": "buy", "cnpy_amount": 1000}`)
	got := p.ok(trader, http.StatusOK, http.MethodGet, "/portfolio", "")
	positions := got["positions"].([]any)
	if len(positions) != 1 || !slices.Equal(members(got), []string{"positions", "totals"}) {
		t.Fatalf("%v", got)
	}
	position, totals := positions[0].(map[string]any), got["totals"].(map[string]any)
	want := []string{
		"average_cost_cnpy", "chain_id", "chain_name", "cost_basis_cnpy", "cost_cnpy", "current_price_cnpy", "graduated", "market_value_cnpy",
		"proceeds_cnpy", "realized_profit_cnpy", "status", "token_balance", "token_symbol", "transactions", "unrealized_profit_cnpy", "virtual_pool_id",
	}
	if !slices.Equal(members(position), want) {
		t.Errorf("members %v, want %v", members(position), want)
	}
	if position["chain_id"] != id || position["chain_name"] != "Held" || position["token_balance"] != bought["token_amount"] ||
		position["average_cost_cnpy"] != bought["price_per_token_cnpy"] || position["cost_basis_cnpy"] != json.Number("1000") {
		t.Errorf("position %v after %v", position, bought)
	}
	if err := p.store.Exec(t.Context(), "UPDATE chains SET status = 'graduated', is_graduated = true WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	frozen := p.ok(trader, http.StatusOK, http.MethodGet, "/portfolio", "")["positions"].([]any)[0].(map[string]any)
	if position["graduated"] != false || frozen["graduated"] != true || frozen["market_value_cnpy"] != position["market_value_cnpy"] {
		t.Errorf("a graduated chain's position stands still: %v", frozen)
	}
	if totals["cost_cnpy"] != json.Number("1000") || totals["realized_profit_cnpy"] != json.Number("0") || totals["market_value_cnpy"] != position["market_value_cnpy"] {
		t.Errorf("totals %v", totals)
	}
	if empty := p.ok(creator, http.StatusOK, http.MethodGet, "/portfolio", ""); len(empty["positions"].([]any)) != 0 {
		t.Errorf("a creator who bought nothing: %v", empty)
	}
	if got := details(t, p.as(trader, http.MethodGet, "/portfolio?user_id=1", "")); got["user_id"] != "is not a known parameter" {
		t.Errorf("the portfolio is the caller's own: %v", got)
	}
}

// TestLimitsRoute: a limit of the pool refuses a trade with 422 and its name.
func TestLimitsRoute(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.launched(user, "Limited", "")
	if err := p.store.Exec(t.Context(), `UPDATE pools SET max_buy_cnpy = 100000000, anti_snipe_seconds = 3600,
		anti_snipe_max_buy_cnpy = 50000000, terms_version = terms_version + 1`); err != nil {
		t.Fatal(err)
	}
	buy := func(route, cnpy string) surfacetest.Answer {
		return p.as(user, http.MethodPost, "/virtual-pools/"+id+route, fmt.Sprintf(`{"side": "buy", "cnpy_amount": %s}`, cnpy))
	}
	const tooMuch = "Trade limit maxBuyCNPY: a buy of 100.5 CNPY is more than the pool's maximum of 100 CNPY"
	expect(t, buy("/trades", "100.5"), http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", tooMuch)
	expect(t, buy("/quote", "100.5"), http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", tooMuch)
	if answer := buy("/trades", "30"); answer.Status != http.StatusCreated {
		t.Fatalf("within both limits: %d %s", answer.Status, answer.Body)
	}
	expect(t, buy("/trades", "20.5"), http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", "Trade limit antiSnipe: within 3600 seconds of the pool's opening"+
		" a user buys for at most 50 CNPY; this buy is for 20.5 CNPY, and 30 CNPY were bought before")
	checkBooks(t, p)
}
