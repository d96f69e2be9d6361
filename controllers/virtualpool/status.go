package virtualpool

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/market"
)

// projection is a pool in the words of a status.
func projection(p book.Pool) lucidv1.VirtualPoolStatus {
	return lucidv1.VirtualPoolStatus{
		State: stateOf(p.Trading), PoolID: p.ID.String(),
		CNPYReserve: p.State.CNPY.String(), TokenReserve: p.State.Tokens.String(), PriceCNPY: p.Price.String(),
		VolumeCNPY: p.Volume.String(), Transactions: p.Trades, FeeBasisPoints: ptr.To(p.FeeBasisPoints),
		Limits:          book.ShowLimits(p.Limits),
		ProgressPercent: string(p.Progress),
	}
}

func stateOf(t market.Trading) lucidv1.PoolState {
	switch t {
	case market.Closed:
		return lucidv1.PoolClosed
	case market.Paused:
		return lucidv1.PoolPaused
	default:
		return lucidv1.PoolEnabled
	}
}

// sameNumbers compares what is projected, not what is said about it.
func sameNumbers(a, b lucidv1.VirtualPoolStatus) bool {
	a.Conditions, b.Conditions = nil, nil
	a.ObservedGeneration, b.ObservedGeneration = 0, 0
	return equality.Semantic.DeepEqual(a, b)
}

// report sets the conditions from what the pass came to.
func (r *Reconciler) report(s *scope, err error) {
	if why, _ := reconcile.Explain(err); err != nil && why != reasonThrottled {
		s.conditions.FromError(lucidv1.ConditionSynced, err, "", "")
		s.conditions.FromError(lucidv1.ConditionReady, err, "", "")
		return
	}
	s.conditions.True(lucidv1.ConditionSynced, lucidv1.ReasonSynced, "the ledger's pool trades as the spec says")
	switch s.pool.Trading {
	case market.Closed:
		s.conditions.True(lucidv1.ConditionSynced, lucidv1.ReasonClosed, "the pool crossed its threshold and is closed for good")
		s.conditions.True(lucidv1.ConditionReady, lucidv1.ReasonClosed, "the pool crossed its threshold and is closed for good")
	case market.Paused:
		s.conditions.True(lucidv1.ConditionReady, lucidv1.ReasonTradingPaused, "the pool takes no orders, as the spec says")
	default:
		s.conditions.True(lucidv1.ConditionReady, lucidv1.ReasonTrading, "the pool takes orders")
	}
}
