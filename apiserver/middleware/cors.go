package middleware

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// What pages of other origins may send, and see of an answer besides its body.
var (
	corsMethods = strings.Join([]string{
		fiber.MethodGet, fiber.MethodHead, fiber.MethodPost, fiber.MethodPut, fiber.MethodPatch, fiber.MethodDelete,
	}, ", ")
	corsRequestHeaders = strings.Join([]string{
		fiber.HeaderAuthorization, fiber.HeaderContentType, fiber.HeaderIfNoneMatch, "Idempotency-Key", headerUserID, string(headerRequestID),
	}, ", ")
	corsResponseHeaders = strings.Join([]string{
		string(headerLimit), string(headerRemaining), string(headerReset), string(headerPolicy), string(headerBudget),
		fiber.HeaderRetryAfter, string(headerRequestID), string(headerResponseTime), "Idempotency-Replayed", fiber.HeaderETag, fiber.HeaderLink,
	}, ", ")
)

// corsMaxAge is for how many seconds a browser need not ask again.
const corsMaxAge = "600"

// crossOrigin tells a browser whether a page of another origin may read the answer
// (the CORS protocol of the Fetch standard), on refusals too. It reports whether
// the request was a preflight, which it has then answered: that costs less than a
// limit would, and is the same whoever asks.
func crossOrigin(c *fiber.Ctx, cors *snapshot.CORS) (answered bool) {
	if cors == nil {
		return false
	}
	if !cors.Open() {
		c.Vary(fiber.HeaderOrigin)
	}
	origin := string(c.Request().Header.Peek(fiber.HeaderOrigin))
	if !cors.Allows(origin) {
		return false
	}
	if cors.Open() {
		origin = snapshot.AnyOrigin
	}
	c.Set(fiber.HeaderAccessControlAllowOrigin, origin)
	if cors.Credentials {
		c.Set(fiber.HeaderAccessControlAllowCredentials, "true")
	}
	if c.Method() != fiber.MethodOptions || len(c.Request().Header.Peek(fiber.HeaderAccessControlRequestMethod)) == 0 {
		c.Set(fiber.HeaderAccessControlExposeHeaders, corsResponseHeaders)
		return false
	}
	c.Set(fiber.HeaderAccessControlAllowMethods, corsMethods)
	c.Set(fiber.HeaderAccessControlAllowHeaders, corsRequestHeaders)
	c.Set(fiber.HeaderAccessControlMaxAge, corsMaxAge)
	c.Status(fiber.StatusNoContent)
	return true
}
