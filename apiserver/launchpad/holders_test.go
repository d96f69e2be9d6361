package launchpad_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
)

// The holders of a token are its buyers, the largest first; a chain that nobody
// bought of has none, and one that nobody may see is not found.
func TestHolders(t *testing.T) {
	p := newPlatform(t)
	creator, small, large := uuid.New(), uuid.New(), uuid.New()
	id := p.launched(creator, "Held", "")
	if holders, _ := p.list(small, "/chains/"+id+"/holders"); len(holders) != 0 {
		t.Errorf("nobody bought: %v", holders)
	}
	for user, cnpy := range map[uuid.UUID]string{small: "100", large: "2000"} {
		p.fund(user, "5000")
		p.ok(user, http.StatusCreated, http.MethodPost, "/virtual-pools/"+id+"/trades", `{"side": "buy", "cnpy_amount": `+cnpy+`}`)
	}
	holders, _ := p.list(small, "/chains/"+id+"/holders")
	if len(holders) != 2 {
		t.Fatalf("%d holders, want 2", len(holders))
	}
	first := holders[0]
	if first["user_id"] != large.String() || first["wallet_address"] != nil {
		t.Errorf("the largest comes first, without a wallet before graduation: %v", holders[0])
	}
	if amount, err := first["token_amount"].(json.Number).Float64(); err != nil || amount <= 0 {
		t.Errorf("token_amount %v", first["token_amount"])
	}
	draft := p.draft(creator, "Hidden", "")
	if got := p.as(small, http.MethodGet, "/chains/"+draft+"/holders", ""); got.Status != http.StatusNotFound {
		t.Errorf("a stranger's draft: %d, want 404", got.Status)
	}
}

// The parts are of the total supply, and pages go on where the last one ended.
func TestHoldersPagesAndParts(t *testing.T) {
	p := newPlatform(t)
	creator := uuid.New()
	id := p.launched(creator, "Parted", `, "token_total_supply": 1000000, "initial_token_supply": 800000`)
	parts := []struct{ tokens, percent string }{{"250000", "25"}, {"100000", "10"}, {"12345", "1.23"}, {"0.000001", "0"}}
	for _, part := range parts {
		user := uuid.New()
		p.fund(user, "100000")
		p.ok(user, http.StatusCreated, http.MethodPost, "/virtual-pools/"+id+"/trades", `{"side": "buy", "token_amount": `+part.tokens+`}`)
	}
	for page := range len(parts) {
		holders, pagination := p.list(creator, fmt.Sprintf("/chains/%s/holders?limit=1&page=%d", id, page+1))
		if len(holders) != 1 || pagination["total"] != json.Number("4") || pagination["pages"] != json.Number("4") {
			t.Fatalf("page %d: %v, %v", page+1, holders, pagination)
		}
		if holders[0]["token_amount"] != json.Number(parts[page].tokens) || holders[0]["percent"] != json.Number(parts[page].percent) {
			t.Errorf("page %d: %v, want %v", page+1, holders[0], parts[page])
		}
	}
	if holders, pagination := p.list(creator, "/chains/"+id+"/holders?limit=3&page=3"); len(holders) != 0 || pagination["pages"] != json.Number("2") {
		t.Errorf("behind the last page: %v, %v", holders, pagination)
	}
	if got := details(t, p.as(creator, http.MethodGet, "/chains/"+id+"/holders?limit=0&page=x&sort=name", "")); len(got) != 3 {
		t.Errorf("each wrong parameter: %v", got)
	}
}
