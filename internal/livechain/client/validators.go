package client

import (
	"context"

	"github.com/cometbft/cometbft/types"
)

// Signing counts the validators who signed the last block whose signatures are
// settled, which is the one before the height given: a node that has just seen
// two thirds sign a block goes on collecting. 0 before the first block.
func (c *Client) Signing(ctx context.Context, height int64) (int32, error) {
	if height < 1 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	settled := max(height-1, 1)
	res, err := c.rpc.Commit(ctx, &settled)
	if err != nil {
		return 0, unreachable(err)
	}
	var signed int32
	for _, signature := range res.Commit.Signatures {
		if signature.BlockIDFlag == types.BlockIDFlagCommit {
			signed++
		}
	}
	return signed, nil
}
