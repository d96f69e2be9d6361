package launchpad_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/bridgetest"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
)

// bridged is an order book over a counter chain in memory that has been looked at.
func bridged(t *testing.T, s *store.Store) (*bridge.Service, *bridgetest.Chain) {
	t.Helper()
	chain := bridgetest.NewChain(bridge.Asset{Network: "ethereum", Symbol: "USDT"}, time.Now())
	book := bridge.New(s, bridge.Options{Witnesses: func() []bridge.Witness { return []bridge.Witness{chain} }})
	if err := book.Look(t.Context(), chain); err != nil {
		t.Fatal(err)
	}
	return book, chain
}

const anOrder = `{"network": "ethereum", "asset": "USDT", "cnpy_amount": 5000, "ask_amount": "250", "address": "0xSeller"}`

// offer makes anOrder and returns its id.
func (p *platform) offer(seller uuid.UUID) string {
	p.t.Helper()
	p.fund(seller, "5000")
	return p.ok(seller, http.StatusCreated, http.MethodPost, "/bridge/orders", anOrder)["id"].(string)
}

// lockOf takes the only lock of a swap.
func lockOf(t *testing.T, swap map[string]any) map[string]any {
	t.Helper()
	locks := swap["locks"].([]any)
	if len(locks) != 1 {
		t.Fatalf("the swap has %d locks", len(locks))
	}
	return locks[0].(map[string]any)
}

func TestBridgeSwap(t *testing.T) {
	p := newPlatform(t)
	seller, buyer := uuid.New(), uuid.New()
	order := p.offer(seller)
	const body = `{"network": "ethereum", "asset": "USDT", "cnpy_amount": 6000, "max_price": "0.05"}`
	made := p.as(buyer, http.MethodPost, "/bridge/swap", body, "Idempotency-Key", "one")
	again := p.as(buyer, http.MethodPost, "/bridge/swap", body, "Idempotency-Key", "one")
	if made.Status != http.StatusCreated || again.Header.Get("Idempotency-Replayed") != "true" || string(again.Body) != string(made.Body) {
		t.Errorf("a repeated key is answered the same: %s, %s", made.Body, again.Body)
	}
	var swap struct{ Data map[string]any }
	made.Into(t, &swap)
	lock := lockOf(t, swap.Data)
	if lock["order_id"] != order || lock["address"] != "0xseller" || swap.Data["status"] != "pending" || swap.Data["pay_amount"] != lock["pay_amount"] {
		t.Errorf("the swap is %s", made.Body)
	}
	held := p.ok(uuid.New(), http.StatusOK, http.MethodGet, "/bridge/orders/"+order, "")
	if held["status"] != "locked" || held["locked_until"] != swap.Data["deadline"] || held["address"] != nil || len(held["payments"].([]any)) != 0 {
		t.Errorf("others see that the order is locked, and not where it is paid: %v", held)
	}
	p.paid(lock)
	found := p.ok(buyer, http.StatusOK, http.MethodGet, "/bridge/swaps/"+swap.Data["id"].(string), "")
	payment := found["payments"].([]any)[0].(map[string]any)
	if found["status"] != "completed" || payment["outcome"] != "closed" || payment["lock_id"] != lock["id"] || payment["amount"] != lock["pay_amount"] {
		t.Errorf("the swap was paid: %v", found)
	}
	if account := p.ok(buyer, http.StatusOK, http.MethodGet, "/accounts/me", ""); account["cnpy_balance"] != json.Number("5000") {
		t.Errorf("the buyer has %v", account)
	}
	closed := p.ok(seller, http.StatusOK, http.MethodGet, "/bridge/orders/"+order, "")
	if closed["status"] != "closed" || closed["address"] != "0xseller" || len(closed["payments"].([]any)) != 1 {
		t.Errorf("the seller sees the payment: %v", closed)
	}
	if list, _ := p.list(buyer, "/bridge/swaps?status=completed"); len(list) != 1 || list[0]["id"] != swap.Data["id"] {
		t.Errorf("the buyer's swaps are %v", list)
	}
	if list, _ := p.list(seller, "/bridge/swaps"); len(list) != 0 {
		t.Errorf("a swap is its buyer's alone: %v", list)
	}
}

// paid puts a lock's payment on the counter chain and has it seen.
func (p *platform) paid(lock map[string]any) {
	p.t.Helper()
	pay, err := money.Parse(fmt.Sprint(lock["pay_amount"]))
	if err != nil {
		p.t.Fatal(err)
	}
	p.counter.Pay(time.Now(), lock["address"].(string), pay)
	if err := p.bridge.Look(p.t.Context(), p.counter); err != nil {
		p.t.Fatal(err)
	}
}

