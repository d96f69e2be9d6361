package httpx

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/store"
)

// Cause sorts errors by what a surface can say about them.
type Cause int

// The causes. All that is not known to be another is Internal.
const (
	Internal    Cause = iota
	Refused           // a fault of the domain; Problem.Fault has it
	RateLimited       // Problem.RateLimit has the decision
	Maintenance       // declared on the gateway
	StoreDown         // the database can't be reached
	NoRoute           // 404 of the router
	WrongMethod       // 405 of the router
	TooLarge          // body or headers over the limit
	TooSlow           // the request did not arrive in time
	BadProtocol       // not understandable as HTTP
)

// Problem is an error, sorted.
type Problem struct {
	Cause     Cause
	Fault     *fault.Fault
	RateLimit *middleware.RateLimitedError
	// Sentence is what the seed says when this operation fails inside, such as
	// "Failed to retrieve virtual pools".
	Sentence string
}

// failure is an error with the sentence of the operation that failed.
type failure struct {
	sentence string
	err      error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// Operation names what a handler does, for when it fails inside.
func Operation(sentence string, handler fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if err := handler(c); err != nil {
			return &failure{sentence: sentence, err: err}
		}
		return nil
	}
}

// defaultSentence is for what fails outside of any operation.
const defaultSentence = "Internal server error"

// Explain sorts an error. Nothing of its text is in the result but what a fault
// allows to be shown.
func Explain(err error) Problem {
	p := Problem{Sentence: defaultSentence}
	var named *failure
	if errors.As(err, &named) {
		p.Sentence = named.sentence
	}
	var limited *middleware.RateLimitedError
	var planned *middleware.MaintenanceError
	var protocol *fiber.Error
	refusal, refused := fault.As(err)
	switch {
	case refused:
		p.Cause, p.Fault = Refused, refusal
	case errors.As(err, &limited):
		p.Cause, p.RateLimit = RateLimited, limited
	case errors.As(err, &planned):
		p.Cause = Maintenance
	case errors.As(err, &protocol):
		p.Cause = ofProtocol(protocol.Code)
	case store.IsUnavailable(err):
		p.Cause = StoreDown
	}
	return p
}

func ofProtocol(status int) Cause {
	switch status {
	case fiber.StatusNotFound:
		return NoRoute
	case fiber.StatusMethodNotAllowed:
		return WrongMethod
	case fiber.StatusRequestEntityTooLarge, fiber.StatusRequestHeaderFieldsTooLarge:
		return TooLarge
	case fiber.StatusRequestTimeout:
		return TooSlow
	}
	if status >= fiber.StatusInternalServerError {
		return Internal
	}
	return BadProtocol
}
