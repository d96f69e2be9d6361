package launchpad

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/apiserver/openapi"
)

// prefix is where the operations are.
const prefix = "/api/v1"

// described is a router whose operations take no more than the document describes.
// Those with a body hold themselves to it by [httpx.ReadObject], and those that have
// parameters by [httpx.ReadQuery]; held is for what no handler looks at.
type described struct {
	fiber.Router
	operations map[string]*openapi.Operation // by method and path, as the router spells it
}

func describedBy(d *openapi.Document, r fiber.Router) described {
	spelling := strings.NewReplacer("{", ":", "}", "")
	all := map[string]*openapi.Operation{}
	for _, o := range d.Operations() {
		all[o.Method+" "+spelling.Replace(o.Path)] = o
	}
	return described{r, all}
}

// Get implements fiber.Router.
func (d described) Get(path string, handlers ...fiber.Handler) fiber.Router {
	return d.Router.Get(path, d.held(fiber.MethodGet, path, httpx.NoBody, handlers)...)
}

// Post implements fiber.Router.
func (d described) Post(path string, handlers ...fiber.Handler) fiber.Router {
	return d.Router.Post(path, d.held(fiber.MethodPost, path, httpx.Nothing, handlers)...)
}

// Put implements fiber.Router.
func (d described) Put(path string, handlers ...fiber.Handler) fiber.Router {
	return d.Router.Put(path, d.held(fiber.MethodPut, path, httpx.Nothing, handlers)...)
}

// Delete implements fiber.Router.
func (d described) Delete(path string, handlers ...fiber.Handler) fiber.Router {
	return d.Router.Delete(path, d.held(fiber.MethodDelete, path, httpx.Nothing, handlers)...)
}

// held puts a check before an operation without a body. Who has to say who they are
// and doesn't is told that first, in the operation's own words.
func (d described) held(method, path string, check fiber.Handler, handlers []fiber.Handler) []fiber.Handler {
	o := d.operations[method+" "+prefix+path]
	if o != nil && o.RequestBody != nil {
		return handlers
	}
	public := o != nil && o.Security != nil && len(*o.Security) == 0
	checked := func(c *fiber.Ctx) error {
		if public || !middleware.IdentityOf(c).Anonymous() {
			if err := check(c); err != nil {
				return err
			}
		}
		return c.Next()
	}
	return append([]fiber.Handler{checked}, handlers...)
}
