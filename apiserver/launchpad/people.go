package launchpad

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// People are the users and their way in; *identity.Service is one.
type People interface {
	SendCode(ctx context.Context, address string, from identity.Client, by mail.Sender) (code string, err error)
	Verify(ctx context.Context, address, code string, from identity.Client) (identity.Grant, error)
	Profile(ctx context.Context, user uuid.UUID) (identity.User, error)
	UpdateProfile(ctx context.Context, user uuid.UUID, change identity.Change) (identity.User, error)
}

// Sessions are the signed-in devices of users; *identity.Sessions is one.
type Sessions interface {
	List(ctx context.Context, user uuid.UUID, page identity.Page) ([]identity.Session, int64, error)
	Revoke(ctx context.Context, user, id uuid.UUID) error
}

func (s *Surface) registerPeople(api fiber.Router) {
	api.Post("/auth/email", httpx.Operation("Failed to send verification code", s.requestCode))
	api.Post("/auth/verify", httpx.Operation("Failed to verify code", s.verifyCode))
	api.Post("/auth/logout", httpx.Operation("Failed to sign out", s.logout))
	api.Get("/auth/sessions", httpx.Operation("Failed to retrieve sessions", s.listSessions))
	api.Delete("/auth/sessions/:id", httpx.Operation("Failed to revoke session", s.revokeSession))
	api.Get("/users/me", httpx.Operation("Failed to retrieve profile", s.getProfile))
	api.Put("/users/profile", httpx.Operation("Failed to update profile", s.updateProfile))
}

// inDevelopment reports whether the gateway declares development mode.
func inDevelopment(c *fiber.Ctx) bool {
	current := middleware.SnapshotOf(c)
	return current != nil && current.Identity == snapshot.Development
}

// errNoMail is for the log; the caller is told the seed's sentence.
var errNoMail = errors.New("no mail server is configured and production shows no codes: set spec.auth.mail of the gateway")

// sender is who delivers codes; nil in development without a mail server, where
// the answer itself brings the code.
func (s *Surface) sender(c *fiber.Ctx) (mail.Sender, error) {
	if current := middleware.SnapshotOf(c); current != nil && current.Mail != nil {
		return s.domain.Mail(*current.Mail), nil
	}
	if inDevelopment(c) {
		return nil, nil
	}
	return nil, errNoMail
}

// clientOf is who signs in, as the limiter knows them.
func clientOf(c *fiber.Ctx) identity.Client {
	return identity.Client{IP: middleware.ClientIP(c), UserAgent: c.Get(fiber.HeaderUserAgent)}
}

// codeSentView answers POST /auth/email. The code is there in development only.
type codeSentView struct {
	Message string `json:"message"`
	Email   string `json:"email"`
	Code    string `json:"code,omitempty"`
}

func (s *Surface) requestCode(c *fiber.Ctx) error {
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	address := readAddress(body)
	if err := body.Err(); err != nil {
		return err
	}
	by, err := s.sender(c)
	if err != nil {
		return err
	}
	code, err := s.domain.People.SendCode(c.UserContext(), address, clientOf(c), by)
	if err != nil {
		return err
	}
	view := codeSentView{Message: "Verification code sent successfully", Email: address}
	if inDevelopment(c) {
		view.Code = code
	}
	return answer(c, fiber.StatusOK, view)
}

// verifiedView answers POST /auth/verify. Beyond the seed's example it brings the
// token that its notes promise, and until when it is good; the same token is in
// the cookie.
type verifiedView struct {
	Message   string    `json:"message"`
	Email     string    `json:"email"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (s *Surface) verifyCode(c *fiber.Ctx) error {
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	address, code := readAddress(body), readCode(body)
	if err := body.Err(); err != nil {
		return err
	}
	grant, err := s.domain.People.Verify(c.UserContext(), address, code, clientOf(c))
	if err != nil {
		return err
	}
	setSessionCookie(c, grant.Token, grant.ExpiresAt)
	return answer(c, fiber.StatusOK, verifiedView{
		Message: "Email verified successfully", Email: address, Token: grant.Token, ExpiresAt: grant.ExpiresAt.UTC(),
	})
}

func readAddress(body *httpx.Object) string {
	body.Require("email")
	given := body.Text("email")
	if given == nil {
		return ""
	}
	address, ok := mail.ParseAddress(*given)
	if !ok {
		body.Refuse("email", httpx.RuleFormat, "must be a valid email address", nil)
	}
	return address
}

func readCode(body *httpx.Object) string {
	body.Require("code")
	code := body.String("code")
	if utf8.RuneCountInString(code) != identity.CodeLength {
		body.Refuse("code", httpx.RuleLength, "must be exactly 6 characters", nil)
	}
	for _, digit := range code {
		if digit < '0' || digit > '9' {
			body.Refuse("code", httpx.RuleFormat, "must contain only digits", nil)
		}
	}
	return code
}

// setSessionCookie hands a browser its session. Scripts can't read it, and pages
// of other sites can't send it along with a request that changes something.
func setSessionCookie(c *fiber.Ctx, token string, until time.Time) {
	c.Cookie(&fiber.Cookie{
		Name: middleware.SessionCookie(c), Value: token, Path: "/", Expires: until,
		HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode,
		// Whoever lies about the scheme harms only their own cookie.
		Secure: !inDevelopment(c) || c.Get(fiber.HeaderXForwardedProto) == "https",
	})
}

// logout ends the session that the request came with and takes the cookie away. Who
// has no session any more is signed out, too: a browser gets rid of a stale cookie
// this way, and it can be repeated.
func (s *Surface) logout(c *fiber.Ctx) error {
	who := middleware.IdentityOf(c)
	if who.Anonymous() && foreignPage(c) {
		return fault.New(fault.Unauthenticated, "Authentication required")
	}
	if who.Session != uuid.Nil {
		err := s.domain.Sessions.Revoke(c.UserContext(), who.UserID, who.Session)
		if err != nil && !fault.Is(err, fault.NotFound) { // somebody was faster
			return err
		}
	}
	setSessionCookie(c, "", time.Unix(0, 0))
	return answer(c, fiber.StatusOK, message{"Signed out successfully"})
}

// foreignPage reports whether another site's page had the browser send the request.
// The cookie is then not looked at (see middleware), and is not to be taken away.
func foreignPage(c *fiber.Ctx) bool {
	switch c.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "": // an old browser, or none at all
		origin, err := url.Parse(c.Get(fiber.HeaderOrigin))
		return err != nil || (*origin != url.URL{} && !strings.EqualFold(origin.Host, string(c.Request().Host())))
	}
	return true
}

// sessionView is one signed-in device of the caller.
type sessionView struct {
	ID         uuid.UUID `json:"id"`
	UserAgent  string    `json:"user_agent"`
	Current    bool      `json:"current"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

func (s *Surface) listSessions(c *fiber.Ctx) error {
	who, err := middleware.RequireUser(c)
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	sessions, total, err := s.domain.Sessions.List(c.UserContext(), who.UserID, identity.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, sessions, func(one identity.Session) sessionView {
		return sessionView{
			ID: one.ID, UserAgent: one.UserAgent, Current: one.ID == who.Session,
			CreatedAt: one.CreatedAt.UTC(), LastUsedAt: one.LastUsedAt.UTC(), ExpiresAt: one.ExpiresAt.UTC(),
		}
	})
}

func (s *Surface) revokeSession(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "session")
	if err != nil {
		return err
	}
	if err := s.domain.Sessions.Revoke(c.UserContext(), user, id); err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, message{"Session revoked successfully"})
}
