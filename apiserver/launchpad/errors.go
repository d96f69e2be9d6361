package launchpad

import (
	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/fault"
)

// The codes of the seed's Error Codes, then ours (docs/domain.md §9).
const (
	codeValidation    = "VALIDATION_ERROR"
	codeBadRequest    = "BAD_REQUEST"
	codeUnauthorized  = "UNAUTHORIZED"
	codeForbidden     = "FORBIDDEN"
	codeNotFound      = "NOT_FOUND"
	codeConflict      = "CONFLICT"
	codeUnprocessable = "UNPROCESSABLE_ENTITY"
	codeInternal      = "INTERNAL_ERROR"
	codeRateLimit     = "RATE_LIMIT_EXCEEDED"
	codeMethod        = "METHOD_NOT_ALLOWED"
	codeUnavailable   = "SERVICE_UNAVAILABLE"
)

// refusal is the seed's error object with its status.
type refusal struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Details any    `json:"details,omitempty"`
}

// fieldDetail is one entry of the details of a VALIDATION_ERROR.
type fieldDetail struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// limitDetail tells a client that was turned away about its budget.
type limitDetail struct {
	Tier       string `json:"tier"`
	Limit      int64  `json:"limit"`
	RetryAfter int64  `json:"retry_after"` // seconds
}

// RenderError implements middleware.Surface.
func (s *Surface) RenderError(c *fiber.Ctx, err error) error {
	r := refusalOf(httpx.Explain(err))
	if r.Code == codeUnavailable && len(c.Response().Header.Peek(fiber.HeaderRetryAfter)) == 0 {
		c.Set(fiber.HeaderRetryAfter, "1")
	}
	return c.Status(r.status).JSON(struct {
		Error refusal `json:"error"`
	}{r})
}

// protocol is what the router and the server themselves refuse. The seed knows
// 400 for requests that can't be read, whatever the reason.
var protocol = map[httpx.Cause]refusal{
	httpx.Maintenance: {fiber.StatusServiceUnavailable, codeUnavailable, "The service is in maintenance, please try again later", nil},
	httpx.StoreDown:   {fiber.StatusServiceUnavailable, codeUnavailable, "The service is temporarily unavailable, please try again", nil},
	httpx.NoRoute:     {fiber.StatusNotFound, codeNotFound, "Resource not found", nil},
	httpx.WrongMethod: {fiber.StatusMethodNotAllowed, codeMethod, "Method not allowed", nil},
	httpx.TooLarge:    {fiber.StatusBadRequest, codeBadRequest, "Request is too large", nil},
	httpx.TooSlow:     {fiber.StatusBadRequest, codeBadRequest, "Request did not arrive in time", nil},
	httpx.BadProtocol: {fiber.StatusBadRequest, codeBadRequest, "Malformed request", nil},
}

// kinds is the domain's vocabulary in the seed's words.
var kinds = map[fault.Kind]refusal{
	fault.Invalid:         {status: fiber.StatusBadRequest, Code: codeValidation},
	fault.Malformed:       {status: fiber.StatusBadRequest, Code: codeBadRequest},
	fault.Unauthenticated: {status: fiber.StatusUnauthorized, Code: codeUnauthorized},
	fault.Forbidden:       {status: fiber.StatusForbidden, Code: codeForbidden},
	fault.NotFound:        {status: fiber.StatusNotFound, Code: codeNotFound},
	fault.Conflict:        {status: fiber.StatusConflict, Code: codeConflict},
	fault.Unprocessable:   {status: fiber.StatusUnprocessableEntity, Code: codeUnprocessable},
	fault.Exhausted:       {status: fiber.StatusTooManyRequests, Code: codeRateLimit},
	fault.Unavailable:     {status: fiber.StatusServiceUnavailable, Code: codeUnavailable},
}

func refusalOf(p httpx.Problem) refusal {
	switch p.Cause {
	case httpx.Refused:
		if known, ok := kinds[p.Fault.Kind]; ok {
			return known.worded(p.Fault)
		}
	case httpx.RateLimited:
		d := p.RateLimit.Decision
		return refusal{fiber.StatusTooManyRequests, codeRateLimit, "Rate limit exceeded", limitDetail{
			Tier: d.Tier, Limit: d.Limit, RetryAfter: p.RateLimit.RetryAfterSeconds(),
		}}
	}
	if known, ok := protocol[p.Cause]; ok {
		return known
	}
	return refusal{fiber.StatusInternalServerError, codeInternal, p.Sentence, nil}
}

// worded adds the fault's message and, where fields are wrong, all of them.
func (r refusal) worded(f *fault.Fault) refusal {
	r.Message = f.Message
	if f.Kind == fault.Invalid {
		details := make([]fieldDetail, len(f.Fields))
		for i, field := range f.Fields {
			details[i] = fieldDetail{Field: field.Name, Message: field.Reason}
		}
		r.Details = details
	}
	return r
}
