package middleware

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"

	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

const (
	bob      = "7b0e4a52-6a55-4c7e-9a43-0d2f5a4b1c11"
	bobToken = "Ym9iYm9iYm9iYm9iYm9iYm9iYm9iYm9iYm9iYm9iYm9"
)

// fakeSessions knows bob's token, or fails.
type fakeSessions struct {
	asked []string
	err   error
}

func (s *fakeSessions) Find(_ context.Context, token []byte) (identity.Holder, bool, error) {
	s.asked = append(s.asked, string(token))
	if s.err != nil || string(token) != bobToken {
		return identity.Holder{}, false, s.err
	}
	return identity.Holder{User: uuid.MustParse(bob), Session: uuid.MustParse(alice)}, true, nil
}

func TestWhoCalls(t *testing.T) {
	const bearer, cookie, plain = "Bearer " + bobToken, hostCookie + "=" + bobToken, developmentCookie + "=" + bobToken
	for name, tc := range map[string]struct {
		reason string
		mode   snapshot.IdentityMode
		header []string
		want   string // the user's id; empty for nobody
	}{
		"Nobody":              {"Without any sign there is nobody.", snapshot.Production, nil, ""},
		"WordInProduction":    {"A word counts for nothing in production.", snapshot.Production, []string{"X-User-ID", alice}, ""},
		"WordInDevelopment":   {"It does in development.", snapshot.Development, []string{"X-User-ID", alice}, alice},
		"Bearer":              {"A session's token in the header.", snapshot.Production, []string{"Authorization", bearer}, bob},
		"BearerInDevelopment": {"Both modes take sessions.", snapshot.Development, []string{"Authorization", bearer}, bob},
		"AnyCase":             {"The scheme is of either case.", snapshot.Production, []string{"Authorization", "bEARER  " + bobToken}, bob},
		"Cookie":              {"The same token in the cookie.", snapshot.Production, []string{"Cookie", "a=b; " + cookie}, bob},
		"PlainCookie":         {"A cookie that a sibling domain could have planted is none.", snapshot.Production, []string{"Cookie", plain}, ""},
		"PlantedBeside":       {"Nor does it take the place of the real one.", snapshot.Production, []string{"Cookie", developmentCookie + "=x; " + cookie}, bob},
		"PlainInDevelopment":  {"Development has no https to insist on.", snapshot.Development, []string{"Cookie", plain}, bob},
		"ProofOverWord":       {"Who proves who they are is not overruled by a word.", snapshot.Development, []string{"Authorization", bearer, "X-User-ID", alice}, bob},
		"ProofWithWord":       {"In production the word is not even read.", snapshot.Production, []string{"Cookie", cookie, "X-User-ID", "nonsense"}, bob},
		"HeaderOverCookie":    {"A header is meant, a cookie comes along.", snapshot.Production, []string{"Authorization", "Bearer x", "Cookie", cookie}, ""},
		"Stale":               {"A token that is nobody's is as good as none.", snapshot.Production, []string{"Cookie", hostCookie + "=x"}, ""},
		"StaleInDevelopment":  {"So that the word still counts.", snapshot.Development, []string{"Cookie", developmentCookie + "=x", "X-User-ID", alice}, alice},
		"OtherScheme":         {"Another scheme is not ours.", snapshot.Production, []string{"Authorization", "Basic " + bobToken}, ""},
		"NoScheme":            {"A token alone is no Bearer.", snapshot.Production, []string{"Authorization", bobToken}, ""},
		"ForeignRead":         {"A link from another site may show a page.", snapshot.Production, []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, bob},
		"ForeignSocket":       {"But not open a socket.", snapshot.Production, []string{"Cookie", cookie, "Sec-Fetch-Site", "same-site", "Upgrade", "websocket"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fakeSurface{}, 0)
			f.chain.Sessions = &fakeSessions{}
			f.configure(t, func(s *snapshot.Snapshot) { s.Identity = tc.mode })
			got := f.get(t, "/api/v1/users/me", tc.header...)
			if tc.want == "" {
				assert.Equal(t, 401, got.status, tc.reason)
				assert.Equal(t, "Authentication required", got.body, tc.reason)
				return
			}
			assert.Equal(t, 200, got.status, tc.reason)
			assert.Equal(t, tc.want, got.body, tc.reason)
		})
	}
}

