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
	// for longer.
	lookTimeout = 2 * time.Minute
	// leaseFor is for how long a pod keeps the others from looking at the same
	// chain. It saves the node's time alone: what two pods find at once is still
	// written by one of them.
	leaseFor = lookTimeout + 30*time.Second
	// watchLonger is for how long after a lock's deadline its address is still
	// watched, so that a late payment is seen.
	watchLonger = 7 * 24 * time.Hour
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
// unless another pod holds the lease. The first one only sets the mark.
func (s *Service) Look(ctx context.Context, w Witness) error {
	asset := w.Asset()
	after, held, err := s.lease(ctx, w)
	if err == nil && !held {
		s.metrics.looked(asset, "elsewhere")
		return nil
	}
	if err == nil {
		err = s.lookFrom(ctx, w, after)
	}
	if err != nil {
		s.metrics.looked(asset, "failed")
		return fmt.Errorf("look for payments of %s: %w", asset, err)
	}
	s.metrics.looked(asset, "done")
	return nil
}

func (s *Service) lookFrom(ctx context.Context, w Witness, after Block) error {
	until, err := w.Final(ctx)
	if err != nil || until.Number <= after.Number { // a node may be behind another one
		return err
	}
	asset := w.Asset()
	// Only now: who locks an order after this pays in a later block.
	addresses, err := s.store.Queries().ListBridgeAddresses(ctx, db.ListBridgeAddressesParams{
		Network: asset.Network, Symbol: asset.Symbol, Since: s.now().Add(-watchLonger),
	})
	if err != nil {
		return fmt.Errorf("list the addresses: %w", err)
	}
	var payments []Payment
	if len(addresses) > 0 {
		if payments, err = w.Payments(ctx, addresses, after, until); err != nil {
			return err
		}
	}
	outcomes, ahead, err := s.settle(ctx, asset, after, until, payments)
	if err == nil && ahead {
		s.metrics.settled(asset, until, outcomes)
	}
	return err
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
