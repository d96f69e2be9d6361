package middleware

import (
	"bytes"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

const app, evil = "https://app.example.com", "https://evil.example"

func cors(credentials bool, origins ...string) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) {
		s.CORS = &snapshot.CORS{AllowedOrigins: origins, Credentials: credentials}
	}
}

func TestWhoMayReadAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		reason      string
		configure   func(*snapshot.Snapshot)
		origin      string
		allowed     string
		credentials string
		vary        string
	}{
		"NotDeclared":   {"Without a declaration nobody is told anything.", nil, app, "", "", ""},
		"Allowed":       {"A declared origin is named back.", cors(false, "http://localhost:5173", app), app, app, "", "Origin"},
		"WithCookies":   {"And may bring cookies where that is declared.", cors(true, app), app, app, "true", "Origin"},
		"Stranger":      {"Another one is not, and caches keep the two apart.", cors(true, app), evil, "", "", "Origin"},
		"NoBrowser":     {"Who names no origin gets an answer that is not for all of them.", cors(true, app), "", "", "", "Origin"},
		"Null":          {"An origin that hides is nobody's.", cors(true, app), "null", "", "", "Origin"},
		"OtherScheme":   {"The scheme is part of an origin.", cors(true, app), "http://app.example.com", "", "", "Origin"},
		"OtherPort":     {"So is the port.", cors(true, app), app + ":8443", "", "", "Origin"},
		"Longer":        {"A name that goes on is another one.", cors(true, app), app + ".evil.example", "", "", "Origin"},
		"Everybody":     {"All origins have one answer in common.", cors(false, "*"), evil, "*", "", ""},
		"NobodyOfThose": {"Which only pages are given.", cors(false, "*"), "", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fakeSurface{}, 0)
			f.configure(t, tc.configure)
			var header []string
			if tc.origin != "" {
				header = []string{"Origin", tc.origin}
			}
			for _, path := range []string{"/api/v1/meta/info", "/api/v1/meta/health", "/nowhere"} {
				got := f.get(t, path, header...).header
				assert.Equal(t, tc.allowed, got.Get("Access-Control-Allow-Origin"), tc.reason)
				assert.Equal(t, tc.credentials, got.Get("Access-Control-Allow-Credentials"), tc.reason)
				assert.Equal(t, tc.vary, got.Get("Vary"), tc.reason)
				assert.Equal(t, tc.allowed != "", got.Get("Access-Control-Expose-Headers") != "", tc.reason)
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.chain.Sessions = &fakeSessions{}
	f.configure(t, cors(true, app))
	ask := []string{"Origin", app, "Access-Control-Request-Method", "DELETE", "Access-Control-Request-Headers", "authorization,content-type"}
	for _, path := range []string{"/api/v1/meta/info", "/api/v1/users/me", "/nowhere"} {
		got := f.do(t, fiber.MethodOptions, path, ask...)
		assert.Equal(t, 204, got.status, path)
		assert.Empty(t, got.body)
		assert.Equal(t, app, got.header.Get("Access-Control-Allow-Origin"))
		assert.Equal(t, "true", got.header.Get("Access-Control-Allow-Credentials"))
		assert.Equal(t, "GET, HEAD, POST, PUT, PATCH, DELETE", got.header.Get("Access-Control-Allow-Methods"))
		assert.Equal(t, "Authorization, Content-Type, If-None-Match, Idempotency-Key, X-User-ID, X-Request-ID", got.header.Get("Access-Control-Allow-Headers"))
		assert.Equal(t, "600", got.header.Get("Access-Control-Max-Age"))
		assert.Equal(t, "Origin", got.header.Get("Vary"))
		assert.Equal(t, "no-cache, no-store, must-revalidate", got.header.Get("Cache-Control"))
	}
	assert.Empty(t, f.chain.Sessions.(*fakeSessions).asked, "Nobody is asked who they are.")

	ask[1] = evil
	refused := f.do(t, fiber.MethodOptions, "/api/v1/meta/info", ask...)
	assert.Equal(t, 405, refused.status, "A stranger's preflight is a request like any other.")
	assert.Empty(t, refused.header.Get("Access-Control-Allow-Methods"))
	plain := f.do(t, fiber.MethodOptions, "/api/v1/meta/info", "Origin", app)
	assert.Equal(t, 405, plain.status, "OPTIONS that asks for no method is no preflight.")
}

// A page must be able to read why it was refused.
func TestRefusalsAreReadable(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, func(s *snapshot.Snapshot) {
		cors(false, app)(s)
		limits(tier(1))(s)
	})
	f.get(t, "/api/v1/meta/info")
	limited := f.get(t, "/api/v1/meta/info", "Origin", app)
	require.Equal(t, 429, limited.status)
	assert.Equal(t, app, limited.header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, limited.header.Get("Access-Control-Expose-Headers"), "X-RateLimit-Remaining, X-RateLimit-Reset")
	assert.Contains(t, limited.header.Get("Access-Control-Expose-Headers"), "Retry-After")
	preflight := f.do(t, fiber.MethodOptions, "/api/v1/meta/info", "Origin", app, "Access-Control-Request-Method", "POST")
	assert.Equal(t, 204, preflight.status, "Asking for permission takes no request away from whom it is for.")

	f.configure(t, func(s *snapshot.Snapshot) {
		cors(false, app)(s)
		s.Maintenance = &snapshot.Maintenance{Mode: snapshot.MaintenanceOn}
	})
	closed := f.get(t, "/api/v1/meta/info", "Origin", app)
	assert.Equal(t, 503, closed.status)
	assert.Equal(t, app, closed.header.Get("Access-Control-Allow-Origin"))
}

