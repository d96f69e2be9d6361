package launchpad_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/launchpad"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/keystore/keystoretest"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
	"github.com/lucid-blockchain/lucid/internal/telemetry"
)

// walletPassword is what the seed's examples open a wallet with.
const walletPassword = "SecurePass123!"

// wallet makes a wallet and returns its id.
func (p *platform) wallet(user uuid.UUID, more string) string {
	p.t.Helper()
	return p.ok(user, http.StatusCreated, http.MethodPost, "/wallets", `{"password": "`+walletPassword+`"`+more+`}`)["id"].(string)
}

// decrypt tries a password.
func (p *platform) decrypt(user uuid.UUID, id, password string) surfacetest.Answer {
	p.t.Helper()
	return p.as(user, http.MethodPost, "/wallets/"+id+"/decrypt", fmt.Sprintf(`{"password": %q}`, password))
}

// The private key that decrypt shows is the one of the public key and the address.
func TestDecryptShowsTheKey(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.wallet(user, "")
	answer := p.decrypt(user, id, walletPassword)
	if cache := answer.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("a cache may keep the key: %q", cache)
	}
	var envelope struct{ Data map[string]any }
	answer.Into(t, &envelope)
	wallet := envelope.Data
	digits, found := strings.CutPrefix(wallet["private_key"].(string), "0x")
	seed, err := hex.DecodeString(digits)
	if !found || err != nil || len(seed) != ed25519.SeedSize {
		t.Fatalf("the private key is no 0x and 64 hex digits: %v", err)
	}
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if wallet["public_key"] != hex.EncodeToString(public) || wallet["address"] != livechain.AddressOf(public).String() {
		t.Errorf("public key %v, address %v", wallet["public_key"], wallet["address"])
	}
	if wallet["last_used_at"] == nil {
		t.Error("the use is not noted")
	}
	again := p.ok(user, http.StatusOK, http.MethodGet, "/wallets/"+id, "")
	if _, shown := again["private_key"]; shown {
		t.Error("the key is shown without its password")
	}
}

func TestWalletRefusals(t *testing.T) {
	p := newPlatform(t)
	owner, stranger := uuid.New(), uuid.New()
	chain := p.draft(owner, "Guarded", "")
	id := p.wallet(owner, "")
	treasury, _ := p.list(owner, "/wallets?chain_id="+chain)
	keeps := "/wallets/" + treasury[0]["id"].(string)
	missing := uuid.NewString()
	for _, test := range []struct {
		reason, method, path, body string
		user                       uuid.UUID
		status                     int
		code, message              string
	}{
		{"a stranger sees none", "GET", "/wallets/" + id, "", stranger, 404, "NOT_FOUND", "Wallet not found"},
		{"a stranger unlocks none", "POST", "/wallets/" + id + "/unlock", "", stranger, 403, "FORBIDDEN", "Access denied"},
		{"a stranger opens none", "POST", "/wallets/" + id + "/decrypt", `{"password": "SecurePass123!"}`, stranger, 403, "FORBIDDEN", "Access denied"},
		{"a stranger changes none", "PUT", "/wallets/" + id, `{"is_active": false}`, stranger, 403, "FORBIDDEN", "Access denied"},
		{"a stranger deletes none", "DELETE", "/wallets/" + id, "", stranger, 403, "FORBIDDEN", "Access denied"},
		{"for somebody else", "POST", "/wallets", `{"password": "12345678", "user_id": "` + owner.String() + `"}`, stranger, 403, "FORBIDDEN", "Access denied"},
		{"for somebody else's chain", "POST", "/wallets", `{"password": "12345678", "chain_id": "` + chain + `"}`, stranger, 403, "FORBIDDEN", "Access denied"},
		{"for no chain", "POST", "/wallets", `{"password": "12345678", "chain_id": "` + missing + `"}`, stranger, 404, "NOT_FOUND", "Chain not found"},
		{"none", "GET", "/wallets/" + missing, "", owner, 404, "NOT_FOUND", "Wallet not found"},
		{"none to change", "PUT", "/wallets/" + missing, "{}", owner, 404, "NOT_FOUND", "Wallet not found"},
		{"none to delete", "DELETE", "/wallets/" + missing, "", owner, 404, "NOT_FOUND", "Wallet not found"},
		{"none to unlock", "POST", "/wallets/" + missing + "/unlock", "", owner, 404, "NOT_FOUND", "Wallet not found"},
		{"none to decrypt", "POST", "/wallets/" + missing + "/decrypt", `{"password": "x"}`, owner, 404, "NOT_FOUND", "Wallet not found"},
		{"no id", "GET", "/wallets/7", "", owner, 400, "BAD_REQUEST", "Invalid wallet ID"},
		{"no id to unlock", "POST", "/wallets/7/unlock", "", owner, 400, "BAD_REQUEST", "Invalid wallet ID"},
		{"no user", "GET", "/wallets?user_id=7", "", owner, 400, "BAD_REQUEST", "Invalid user_id format"},
		{"broken", "POST", "/wallets", `{"password"`, owner, 400, "BAD_REQUEST", "Invalid JSON payload"},
		{"broken change", "PUT", "/wallets/" + id, `[]`, owner, 400, "BAD_REQUEST", "Invalid JSON payload"},
		{"broken password", "POST", "/wallets/" + id + "/decrypt", `"x"`, owner, 400, "BAD_REQUEST", "Invalid JSON payload"},
		{"the wrong password", "POST", "/wallets/" + id + "/decrypt", `{"password": "SecurePass123?"}`, owner, 401, "UNAUTHORIZED", "Invalid password"},
		{"the platform's can't be decrypted", "POST", keeps + "/decrypt", `{"password": "x"}`, owner, 422, "UNPROCESSABLE_ENTITY", "The platform keeps this wallet's key: no password decrypts it"},
		{"nor deleted", "DELETE", keeps, "", owner, 422, "UNPROCESSABLE_ENTITY", "A wallet that the platform keeps can't be deleted"},
	} {
		t.Log(test.reason)
		expect(t, p.as(test.user, test.method, test.path, test.body), test.status, test.code, test.message)
	}
	for _, path := range []string{"/wallets", "/wallets/" + id} {
		expect(t, p.Do(http.MethodGet, "/api/v1"+path, ""), http.StatusUnauthorized, "UNAUTHORIZED", "Authentication required")
	}
}