func TestSessionIsOnTheIdentity(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.chain.Sessions = &fakeSessions{}
	f.app.Get("/api/v1/session", func(c *fiber.Ctx) error { return c.SendString(IdentityOf(c).Session.String()) })
	f.configure(t, nil)
	assert.Equal(t, alice, f.get(t, "/api/v1/session", "Authorization", "Bearer "+bobToken).body)
	assert.Equal(t, uuid.Nil.String(), f.get(t, "/api/v1/session", "X-User-ID", alice).body, "A word is no session.")
}

func TestNobodySignsInWithoutSessions(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.configure(t, nil)
	assert.Equal(t, 401, f.get(t, "/api/v1/users/me", "Authorization", "Bearer "+bobToken).status)
}

// A database that is away must neither let anybody in nor turn a signed-in user
// into a stranger.
func TestSessionsThatCannotBeAsked(t *testing.T) {
	f := newFixture(t, fakeSurface{}, 0)
	f.chain.Sessions = &fakeSessions{err: &net.OpError{Op: "dial", Err: errors.New("refused")}}
	f.configure(t, nil)
	assert.Equal(t, 500, f.get(t, "/api/v1/users/me", "Authorization", "Bearer "+bobToken, "X-User-ID", alice).status)
	assert.Equal(t, 200, f.get(t, "/api/v1/meta/health", "Authorization", "Bearer "+bobToken).status, "Health asks nobody.")
	assert.Equal(t, 200, f.get(t, "/api/v1/users/me", "X-User-ID", alice).status, "Who has no token is not looked up.")
}

func TestForeignPagesCannotUseTheCookie(t *testing.T) {
	const site, origin = "Sec-Fetch-Site", "Origin"
	for name, tc := range map[string]struct {
		reason  string
		header  []string
		foreign bool
	}{
		"NoBrowser":           {"Who is no browser sends neither header.", nil, false},
		"Own":                 {"The console's own page.", []string{site, "same-origin"}, false},
		"Typed":               {"An address that the user typed.", []string{site, "none"}, false},
		"Sibling":             {"SameSite=Lax would let a sibling domain through.", []string{site, "same-site"}, true},
		"Stranger":            {"A page of another site.", []string{site, "cross-site"}, true},
		"OwnOrigin":           {"An older browser tells the origin only.", []string{origin, "https://Example.com"}, false},
		"OtherOrigin":         {"Of another page.", []string{origin, "https://evil.example"}, true},
		"OtherPort":           {"Of another port.", []string{origin, "https://example.com:8443"}, true},
		"NoOrigin":            {"A page that hides its origin.", []string{origin, "null"}, true},
		"BrokenOrigin":        {"An origin that is none.", []string{origin, "https://%zz"}, true},
		"SiteOverridesOrigin": {"The newer header is the more exact.", []string{site, "same-origin", origin, "https://other.example"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fakeSurface{}, 0)
			f.chain.Sessions = &fakeSessions{}
			f.app.Post("/api/v1/act", func(c *fiber.Ctx) error { return c.SendString(IdentityOf(c).UserID.String()) })
			f.configure(t, nil)
			want := map[bool]string{false: bob, true: uuid.Nil.String()}[tc.foreign]
			header := append([]string{"Cookie", developmentCookie + "=" + bobToken}, tc.header...)
			assert.Equal(t, want, f.do(t, fiber.MethodPost, "/api/v1/act", header...).body, tc.reason)
			header[0], header[1] = "Authorization", "Bearer "+bobToken
			assert.Equal(t, bob, f.do(t, fiber.MethodPost, "/api/v1/act", header...).body, "No page of another origin can set a header.")
		})
	}
}

// FuzzBearer: whatever is taken is what stands behind the scheme, as it is.
func FuzzBearer(f *testing.F) {
	f.Add([]byte("Bearer " + bobToken))
	f.Add([]byte("bearer    x"))
	f.Add([]byte("Bearer"))
	f.Add([]byte("Basic Og=="))
	f.Fuzz(func(t *testing.T, header []byte) {
		token := bearer(header)
		if token == nil {
			return
		}
		if !bytes.HasSuffix(header, token) || bytes.HasPrefix(token, []byte(" ")) {
			t.Errorf("%q is taken out of %q", token, header)
		}
		if scheme := string(header[:7]); !strings.EqualFold(scheme, "bearer ") {
			t.Errorf("%q is taken for a Bearer token", header)
		}
	})
}
