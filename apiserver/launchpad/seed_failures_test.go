package launchpad_test

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/launchpad"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest/seedtest"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// provocation brings about a refusal that the seed prints.
type provocation func(t *testing.T, s *scene) surfacetest.Answer

// asking is a request of the seed's user; {chain} stands for the scene's chain.
func asking(method, path, body string) provocation {
	return func(_ *testing.T, s *scene) surfacetest.Answer {
		return s.as(seedUser, method, strings.ReplaceAll(path, "{chain}", s.chain), body)
	}
}

// provocations are by endpoint and the number of its printed refusal, from 1.
// What isn't here is a 500, which fails inside; see failInside.
var provocations = map[string]provocation{
	"GET /api/v1/templates #1":                asking(http.MethodGet, "/templates?page=0", ""),
	"GET /api/v1/templates #2":                asking(http.MethodGet, "/templates?limit=101", ""),
	"GET /api/v1/chains/{id} #1":              asking(http.MethodGet, "/chains/"+seedChain, ""),
	"POST /api/v1/chains #1":                  asking(http.MethodPost, "/chains", `{"chain_name": "Lower", "token_symbol": "lower"}`),
	"POST /api/v1/chains #2":                  asking(http.MethodPost, "/chains", `{"chain_name": "Exemplary", "token_symbol": "TKN"}`),
	"DELETE /api/v1/chains/{id} #1":           denied,
	"DELETE /api/v1/chains/{id} #2":           asking(http.MethodDelete, "/chains/"+seedChain, ""),
	"GET /api/v1/virtual-pools #1":            asking(http.MethodGet, "/virtual-pools?limit=101", ""),
	"GET /api/v1/chains/{id}/virtual-pool #1": asking(http.MethodGet, "/chains/"+seedChain+"/virtual-pool", ""),

	"POST /api/v1/auth/email #1": asking(http.MethodPost, "/auth/email", `{"email": "nobody"}`),
	"POST /api/v1/auth/email #2": mailless,
	"POST /api/v1/auth/verify #1": func(_ *testing.T, s *scene) surfacetest.Answer {
		return s.verify("guessed@example.com", "", "000000")
	},
	"POST /api/v1/auth/verify #2": func(_ *testing.T, s *scene) surfacetest.Answer {
		return s.verify("late@example.com", "UPDATE mailed_codes SET expires_at = now() WHERE email = $1", "123456")
	},
	"POST /api/v1/auth/verify #3": asking(http.MethodPost, "/auth/verify", `{"email": "user@example.com", "code": "12345"}`),

	"PUT /api/v1/users/profile #1": asking(http.MethodPut, "/users/profile", `{}`),
	"PUT /api/v1/users/profile #2": asking(http.MethodPut, "/users/profile", `{"username": "jd", "avatar_url": "avatar.jpg"}`),
	"PUT /api/v1/users/profile #3": anonymous(http.MethodPut, "/users/profile", `{"bio": "-"}`),
	"PUT /api/v1/users/profile #4": vanished,
	"PUT /api/v1/users/profile #5": sameName,

	"GET /api/v1/wallets #1":               asking(http.MethodGet, "/wallets?user_id=7", ""),
	"GET /api/v1/wallets #2":               asking(http.MethodGet, "/wallets?limit=101", ""),
	"POST /api/v1/wallets #1":              asking(http.MethodPost, "/wallets", `{"password": `),
	"POST /api/v1/wallets #2":              asking(http.MethodPost, "/wallets", `{"password": "short", "user_id": "me"}`),
	"POST /api/v1/wallets #3":              anonymous(http.MethodPost, "/wallets", `{"password": "SecurePass123!"}`),
	"GET /api/v1/wallets/{id} #1":          asking(http.MethodGet, "/wallets/7", ""),
	"GET /api/v1/wallets/{id} #2":          asking(http.MethodGet, "/wallets/"+seedWallet, ""),
	"PUT /api/v1/wallets/{id} #1":          asking(http.MethodPut, "/wallets/"+seedWallet, `{"wallet_name": `),
	"PUT /api/v1/wallets/{id} #2":          asking(http.MethodPut, "/wallets/"+seedWallet, `{"wallet_name": ""}`),
	"PUT /api/v1/wallets/{id} #3":          asking(http.MethodPut, "/wallets/"+seedWallet, `{"wallet_name": "Nobody's"}`),
	"DELETE /api/v1/wallets/{id} #1":       asking(http.MethodDelete, "/wallets/7", ""),
	"DELETE /api/v1/wallets/{id} #2":       asking(http.MethodDelete, "/wallets/"+seedWallet, ""),
	"POST /api/v1/wallets/{id}/decrypt #1": asking(http.MethodPost, "/wallets/"+seedWallet+"/decrypt", `{"password": `),
	"POST /api/v1/wallets/{id}/decrypt #2": asking(http.MethodPost, "/wallets/"+seedWallet+"/decrypt", `{}`),
	"POST /api/v1/wallets/{id}/decrypt #3": func(_ *testing.T, s *scene) surfacetest.Answer {
		return s.as(seedUser, http.MethodPost, "/wallets/"+s.ownedWallet()+"/decrypt", `{"password": "a wrong one"}`)
	},
	"POST /api/v1/wallets/{id}/decrypt #4": func(_ *testing.T, s *scene) surfacetest.Answer {
		return s.as(seedUser, http.MethodPost, "/wallets/"+s.lockedWallet()+"/decrypt", `{"password": "SecurePass123!"}`)
	},
	"POST /api/v1/wallets/{id}/decrypt #5": asking(http.MethodPost, "/wallets/"+seedWallet+"/decrypt", `{"password": "SecurePass123!"}`),
	"POST /api/v1/wallets/{id}/unlock #1":  asking(http.MethodPost, "/wallets/7/unlock", ""),
	"POST /api/v1/wallets/{id}/unlock #2":  asking(http.MethodPost, "/wallets/"+seedWallet+"/unlock", ""),
}

