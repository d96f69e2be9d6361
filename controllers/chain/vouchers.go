package chain

import (
	"context"
	"time"

	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

// carryTimeout bounds one pass' carrying. It waits for the chain four times, each time
// five seconds at most: for the header that proves what was sent before, for its turn
// among the authority's nonces, for the blocks of what it sends, and for the header that
// proves that. The next pass goes on wherever this one ends.
const carryTimeout = 25 * time.Second

// carry brings pending vouchers onto the chain, whose authority's key the operator
// alone has. The ledger's outbox wakes the chain for each new one; one that is on
// its way is looked at again soon. A chain is no less ready for it.
func (r *Reconciler) carry(ctx context.Context, s *scope) error {
	if s.authority == nil {
		return nil // its Secret is missing, and that is told
	}
	bounded, cancel := context.WithTimeout(ctx, carryTimeout)
	defer cancel()
	left, err := s.book.Carry(bounded, s.id, s.authority)
	switch {
	case err != nil:
		logf.FromContext(ctx).Error(err, "vouchers can't be carried onto the live chain; trying on", "pending", left)
		return reconcile.Waiting(troubleRetry, reasonHeight, "vouchers wait for the chain")
	case left > 0:
		return reconcile.Waiting(startingRetry, reasonHeight, "vouchers are on their way")
	}
	return nil
}
