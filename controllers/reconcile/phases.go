package reconcile

import (
	"context"
	"errors"
)

// Phase is one step of a pass over a scope S, usually a pointer to a struct
// that holds what was gathered and what the steps decided.
type Phase[S any] func(ctx context.Context, scope S) error

// Sequence runs phases in order and stops at the first that fails: each needs
// what the one before it did.
func Sequence[S any](phases ...Phase[S]) Phase[S] {
	return func(ctx context.Context, scope S) error {
		for _, phase := range phases {
			if err := phase(ctx, scope); err != nil {
				return err
			}
		}
		return nil
	}
}

// Each runs every phase, whatever the others return, and joins their errors: a
// missing database, say, must not keep a rate limit from being published.
func Each[S any](phases ...Phase[S]) Phase[S] {
	return func(ctx context.Context, scope S) error {
		var errs []error
		for _, phase := range phases {
			if ctx.Err() != nil {
				return errors.Join(append(errs, ctx.Err())...)
			}
			errs = append(errs, phase(ctx, scope))
		}
		return errors.Join(errs...)
	}
}
