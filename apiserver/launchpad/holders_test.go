package launchpad_test

import (
	"encoding/json"
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
