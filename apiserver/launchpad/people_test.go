package launchpad_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

const (
	address    = "user@example.com"
	askForCode = `{"email": "user@example.com"}`
)

// mailServer is what a gateway declares.
var mailServer = mail.Settings{Host: "smtp.example.com", Port: 587, From: "no-reply@example.com", TLS: mail.StartTLS}

func (p *platform) production(server *mail.Settings) {
	p.Configure(func(s *snapshot.Snapshot) { s.Identity, s.Mail = snapshot.Production, server })
}

// auth sends a request under /api/v1/auth as nobody in particular.
func (p *platform) auth(path, body string, header ...string) surfacetest.Answer {
	p.t.Helper()
	return p.Do(http.MethodPost, "/api/v1/auth"+path, body, header...)
}

// grant is what a sign-in gives.
type grant struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
	cookie    *http.Cookie
}

func dataOf(t *testing.T, answer surfacetest.Answer, target any) {
	t.Helper()
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	answer.Into(t, &envelope)
	if answer.Status != http.StatusOK || json.Unmarshal(envelope.Data, target) != nil {
		t.Fatalf("status %d: %s", answer.Status, answer.Body)
	}
}

// code asks for a code in development mode, which shows it.
func (p *platform) code(email string) string {
	p.t.Helper()
	var sent struct{ Code string }
	dataOf(p.t, p.auth("/email", fmt.Sprintf(`{"email": %q}`, email)), &sent)
	return sent.Code
}

func verification(email, code string) string {
	return fmt.Sprintf(`{"email": %q, "code": %q}`, email, code)
}

// signIn signs an address in, in development mode.
func (p *platform) signIn(email string) grant {
	p.t.Helper()
	answer := p.auth("/verify", verification(email, p.code(email)), "User-Agent", "browser of "+email)
	var got grant
	dataOf(p.t, answer, &got)
	got.cookie = sessionCookie(p.t, answer)
	return got
}

func sessionCookie(t *testing.T, answer surfacetest.Answer) *http.Cookie {
	t.Helper()
	for _, cookie := range (&http.Response{Header: answer.Header}).Cookies() {
		if strings.HasSuffix(cookie.Name, "lucid_session") {
			return cookie
		}
	}
	t.Fatalf("no session cookie in %v", answer.Header)
	return nil
}

func (p *platform) bearer(g grant, method, path, body string) surfacetest.Answer {
	p.t.Helper()
	return p.Do(method, "/api/v1"+path, body, "Authorization", "Bearer "+g.Token)
}

func TestSignIn(t *testing.T) {
	p := newPlatform(t)
	sent := p.auth("/email", askForCode)
	var got struct{ Message, Email, Code string }
	dataOf(t, sent, &got)
	if got.Message != "Verification code sent successfully" || got.Email != address || len(p.post.delivered) != 0 {
		t.Errorf("sent %+v, mailed %d: development without a mail server only shows the code", got, len(p.post.delivered))
	}
	verified := p.auth("/verify", verification("User@Example.COM", got.Code))
	var session struct {
		Message, Email string
		grant
	}
	dataOf(t, verified, &session)
	if session.Message != "Email verified successfully" || session.Email != address {
		t.Errorf("verified %+v, want the address folded", session)
	}
}

