package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/types"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// MaxBlocks is how many blocks Blocks returns at a time.
const MaxBlocks = 20

// Block is a block and what its transactions did.
type Block struct {
	Height int64
	Hash   string // upper-case hex
	Parent string // hash of the block before it; empty for the first
	Time   time.Time
	Done   []Done   // transactions that worked, in their order
	Failed []Failed // those that did not, and cost their signers something
}

// Done is a transaction that worked.
type Done struct {
	Index int    // within the block
	Hash  string // upper-case hex
	Tx    *tx.Tx
	Event app.Event
}

// Failed is a transaction whose message the chain refused in the block: its fee is
// paid and its nonce used.
type Failed struct {
	Index int
	Hash  string // upper-case hex
	Tx    *tx.Tx
	Code  app.Code
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
	block, results, err := c.contents(ctx, b.Height, b.Hash)
	if err != nil {
		return Block{}, err
	}
	return b, b.read(block.Block.Txs, results)
}

// contents asks for the transactions of a block and for what came of them.
func (c *Client) contents(ctx context.Context, height int64, hash string) (*ctypes.ResultBlock, *ctypes.ResultBlockResults, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	block, err := c.rpc.Block(ctx, &height)
	if err != nil {
		return nil, nil, unreachable(err)
	}
	results, err := c.rpc.BlockResults(ctx, &height)
	if err != nil {
		return nil, nil, unreachable(err)
	}
	if block.Block == nil || block.BlockID.Hash.String() != hash || len(block.Block.Txs) != len(results.TxsResults) {
		return nil, nil, unreachable(fmt.Errorf("the chain's answers about height %d don't belong together", height))
	}
	return block, results, nil
}

// read sorts the transactions of the block. One that was not admitted has moved
// nothing, and may not even be its signer's: it is left out.
func (b *Block) read(txs types.Txs, results *ctypes.ResultBlockResults) error {
	for i, result := range results.TxsResults {
		event, err := app.Outcome(result)
		if err != nil {
			return fmt.Errorf("transaction %d of height %d: %w", i, b.Height, err)
		}
		code := app.Code(result.Code)
		if event == nil && !admitted(code) {
			continue
		}
		signed, err := tx.Decode(txs[i])
		if err != nil {
			return fmt.Errorf("transaction %d of height %d: %w", i, b.Height, err)
		}
		if event != nil {
			b.Done = append(b.Done, Done{Index: i, Hash: HashOf(txs[i]), Tx: signed, Event: event})
		} else {
			b.Failed = append(b.Failed, Failed{Index: i, Hash: HashOf(txs[i]), Tx: signed, Code: code})
		}
	}
	return nil
}

// admitted reports whether a transaction that was refused for this reason paid its
// fee all the same. CodeInsufficientBalance does not tell whether it was the fee that
// the signer lacked; mempools refuse those.
func admitted(code app.Code) bool {
	return code > app.CodeFeeTooLow && code != app.CodeExpired
}