func TestBridgeOrders(t *testing.T) {
	p := newPlatform(t)
	seller := uuid.New()
	order := p.offer(seller)
	changed := p.ok(seller, http.StatusOK, http.MethodPut, "/bridge/orders/"+order, `{"cnpy_amount": 4000, "ask_amount": 100}`)
	if changed["price"] != json.Number("0.025") || changed["cnpy_amount"] != json.Number("4000") || changed["address"] != "0xseller" {
		t.Errorf("the order is %v", changed)
	}
	p.fund(seller, "5000")
	p.ok(seller, http.StatusCreated, http.MethodPost, "/bridge/orders", anOrder)
	list, pagination := p.list(uuid.New(), "/bridge/orders?network=ethereum&asset=USDT&status=open&limit=1&seller_id="+seller.String())
	if len(list) != 1 || list[0]["id"] != order || list[0]["address"] != nil || pagination["total"] != json.Number("2") {
		t.Errorf("the book is %v, %v", list, pagination)
	}
	deleted := p.ok(seller, http.StatusOK, http.MethodDelete, "/bridge/orders/"+order, "")
	if deleted["message"] != "Order deleted successfully" {
		t.Errorf("the answer is %v", deleted)
	}
	if account := p.ok(seller, http.StatusOK, http.MethodGet, "/accounts/me", ""); account["cnpy_balance"] != json.Number("5000") {
		t.Errorf("what was taken back is the seller's: %v", account)
	}
	const key = "Idempotency-Key"
	first := p.as(seller, http.MethodPost, "/bridge/orders", anOrder, key, "k")
	second := p.as(seller, http.MethodPost, "/bridge/orders", anOrder, key, "k")
	if first.Status != http.StatusCreated || second.Header.Get("Idempotency-Replayed") != "true" || string(first.Body) != string(second.Body) {
		t.Errorf("a repeated key is answered the same: %s, %s", first.Body, second.Body)
	}
}

func TestBridgeRefusals(t *testing.T) {
	p := newPlatform(t)
	seller, other := uuid.New(), uuid.New()
	order := p.offer(seller)
	const swap = `{"network": "ethereum", "asset": "USDT", "cnpy_amount": %s}`
	made := p.ok(other, http.StatusCreated, http.MethodPost, "/bridge/swap", fmt.Sprintf(swap, "5000"))
	swapID := made["id"].(string)
	cases := []struct {
		answer        surfacetest.Answer
		status        int
		code, message string
	}{
		{p.as(other, http.MethodPost, "/bridge/swap", fmt.Sprintf(swap, "5000")), 422, "UNPROCESSABLE_ENTITY", "No open order fits"},
		{p.as(seller, http.MethodDelete, "/bridge/orders/"+order, ""), 409, "CONFLICT", "The order is locked by a swap"},
		{p.as(seller, http.MethodPut, "/bridge/orders/"+order, `{}`), 409, "CONFLICT", "The order is locked by a swap"},
		{p.as(other, http.MethodDelete, "/bridge/orders/"+order, ""), 403, "FORBIDDEN", "Access denied"},
		{p.as(other, http.MethodPut, "/bridge/orders/"+order, `{}`), 403, "FORBIDDEN", "Access denied"},
		{p.as(seller, http.MethodGet, "/bridge/swaps/"+swapID, ""), 403, "FORBIDDEN", "Access denied"},
		{p.as(seller, http.MethodGet, "/bridge/swaps/"+order, ""), 404, "NOT_FOUND", "Swap not found"},
		{p.as(seller, http.MethodGet, "/bridge/orders/"+swapID, ""), 404, "NOT_FOUND", "Order not found"},
		{p.as(seller, http.MethodPut, "/bridge/orders/"+swapID, `{}`), 404, "NOT_FOUND", "Order not found"},
		{p.as(seller, http.MethodDelete, "/bridge/orders/"+swapID, ""), 404, "NOT_FOUND", "Order not found"},
		{p.as(seller, http.MethodPost, "/bridge/orders", anOrder), 422, "UNPROCESSABLE_ENTITY", "Insufficient balance"},
		{p.as(seller, http.MethodGet, "/bridge/orders/7", ""), 400, "BAD_REQUEST", "Invalid order ID"},
		{p.as(seller, http.MethodPut, "/bridge/orders/7", `{}`), 400, "BAD_REQUEST", "Invalid order ID"},
		{p.as(seller, http.MethodDelete, "/bridge/orders/7", ""), 400, "BAD_REQUEST", "Invalid order ID"},
		{p.as(seller, http.MethodGet, "/bridge/swaps/7", ""), 400, "BAD_REQUEST", "Invalid swap ID"},
		{p.as(seller, http.MethodPost, "/bridge/swap", `{`), 400, "BAD_REQUEST", "Invalid JSON payload"},
		{p.as(seller, http.MethodPost, "/bridge/orders", `[]`), 400, "BAD_REQUEST", "Invalid JSON payload"},
		{p.as(seller, http.MethodPut, "/bridge/orders/"+order, `{`), 400, "BAD_REQUEST", "Invalid JSON payload"},
		{p.Do(http.MethodPost, "/api/v1/bridge/swap", fmt.Sprintf(swap, "1")), 401, "UNAUTHORIZED", "Authentication required"},
		{p.Do(http.MethodGet, "/api/v1/bridge/swaps", ""), 401, "UNAUTHORIZED", "Authentication required"},
		{p.Do(http.MethodGet, "/api/v1/bridge/orders", ""), 401, "UNAUTHORIZED", "Authentication required"},
		{p.Do(http.MethodPost, "/api/v1/bridge/orders", anOrder), 401, "UNAUTHORIZED", "Authentication required"},
	}
	for _, c := range cases {
		expect(t, c.answer, c.status, c.code, c.message)
	}
}

