package launchpad_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/graduated/graduatedtest"
)

// CNPY onto the chain and off it again through REST, as the operator carries it.
func TestVouchers(t *testing.T) {
	p := newLivePlatform(t)
	path := "/graduated-pools/" + p.chain + "/vouchers"
	in := p.ok(p.whale, http.StatusCreated, http.MethodPost, path, `{"direction": "in", "cnpy_amount": "100"}`)
	if in["status"] != "pending" || in["direction"] != "in" || in["cnpy_amount"] != json.Number("100") || in["block_height"] != nil {
		t.Errorf("a voucher in: %v", in)
	}
	other := "0x00000000000000000000000000000000000000aa"
	to := p.ok(p.whale, http.StatusCreated, http.MethodPost, path, `{"direction": "in", "cnpy_amount": 7, "to": "`+other+`"}`)
	if to["address"] != other {
		t.Errorf("an address of the caller's choice: %v", to)
	}
	carrier := &graduated.Carrier{Store: p.store}
	if left, err := carrier.Carry(t.Context(), uuid.MustParse(p.chain), graduatedtest.Authority()); err != nil || left != 0 {
		t.Fatalf("%d vouchers are left: %v", left, err)
	}
	account := p.ok(p.whale, http.StatusOK, http.MethodGet, "/graduated-pools/"+p.chain+"/accounts/"+other, "")
	if account["cnpy_balance"] != json.Number("7") {
		t.Errorf("what came to the address: %v", account)
	}
	out := p.ok(p.whale, http.StatusCreated, http.MethodPost, path, `{"direction": "out", "cnpy_amount": 40}`)
	if out["status"] != "pending" || out["transaction_hash"] == nil || out["block_height"] == nil {
		t.Errorf("a voucher out: %v", out)
	}
	var all []map[string]any
	for deadline := time.Now().Add(30 * time.Second); len(all) < 3; time.Sleep(20 * time.Millisecond) {
		if all, _ = p.list(p.whale, path); time.Now().After(deadline) {
			t.Fatalf("the voucher out is not listed: %v", all)
		}
	}
	for _, v := range all {
		if v["status"] != "settled" || v["settled_at"] == nil || v["reason"] != nil {
			t.Errorf("listed: %v", v)
		}
	}
	if theirs, _ := p.list(uuid.New(), path); len(theirs) != 0 {
		t.Errorf("vouchers are their owner's alone: %v", theirs)
	}
}

// Everything that is wrong with a body is said at once, before anything moves.
func TestVoucherBodies(t *testing.T) {
	p := newLivePlatform(t)
	path := "/graduated-pools/" + p.chain + "/vouchers"
	for reason, c := range map[string]struct {
		path, body string
		status     int
	}{
		"nothing":                      {path, `{}`, http.StatusBadRequest},
		"no such direction":            {path, `{"direction": "up", "cnpy_amount": 1}`, http.StatusBadRequest},
		"no amount":                    {path, `{"direction": "in", "cnpy_amount": 0}`, http.StatusBadRequest},
		"an amount of no number":       {path, `{"direction": "in", "cnpy_amount": "much"}`, http.StatusBadRequest},
		"an address of no hex":         {path, `{"direction": "in", "cnpy_amount": 1, "to": "me"}`, http.StatusBadRequest},
		"a signature for one in":       {path, `{"direction": "in", "cnpy_amount": 1, "signed_transaction": "00"}`, http.StatusBadRequest},
		"a wallet for one in":          {path, `{"direction": "in", "cnpy_amount": 1, "password": "x"}`, http.StatusBadRequest},
		"an address for one out":       {path, `{"direction": "out", "cnpy_amount": 1, "to": "0x00000000000000000000000000000000000000aa"}`, http.StatusBadRequest},
		"a wallet without password":    {path, `{"direction": "out", "cnpy_amount": 1, "wallet_id": "` + uuid.NewString() + `"}`, http.StatusBadRequest},
		"a transaction of no encoding": {path, `{"direction": "out", "cnpy_amount": 1, "signed_transaction": "0x00"}`, http.StatusBadRequest},
		"an unknown member":            {path, `{"direction": "out", "cnpy_amount": 1, "speed": "fast"}`, http.StatusBadRequest},
		"more than there is":           {path, `{"direction": "in", "cnpy_amount": 99999999}`, http.StatusUnprocessableEntity},
		"no such pool":                 {"/graduated-pools/" + uuid.NewString() + "/vouchers", `{"direction": "in", "cnpy_amount": 1}`, http.StatusNotFound},
		"no UUID":                      {"/graduated-pools/pool/vouchers", `{"direction": "in", "cnpy_amount": 1}`, http.StatusBadRequest},
	} {
		if answer := p.as(p.whale, http.MethodPost, c.path, c.body); answer.Status != c.status {
			t.Errorf("%s: status %d, want %d: %s", reason, answer.Status, c.status, answer.Body)
		}
	}
	if all, _ := p.list(p.whale, path); len(all) != 0 {
		t.Errorf("refused and made all the same: %v", all)
	}
}
