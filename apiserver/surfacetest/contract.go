package surfacetest

import (
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/apiserver/openapi"
	"github.com/lucid-blockchain/lucid/apiserver/openapi/conformance"
)

// described is a surface with an OpenAPI document.
type described interface{ Document() *openapi.Document }

// validators keeps what compiling a document's schemas costs to once per run.
var validators sync.Map // of *openapi.Document

// held fails the test for every answer, and every granted request, that the
// surface's document does not have. A surface without a document is let be.
func held(t testing.TB, surface middleware.Surface) fiber.Handler {
	t.Helper()
	d, ok := surface.(described)
	if !ok {
		return func(c *fiber.Ctx) error { return c.Next() }
	}
	validator := validatorOf(t, d.Document())
	return func(c *fiber.Ctx) error {
		asked := append([]byte(nil), c.Request().Body()...) // a handler may wipe it
		if err := c.Next(); err != nil {
			return err
		}
		x := exchangeOf(c)
		x.RequestBody = asked
		for _, problem := range validator.Check(x) {
			t.Errorf("against the OpenAPI document: %s\n%s", problem, x.Text())
		}
		return nil
	}
}

// Message fails the test for a message, of a WebSocket say, that is not of the named
// schema of a document.
func Message(t testing.TB, d *openapi.Document, schema string, text []byte) {
	t.Helper()
	for _, problem := range validatorOf(t, d).Message(schema, text) {
		t.Errorf("against %s of the OpenAPI document: %s\n%s", schema, problem, text)
	}
}

func validatorOf(t testing.TB, d *openapi.Document) *conformance.Validator {
	t.Helper()
	compiling := sync.OnceValues(func() (*conformance.Validator, error) { return conformance.New(d) })
	kept, _ := validators.LoadOrStore(d, compiling)
	validator, err := kept.(func() (*conformance.Validator, error))()
	if err != nil {
		t.Fatalf("the OpenAPI document: %v", err)
	}
	return validator
}

// exchangeOf copies what is needed but the request's body: Fiber's memory is reused.
func exchangeOf(c *fiber.Ctx) conformance.Exchange {
	x := conformance.Exchange{
		Method: string(c.Request().Header.Method()), Path: string(c.Request().URI().Path()), Status: c.Response().StatusCode(),
		RequestHeader: http.Header{}, Header: http.Header{},
		Body: append([]byte(nil), c.Response().Body()...),
	}
	if x.Status == http.StatusNoContent || x.Status == http.StatusNotModified {
		x.Body = nil // the server doesn't send one either
	}
	x.Query, _ = url.ParseQuery(string(c.Request().URI().QueryString())) // what can't be read was refused
	c.Request().Header.VisitAll(func(name, value []byte) { x.RequestHeader.Add(string(name), string(value)) })
	c.Response().Header.VisitAll(func(name, value []byte) { x.Header.Add(string(name), string(value)) })
	return x
}
