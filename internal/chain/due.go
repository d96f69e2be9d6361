package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/outbox"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

const (
	// dueBatch is how many due launches are read at once, dueBatches how many such
	// batches one run of LaunchDue takes; the next run goes on.
	dueBatch, dueBatches = 100, 10
	// A refused launch waits for a quarter of the time it is late before it is tried
	// again, between these bounds: funds tend to come soon or never.
	shortestDeferral, longestDeferral = 2 * time.Second, 10 * time.Minute
	// launchGrace is how long after its time a launch is tried before it has failed.
	launchGrace = 24 * time.Hour
)

// LaunchDue launches the chains whose time has come and returns how many it
// did. One that can't be launched (its creator's CNPY does not suffice) stays
// pending, says why in its FailureReason and is tried again after a while; a day
// after its time it has failed. Several pods may do so: of two that launch one
// chain, one does it.
func (s *Service) LaunchDue(ctx context.Context) (int, error) {
	launched := 0
	var failures []error
	for range dueBatches {
		now := s.now()
		due, err := s.Store.Queries().ListDueChains(ctx, db.ListDueChainsParams{Now: now, MaxRows: dueBatch})
		if err != nil {
			return launched, errors.Join(append(failures, fmt.Errorf("look for due launches: %w", err))...)
		}
		for _, row := range due {
			_, err := s.launch(ctx, row.ID)
			if err == nil {
				launched++
				continue
			}
			failures = append(failures, s.putOff(ctx, row.ID, now, *row.ScheduledLaunchTime, err))
		}
		if len(due) < dueBatch || ctx.Err() != nil {
			break
		}
	}
	return launched, errors.Join(failures...)
}

// putOff sends a launch that could not be done to the end of the queue, keeps a
// refusal on the chain's row and passes on all else. Where another pod was faster
// there is no pending row, and nothing is written.
func (s *Service) putOff(ctx context.Context, id uuid.UUID, now, due time.Time, cause error) error {
	refusal, refused := fault.As(cause)
	if refused && now.Sub(due) >= launchGrace {
		return s.expire(ctx, id, now, refusal.Message)
	}
	next := now.Add(min(max(now.Sub(due)/4, shortestDeferral), longestDeferral))
	err := s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		if err := q.DeferLaunch(ctx, db.DeferLaunchParams{ID: id, NextLaunchAttempt: &next}); err != nil || !refused {
			return err
		}
		noted, err := q.NoteLaunchRefusal(ctx, db.NoteLaunchRefusalParams{ID: id, FailureReason: refusal.Message})
		if err != nil || noted == 0 {
			return err // the reason is known already
		}
		return outbox.Append(ctx, q, id, outbox.LaunchRefused, map[string]string{"reason": refusal.Message})
	})
	switch {
	case err != nil:
		return fmt.Errorf("put off the launch of chain %s: %w", id, err)
	case !refused:
		return fmt.Errorf("launch chain %s: %w", id, cause)
	}
	return nil
}

// expire ends a chain whose launch was refused for a day.
func (s *Service) expire(ctx context.Context, id uuid.UUID, now time.Time, refusal string) error {
	reason := "The launch was given up a day after its time: " + refusal
	err := s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		ended, err := q.ExpireLaunch(ctx, db.ExpireLaunchParams{ID: id, FailureReason: reason, ScheduledUntil: now.Add(-launchGrace)})
		if err != nil || ended == 0 {
			return err
		}
		return outbox.Append(ctx, q, id, outbox.ChainFailed, map[string]string{"reason": reason})
	})
	if err != nil {
		return fmt.Errorf("give up the launch of chain %s: %w", id, err)
	}
	return nil
}