func TestSignInRefusals(t *testing.T) {
	p := newPlatform(t)
	const needed, noAddress = "is required", "must be a valid email address"
	for _, test := range []struct {
		reason, path, body string
		want               map[string]string
	}{
		{"an empty object", "/email", `{}`, map[string]string{"email": needed}},
		{"no body", "/email", ``, map[string]string{"email": needed}},
		{"null", "/email", `{"email": null}`, map[string]string{"email": needed}},
		{"no address", "/email", `{"email": "not-an-email"}`, map[string]string{"email": noAddress}},
		{"an empty text", "/email", `{"email": ""}`, map[string]string{"email": noAddress}},
		{"a number", "/email", `{"email": 1}`, map[string]string{"email": "must be a string"}},
		{"an unknown member", "/email", `{"email": "a@b.c", "user": 1}`, map[string]string{"user": "is not a known field"}},
		{"nothing to verify", "/verify", `{}`, map[string]string{"email": needed, "code": needed}},
		{"five digits", "/verify", `{"email": "x", "code": "12345"}`, map[string]string{"email": noAddress, "code": "must be exactly 6 characters"}},
		{"seven digits", "/verify", verification(address, "1234567"), map[string]string{"code": "must be exactly 6 characters"}},
		{"letters", "/verify", verification(address, "12345a"), map[string]string{"code": "must contain only digits"}},
		{"digits of another script", "/verify", verification(address, "１２３４５６"), map[string]string{"code": "must contain only digits"}},
		{"a code that is a number", "/verify", `{"email": "a@b.c", "code": 123456}`, map[string]string{"code": "must be a string"}},
	} {
		got := details(t, p.auth(test.path, test.body))
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %v, want %v", test.reason, got, test.want)
		}
	}
	expect(t, p.auth("/email", `{"email"`), 400, "BAD_REQUEST", "Invalid JSON payload")
}

func TestWrongAndExpiredCodes(t *testing.T) {
	p := newPlatform(t)
	expect(t, p.auth("/verify", verification(address, "123456")), 400, "BAD_REQUEST", "Invalid verification code")
	code := p.code(address)
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	expect(t, p.auth("/verify", verification(address, wrong)), 400, "BAD_REQUEST", "Invalid verification code")
	if err := p.store.Exec(t.Context(), "UPDATE mailed_codes SET expires_at = now()"); err != nil {
		t.Fatal(err)
	}
	expect(t, p.auth("/verify", verification(address, code)), 400, "BAD_REQUEST", "Verification code has expired")
}

func TestCodesAreLimited(t *testing.T) {
	p := newPlatform(t)
	p.code(address)
	again := p.auth("/email", askForCode)
	expect(t, again, 429, "RATE_LIMIT_EXCEEDED", "Too many verification codes requested, please try again later")
	if wait, err := strconv.Atoi(again.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 30 {
		t.Errorf("Retry-After is %q", again.Header.Get("Retry-After"))
	}
	p.code("other@example.com")
}

// TestSignInHasALimitOfItsOwn: one address can't have mails sent to everybody,
// nor guess at everybody's code, while other requests go on.
func TestSignInHasALimitOfItsOwn(t *testing.T) {
	p := newPlatform(t)
	p.Configure(func(s *snapshot.Snapshot) { delete(s.RateLimits, ratelimit.SurfaceLaunchpad) })
	for i := range 10 {
		email := fmt.Sprintf("victim-%d@example.com", i)
		p.code(email)
		expect(t, p.auth("/verify/", verification(email, "00000"+strconv.Itoa(i))), 400, "BAD_REQUEST", "Invalid verification code")
	}
	if refused := p.auth("/email//", askForCode); refused.Status != 429 || !strings.Contains(string(refused.Body), `"tier":"sign-in"`) {
		t.Errorf("the twenty-first request: %d %s", refused.Status, refused.Body)
	}
	if answer := p.as(uuid.New(), http.MethodGet, "/templates", ""); answer.Status != http.StatusOK {
		t.Errorf("everything else: %d %s", answer.Status, answer.Body)
	}
}

func TestProductionMailsTheCodeAndShowsNone(t *testing.T) {
	p := newPlatform(t)
	p.production(&mailServer)
	sent := p.auth("/email", askForCode)
	var got map[string]any
	dataOf(t, sent, &got)
	if _, shown := got["code"]; shown || got["email"] != address {
		t.Errorf("production answers %v", got)
	}
	if len(p.post.delivered) != 1 || p.post.delivered[0].To != address || p.post.settings != mailServer {
		t.Fatalf("mailed %+v by %+v", p.post.delivered, p.post.settings)
	}
	code, _, _ := strings.Cut(p.post.delivered[0].Subject, " ")
	verified := p.auth("/verify", verification(address, code))
	cookie := sessionCookie(t, verified)
	if cookie.Name != "__Host-lucid_session" || !cookie.Secure || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("cookie %v, want one that no sibling domain can plant", cookie)
	}
	if answer := p.Do(http.MethodGet, "/api/v1/templates", "", "Cookie", cookie.Name+"="+cookie.Value); answer.Status != http.StatusOK {
		t.Errorf("with the cookie: %d %s", answer.Status, answer.Body)
	}
	var session grant
	dataOf(t, verified, &session)
	if answer := p.bearer(session, http.MethodGet, "/templates", ""); answer.Status != http.StatusOK {
		t.Errorf("with the token: %d %s", answer.Status, answer.Body)
	}
}

