package bridge

import (
	"context"
	"fmt"
	"time"

	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

const (
	// lookEvery is the pause between two looks at a counter chain.
	lookEvery = 5 * time.Second
	// lookTimeout bounds one look; a node that answers nothing holds no asset up
	// for longer. A look begins no slice in the second half of it: what is begun
	// should have the time to end, and the rest is for the next look.
	lookTimeout = 2 * time.Minute
	// leaseFor is for how long a pod keeps the others from looking at the same
	// chain. It saves the node's time alone: what two pods find at once is still
	// written by one of them.
	leaseFor = lookTimeout + 30*time.Second
	// watchLonger is for how long after a lock's deadline its address is still
	// watched, so that a late payment is seen.
	watchLonger = 7 * 24 * time.Hour
)

// What comes of a look.
const (
	lookDone      = "done"      // everything final was read
	lookMore      = "more"      // time was up; the next look goes on from there
	lookBehind    = "behind"    // the node knows less of the chain than was read of it
	lookElsewhere = "elsewhere" // another pod looks
	lookFailed    = "failed"
)

// Run looks at the counter chains until ctx ends. What fails is logged and tried
// again: a chain that can't be reached keeps its orders locked and no other chain
// waiting for longer than one look.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		for _, w := range s.options.Witnesses() {
			if err := s.look(ctx, w); err != nil && ctx.Err() == nil {
				s.options.Logger.Error(err, "no payments seen", "asset", w.Asset().String())
			}
		}
		select {
		case <-ctx.Done():
			return s.release(context.WithoutCancel(ctx))
		case <-ticker.C:
		}
	}
}

// look is one bounded Look.
func (s *Service) look(ctx context.Context, w Witness) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return s.Look(ctx, w)
}

// release lets other pods go on at once.
func (s *Service) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.store.Queries().ReleaseBridgeCursors(ctx, s.holder); err != nil {
		s.options.Logger.Error(err, "leases not given back; they run out")
	}
	return nil
}

// Look settles what has become final on an asset's chain since the last look,
// unless another pod holds the lease. The first one only sets the mark. What was
// settled before a failure stays so, and the next look goes on from there.
func (s *Service) Look(ctx context.Context, w Witness) error {
	asset := w.Asset()
	after, held, err := s.lease(ctx, w)
	result := lookElsewhere
	if err == nil && held {
		result, err = s.lookFrom(ctx, w, after)
	}
	if err != nil {
		s.metrics.looked(asset, lookFailed)
		return fmt.Errorf("look for payments of %s: %w", asset, err)
	}
	s.metrics.looked(asset, result)
	return nil
}

// lookFrom reads slice after slice up to what is final now.
func (s *Service) lookFrom(ctx context.Context, w Witness, after Block) (string, error) {
	until, err := w.Final(ctx)
	if err != nil {
		return "", err
	}
	asset := w.Asset()
	if until.Number < after.Number {
		// One that catches up with its neighbours does no harm. One that stays so serves
		// another chain or lost its data, and no payment is seen until somebody acts.
		s.options.Logger.Info("the node is behind what was read", "asset", asset.String(), "node", until.Number, "read", after.Number)
		return lookBehind, nil
	}
	err = s.store.Queries().NoteFinalBridgeBlock(ctx, db.NoteFinalBridgeBlockParams{
		Network: asset.Network, Symbol: asset.Symbol, FinalBlock: int64(until.Number), FinalAt: until.At,
	})
	if err != nil {
		return "", fmt.Errorf("note the final block: %w", err)
	}
	for after.Number < until.Number {
		if timeIsUp(ctx) {
			return lookMore, nil
		}
		reached, ahead, err := s.slice(ctx, w, after, until)
		if err != nil || !ahead {
			return lookElsewhere, err
		}
		after = reached
	}
	return lookDone, nil
}

func timeIsUp(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return bounded && time.Until(deadline) < lookTimeout/2
}

// slice reads and settles as much as the witness takes at once, and returns up to
// which block that was. It reports false when another process was faster.
func (s *Service) slice(ctx context.Context, w Witness, after, until Block) (Block, bool, error) {
	asset := w.Asset()
	// Listed after until was final: who locks an order after this pays in a later block.
	// The time is the chain's, so that nothing is passed over after a long absence.
	addresses, err := s.store.Queries().ListBridgeAddresses(ctx, db.ListBridgeAddressesParams{
		Network: asset.Network, Symbol: asset.Symbol, Since: after.At.Add(-watchLonger),
	})
	if err != nil {
		return Block{}, false, fmt.Errorf("list the addresses: %w", err)
	}
	reached := until
	var payments []Payment
	if len(addresses) > 0 {
		if payments, reached, err = w.Payments(ctx, addresses, after, until); err != nil {
			return Block{}, false, err
		}
	}
	if reached.Number <= after.Number || reached.Number > until.Number {
		return Block{}, false, fmt.Errorf("asked for the blocks from %d to %d, the witness read up to %d", after.Number+1, until.Number, reached.Number)
	}
	outcomes, ahead, err := s.settle(ctx, asset, after, reached, payments)
	if err == nil && ahead {
		s.metrics.settled(asset, reached, outcomes)
	}
	return reached, ahead, err
}

// lease takes the asset's cursor, making it on the first look. It reports false
// while another process holds it.
func (s *Service) lease(ctx context.Context, w Witness) (Block, bool, error) {
	asset, q := w.Asset(), s.store.Queries()
	_, err := q.GetBridgeCursor(ctx, db.GetBridgeCursorParams{Network: asset.Network, Symbol: asset.Symbol})
	if store.NotFound(err) {
		err = s.begin(ctx, w)
	}
	if err != nil {
		return Block{}, false, err
	}
	row, err := q.LeaseBridgeCursor(ctx, db.LeaseBridgeCursorParams{
		Network: asset.Network, Symbol: asset.Symbol, Holder: s.holder, Seconds: int32(leaseFor.Seconds()),
	})
	if store.NotFound(err) {
		return Block{}, false, nil
	}
	if err != nil {
		return Block{}, false, fmt.Errorf("lease the cursor: %w", err)
	}
	return Block{Number: uint64(row.Block), At: row.BlockAt}, true, nil
}

// begin sets the mark from which an asset's payments are read.
func (s *Service) begin(ctx context.Context, w Witness) error {
	final, err := w.Final(ctx)
	if err != nil {
		return err
	}
	asset := w.Asset()
	return s.store.Queries().InsertBridgeCursor(ctx, db.InsertBridgeCursorParams{
		Network: asset.Network, Symbol: asset.Symbol, Block: int64(final.Number), BlockAt: final.At,
	})
}
