package chain

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	logf "sigs.k8s.io/controller-runtime/pkg/log"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

const (
	// settleBlocks is how many blocks after the one that takes it a change of the
	// validators is in effect.
	settleBlocks = 2
	// lostBlocks is how many blocks may pass before a change that is not in effect is
	// taken for lost: the next one or two take it where it is not.
	lostBlocks = 8
)

// change is the last change of a chain's validators that was sent. It is kept in the
// ConfigMap of the peers, since an operator that forgot it could stop a node that is
// about to vote.
type change struct {
	Key     string `json:"key,omitempty"`     // hex; none once it is settled
	Power   int64  `json:"power,omitempty"`   // 0 takes the validator out
	Expires int64  `json:"expires,omitempty"` // second after which no block takes it
	// Height is of the last conclusion: what a node says of the blocks before it is
	// too old for another.
	Height int64 `json:"height"`
	// Over is a height at which it had expired; 0 until that is seen.
	Over int64 `json:"over,omitempty"`
}

// String is how it is kept.
func (c change) String() string {
	raw, _ := json.Marshal(c) // strings and numbers always can be
	return string(raw)
}

// made reports whether those who vote are as the change says. How much power one
// has may follow from its work.
func (c change) made(members []Member) bool {
	votes := slices.ContainsFunc(members, func(m Member) bool { return hex.EncodeToString(m.Key) == c.Key })
	return votes == (c.Power > 0)
}

// settle waits until the last change has taken effect, or never will.
func (r *Reconciler) settle(ctx context.Context, s *scope, seen Observation) error {
	last := &s.peers.change
	waiting := reconcile.Waiting(r.pace(s), lucidv1.ReasonScaling, "%d validators vote and %d are to", len(seen.Members), wanted(s.object))
	switch {
	case seen.Height < last.Height:
		return waiting
	case last.Key == "":
		return nil
	case last.made(seen.Members):
	case last.Over == 0:
		if seen.Time.Unix() <= last.Expires {
			r.again(ctx, s, seen)
			return waiting
		}
		// The blocks from here on don't take it; one before may have.
		last.Over = seen.Height
		if err := r.applyPeers(ctx, s); err != nil {
			return err
		}
		return waiting
	case seen.Height < last.Over+settleBlocks:
		return waiting
	}
	*last = change{Height: seen.Height}
	return r.applyPeers(ctx, s)
}

// again sends a change as it is that seems to be lost, such as with the node that had it
// and is replaced because of that very change. All that were sent do the same until the
// same second, so whatever becomes of this one, the wait for the first goes on.
func (r *Reconciler) again(ctx context.Context, s *scope, seen Observation) {
	last := s.peers.change
	member, _, found := nextChange(seen.Members, s.validators[:wanted(s.object)])
	wanted := found && hex.EncodeToString(member.Key) == last.Key && member.Power == last.Power
	if !wanted || s.authority == nil || seen.Height < last.Height+lostBlocks {
		return
	}
	network := s.object.Status.Network
	if err := r.Network.SetPower(ctx, network.RPCEndpoint, network.ChainID, s.authority, member, time.Unix(last.Expires, 0)); err != nil {
		logf.FromContext(ctx).Info("a change of the validators can't be sent again yet", "because", err.Error())
	}
}