func TestBridgeFields(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	cases := []struct {
		reason, method, path, body string
		want                       map[string]string
	}{
		{"a swap's members are required", http.MethodPost, "/bridge/swap", `{"price": 1}`, map[string]string{
			"network": "is required", "asset": "is required", "cnpy_amount": "is required", "price": "is not a known field"}},
		{"the domain's rules", http.MethodPost, "/bridge/swap", `{"network": "moon", "asset": "USDT", "cnpy_amount": 0, "max_price": -1}`,
			map[string]string{"network": "is not a network that the bridge watches", "cnpy_amount": "must be greater than 0", "max_price": "must be greater than 0"}},
		{"an order's members are required", http.MethodPost, "/bridge/orders", `{"network": 1, "asset": null}`, map[string]string{
			"network": "must be a string", "asset": "is required", "cnpy_amount": "is required", "ask_amount": "is required", "address": "is required"}},
		{"an order's terms", http.MethodPost, "/bridge/orders", `{"network": "ethereum", "asset": "DAI", "cnpy_amount": 999.999999, "ask_amount": 0.5, "address": "here"}`,
			map[string]string{"asset": "is not an asset that is paid on this network", "cnpy_amount": "must be at least 1000", "ask_amount": "must be at least 1"}},
		{"filters", http.MethodGet, "/bridge/orders?status=gone&network=a-name-that-is-longer-than-any-network&limit=0", "", map[string]string{
			"status": "must be open, locked, closed or cancelled", "network": "must be at most 32 characters", "limit": "must be between 1 and 100"}},
		{"a filter of swaps", http.MethodGet, "/bridge/swaps?status=open", "", map[string]string{"status": "must be pending, completed, partial or expired"}},
		{"a swap has no parameters", http.MethodPost, "/bridge/swap?dry_run=1", `{"network": "ethereum", "asset": "USDT", "cnpy_amount": 1}`,
			map[string]string{"dry_run": "is not a known parameter"}},
		{"what is unknown and what the domain refuses of a swap", http.MethodPost, "/bridge/swap?x=1",
			`{"network": "moon", "asset": 7, "cnpy_amount": 0, "max_price": -1, "price": 1}`, map[string]string{
				"x": "is not a known parameter", "network": "is not a network that the bridge watches", "asset": "must be a string",
				"cnpy_amount": "must be greater than 0", "max_price": "must be greater than 0", "price": "is not a known field"}},
		{"what is unknown and what the domain refuses of an order", http.MethodPost, "/bridge/orders?x=1",
			`{"network": "ethereum", "asset": "USDT", "cnpy_amount": 1, "ask_amount": "much", "address": "here", "fee": 0}`, map[string]string{
				"x": "is not a known parameter", "cnpy_amount": "must be at least 1000", "ask_amount": "must be a decimal number such as 12.5",
				"address": "must be an address that begins with 0x", "fee": "is not a known field"}},
	}
	for _, c := range cases {
		got := details(t, p.as(user, c.method, c.path, c.body))
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.reason, got, c.want)
		}
	}
	order := p.offer(user)
	got := details(t, p.as(user, http.MethodPut, "/bridge/orders/"+order+"?x=1", `{"cnpy_amount": 1, "address": "here", "fee": 0}`))
	if got["cnpy_amount"] != "must be at least 1000" || got["address"] != "must be an address that begins with 0x" || got["x"] == "" || got["fee"] == "" {
		t.Errorf("a change is held to the terms: %v", got)
	}
	got = details(t, p.as(user, http.MethodPut, "/bridge/orders/"+order, `{"status": "closed"}`))
	if got["status"] != "is not a known field" {
		t.Errorf("a status is not to be set: %v", got)
	}
}
