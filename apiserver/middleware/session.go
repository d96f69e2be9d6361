package middleware

import (
	"bytes"
	"context"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// Where a browser keeps its session token. A browser takes the prefixed name from
// this very host alone and by https alone (RFC 6265bis, 4.1.3.2), so that no
// sibling domain can plant a session of its own; in development there need be no
// https.
const (
	hostCookie        = "__Host-lucid_session"
	developmentCookie = "lucid_session"
)

// SessionCookie names the cookie of this request's mode. The other mode's is not
// looked at.
func SessionCookie(c *fiber.Ctx) string {
	if current := SnapshotOf(c); current != nil && current.Identity == snapshot.Development {
		return developmentCookie
	}
	return hostCookie
}

// Sessions finds who a session token belongs to; *identity.Sessions is one.
type Sessions interface {
	// Find returns false for a token that is nobody's.
	Find(ctx context.Context, token []byte) (identity.Holder, bool, error)
}

// bySession identifies the caller by their session, if they have one. A token
// that is nobody's counts as none: a browser sends its stale cookie to the very
// route that would give it a new one.
func (ch *Chain) bySession(c *fiber.Ctx, s *state) (bool, error) {
	token := sessionToken(c, s.snapshot.CORS)
	if len(token) == 0 || ch.Sessions == nil {
		return false, nil
	}
	holder, found, err := ch.Sessions.Find(c.UserContext(), token)
	if err != nil || !found {
		return false, err
	}
	s.identity = Identity{UserID: holder.User, Roles: identifiedRoles, Session: holder.Session}
	return true, nil
}

// sessionToken takes the Bearer token before the cookie: who sets a header means
// it, while a cookie comes along by itself.
func sessionToken(c *fiber.Ctx, cors *snapshot.CORS) []byte {
	if token := bearer(c.Request().Header.Peek(fiber.HeaderAuthorization)); len(token) > 0 {
		return token
	}
	cookie := c.Request().Header.Cookie(SessionCookie(c))
	if len(cookie) == 0 || foreign(c, cors) {
		return nil
	}
	return cookie
}

// bearer takes the token out of an Authorization header (RFC 6750, section 2.1);
// the scheme is of either case (RFC 9110, section 11.1). Nil where there is none.
func bearer(header []byte) []byte {
	const scheme = "bearer "
	if len(header) <= len(scheme) || !bytes.EqualFold(header[:len(scheme)], []byte(scheme)) {
		return nil
	}
	return bytes.TrimLeft(header[len(scheme):], " ")
}

// foreign reports whether a page of an origin that is neither ours nor trusted
// makes the browser send a request that could change something. SameSite=Lax lets sibling domains through,
// so that the browser's own word on the origin is looked at as well (Fetch
// Metadata; the Origin header of RFC 6454). Who is no browser sends neither.
func foreign(c *fiber.Ctx, cors *snapshot.CORS) bool {
	header := &c.Request().Header
	switch c.Method() {
	case fiber.MethodGet, fiber.MethodHead, fiber.MethodOptions:
		// A WebSocket begins as a GET and may do anything afterwards.
		if len(header.Peek(fiber.HeaderUpgrade)) == 0 {
			return false
		}
	}
	origin := string(header.Peek(fiber.HeaderOrigin))
	if cors.Trusts(origin) {
		return false
	}
	switch string(header.Peek("Sec-Fetch-Site")) {
	case "same-origin", "none":
		return false
	case "":
		return foreignOrigin(origin, string(header.Host()))
	default:
		return true
	}
}

func foreignOrigin(origin, host string) bool {
	if origin == "" {
		return false
	}
	parsed, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(parsed.Host, host)
}
