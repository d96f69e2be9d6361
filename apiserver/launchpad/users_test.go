package launchpad_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
)

const wholeProfile = `{
	"username": "johndoe", "display_name": "John Doe", "bio": "Blockchain enthusiast and developer",
	"avatar_url": "https://example.com/avatar.jpg", "website_url": "https://johndoe.com",
	"twitter_handle": "@johndoe", "github_username": "johndoe", "telegram_handle": "@johndoe"}`

func TestProfile(t *testing.T) {
	p := newPlatform(t)
	session := p.signIn(address)
	updated := p.bearer(session, http.MethodPut, "/users/profile", wholeProfile)
	if updated.Status != http.StatusOK {
		t.Fatalf("%d %s", updated.Status, updated.Body)
	}
	var data struct {
		User    json.RawMessage
		Message string
	}
	dataOf(t, updated, &data)
	if data.Message != "Profile updated successfully" {
		t.Errorf("message %q", data.Message)
	}
	var me json.RawMessage
	dataOf(t, p.bearer(session, http.MethodGet, "/users/me", ""), &me)
	if string(me) != string(data.User) {
		t.Errorf("GET shows %s, PUT showed %s", me, data.User)
	}
	for _, member := range []string{`"email":"user@example.com"`, `"is_verified":true`, `"verification_tier":"verified"`, `"username":"johndoe"`} {
		if !strings.Contains(string(me), member) {
			t.Errorf("no %s in %s", member, me)
		}
	}
}

// TestNewUserIsAllThere: a user of development mode who never said anything has
// every member, with null for what is not known.
func TestNewUserIsAllThere(t *testing.T) {
	p := newPlatform(t)
	me := p.ok(uuid.New(), http.StatusOK, http.MethodGet, "/users/me", "")
	if len(me) != 17 {
		t.Errorf("%d members: %v", len(me), me)
	}
	for _, name := range []string{"email", "username", "display_name", "bio", "avatar_url", "website_url", "twitter_handle", "github_username", "telegram_handle"} {
		if value, there := me[name]; !there || value != nil {
			t.Errorf("%s is %v", name, value)
		}
	}
	if me["verification_tier"] != "basic" || me["is_verified"] != false || !regexp.MustCompile(`^0x[0-9a-f]{40}$`).MatchString(me["wallet_address"].(string)) {
		t.Errorf("user %v", me)
	}
}

func TestTotalsAreComputed(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.launched(user, "Counted", "")
	p.draft(user, "Draft", "")
	p.fund(user, "1000")
	trade := func(body string) {
		p.ok(user, http.StatusCreated, http.MethodPost, "/virtual-pools/"+id+"/trades", body, "Idempotency-Key", uuid.NewString())
	}
	trade(`{"side": "buy", "cnpy_amount": "100.5"}`)
	trade(`{"side": "buy", "cnpy_amount": 200}`)
	trade(`{"side": "sell", "token_amount": 1000}`)
	me := p.ok(user, http.StatusOK, http.MethodGet, "/users/me", "")
	if got := fmt.Sprint(me["total_chains_created"], " ", me["total_cnpy_invested"]); got != "2 300.5" {
		t.Errorf("chains and invested are %s, want 2 and 300.5: what was paid, whatever came back", got)
	}
}

func TestProfileRefusals(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	put := func(body string) surfacetest.Answer { return p.as(user, http.MethodPut, "/users/profile", body) }
	for reason, body := range map[string]string{"no body": "", "an empty object": "{}", "nothing but null": `{"bio": null}`} {
		t.Log(reason)
		expect(t, put(body), 400, "BAD_REQUEST", "No fields provided to update")
	}
	got := details(t, put(`{"username": "jd", "avatar_url": "not-a-url", "bio": 1, "email": "a@b.c", "wallet_address": "0x", "github_username": "a-b"}`))
	want := map[string]string{
		"username": "must be between 3 and 50 characters", "avatar_url": "must be a valid URL", "bio": "must be a string",
		"email": "is not a known field", "wallet_address": "is not a known field", "github_username": "must contain only letters and numbers",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("details %v, want %v", got, want)
	}
	expect(t, put(`{`), 400, "BAD_REQUEST", "Invalid JSON payload")
	if me := p.ok(user, http.StatusOK, http.MethodGet, "/users/me", ""); me["bio"] != nil {
		t.Errorf("a refused change is made: %v", me)
	}
	if answer := p.as(user, http.MethodGet, "/users/me?x=1", ""); answer.Status != http.StatusBadRequest {
		t.Errorf("a parameter that is none: %d %s", answer.Status, answer.Body)
	}
}

func TestUsernameConflict(t *testing.T) {
	p := newPlatform(t)
	p.ok(uuid.New(), http.StatusOK, http.MethodPut, "/users/profile", `{"username": "Taken"}`)
	expect(t, p.as(uuid.New(), http.MethodPut, "/users/profile", `{"username": "taken"}`), 409, "CONFLICT", "Username is already taken")
}
