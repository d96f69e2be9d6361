package launchpad_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/launchpad"
)

// route is one that the surface has: its method and pattern, "GET /chains/:id".
type route string

// routes are all that the surface registers under /api/v1, so that a new one is
// tested as soon as it is there.
func routes() []route {
	app := fiber.New()
	launchpad.New(launchpad.Domain{}).Register(app)
	var all []route
	for _, r := range app.GetRoutes(true) {
		if pattern, ours := strings.CutPrefix(r.Path, "/api/v1"); ours && r.Method != http.MethodHead {
			all = append(all, route(r.Method+" "+pattern))
		}
	}
	return all
}

func (r route) method() string { method, _, _ := strings.Cut(string(r), " "); return method }

// at is the path of something in particular.
func (r route) at(id string) string {
	_, pattern, _ := strings.Cut(string(r), " ")
	return strings.NewReplacer(":id", id, ":address", "0x00000000000000000000000000000000000000aa",
		":block", "1", ":hash", strings.Repeat("0", 64)).Replace(pattern)
}

// forStrangers are the routes by which somebody becomes known, or unknown: whose
// session is over already is signed out as well.
var forStrangers = []route{"POST /auth/email", "POST /auth/verify", "POST /auth/logout"}

// withoutBody are the routes that change something and read no body.
var withoutBody = []route{"POST /auth/logout", "POST /wallets/:id/unlock"}

// bodies is one that each route takes which reads any.
var bodies = map[route]string{
	"POST /auth/email":                           askForCode,
	"POST /auth/verify":                          verification(address, "123456"),
	"PUT /users/profile":                         wholeProfile,
	"POST /chains":                               `{"chain_name": "Lost", "token_symbol": "LOST"}`,
	"POST /chains/:id/launch":                    `{}`,
	"POST /virtual-pools/:id/quote":              `{"side": "buy", "cnpy_amount": 1}`,
	"POST /virtual-pools/:id/trades":             `{"side": "buy", "cnpy_amount": 1}`,
	"POST /wallets":                              `{"password": "` + walletPassword + `"}`,
	"PUT /wallets/:id":                           `{"wallet_name": "Lost"}`,
	"POST /wallets/:id/decrypt":                  `{"password": "` + walletPassword + `"}`,
	"POST /graduated-pools/:id/vouchers":         `{"direction": "in", "cnpy_amount": 1}`,
	"POST /graduated-pools/swap":                 `{"pool_id": "` + seedChain + `", "side": "buy", "cnpy_amount": 1}`,
	"POST /graduated-pools/liquidity-deposit":    `{"pool_id": "` + seedChain + `", "cnpy_amount": 1, "token_amount": 1}`,
	"POST /graduated-pools/liquidity-withdrawal": `{"pool_id": "` + seedChain + `", "percent": 50}`,
	"POST /bridge/swap":                          `{"network": "ethereum", "asset": "USDT", "cnpy_amount": 6000}`,
	"POST /bridge/orders":                        anOrder,
	"PUT /bridge/orders/:id":                     `{"ask_amount": 100}`,
	"POST /faucet":                               `{"amount_cnpy": 1}`,
}

func (r route) readsBody() bool {
	return (r.method() == http.MethodPost || r.method() == http.MethodPut) && !slices.Contains(withoutBody, r)
}

func TestEveryRouteNeedsSomebody(t *testing.T) {
	p := newPlatform(t)
	for _, r := range routes() {
		if slices.Contains(forStrangers, r) {
			continue
		}
		answer := p.Do(r.method(), "/api/v1"+r.at(uuid.NewString()), bodies[r])
		if answer.Status != http.StatusUnauthorized || refusalOf(t, answer).Code != "UNAUTHORIZED" {
			t.Errorf("%s for nobody: %d %s", r, answer.Status, answer.Body)
		}
	}
}

// What can't be read is refused before anything is done, and a slip in a filter's
// name does not pass for no filter.
func TestEveryRouteRefusesWhatItCanNotRead(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	chain := p.launched(user, "Read", "")
	for _, r := range routes() {
		if r.readsBody() {
			t.Log(r)
			expect(t, p.as(user, r.method(), r.at(uuid.NewString()), `{"broken`), 400, "BAD_REQUEST", "Invalid JSON payload")
		}
		if r.method() != http.MethodGet {
			continue
		}
		if got := details(t, p.as(user, r.method(), r.at(chain)+"?nonsense=1", "")); got["nonsense"] != "is not a known parameter" {
			t.Errorf("%s: %v", r, got)
		}
	}
}

// Whatever needs the database says that it is away, and when to come back; nothing
// passes that for "not found" or for an empty list.
func TestEveryRouteWithoutItsDatabase(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	p.list(user, "/chains") // who is known is not looked up again
	p.store.Close()
	without := []route{"GET /ws", "POST /auth/logout"} // of somebody who has no session to end
	for _, r := range routes() {
		if slices.Contains(without, r) {
			continue
		}
		if _, given := bodies[r]; given != r.readsBody() {
			t.Errorf("%s: this test has a body for it: %t", r, given)
		}
		answer := p.as(user, r.method(), r.at(seedChain), bodies[r])
		if answer.Status != http.StatusServiceUnavailable || refusalOf(t, answer).Code != "SERVICE_UNAVAILABLE" || answer.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", r, answer.Status, answer.Body)
		}
	}
}