func TestDevelopmentMailsToo(t *testing.T) {
	p := newPlatform(t)
	p.Configure(func(s *snapshot.Snapshot) { s.Mail = &mailServer })
	if code := p.code(address); len(p.post.delivered) != 1 || !strings.Contains(p.post.delivered[0].Text, code) {
		t.Errorf("mailed %+v, shown %s", p.post.delivered, code)
	}
}

func TestMailThatCannotBeSent(t *testing.T) {
	const sentence = "Failed to send verification code"
	p := newPlatform(t)
	p.production(nil)
	expect(t, p.auth("/email", askForCode), 500, "INTERNAL_ERROR", sentence)
	p.post.err = errors.New("550 smtp-3.internal says no")
	p.production(&mailServer)
	failed := p.auth("/email", askForCode)
	expect(t, failed, 500, "INTERNAL_ERROR", sentence)
	if strings.Contains(string(failed.Body), "smtp-3") {
		t.Errorf("the answer tells what is inside: %s", failed.Body)
	}
}

// TestNobodyLearnsWhoIsKnown: an address with a user and one without are answered
// alike, but for the address.
func TestNobodyLearnsWhoIsKnown(t *testing.T) {
	p := newPlatform(t)
	p.signIn("known@example.com")
	p.production(&mailServer)
	var bodies []string
	for _, email := range []string{"known@example.com", "never@example.com"} {
		sent := p.auth("/email", fmt.Sprintf(`{"email": %q}`, email))
		guess := p.auth("/verify", verification(email, "000000"))
		bodies = append(bodies, strings.ReplaceAll(fmt.Sprint(sent.Status, string(sent.Body), guess.Status, string(guess.Body)), email, "X"))
	}
	if bodies[0] != bodies[1] {
		t.Errorf("known: %s\nunknown: %s", bodies[0], bodies[1])
	}
}

func TestProductionKnowsSessionsAlone(t *testing.T) {
	p := newPlatform(t)
	session := p.signIn(address)
	p.production(nil)
	for reason, header := range map[string][]string{
		"nobody": nil, "a word": {"X-User-ID", uuid.NewString()}, "no word": {"X-User-ID", "nonsense"},
		"a made-up token":         {"Authorization", "Bearer " + strings.Repeat("A", 43)},
		"a token of another kind": {"Authorization", "Bearer a.b.c"}, "a stale cookie": {"Cookie", "__Host-lucid_session=x"}, "a planted cookie": {"Cookie", session.cookie.String()},
	} {
		t.Log(reason)
		expect(t, p.Do(http.MethodGet, "/api/v1/chains", "", header...), 401, "UNAUTHORIZED", "Authentication required")
		expect(t, p.Do(http.MethodGet, "/api/v1/users/me", "", header...), 401, "UNAUTHORIZED", "User not authenticated")
		expect(t, p.Do(http.MethodPut, "/api/v1/users/profile", `{"bio": "x"}`, header...), 401, "UNAUTHORIZED", "User not authenticated")
	}
	for reason, header := range map[string][]string{
		"the token": {"Authorization", "Bearer " + session.Token}, "the cookie": {"Cookie", "__Host-" + session.cookie.String()},
	} {
		if answer := p.Do(http.MethodGet, "/api/v1/chains", "", header...); answer.Status != http.StatusOK {
			t.Errorf("%s: %d %s", reason, answer.Status, answer.Body)
		}
	}
}

