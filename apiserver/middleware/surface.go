package middleware

import (
	"context"
	"net/netip"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// Surface is one REST contract with its own host, port and error shape.
type Surface interface {
	// Name is one of the ratelimit.Surface constants.
	Name() string
	// Register adds the routes, with their full paths from the root.
	Register(router fiber.Router)
	// RenderError answers err in the surface's shape and returns an error only
	// when writing the response fails.
	RenderError(c *fiber.Ctx, err error) error
}

// Users makes users on their first use; *identity.Users is one.
type Users interface {
	Ensure(ctx context.Context, id uuid.UUID) error
}

// Identity is the caller of a request.
type Identity struct {
	UserID  uuid.UUID // zero when anonymous
	Roles   []string
	Session uuid.UUID // zero when the caller is not known by a session
}

// RoleUser is the role of everybody with an identity.
const RoleUser = "user"

// Anonymous reports that nobody is known.
func (i Identity) Anonymous() bool { return i.UserID == uuid.Nil }

// state is what the middleware knows about one request. It is reused, so no
// pointer to it may outlive the request.
type state struct {
	requestID string
	snapshot  *snapshot.Snapshot
	identity  Identity
	users     Users
	limit     ratelimit.Request
}

// stateKey is a type of its own so that no other middleware can collide with it.
type stateKey struct{}

func stateOf(c *fiber.Ctx) *state {
	found, _ := c.Locals(stateKey{}).(*state)
	return found
}

// RequestID returns the id of the request, as sent back in X-Request-ID.
func RequestID(c *fiber.Ctx) string {
	if s := stateOf(c); s != nil {
		return s.requestID
	}
	return ""
}

// SnapshotOf returns the configuration this request runs under. It must not be
// modified.
func SnapshotOf(c *fiber.Ctx) *snapshot.Snapshot {
	if s := stateOf(c); s != nil {
		return s.snapshot
	}
	return nil
}

// ClientIP returns the address of the client, past the proxies that the gateway
// trusts; the zero address where no limit was asked for.
func ClientIP(c *fiber.Ctx) netip.Addr {
	if s := stateOf(c); s != nil {
		return s.limit.IP
	}
	return netip.Addr{}
}

// IdentityOf returns the caller, who may be anonymous. Their row in the database
// need not exist yet; see RequireUser.
func IdentityOf(c *fiber.Ctx) Identity {
	if s := stateOf(c); s != nil {
		return s.identity
	}
	return Identity{}
}

// RequireUser returns the caller, making the user on first use. Without one it
// is a fault of kind Unauthenticated.
func RequireUser(c *fiber.Ctx) (Identity, error) {
	s := stateOf(c)
	if s == nil || s.identity.Anonymous() {
		return Identity{}, fault.New(fault.Unauthenticated, "Authentication required")
	}
	if err := s.users.Ensure(c.UserContext(), s.identity.UserID); err != nil {
		return Identity{}, err
	}
	return s.identity, nil
}
