package node

import (
	"context"
	"fmt"
	"testing"

	dbm "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/pubsub/query"
	blockkv "github.com/cometbft/cometbft/state/indexer/block/kv"
	"github.com/cometbft/cometbft/state/txindex"
	"github.com/cometbft/cometbft/state/txindex/kv"
	"github.com/cometbft/cometbft/types"
	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
)

// indexed fills an index as CometBFT does, two transactions a height.
func indexed(t *testing.T, heights int64) (dbm.DB, *kv.TxIndex, *blockkv.BlockerIndexer) {
	database := dbm.NewMemDB()
	transactions, blocks := kv.NewTxIndex(database), blockkv.New(dbm.NewPrefixDB(database, []byte("block_events")))
	for height := int64(1); height <= heights; height++ {
		batch := txindex.NewBatch(2)
		for i := range uint32(2) {
			require.NoError(t, batch.Add(&abci.TxResult{Height: height, Index: i, Tx: fmt.Appendf(nil, "%d/%d", height, i), Result: abci.ExecTxResult{
				Events: []abci.Event{{Type: "swap", Attributes: []abci.EventAttribute{
					{Key: "account", Value: fmt.Sprintf("0x%d", i), Index: true}, {Key: "amount", Value: "1"},
				}}},
			}}))
		}
		require.NoError(t, transactions.AddBatch(batch))
		require.NoError(t, blocks.Index(types.EventDataNewBlockEvents{Height: height}))
	}
	return database, transactions, blocks
}

func keys(t *testing.T, database dbm.DB) (count int) {
	all, err := database.Iterator(nil, nil)
	require.NoError(t, err)
	for ; all.Valid(); all.Next() {
		count++
	}
	return count
}

// What belongs to blocks that are gone can't be found any more and leaves nothing
// behind; all else is found as before.
func TestIndexLosesWhatTheBlocksLost(t *testing.T) {
	database, transactions, blocks := indexed(t, 30)
	each := keys(t, database) / 30
	p := pruner{index: database, base: func() int64 { return 21 }, log: logr.Discard()}
	pruned, err := p.prune()
	require.NoError(t, err)
	require.EqualValues(t, 20, pruned)
	require.Equal(t, 10*each+1, keys(t, database), "ten heights and the mark")

	found, err := transactions.Search(context.Background(), query.MustCompile("swap.account='0x1'"))
	require.NoError(t, err)
	require.Len(t, found, 10)
	gone, err := transactions.Get(types.Tx("20/1").Hash())
	require.NoError(t, err)
	require.Nil(t, gone)
	kept, err := transactions.Get(types.Tx("21/1").Hash())
	require.NoError(t, err)
	require.EqualValues(t, 21, kept.Height)
	has, err := blocks.Has(20)
	require.NoError(t, err)
	require.False(t, has)
	has, err = blocks.Has(21)
	require.NoError(t, err)
	require.True(t, has)

	again, err := p.prune()
	require.NoError(t, err)
	require.Zero(t, again, "nothing twice")
}

// A transaction that a block refused before another carried it out is indexed once,
// by the later height, and stays with it.
func TestIndexKeepsWhatCameAgain(t *testing.T) {
	database, transactions, _ := indexed(t, 1)
	again := txindex.NewBatch(1)
	require.NoError(t, again.Add(&abci.TxResult{Height: 9, Tx: []byte("1/0")}))
	require.NoError(t, transactions.AddBatch(again))
	_, err := pruner{index: database, base: func() int64 { return 9 }, log: logr.Discard()}.prune()
	require.NoError(t, err)
	kept, err := transactions.Get(types.Tx("1/0").Hash())
	require.NoError(t, err)
	require.EqualValues(t, 9, kept.Height)
}

// One look goes so far and no further.
func TestIndexIsPrunedInStrides(t *testing.T) {
	database, _, _ := indexed(t, 1)
	p := pruner{index: database, base: func() int64 { return 3*indexStride - 5 }, log: logr.Discard()}
	for _, want := range []int64{indexStride, indexStride, indexStride - 6, 0} {
		pruned, err := p.prune()
		require.NoError(t, err)
		require.Equal(t, want, pruned)
	}
}