func TestSessionCookie(t *testing.T) {
	p := newPlatform(t)
	session := p.signIn(address)
	cookie := session.cookie
	if cookie.Value != session.Token || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Secure || cookie.Name != "lucid_session" {
		t.Errorf("cookie %v", cookie)
	}
	if left := time.Until(cookie.Expires); left < 29*24*time.Hour || left > 30*24*time.Hour || cookie.Expires.Sub(session.ExpiresAt).Abs() > time.Second {
		t.Errorf("cookie until %s, session until %s", cookie.Expires, session.ExpiresAt)
	}
	secure := p.auth("/verify", verification("b@example.com", p.code("b@example.com")), "X-Forwarded-Proto", "https")
	if !sessionCookie(t, secure).Secure {
		t.Error("a cookie that came by https is for https alone")
	}
}

func TestSessionsAreListedAndRevoked(t *testing.T) {
	p := newPlatform(t)
	old, current := p.signIn(address), p.signIn(address)
	stranger := p.signIn("stranger@example.com")
	answer := p.bearer(current, http.MethodGet, "/auth/sessions?limit=10", "")
	var list struct {
		Data []struct {
			ID        string
			UserAgent string `json:"user_agent"`
			Current   bool
		}
		Pagination struct{ Total int }
	}
	answer.Into(t, &list)
	if len(list.Data) != 2 || list.Pagination.Total != 2 || !list.Data[0].Current || list.Data[1].Current || list.Data[0].UserAgent != "browser of "+address {
		t.Fatalf("sessions %s", answer.Body)
	}
	if strings.Contains(string(answer.Body), old.Token) {
		t.Error("the list shows a token")
	}
	path := "/auth/sessions/" + list.Data[1].ID
	expect(t, p.bearer(stranger, http.MethodDelete, path, ""), 404, "NOT_FOUND", "Session not found")
	expect(t, p.bearer(current, http.MethodDelete, "/auth/sessions/x", ""), 400, "BAD_REQUEST", "Invalid session ID")
	if got := p.bearer(old, http.MethodGet, "/users/me", ""); got.Status != http.StatusOK {
		t.Fatalf("before: %d %s", got.Status, got.Body)
	}
	if got := p.bearer(current, http.MethodDelete, path, ""); got.Status != http.StatusOK {
		t.Fatalf("revoking: %d %s", got.Status, got.Body)
	}
	expect(t, p.bearer(old, http.MethodGet, "/chains", ""), 401, "UNAUTHORIZED", "Authentication required")
	expect(t, p.bearer(current, http.MethodDelete, path, ""), 404, "NOT_FOUND", "Session not found")
	if got := details(t, p.bearer(current, http.MethodGet, "/auth/sessions?page=0", "")); got["page"] == "" {
		t.Errorf("page 0: %v", got)
	}
}

func TestLogout(t *testing.T) {
	p := newPlatform(t)
	session := p.signIn(address)
	out := p.auth("/logout", "", "Cookie", session.cookie.String())
	if cookie := sessionCookie(t, out); out.Status != http.StatusOK || cookie.Value != "" || cookie.Expires.After(time.Now()) {
		t.Errorf("signing out: %d %s, cookie %v", out.Status, out.Body, cookie)
	}
	expect(t, p.bearer(session, http.MethodGet, "/chains", ""), 401, "UNAUTHORIZED", "Authentication required")
	cookie := session.cookie.String()
	for reason, header := range map[string][]string{
		"a stale cookie":                 {"Cookie", cookie},
		"a stale token":                  {"Authorization", "Bearer " + session.Token},
		"a cookie that never was one":    {"Cookie", "lucid_session=x"},
		"nothing at all":                 nil,
		"a word":                         {"X-User-ID", uuid.NewString()},
		"a page of this site":            {"Cookie", cookie, "Sec-Fetch-Site", "same-origin"},
		"a page of it in an old browser": {"Cookie", cookie, "Origin", "http://example.com"},
	} {
		out := p.auth("/logout", "", header...)
		if gone := sessionCookie(t, out); out.Status != http.StatusOK || gone.Value != "" || gone.Expires.After(time.Now()) {
			t.Errorf("%s: signing out can be repeated, and takes the cookie away: %d %s, cookie %v", reason, out.Status, out.Body, gone)
		}
	}
	for reason, header := range map[string][]string{
		"another site's page":                {"Cookie", cookie, "Sec-Fetch-Site", "cross-site"},
		"a page of a sibling domain":         {"Cookie", cookie, "Sec-Fetch-Site", "same-site"},
		"another site's in an old browser":   {"Cookie", cookie, "Origin", "https://evil.example"},
		"a page that hides where it is from": {"Cookie", cookie, "Origin", "null"},
		"an origin that nobody can read":     {"Cookie", cookie, "Origin", "http://%zz"},
	} {
		out := p.auth("/logout", "", header...)
		t.Log(reason)
		expect(t, out, 401, "UNAUTHORIZED", "Authentication required")
		if out.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s takes the cookie away", reason)
		}
	}
}

