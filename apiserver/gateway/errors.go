package gateway

import (
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/version"
)

// refusal is an entry of the seed's Error Code Registry with its status.
type refusal struct {
	status  int
	code    string
	message string
	details map[string]any
}

// The entries in use, with the registry's words.
var (
	errInvalid     = refusal{fiber.StatusBadRequest, "LUCID_ERR_1001", "Invalid request data", nil}
	errMissing     = refusal{fiber.StatusBadRequest, "LUCID_ERR_1002", "Missing required field", nil}
	errFormat      = refusal{fiber.StatusBadRequest, "LUCID_ERR_1003", "Invalid field format", nil}
	errRange       = refusal{fiber.StatusBadRequest, "LUCID_ERR_1004", "Field value out of range", nil}
	errUUID        = refusal{fiber.StatusBadRequest, "LUCID_ERR_1005", "Invalid UUID format", nil}
	errDate        = refusal{fiber.StatusBadRequest, "LUCID_ERR_1008", "Invalid date format", nil}
	errJSON        = refusal{fiber.StatusBadRequest, "LUCID_ERR_1009", "Invalid JSON format", nil}
	errTooLarge    = refusal{fiber.StatusBadRequest, "LUCID_ERR_1010", "Request too large", nil}
	errToken       = refusal{fiber.StatusUnauthorized, "LUCID_ERR_2003", "Token invalid", nil}
	errPermissions = refusal{fiber.StatusForbidden, "LUCID_ERR_2004", "Insufficient permissions", nil}
	errRateLimit   = refusal{fiber.StatusTooManyRequests, "LUCID_ERR_3001", "Rate limit exceeded", nil}
	errConcurrency = refusal{fiber.StatusTooManyRequests, "LUCID_ERR_3005", "Concurrent request limit", nil}
	errNotFound    = refusal{fiber.StatusNotFound, "LUCID_ERR_4001", "Resource not found", nil}
	errExists      = refusal{fiber.StatusConflict, "LUCID_ERR_4002", "Resource already exists", nil}
	errNotAllowed  = refusal{fiber.StatusUnprocessableEntity, "LUCID_ERR_4003", "Operation not allowed", nil}
	errWrongMethod = refusal{fiber.StatusMethodNotAllowed, "LUCID_ERR_4003", "Operation not allowed", nil}
	errTransaction = refusal{fiber.StatusBadRequest, "LUCID_ERR_4008", "Transaction failed", nil}
	errBlockchain  = refusal{fiber.StatusServiceUnavailable, "LUCID_ERR_4009", "Blockchain service unavailable", nil}
	errInternal    = refusal{fiber.StatusInternalServerError, "LUCID_ERR_5001", "Internal server error", nil}
	errDatabase    = refusal{fiber.StatusServiceUnavailable, "LUCID_ERR_5002", "Database connection error", nil}
	errTimeout     = refusal{fiber.StatusRequestTimeout, "LUCID_ERR_5006", "Timeout error", nil}
	errUnavailable = refusal{fiber.StatusServiceUnavailable, "LUCID_ERR_5008", "Service unavailable", nil}
	errMaintenance = refusal{fiber.StatusServiceUnavailable, "LUCID_ERR_5009", "Maintenance mode", nil}
	fieldKinds     = map[string]refusal{
		httpx.RuleRequired: errMissing,
		httpx.RuleType:     errFormat, httpx.RuleFormat: errFormat, httpx.RuleEnum: errFormat, "pattern": errFormat,
		httpx.RuleRange: errRange, httpx.RuleLength: errRange, "min_value": errRange, "max_value": errRange, "max_length": errRange,
		httpx.RuleUUID: errUUID, httpx.RuleDate: errDate, httpx.RuleJSON: errJSON, httpx.RuleSize: errTooLarge,
	}
	kinds = map[fault.Kind]refusal{
		fault.Unauthenticated: errToken, fault.Forbidden: errPermissions, fault.NotFound: errNotFound,
		fault.Conflict: errExists, fault.Unprocessable: errNotAllowed, fault.Exhausted: errRateLimit, fault.Unavailable: errUnavailable,
	}
	causes = map[httpx.Cause]refusal{
		httpx.Maintenance: errMaintenance, httpx.StoreDown: errDatabase, httpx.NoRoute: errNotFound,
		httpx.WrongMethod: errWrongMethod, httpx.TooLarge: errTooLarge, httpx.TooSlow: errTimeout,
		httpx.BadProtocol: errInvalid,
	}
)

// errorObject is the seed's ErrorResponse.
type errorObject struct {
	Code      string         `json:"code"`
	Message   string         `json:"message"`
	Details   map[string]any `json:"details"`
	RequestID string         `json:"request_id"`
	Timestamp time.Time      `json:"timestamp"`
	Service   string         `json:"service"`
	Version   string         `json:"version"`
}

// RenderError implements middleware.Surface.
func (s *Surface) RenderError(c *fiber.Ctx, err error) error {
	r := refusalFor(err)
	if r.details == nil {
		r.details = map[string]any{} // an object, as the schema has it
	}
	return c.Status(r.status).JSON(struct {
		Error errorObject `json:"error"`
	}{errorObject{
		Code: r.code, Message: r.message, Details: r.details, RequestID: middleware.RequestID(c),
		Timestamp: s.now().UTC(), Service: service, Version: version.API,
	}})
}

// refusalFor prefers what a route knows of its own failures.
func refusalFor(err error) refusal {
	var failed *chainError
	if errors.As(err, &failed) {
		return failed.refusal
	}
	return refusalOf(httpx.Explain(err))
}

func refusalOf(p httpx.Problem) refusal {
	switch p.Cause {
	case httpx.Refused:
		return ofFault(p.Fault)
	case httpx.RateLimited:
		return ofLimit(p.RateLimit)
	}
	if known, ok := causes[p.Cause]; ok {
		return known
	}
	return errInternal
}

// ofFault keeps the registry's message for the code and puts what the domain
// says into the details.
func ofFault(f *fault.Fault) refusal {
	if f.Kind == fault.Invalid || f.Kind == fault.Malformed {
		return ofFields(f)
	}
	r, known := kinds[f.Kind]
	if !known {
		return errInternal
	}
	r.details = map[string]any{"reason": f.Message}
	return r
}

// ofFields takes the most specific code that holds for every wrong field.
func ofFields(f *fault.Fault) refusal {
	r := errInvalid
	fields := make([]map[string]string, len(f.Fields))
	for i, field := range f.Fields {
		fields[i] = map[string]string{"field": field.Name, "message": field.Reason}
		specific, known := fieldKinds[field.Rule]
		if !known || (i > 0 && specific.code != r.code) {
			specific = errInvalid
		}
		if i == 0 || specific.code == errInvalid.code {
			r = specific
		}
	}
	r.details = map[string]any{"reason": f.Message, "fields": fields}
	return r
}

func ofLimit(limited *middleware.RateLimitedError) refusal {
	d := limited.Decision
	r := errRateLimit
	if d.Over == ratelimit.OverConcurrency {
		r = errConcurrency
	}
	r.details = map[string]any{"tier": d.Tier, "limit": d.Limit, "retry_after": limited.RetryAfterSeconds()}
	return r
}
