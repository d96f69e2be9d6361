package docu

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/version"
)

// The codes. The seed shows the first two; the others follow its HTTP Status
// Codes.
const (
	codeValidation    = "VALIDATION_ERROR"
	codeRateLimited   = "RATE_LIMITED"
	codeBadRequest    = "BAD_REQUEST"
	codeUnauthorized  = "UNAUTHORIZED"
	codeForbidden     = "FORBIDDEN"
	codeNotFound      = "NOT_FOUND"
	codeMethod        = "METHOD_NOT_ALLOWED"
	codeConflict      = "CONFLICT"
	codeTooLarge      = "PAYLOAD_TOO_LARGE"
	codeTimeout       = "REQUEST_TIMEOUT"
	codeUnprocessable = "UNPROCESSABLE_ENTITY"
	codeInternal      = "INTERNAL_ERROR"
	codeUnavailable   = "SERVICE_UNAVAILABLE"
)

// problemJSON is RFC 9457's media type.
const problemJSON = "application/problem+json"

// refusal is the seed's error object with its status.
type refusal struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Details any    `json:"details,omitempty"`
}

// validationDetail is the seed's ValidationDetail.
type validationDetail struct {
	Field   string `json:"field"`
	Value   any    `json:"value,omitempty"`
	Message string `json:"message"`
	Code    string `json:"code"`
}

// limitDetail is the seed's details of RATE_LIMITED.
type limitDetail struct {
	Limit      int64     `json:"limit"`
	Remaining  int64     `json:"remaining"`
	Reset      time.Time `json:"reset"`
	RetryAfter int64     `json:"retryAfter"` // seconds
}

// metadata is the seed's ResponseMetadata.
type metadata struct {
	Timestamp time.Time `json:"timestamp"`
	RequestID string    `json:"requestId"`
	Version   string    `json:"version"`
}

// errorResponse is the seed's ErrorResponse.
type errorResponse struct {
	Success  bool     `json:"success"` // always false
	Error    refusal  `json:"error"`
	Metadata metadata `json:"metadata"`
}

// problem is RFC 9457's object; about:blank says that the status tells it all
// and code is what this surface adds.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Details   any    `json:"details,omitempty"`
	RequestID string `json:"requestId"`
}

// RenderError implements middleware.Surface.
func (s *Surface) RenderError(c *fiber.Ctx, err error) error {
	r := refusalOf(httpx.Explain(err))
	id := middleware.RequestID(c)
	// The envelope comes first, so that it is the answer to */*.
	if c.Accepts(fiber.MIMEApplicationJSON, problemJSON) == problemJSON {
		return c.Status(r.status).JSON(problem{
			Type: "about:blank", Title: http.StatusText(r.status), Status: r.status, Detail: r.Message,
			Code: r.Code, Details: r.Details, RequestID: id,
		}, problemJSON)
	}
	return c.Status(r.status).JSON(errorResponse{
		Error: r, Metadata: metadata{Timestamp: s.now().UTC(), RequestID: id, Version: version.Version},
	}, contentJSON)
}

var causes = map[httpx.Cause]refusal{
	httpx.Maintenance: {fiber.StatusServiceUnavailable, codeUnavailable, "The service is in maintenance, please try again later", nil},
	httpx.StoreDown:   {fiber.StatusServiceUnavailable, codeUnavailable, "The service is temporarily unavailable, please try again", nil},
	httpx.NoRoute:     {fiber.StatusNotFound, codeNotFound, "Resource not found", nil},
	httpx.WrongMethod: {fiber.StatusMethodNotAllowed, codeMethod, "Method not allowed", nil},
	httpx.TooLarge:    {fiber.StatusRequestEntityTooLarge, codeTooLarge, "Request is too large", nil},
	httpx.TooSlow:     {fiber.StatusRequestTimeout, codeTimeout, "Request did not arrive in time", nil},
	httpx.BadProtocol: {fiber.StatusBadRequest, codeBadRequest, "Malformed request", nil},
}

var kinds = map[fault.Kind]refusal{
	fault.Malformed:       {status: fiber.StatusBadRequest, Code: codeBadRequest},
	fault.Unauthenticated: {status: fiber.StatusUnauthorized, Code: codeUnauthorized},
	fault.Forbidden:       {status: fiber.StatusForbidden, Code: codeForbidden},
	fault.NotFound:        {status: fiber.StatusNotFound, Code: codeNotFound},
	fault.Conflict:        {status: fiber.StatusConflict, Code: codeConflict},
	fault.Unprocessable:   {status: fiber.StatusUnprocessableEntity, Code: codeUnprocessable},
	fault.Exhausted:       {status: fiber.StatusTooManyRequests, Code: codeRateLimited},
	fault.Unavailable:     {status: fiber.StatusServiceUnavailable, Code: codeUnavailable},
}

func refusalOf(p httpx.Problem) refusal {
	switch p.Cause {
	case httpx.Refused:
		return ofFault(p.Fault, p.Sentence)
	case httpx.RateLimited:
		d := p.RateLimit.Decision
		return refusal{fiber.StatusTooManyRequests, codeRateLimited, "Too many requests", limitDetail{
			Limit: d.Limit, Remaining: d.Remaining, Reset: d.Reset.UTC(), RetryAfter: p.RateLimit.RetryAfterSeconds(),
		}}
	}
	if known, ok := causes[p.Cause]; ok {
		return known
	}
	return internal(p.Sentence)
}

func internal(sentence string) refusal {
	return refusal{fiber.StatusInternalServerError, codeInternal, sentence, nil}
}

func ofFault(f *fault.Fault, sentence string) refusal {
	if f.Kind == fault.Invalid {
		details := make([]validationDetail, len(f.Fields))
		for i, field := range f.Fields {
			details[i] = validationDetail{Field: field.Name, Value: field.Value, Message: field.Reason, Code: ruleName(field.Rule)}
		}
		return refusal{fiber.StatusBadRequest, codeValidation, "Request validation failed", details}
	}
	r, known := kinds[f.Kind]
	if !known {
		return internal(sentence)
	}
	r.Message = f.Message
	return r
}

// ruleName writes a rule as the seed does: what has a wrong form of any sort is
// "invalid_format".
func ruleName(rule string) string {
	switch rule {
	case httpx.RuleType, httpx.RuleFormat, httpx.RuleUUID, httpx.RuleDate, "pattern":
		return "invalid_format"
	}
	return rule
}
