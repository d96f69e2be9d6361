package openapi

import (
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/etag"
)

// fresh is for how long a client may go on with what it has: a document changes
// only when the surface is rolled out anew.
const fresh = "public, max-age=300"

// Register serves the document at [JSONPath] and its page at [PagePath], to
// everybody. A client that has them already is told so by status 304.
func (d *Document) Register(r fiber.Router) {
	r.Get(JSONPath, etag.New(), d.serve(fiber.MIMEApplicationJSON, d.json))
	r.Get(PagePath, etag.New(), d.serve(fiber.MIMETextHTMLCharsetUTF8, d.page))
}

// serve sends content that never changes. The links are those of RFC 8631.
func (d *Document) serve(contentType string, content []byte) fiber.Handler {
	const links = `<` + JSONPath + `>; rel="service-desc"; type="application/json", <` + PagePath + `>; rel="service-doc"; type="text/html"`
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, contentType)
		c.Set(fiber.HeaderCacheControl, fresh)
		c.Set(fiber.HeaderLink, links)
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		c.Set(fiber.HeaderContentSecurityPolicy, contentSecurityPolicy)
		return c.Send(content)
	}
}
