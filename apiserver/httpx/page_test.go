package httpx_test

import (
	"io"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
)

func TestPagesAreComputed(t *testing.T) {
	for _, test := range []struct {
		total, limit, pages int64
		reason              string
	}{
		{0, 20, 0, "an empty list has no pages"},
		{1, 20, 1, "a page begun counts"},
		{40, 20, 2, "full pages only"},
		{42, 20, 3, "the seed's example"},
	} {
		got := httpx.Page{Number: 1, Limit: int(test.limit)}.Of(test.total)
		if got.Pages != test.pages || got.Total != test.total {
			t.Errorf("%s: %+v, want %d pages", test.reason, got, test.pages)
		}
	}
}

// FuzzQuery: whatever a query says, reading it does not panic and a page is
// within its limits.
func FuzzQuery(f *testing.F) {
	f.Add("page=1&limit=20")
	f.Add("page=-1&limit=101&x=%ff")
	f.Add("page=99999999999999999999&status=a&status=b")
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/", func(c *fiber.Ctx) error {
		q := httpx.ReadQuery(c)
		page := q.Page(httpx.Bounds)
		q.Text("t", 5)
		q.OneOf("status", "a", "b")
		q.Bool("b")
		q.UUID("id")
		_ = q.Err()
		if page.Number < 1 || page.Limit < 1 || page.Limit > 100 {
			return c.SendStatus(fiber.StatusTeapot)
		}
		return nil
	})
	f.Fuzz(func(t *testing.T, query string) {
		request := httptest.NewRequest(fiber.MethodGet, "/", nil)
		request.URL = &url.URL{Path: "/", RawQuery: url.PathEscape(query)}
		response, err := app.Test(request)
		if err != nil {
			t.Skip("no HTTP request")
		}
		defer func() { _ = response.Body.Close() }()
		_, _ = io.Copy(io.Discard, response.Body)
		if response.StatusCode == fiber.StatusTeapot || response.StatusCode >= 500 {
			t.Fatalf("%q: status %d", query, response.StatusCode)
		}
	})
}
