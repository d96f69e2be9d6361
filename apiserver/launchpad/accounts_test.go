package launchpad_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// booked is how many entries the ledger has.
func (p *platform) booked() int {
	p.t.Helper()
	rows, err := p.store.Query(p.t.Context(), "SELECT count(*) FROM ledger_entries")
	if err != nil {
		p.t.Fatal(err)
	}
	n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// In production nobody makes CNPY out of nothing, not even who is signed in: the
// session that the faucet serves in development is refused, and nothing is booked.
func TestFaucetIsClosedInProduction(t *testing.T) {
	p := newPlatform(t)
	session := p.signIn(address)
	p.production(nil)
	before := p.booked()
	for _, body := range []string{`{"amount_cnpy": 1}`, `{"amount_cnpy": "1000000"}`, `{}`, `{"amount_cnpy"`} {
		t.Log(body)
		expect(t, p.bearer(session, http.MethodPost, "/faucet", body), http.StatusForbidden, "FORBIDDEN", "The faucet is open in development mode only")
	}
	// A word of whom they say they are changes nothing for who is known by a session.
	asked := p.Do(http.MethodPost, "/api/v1/faucet", `{"amount_cnpy": 1}`, "Authorization", "Bearer "+session.Token, "X-User-ID", seedChain)
	expect(t, asked, http.StatusForbidden, "FORBIDDEN", "The faucet is open in development mode only")
	if after := p.booked(); after != before {
		t.Errorf("%d entries in the ledger, %d before", after, before)
	}
	var account struct {
		Balance json.Number `json:"cnpy_balance"`
		Tokens  []any       `json:"tokens"`
	}
	dataOf(t, p.bearer(session, http.MethodGet, "/accounts/me", ""), &account)
	if account.Balance != "0" || len(account.Tokens) != 0 {
		t.Errorf("the account after the refusals: %+v", account)
	}
	p.Configure(func(s *snapshot.Snapshot) { s.Identity = snapshot.Development })
	if answer := p.bearer(session, http.MethodPost, "/faucet", `{"amount_cnpy": 1}`); answer.Status != http.StatusOK {
		t.Errorf("the same session in development: %d %s", answer.Status, answer.Body)
	}
	if p.booked() == before {
		t.Error("what the faucet gives is not counted here")
	}
}