func TestRefusedBeforeRoutingIsReadable(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, cors(false, app))
	f.app.Get("/refused", func(c *fiber.Ctx) error {
		c.Response().Reset()
		return f.chain.HandleError(c, fiber.ErrRequestEntityTooLarge)
	})
	got := f.get(t, "/refused", "Origin", app)
	assert.Equal(t, 413, got.status)
	assert.Equal(t, app, got.header.Get("Access-Control-Allow-Origin"))
}

// Allowed origins change with the snapshot, without a restart.
func TestOriginsAreSwapped(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	for _, change := range []struct {
		configure func(*snapshot.Snapshot)
		want      string
	}{{nil, ""}, {cors(false, app), app}, {cors(false, evil), ""}, {cors(false, "*"), "*"}, {nil, ""}} {
		f.configure(t, change.configure)
		assert.Equal(t, change.want, f.get(t, "/api/v1/meta/info", "Origin", app).header.Get("Access-Control-Allow-Origin"))
	}
}

func TestTrustedOriginsMayUseTheCookie(t *testing.T) {
	sibling := []string{"Sec-Fetch-Site", "same-site", "Origin", app}
	socket := append([]string{"Upgrade", "websocket"}, sibling...)
	for name, tc := range map[string]struct {
		reason    string
		configure func(*snapshot.Snapshot)
		method    string
		header    []string
		known     bool
	}{
		"Trusted":      {"The console on a sibling domain.", cors(true, app), fiber.MethodPost, sibling, true},
		"Socket":       {"And its live feed, which only the cookie can open.", cors(true, app), fiber.MethodGet, socket, true},
		"NotTrusted":   {"To read is not to act.", cors(false, app), fiber.MethodPost, sibling, false},
		"ForeignSock":  {"Not over a socket either.", cors(false, app), fiber.MethodGet, socket, false},
		"Everybody":    {"What all may read, none may act on.", cors(false, "*"), fiber.MethodPost, sibling, false},
		"Another":      {"Trust in one is no trust in another.", cors(true, evil), fiber.MethodPost, sibling, false},
		"HiddenOrigin": {"Who does not say who they are is not trusted.", cors(true, app), fiber.MethodPost, []string{"Sec-Fetch-Site", "same-site"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fakeSurface{}, 0)
			f.chain.Sessions = &fakeSessions{}
			f.app.All("/api/v1/act", func(c *fiber.Ctx) error { return c.SendString(IdentityOf(c).UserID.String()) })
			f.configure(t, tc.configure)
			want := map[bool]string{true: bob, false: uuid.Nil.String()}[tc.known]
			got := f.do(t, tc.method, "/api/v1/act", append([]string{"Cookie", developmentCookie + "=" + bobToken}, tc.header...)...)
			assert.Equal(t, want, got.body, tc.reason)
		})
	}
}

// FuzzOrigin: what is allowed is one of the declared origins, letter by letter.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{app, evil, "null", "", "*", app + "/", "HTTPS://APP.EXAMPLE.COM", app + "\x00"} {
		f.Add([]byte(seed))
	}
	declared := &snapshot.CORS{AllowedOrigins: []string{"http://localhost:5173", app}, Credentials: true}
	f.Fuzz(func(t *testing.T, origin []byte) {
		want := bytes.Equal(origin, []byte(app)) || bytes.Equal(origin, []byte("http://localhost:5173"))
		if got := declared.Allows(string(origin)); got != want || declared.Trusts(string(origin)) != want {
			t.Errorf("%q is allowed: %v", origin, got)
		}
	})
}