// A session that somebody else has just ended is over: this pod may not know it yet.
func TestLogoutOfAnEndedSession(t *testing.T) {
	p := newPlatform(t)
	session := p.signIn(address)
	if got := p.bearer(session, http.MethodGet, "/users/me", ""); got.Status != http.StatusOK {
		t.Fatalf("before: %d %s", got.Status, got.Body)
	}
	if err := p.store.Exec(t.Context(), "DELETE FROM sessions"); err != nil {
		t.Fatal(err)
	}
	out := p.bearer(session, http.MethodPost, "/auth/logout", "")
	if out.Status != http.StatusOK || sessionCookie(t, out).Value != "" {
		t.Errorf("signing out: %d %s", out.Status, out.Body)
	}
}

func TestSessionRoutesNeedSomebody(t *testing.T) {
	p := newPlatform(t)
	for _, route := range [][2]string{
		{http.MethodGet, "/auth/sessions"}, {http.MethodDelete, "/auth/sessions/" + uuid.NewString()},
	} {
		expect(t, p.Do(route[0], "/api/v1"+route[1], ""), 401, "UNAUTHORIZED", "Authentication required")
	}
}

func TestLostDatabaseOfPeople(t *testing.T) {
	p := newPlatform(t)
	session := p.signIn(address)
	user := uuid.New()
	p.list(user, "/chains")
	p.store.Close()
	for _, answer := range []surfacetest.Answer{
		p.auth("/email", `{"email": "new@example.com"}`), p.auth("/verify", verification(address, "123456")),
		p.as(user, http.MethodGet, "/users/me", ""), p.as(user, http.MethodPut, "/users/profile", `{"bio": "x"}`),
		p.as(user, http.MethodGet, "/auth/sessions", ""), p.as(user, http.MethodDelete, "/auth/sessions/"+uuid.NewString(), ""),
		p.bearer(session, http.MethodPost, "/auth/logout", ""),
	} {
		if answer.Status != http.StatusServiceUnavailable {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	}
}

// TestFrontEndOnAnotherOrigin signs in as a page of an allowed origin does: it asks
// for permission, reads the answers, and acts with its visitor's cookie.
func TestFrontEndOnAnotherOrigin(t *testing.T) {
	p := newPlatform(t)
	session := p.signIn(address)
	const app = "https://app.example.com"
	page := []string{"Origin", app, "Sec-Fetch-Site", "same-site", "Cookie", session.cookie.String()}
	ask := []string{"Origin", app, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type"}
	expect(t, p.Do(http.MethodOptions, "/api/v1/auth/logout", "", ask...), 405, "METHOD_NOT_ALLOWED", "Method not allowed")
	expect(t, p.auth("/logout", "", page...), 401, "UNAUTHORIZED", "Authentication required")

	p.Configure(func(s *snapshot.Snapshot) {
		s.CORS = &snapshot.CORS{AllowedOrigins: []string{app}, Credentials: true}
	})
	allowed := p.Do(http.MethodOptions, "/api/v1/auth/logout", "", ask...)
	if allowed.Status != http.StatusNoContent || allowed.Header.Get("Access-Control-Allow-Origin") != app {
		t.Errorf("preflight: %d %v", allowed.Status, allowed.Header)
	}
	refused := p.auth("/verify", `{}`, page...)
	if details(t, refused)["email"] == "" || refused.Header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("a refusal that the page can read: %d %v", refused.Status, refused.Header)
	}
	if out := p.auth("/logout", "", page...); out.Status != http.StatusOK || out.Header.Get("Access-Control-Allow-Origin") != app {
		t.Errorf("signing out: %d %s", out.Status, out.Body)
	}
}
