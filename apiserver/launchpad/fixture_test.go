package launchpad_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/launchpad"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/bridgetest"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/feed"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// platform is the surface over the real domain and a database of its own.
type platform struct {
	*surfacetest.Client
	t     *testing.T
	store *store.Store
	post  *postman
	// bridge is the surface's order book, counter the chain that it looks at.
	bridge  *bridge.Service
	counter *bridgetest.Chain

	stopFeed func()
}

// postman takes what is mailed, or fails with err.
type postman struct {
	settings  mail.Settings
	delivered []mail.Message
	err       error
}

func (p *postman) Send(_ context.Context, m mail.Message) error {
	p.delivered = append(p.delivered, m)
	return p.err
}

// under is how the surface finds the sender for a gateway's mail server.
func (p *postman) under(settings mail.Settings) mail.Sender {
	p.settings = settings
	return p
}

// platformKey is what all pods of one gateway share.
var platformKey = make([]byte, keystore.KeySize)

// people makes the service of users as each pod has it.
func people(t *testing.T, s *store.Store) *identity.Service {
	t.Helper()
	wallets, err := keystore.New(s, platformKey)
	if err != nil {
		t.Fatal(err)
	}
	service, err := identity.NewService(s, platformKey, wallets, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	s := storetest.Open(t)
	m := market.New(s, market.Options{})
	happenings := feed.New(feed.Tail{Market: m, Chains: &chain.Service{Store: s}}, logr.Discard())
	background(t, m.Run)
	stopFeed := background(t, happenings.Run)
	domain, users, post := launchpad.Over(s, m, testKeys(t, s)), people(t, s), &postman{}
	domain.People, domain.Sessions, domain.Mail = users, users.Sessions, post.under
	domain.Feed = happenings
	book, counter := bridged(t, s)
	domain.Bridge = book
	client := surfacetest.Serve(t, launchpad.New(domain), identity.NewUsers(s))
	client.Recognise(users.Sessions)
	return &platform{Client: client, t: t, store: s, post: post, bridge: book, counter: counter, stopFeed: stopFeed}
}

// background runs a worker until the test ends, or until stop.
func background(t *testing.T, work func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := work(ctx); err != nil {
			t.Errorf("background work stopped: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// testKeys is what wallets are sealed with: passwords cheaply.
func testKeys(t *testing.T, s *store.Store) launchpad.Keys {
	t.Helper()
	passwords, err := keystore.NewPasswords(keystore.PasswordOptions{}.Lowered(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	platformKeys, err := keystore.New(s, platformKey)
	if err != nil {
		t.Fatal(err)
	}
	return launchpad.Keys{Passwords: passwords, Platform: platformKeys}
}

// as sends a request for a user; path is under /api/v1.
func (p *platform) as(user uuid.UUID, method, path, body string, header ...string) surfacetest.Answer {
	p.t.Helper()
	return p.Do(method, "/api/v1"+path, body, append(header, "X-User-ID", user.String())...)
}

// ok sends a request that must succeed and decodes its data.
func (p *platform) ok(user uuid.UUID, status int, method, path, body string, header ...string) map[string]any {
	p.t.Helper()
	answer := p.as(user, method, path, body, header...)
	if answer.Status != status {
		p.t.Fatalf("%s %s: status %d, want %d: %s", method, path, answer.Status, status, answer.Body)
	}
	var envelope struct {
		Data map[string]any `json:"data"`
	}
	answer.Into(p.t, &envelope)
	return envelope.Data
}

// list sends a GET that must succeed and decodes its items.
func (p *platform) list(user uuid.UUID, path string) (items []map[string]any, pagination map[string]any) {
	p.t.Helper()
	answer := p.as(user, http.MethodGet, path, "")
	if answer.Status != http.StatusOK {
		p.t.Fatalf("GET %s: status %d: %s", path, answer.Status, answer.Body)
	}
	var envelope struct {
		Data       []map[string]any `json:"data"`
		Pagination map[string]any   `json:"pagination"`
	}
	answer.Into(p.t, &envelope)
	return envelope.Data, envelope.Pagination
}

func (p *platform) fund(user uuid.UUID, cnpy string) {
	p.t.Helper()
	p.ok(user, http.StatusOK, http.MethodPost, "/faucet", fmt.Sprintf(`{"amount_cnpy": %s}`, cnpy))
}

// draft makes a chain of that name and returns its id.
func (p *platform) draft(user uuid.UUID, name string, more string) string {
	p.t.Helper()
	body := fmt.Sprintf(`{"chain_name": %q, "token_symbol": "TKN"%s}`, name, more)
	return p.ok(user, http.StatusCreated, http.MethodPost, "/chains", body)["id"].(string)
}

// launched makes a chain that trades and returns its id.
func (p *platform) launched(user uuid.UUID, name string, more string) string {
	p.t.Helper()
	p.fund(user, "10000")
	id := p.draft(user, name, more)
	p.ok(user, http.StatusOK, http.MethodPost, "/chains/"+id+"/launch", "")
	return id
}

// refusal is an error answer taken apart.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Details []struct{ Field, Message string }
}

func refusalOf(t *testing.T, answer surfacetest.Answer) refusal {
	t.Helper()
	var envelope struct {
		Error json.RawMessage `json:"error"`
	}
	answer.Into(t, &envelope)
	var r refusal
	if err := json.Unmarshal(envelope.Error, &r); err != nil {
		t.Fatalf("the error %s: %v", answer.Body, err)
	}
	return r
}

// expect checks code, status and message of a refusal.
func expect(t *testing.T, answer surfacetest.Answer, status int, code, message string) {
	t.Helper()
	r := refusalOf(t, answer)
	if answer.Status != status || r.Code != code || r.Message != message {
		t.Errorf("got %d %s %q, want %d %s %q", answer.Status, r.Code, r.Message, status, code, message)
	}
}

// details is a VALIDATION_ERROR's fields and messages.
func details(t *testing.T, answer surfacetest.Answer) map[string]string {
	t.Helper()
	expect(t, answer, http.StatusBadRequest, "VALIDATION_ERROR", "Validation failed")
	found := map[string]string{}
	for _, d := range refusalOf(t, answer).Details {
		if _, twice := found[d.Field]; twice {
			t.Errorf("field %s is reported twice", d.Field)
		}
		found[d.Field] = d.Message
	}
	return found
}
