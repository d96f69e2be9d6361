package graduated

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// passed is the state of a proposal that is carried out.
const passed = "passed"

// votedFee is what a pool takes of swaps by a vote.
type votedFee struct {
	basisPoints uint32
	at          time.Time
}

// feeOfVotes is the fee that the last of the blocks' votes made, or nil where none of
// them was about it. A proposal tells for good what it has changed, so blocks that are
// read late or anew come to the same. A node that does not know yet how the vote ended
// is behind the one that told of it, and is asked again.
func feeOfVotes(ctx context.Context, asked *client.Client, blocks []client.Block) (fee *votedFee, err error) {
	for _, block := range blocks {
		for _, done := range block.Done {
			vote, is := done.Event.(app.Voted)
			if !is || vote.State != passed {
				continue
			}
			proposal, err := asked.Proposal(ctx, vote.Proposal)
			if err != nil {
				return nil, fmt.Errorf("read proposal %s: %w", vote.Proposal, err)
			}
			if proposal.State != passed {
				return nil, fmt.Errorf("proposal %s has passed at height %d, the chain says that it is %s", vote.Proposal, block.Height, proposal.State)
			}
			if proposal.PoolFee != nil {
				fee = &votedFee{*proposal.PoolFee, block.Time}
			}
		}
	}
	return fee, nil
}

// writeFee has the pool show a fee, in the transaction that moves its cursor.
func writeFee(ctx context.Context, q *db.Queries, pool uuid.UUID, fee *votedFee) error {
	if fee == nil {
		return nil
	}
	return q.SetGraduatedFee(ctx, db.SetGraduatedFeeParams{ID: pool, FeeBasisPoints: int32(fee.basisPoints), At: fee.at})
}