func TestWalletFieldsAreAllReportedAtOnce(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.wallet(user, "")
	for _, test := range []struct {
		reason, method, path, body string
		want                       map[string]string
	}{
		{"the seed's example", "POST", "/wallets", `{"password": "short", "user_id": "7"}`, map[string]string{
			"password": "must be at least 8 characters", "user_id": "must be a valid UUID"}},
		{"everything", "POST", "/wallets", `{"chain_id": 7, "wallet_name": "", "wallet_description": "` + strings.Repeat("d", 501) + `", "seed": "x"}`,
			map[string]string{"chain_id": "must be a string", "wallet_name": "must be between 1 and 100 characters",
				"wallet_description": "must be at most 500 characters", "password": "is required", "seed": "is not a known field"}},
		{"of the wrong type", "POST", "/wallets", `{"password": 12345678}`, map[string]string{"password": "must be a string"}},
		{"a change", "PUT", "/wallets/" + id, `{"wallet_name": "", "is_active": "yes", "password": "x"}`, map[string]string{
			"wallet_name": "must be between 1 and 100 characters", "is_active": "must be a boolean", "password": "is not a known field"}},
		{"no password", "POST", "/wallets/" + id + "/decrypt", `{}`, map[string]string{"password": "is required"}},
		{"nor an empty one", "POST", "/wallets/" + id + "/decrypt", `{"password": ""}`, map[string]string{"password": "is required"}},
		{"a list", "GET", "/wallets?limit=101&is_locked=1&chain_id=7&locked=true", "", map[string]string{
			"limit": "must be between 1 and 100", "is_locked": "must be true or false", "chain_id": "must be a valid UUID",
			"locked": "is not a known parameter"}},
	} {
		got := details(t, p.as(user, test.method, test.path, test.body))
		if !maps.Equal(got, test.want) {
			t.Errorf("%s:\n got %v\nwant %v", test.reason, got, test.want)
		}
	}
}

