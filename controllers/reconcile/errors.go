package reconcile

import (
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
)

// conflictRetry is the pause after a write lost to another writer: the cache
// needs a moment to see the winner, and nobody needs to hear of it.
const conflictRetry = 100 * time.Millisecond

// StalledError says that nothing changes until the user does something. It is
// not retried: the user's edit is the event that starts the next pass.
type StalledError struct {
	Reason  string // CamelCase, becomes the condition's reason
	Message string // what the user can do about it; fit to be shown
}

// Error implements error.
func (e *StalledError) Error() string { return e.Message }

// Stalled makes a StalledError. The message is shown to users as it stands: no
// secrets, no text from upstream, no times, no unsorted lists.
func Stalled(reason, format string, args ...any) error {
	return &StalledError{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// WaitingError says that something else has to happen first, and when to look
// again even if no event tells of it.
type WaitingError struct {
	Reason  string
	Message string
	After   time.Duration
}

// Error implements error.
func (e *WaitingError) Error() string { return e.Message }

// Waiting makes a WaitingError; the rules for the message are those of Stalled.
func Waiting(after time.Duration, reason, format string, args ...any) error {
	return &WaitingError{Reason: reason, Message: fmt.Sprintf(format, args...), After: after}
}

// Result turns the outcome of a pass into what controller-runtime wants. Of
// several joined errors the most urgent decides: transient, then the shortest
// wait, then stalled.
func Result(err error) (ctrl.Result, error) {
	var result ctrl.Result
	for _, e := range flatten(err) {
		var stalled *StalledError
		var waiting *WaitingError
		switch {
		case errors.As(e, &stalled):
		case errors.As(e, &waiting):
			result.RequeueAfter = sooner(result.RequeueAfter, waiting.After)
		case apierrors.IsConflict(e):
			result.RequeueAfter = sooner(result.RequeueAfter, conflictRetry)
		default:
			return ctrl.Result{}, err
		}
	}
	return result, nil
}

// Explain returns the reason and message a condition should carry for err. The
// text of a transient error stays in the log, because it may hold upstream text
// and changes from one attempt to the next.
func Explain(err error) (reason, message string) {
	var stalled *StalledError
	var waiting *WaitingError
	switch {
	case errors.As(err, &stalled):
		return stalled.Reason, stalled.Message
	case errors.As(err, &waiting):
		return waiting.Reason, waiting.Message
	default:
		return ReasonRetrying, "the last attempt failed and is repeated; the operator's log has the cause"
	}
}

// IsStalled reports whether err, or any error joined into it, is a StalledError.
func IsStalled(err error) bool {
	var stalled *StalledError
	return errors.As(err, &stalled)
}

// flatten lists the leaves of joined errors.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var leaves []error
	for _, e := range joined.Unwrap() {
		leaves = append(leaves, flatten(e)...)
	}
	return leaves
}

// sooner returns the shorter of two waits, where zero means none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
