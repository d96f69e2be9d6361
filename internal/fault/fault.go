// Package fault is the one vocabulary in which the domain refuses. A surface
// maps a Kind to its own code and status; nothing below the surfaces knows HTTP.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says who has to act on a refusal, and how.
type Kind string

// The kinds of refusal. Anything that is not a Fault is an internal error and
// its text never leaves the process.
const (
	Invalid         Kind = "Invalid"         // a field of the request is wrong
	Malformed       Kind = "Malformed"       // the request can't be read at all
	Unauthenticated Kind = "Unauthenticated" // no or bad identity
	Forbidden       Kind = "Forbidden"       // identity known, not allowed
	NotFound        Kind = "NotFound"        // no such thing, or not for this caller
	Conflict        Kind = "Conflict"        // taken, or changed meanwhile
	Unprocessable   Kind = "Unprocessable"   // well formed, against a business rule
	Exhausted       Kind = "Exhausted"       // too often; RetryAfter says when it may be tried again
	Unavailable     Kind = "Unavailable"     // a dependency is down; try again
)

// Field is one thing wrong with one field of a request.
type Field struct {
	Name   string // path of the field as the caller wrote it, such as "token_symbol"
	Reason string // what is allowed, without the field's name: "must be at least 1"
	Value  any    // the value refused; nil when it must not be echoed
	Rule   string // machine-readable rule, such as "required", "min_value", "format"
}

// Fault is a refusal that may be shown to the caller as it stands.
type Fault struct {
	Kind       Kind
	Message    string
	Fields     []Field
	RetryAfter time.Duration // zero when trying again does not help by itself
	cause      error
}

// Error implements error. The cause is kept for logs and errors.Is, never shown.
func (f *Fault) Error() string {
	if f.cause != nil {
		return fmt.Sprintf("%s: %v", f.Message, f.cause)
	}
	return f.Message
}

// Unwrap returns the hidden cause.
func (f *Fault) Unwrap() error { return f.cause }

// New makes a fault of the given kind.
func New(kind Kind, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Because returns a copy of f that remembers cause for the logs.
func (f *Fault) Because(cause error) *Fault {
	c := *f
	c.cause = cause
	return &c
}

// InvalidFields reports every wrong field at once.
func InvalidFields(fields ...Field) *Fault {
	return &Fault{Kind: Invalid, Message: "Validation failed", Fields: fields}
}

// As returns the Fault inside err, if there is one.
func As(err error) (*Fault, bool) {
	var f *Fault
	ok := errors.As(err, &f)
	return f, ok
}

// Is reports whether err is a Fault of the given kind.
func Is(err error, kind Kind) bool {
	f, ok := As(err)
	return ok && f.Kind == kind
}