func TestWalletLocksAndUnlocks(t *testing.T) {
	p := newPlatform(t)
	owner := uuid.New()
	id := p.wallet(owner, "")
	for range 5 {
		expect(t, p.decrypt(owner, id, "guess"), http.StatusUnauthorized, "UNAUTHORIZED", "Invalid password")
	}
	expect(t, p.decrypt(owner, id, walletPassword), http.StatusForbidden, "FORBIDDEN", "Wallet is locked due to too many failed attempts")
	locked, _ := p.list(owner, "/wallets?is_locked=true")
	if len(locked) != 1 || locked[0]["id"] != id || locked[0]["locked_until"] == nil || locked[0]["is_locked"] != true {
		t.Errorf("locked wallets: %v", locked)
	}
	p.ok(owner, http.StatusOK, http.MethodPost, "/wallets/"+id+"/unlock", "")
	open := p.ok(owner, http.StatusOK, http.MethodGet, "/wallets/"+id, "")
	if open["is_locked"] != false || open["locked_until"] != nil {
		t.Errorf("unlocked: %v", open)
	}
	if answer := p.decrypt(owner, id, walletPassword); answer.Status != http.StatusOK {
		t.Errorf("after the unlock: %d %s", answer.Status, answer.Body)
	}
}

// A chain is born with a wallet of its own (seed launchpad, Chain Lifecycle),
// which its creator sees.
func TestChainIsBornWithAWallet(t *testing.T) {
	p := newPlatform(t)
	creator := uuid.New()
	chain := p.draft(creator, "Born", "")
	wallets, pagination := p.list(creator, "/wallets?chain_id="+chain)
	if len(wallets) != 1 || pagination["total"] != json.Number("1") {
		t.Fatalf("the chain's wallets: %v", wallets)
	}
	if own := wallets[0]; own["user_id"] != nil || own["created_by"] != nil || own["password_changed_at"] != nil || own["is_active"] != true {
		t.Errorf("it is nobody's but the chain's: %v", own)
	}
	if seen, _ := p.list(uuid.New(), "/wallets?chain_id="+chain); len(seen) != 0 {
		t.Errorf("a stranger sees %v", seen)
	}
}

// Nothing that is logged at full verbosity tells a key or a password, neither
// when all goes well nor when the database breaks.
func TestLogsHoldNoSecrets(t *testing.T) {
	s := storetest.Open(t)
	var logged bytes.Buffer
	log := fullLog(t, &logged)
	surface := launchpad.New(launchpad.Over(s, market.New(s, market.Options{}), testKeys(t, s)))
	p := &platform{Client: surfacetest.Serve(t, surface, identity.NewUsers(s)), t: t, store: s}
	p.LogTo(log)
	user := uuid.New()
	id := p.wallet(user, "")
	var envelope struct{ Data map[string]any }
	p.decrypt(user, id, walletPassword).Into(t, &envelope)
	p.decrypt(user, id, "a wrong guess")
	if err := s.Exec(t.Context(), "UPDATE wallets SET sealed_key = 'broken'::bytea WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	if answer := p.decrypt(user, id, walletPassword); answer.Status != http.StatusInternalServerError {
		t.Errorf("a broken row: %d %s", answer.Status, answer.Body)
	}
	s.Close()
	p.decrypt(user, id, walletPassword)
	seed, err := hex.DecodeString(strings.TrimPrefix(envelope.Data["private_key"].(string), "0x"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(logged.String(), "/decrypt") < 4 {
		t.Fatalf("the log does not show the requests: %s", logged.String())
	}
	for name, secret := range map[string]string{"key": string(seed), "password": walletPassword, "wrong password": "a wrong guess"} {
		if found := keystoretest.Traces(logged.Bytes(), []byte(secret)); found != nil {
			t.Errorf("the log tells the %s, %q: %s", name, found, logged.String())
		}
	}
	// The search would find what a careless line tells, whichever way it tells it.
	for form, text := range keystoretest.Planted(seed) {
		logged.Reset()
		log.Info("careless", "text", text)
		if found := keystoretest.Traces(logged.Bytes(), seed); len(found) == 0 {
			t.Errorf("%s in a log line goes unseen: %s", form, logged.String())
		}
	}
	logged.Reset()
	log.Info("careless", "key", seed, "private", ed25519.NewKeyFromSeed(seed))
	if found := keystoretest.Traces(logged.Bytes(), seed); len(found) == 0 {
		t.Errorf("a key that is logged as it is goes unseen: %s", logged.String())
	}
}

// fullLog is the log of an API pod that leaves nothing out.
func fullLog(t *testing.T, to io.Writer) logr.Logger {
	t.Helper()
	log, err := telemetry.NewLogger(to, telemetry.LogJSON, 127)
	if err != nil {
		t.Fatal(err)
	}
	return log
}