// anonymous is a request of nobody.
func anonymous(method, path, body string) provocation {
	return func(_ *testing.T, s *scene) surfacetest.Answer { return s.Do(method, "/api/v1"+path, body) }
}

// mailless asks for a code where none can be sent: in production, whose answers
// don't bring codes, and without a mail server.
func mailless(_ *testing.T, s *scene) surfacetest.Answer {
	s.Configure(func(c *snapshot.Snapshot) { c.Identity = snapshot.Production })
	defer s.Configure(func(*snapshot.Snapshot) {})
	return s.Do(http.MethodPost, "/api/v1/auth/email", `{"email": "user@example.com"}`)
}

// verify has a code sent to an address, makes it 123456, lets something happen to
// it in the database, and tries to redeem a code.
func (s *scene) verify(address, happening, code string) surfacetest.Answer {
	s.t.Helper()
	s.Do(http.MethodPost, "/api/v1/auth/email", fmt.Sprintf(`{"email": %q}`, address))
	s.plantCode(address, "123456")
	if happening != "" {
		s.exec(happening, address)
	}
	return s.Do(http.MethodPost, "/api/v1/auth/verify", fmt.Sprintf(`{"email": %q, "code": %q}`, address, code))
}

// vanished is a user whose row went away under a pod that remembers them.
func vanished(_ *testing.T, s *scene) surfacetest.Answer {
	user := uuid.New()
	s.as(user, http.MethodGet, "/chains", "")
	s.exec("DELETE FROM users WHERE id = $1", user)
	return s.as(user, http.MethodPut, "/users/profile", `{"bio": "-"}`)
}

func sameName(_ *testing.T, s *scene) surfacetest.Answer {
	s.as(uuid.New(), http.MethodPut, "/users/profile", `{"username": "taken"}`)
	return s.as(uuid.New(), http.MethodPut, "/users/profile", `{"username": "taken"}`)
}

// exec changes the database behind the surface's back.
func (s *scene) exec(sql string, args ...any) {
	s.t.Helper()
	if err := s.store.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

// plantCode makes the code that was last sent to an address another one, as the
// platform would keep it: an HMAC under a key derived from the platform's.
func (s *scene) plantCode(address, code string) {
	s.t.Helper()
	key, err := hkdf.Key(sha256.New, platformKey, nil, "lucid mailed codes v1", sha256.Size)
	if err != nil {
		s.t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(address + "\x00" + code))
	s.exec("UPDATE mailed_codes SET code_hash = $1 WHERE email = $2", mac.Sum(nil), address)
}

// denied deletes somebody else's chain. It has launched: somebody else's draft
// is not even found.
func denied(_ *testing.T, s *scene) surfacetest.Answer {
	return s.as(uuid.New(), http.MethodDelete, "/chains/"+s.chain, "")
}

// TestSeedsRefusals brings about every refusal that the seed prints and compares
// status and body to the letter.
func TestSeedsRefusals(t *testing.T) {
	endpoints, _ := readSeed(t)
	s := newScene(t)
	ran, passed := 0, 0
	for _, endpoint := range endpoints {
		for i, want := range endpoint.Failures {
			name := fmt.Sprintf("%s #%d", endpoint.Name(), i+1)
			provoke, there := provocations[name]
			if !there && want.Status == http.StatusInternalServerError {
				provoke = failInside(endpoint)
			}
			ran++
			if t.Run(fmt.Sprintf("%s %d", name, want.Status), func(t *testing.T) { s.compare(t, provoke, want) }) {
				passed++
			}
		}
	}
	t.Logf("%d refusals printed, %d came as printed", ran, passed)
}

func (s *scene) compare(t *testing.T, provoke provocation, want seedtest.Answer) {
	if provoke == nil {
		t.Fatal("nothing brings this refusal about")
	}
	answer := provoke(t, s.of(t))
	var wanted, got any
	if err := json.Unmarshal(want.Body, &wanted); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer.Body, &got); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	if answer.Status != want.Status || !reflect.DeepEqual(got, wanted) {
		t.Errorf("got %d %s\nwant %d %s", answer.Status, answer.Body, want.Status, want.Body)
	}
}

// strangers is a store of users that fails in a way nobody foresaw, which every
// operation that needs a caller then does, too. A database that is away is no
// such failure: it is answered with 503 (docs/domain.md §9, TestLostDatabase).
type strangers struct{}

func (strangers) Ensure(context.Context, uuid.UUID) error { return errors.New("unforeseen") }

// failInside calls an endpoint that fails inside.
func failInside(endpoint seedtest.Endpoint) provocation {
	return func(t *testing.T, _ *scene) surfacetest.Answer {
		client := surfacetest.Serve(t, launchpad.New(launchpad.Domain{}), strangers{})
		return client.Do(endpoint.Method, strings.ReplaceAll(endpoint.Path, "{id}", seedChain), "", "X-User-ID", seedUser.String())
	}
}
