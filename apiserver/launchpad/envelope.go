package launchpad

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/version"
)

// envelope is the seed's Response Format.
type envelope struct {
	Data       any               `json:"data"`
	Pagination *httpx.Pagination `json:"pagination,omitempty"`
}

func answer(c *fiber.Ctx, status int, data any) error {
	return c.Status(status).JSON(envelope{Data: data})
}

// answerList shows a page of items. view makes an item's JSON; an empty page is
// an empty array.
func answerList[T, V any](c *fiber.Ctx, page httpx.Page, total int64, items []T, view func(T) V) error {
	shown := make([]V, len(items))
	for i, item := range items {
		shown[i] = view(item)
	}
	pagination := page.Of(total)
	return c.JSON(envelope{Data: shown, Pagination: &pagination})
}

// message is the answer of operations that leave nothing to show.
type message struct {
	Message string `json:"message"`
}

// health says that the process answers. It asks no dependency: what fails
// without the database says so itself.
func (s *Surface) health(c *fiber.Ctx) error {
	return answer(c, fiber.StatusOK, struct {
		Status    string    `json:"status"`
		Timestamp time.Time `json:"timestamp"`
		Version   string    `json:"version"`
	}{"healthy", s.now().UTC().Truncate(time.Second), version.Version})
}

// utc moves an optional time to UTC, the seed's form.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	moved := t.UTC()
	return &moved
}
