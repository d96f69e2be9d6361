package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/types"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
)

// MaxBlocks is how many blocks Blocks returns at a time.
const MaxBlocks = 20

// Block is a block and what its transactions did.
type Block struct {
	Height int64
	Hash   string // upper-case hex
	Parent string // hash of the block before it; empty for the first
	Time   time.Time
	Done   []Done // transactions that worked, in their order
}

// Done is a transaction that worked.
type Done struct {
	Index int    // within the block
	Hash  string // upper-case hex
	Event app.Event
}

// Blocks returns the committed blocks from a height on, at most MaxBlocks and
// up to last, in ascending order. A chain that does not keep them any more, or
// not yet, is an error: what comes back has no gap.
func (c *Client) Blocks(ctx context.Context, from, last int64) ([]Block, error) {
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	last = min(last, from+MaxBlocks-1)
	res, err := c.rpc.BlockchainInfo(bounded, from, last)
	if err != nil {
		return nil, unreachable(err)
	}
	slices.Reverse(res.BlockMetas)
	blocks := make([]Block, len(res.BlockMetas))
	for i, meta := range res.BlockMetas {
		if meta == nil || meta.Header.Height != from+int64(i) {
			return nil, unreachable(fmt.Errorf("the chain does not keep the block of height %d", from+int64(i)))
		}
		if blocks[i], err = c.block(ctx, meta); err != nil {
			return nil, err
		}
	}
	return blocks, nil
}

// block asks for the transactions of a block that has any.
func (c *Client) block(ctx context.Context, meta *types.BlockMeta) (Block, error) {
	b := Block{
		Height: meta.Header.Height, Hash: meta.BlockID.Hash.String(),
		Parent: meta.Header.LastBlockID.Hash.String(), Time: meta.Header.Time.UTC(),
	}
	if meta.NumTxs == 0 {
		return b, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	block, err := c.rpc.Block(ctx, &b.Height)
	if err != nil {
		return Block{}, unreachable(err)
	}
	results, err := c.rpc.BlockResults(ctx, &b.Height)
	if err != nil {
		return Block{}, unreachable(err)
	}
	if block.Block == nil || block.BlockID.Hash.String() != b.Hash || len(block.Block.Txs) != len(results.TxsResults) {
		return Block{}, unreachable(fmt.Errorf("the chain's answers about height %d don't belong together", b.Height))
	}
	b.Done, err = done(block.Block.Txs, results)
	return b, err
}

func done(txs types.Txs, results *ctypes.ResultBlockResults) ([]Done, error) {
	var all []Done
	for i, result := range results.TxsResults {
		event, err := app.Outcome(result)
		if err != nil {
			return nil, fmt.Errorf("transaction %d of height %d: %w", i, results.Height, err)
		}
		if event != nil {
			all = append(all, Done{Index: i, Hash: HashOf(txs[i]), Event: event})
		}
	}
	return all, nil
}
