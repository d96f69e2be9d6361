package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/go-logr/logr"
	"github.com/google/orderedcode"
)

const (
	// indexName is CometBFT's name of the database in which it finds transactions by
	// hash and by event.
	indexName = "tx_index"
	// indexPause is between two looks at which blocks are gone.
	indexPause = time.Minute
	// indexStride bounds what one look does, so that a node which is told to keep less
	// than it did goes on making blocks meanwhile.
	indexStride = 10_000
)

// indexMark is where the index remembers up to which height it has been pruned.
// CometBFT reads it by prefixes that this is none of.
var indexMark = []byte("lucid/pruned")

// pruner takes out of CometBFT's index what belongs to blocks that the node keeps no
// longer. CometBFT itself never does, so that a volume would fill up whatever the
// node is told to retain.
type pruner struct {
	index dbm.DB
	base  func() int64 // the least height whose block is kept
	log   logr.Logger
}

// run prunes until ctx ends.
func (p pruner) run(ctx context.Context) {
	for {
		pruned, err := p.prune()
		if err != nil && ctx.Err() == nil {
			p.log.Error(err, "The index of transactions can't be pruned")
		}
		pause := indexPause
		if err == nil && pruned == indexStride {
			pause = time.Second
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// prune goes over the next heights whose blocks are gone and returns how many.
func (p pruner) prune() (heights int64, err error) {
	raw, err := p.index.Get(indexMark)
	if err != nil {
		return 0, fmt.Errorf("read how far the index is pruned: %w", err)
	}
	first := int64(1)
	if len(raw) == binary.Size(first) {
		first = int64(binary.BigEndian.Uint64(raw))
	}
	end := min(p.base(), first+indexStride)
	if end <= first {
		return 0, nil
	}
	batch := p.index.NewBatch()
	defer func() { err = errors.Join(err, batch.Close()) }()
	for height := first; height < end; height++ {
		if err := p.forget(batch, height); err != nil {
			return 0, fmt.Errorf("prune height %d of the index: %w", height, err)
		}
	}
	if err := batch.Set(indexMark, binary.BigEndian.AppendUint64(nil, uint64(end))); err != nil {
		return 0, err
	}
	return end - first, batch.WriteSync()
}

// forget removes all keys of one height, which CometBFT makes as is written here:
// state/txindex/kv and state/indexer/block/kv.
func (p pruner) forget(batch dbm.Batch, height int64) error {
	hashes, err := p.under(batch, fmt.Sprintf("%s/%d/%d/", types.TxHeightKey, height, height))
	if err != nil {
		return err
	}
	for _, hash := range hashes {
		if err := p.forgetTransaction(batch, hash, height); err != nil {
			return err
		}
	}
	key, err := orderedcode.Append([]byte("block_events"), types.BlockHeightKey, height)
	if err != nil {
		return err
	}
	return batch.Delete(key)
}

func (p pruner) forgetTransaction(batch dbm.Batch, hash []byte, height int64) error {
	raw, err := p.index.Get(hash)
	if err != nil || raw == nil {
		return err
	}
	result := &abci.TxResult{}
	if err := proto.Unmarshal(raw, result); err != nil {
		return fmt.Errorf("read an indexed transaction: %w", err)
	}
	if result.Height != height {
		return nil // refused here, and carried out in a block that is kept
	}
	for _, event := range result.Result.Events {
		for _, attribute := range event.Attributes {
			prefix := fmt.Sprintf("%s.%s/%s/%d/%d$", event.Type, attribute.Key, attribute.Value, height, result.Index)
			if _, err := p.under(batch, prefix); err != nil {
				return err
			}
		}
	}
	return batch.Delete(hash)
}

// under removes all keys with a prefix and returns what they led to.
func (p pruner) under(batch dbm.Batch, prefix string) (values [][]byte, err error) {
	found, err := dbm.IteratePrefix(p.index, []byte(prefix))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	for ; found.Valid(); found.Next() {
		values = append(values, append([]byte(nil), found.Value()...))
		if err := batch.Delete(append([]byte(nil), found.Key()...)); err != nil {
			return nil, err
		}
	}
	return values, found.Error()
}
