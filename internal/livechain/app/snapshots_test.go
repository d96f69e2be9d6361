package app_test

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
)

const (
	snapshotPatience = 20 * time.Second
	snapshotOften    = 2 * time.Millisecond
)

// serving is a chain that makes snapshots in many small chunks.
func serving(t testing.TB, every int64, keep int) *chain {
	c := fresh(t, app.Options{Dir: t.TempDir(), Snapshots: app.Snapshots{
		Dir: filepath.Join(t.TempDir(), "snapshots"), Every: every, Keep: keep, ChunkSize: 300,
	}})
	c.hash = c.init()
	return c
}

func (c *chain) snapshots() []*abci.Snapshot {
	res, err := c.app.ListSnapshots(context.Background(), &abci.RequestListSnapshots{})
	require.NoError(c.t, err)
	return res.Snapshots
}

// awaitSnapshot waits for the snapshot of a height, which is made beside blocks.
func (c *chain) awaitSnapshot(height int64) *abci.Snapshot {
	var found *abci.Snapshot
	require.Eventually(c.t, func() bool {
		for _, s := range c.snapshots() {
			if s.Height == uint64(height) {
				found = s
			}
		}
		return found != nil
	}, snapshotPatience, snapshotOften)
	return found
}

func (c *chain) chunk(s *abci.Snapshot, index uint32) []byte {
	res, err := c.app.LoadSnapshotChunk(context.Background(), &abci.RequestLoadSnapshotChunk{Height: s.Height, Format: s.Format, Chunk: index})
	require.NoError(c.t, err)
	return res.Chunk
}

func (c *chain) offer(s *abci.Snapshot, hash []byte) abci.ResponseOfferSnapshot_Result {
	res, err := c.app.OfferSnapshot(context.Background(), &abci.RequestOfferSnapshot{Snapshot: s, AppHash: hash})
	require.NoError(c.t, err)
	return res.Result
}

func (c *chain) apply(index uint32, chunk []byte) *abci.ResponseApplySnapshotChunk {
	res, err := c.app.ApplySnapshotChunk(context.Background(), &abci.RequestApplySnapshotChunk{Index: index, Chunk: chunk, Sender: "peer"})
	require.NoError(c.t, err)
	return res
}

// join takes a whole snapshot in.
func (c *chain) join(from *chain, s *abci.Snapshot, hash []byte) {
	require.Equal(c.t, abci.ResponseOfferSnapshot_ACCEPT, c.offer(s, hash))
	for i := range s.Chunks {
		require.Equal(c.t, abci.ResponseApplySnapshotChunk_ACCEPT, c.apply(i, from.chunk(s, i)).Result)
	}
	c.height, c.hash = int64(s.Height), hash
	c.requireAt(c.height, hash)
}

func (c *chain) requireAt(height int64, hash []byte) {
	info, err := c.app.Info(context.Background(), &abci.RequestInfo{})
	require.NoError(c.t, err)
	require.Equal(c.t, height, info.LastBlockHeight)
	require.Equal(c.t, hash, info.LastBlockAppHash)
}

func (c *chain) randomBlocks(r *rand.Rand, nonces map[byte]uint64, n int) {
	for range n {
		c.block(randomTxs(c.t, r, nonces)...)
	}
}

func TestJoiningBySnapshot(t *testing.T) {
	from := serving(t, 5, 2)
	r, nonces := rand.New(rand.NewPCG(11, 12)), map[byte]uint64{}
	from.randomBlocks(r, nonces, 5)
	from.awaitSnapshot(5) // one is made at a time
	from.randomBlocks(r, nonces, 5)
	hash := from.hash
	snapshot := from.awaitSnapshot(10)
	require.Greater(t, snapshot.Chunks, uint32(2))

	joined := fresh(t, app.Options{Dir: t.TempDir()})
	joined.join(from, snapshot, hash)
	joined.reopen()
	joined.requireAt(10, hash)
	for range 20 {
		txs := randomTxs(t, r, nonces)
		for _, raw := range txs {
			require.Equal(t, from.check(raw), joined.check(raw), "the mempool sees the same state")
		}
		require.Equal(t, from.block(txs...), joined.block(txs...))
		require.Equal(t, from.hash, joined.hash)
	}
	requireSums(t, joined)
}

func TestSnapshotsAreKept(t *testing.T) {
	c := serving(t, 5, 2)
	heights := func() (heights []uint64) {
		for _, s := range c.snapshots() {
			heights = append(heights, s.Height)
		}
		return heights
	}
	for range 4 {
		c.randomBlocks(rand.New(rand.NewPCG(1, 1)), map[byte]uint64{}, 5)
		c.awaitSnapshot(c.height)
	}
	require.Eventually(t, func() bool { return len(c.snapshots()) == 2 }, snapshotPatience, snapshotOften)
	require.Equal(t, []uint64{15, 20}, heights(), "the last two")
	before := c.snapshots()
	dir := c.options.Snapshots.Dir
	require.NoError(t, os.Mkdir(filepath.Join(dir, "new-1"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "17"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "stray"), nil, 0o600))
	c.reopen()
	require.Equal(t, before, c.snapshots(), "also after a restart")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2, "what a crash left unfinished is removed")

	last := before[1]
	require.Empty(t, c.chunk(last, last.Chunks), "there is no such chunk")
	require.Empty(t, c.chunk(&abci.Snapshot{Height: 5, Format: app.SnapshotFormat}, 0), "nor such a height")
	require.Empty(t, c.chunk(&abci.Snapshot{Height: last.Height, Format: 2}, 0), "nor such a format")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "20", "1"), []byte("rot"), 0o600))
	require.NotEmpty(t, c.chunk(last, 0))
	require.Empty(t, c.chunk(last, 1), "what the disk has damaged is not handed out")
	require.Equal(t, []uint64{15}, heights(), "and its snapshot not offered again")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "15")))
	require.Empty(t, c.chunk(before[0], 0))

	// A folder that can't be written costs the snapshot and never a block.
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	c.randomBlocks(rand.New(rand.NewPCG(1, 1)), map[byte]uint64{}, 10)
	require.Empty(t, c.snapshots())
	_, err = app.New(app.Options{Dir: t.TempDir(), Snapshots: app.Snapshots{Dir: dir}})
	require.ErrorContains(t, err, "snapshots")
}

// announced is a snapshot that says of itself what its chunks are.
func announced(s *abci.Snapshot, chunks [][]byte) *abci.Snapshot {
	var hashes []byte
	for _, chunk := range chunks {
		digest := sha256.Sum256(chunk)
		hashes = append(hashes, digest[:]...)
	}
	digest := sha256.Sum256(hashes)
	return &abci.Snapshot{Height: s.Height, Format: s.Format, Chunks: uint32(len(chunks)), Hash: digest[:], Metadata: hashes}
}

func TestOffersThatAreRefused(t *testing.T) {
	from := serving(t, 5, 1)
	from.randomBlocks(rand.New(rand.NewPCG(1, 2)), map[byte]uint64{}, 5)
	good := from.awaitSnapshot(5)
	c := fresh(t, app.Options{Dir: t.TempDir()})
	for _, o := range []struct {
		spoil  func(s *abci.Snapshot)
		want   abci.ResponseOfferSnapshot_Result
		reason string
	}{
		{func(s *abci.Snapshot) { s.Format = 9 }, abci.ResponseOfferSnapshot_REJECT_FORMAT, "a format of the future"},
		{func(s *abci.Snapshot) { s.Chunks = 0; s.Metadata = nil }, abci.ResponseOfferSnapshot_REJECT_SENDER, "nothing"},
		{func(s *abci.Snapshot) { s.Chunks++ }, abci.ResponseOfferSnapshot_REJECT_SENDER, "a chunk without a hash"},
		{func(s *abci.Snapshot) { s.Metadata = append([]byte{1}, s.Metadata[1:]...) }, abci.ResponseOfferSnapshot_REJECT_SENDER, "other hashes than announced"},
	} {
		bad := *good
		o.spoil(&bad)
		require.Equal(t, o.want, c.offer(&bad, from.hash), o.reason)
		require.Equal(t, abci.ResponseApplySnapshotChunk_RETRY_SNAPSHOT, c.apply(0, from.chunk(good, 0)).Result, "nothing was accepted")
	}
	require.Equal(t, abci.ResponseOfferSnapshot_REJECT, c.offer(nil, from.hash))
	require.Equal(t, abci.ResponseOfferSnapshot_REJECT, c.offer(good, []byte{1}), "no app hash to hold it against")
}

func TestChunksThatAreRefused(t *testing.T) {
	from := serving(t, 5, 1)
	from.randomBlocks(rand.New(rand.NewPCG(1, 2)), map[byte]uint64{}, 5)
	good := from.awaitSnapshot(5)
	chunks := make([][]byte, good.Chunks)
	for i := range chunks {
		chunks[i] = from.chunk(good, uint32(i))
	}
	c := fresh(t, app.Options{Dir: t.TempDir()})
	require.Equal(t, abci.ResponseOfferSnapshot_ACCEPT, c.offer(good, from.hash))
	require.Equal(t, abci.ResponseApplySnapshotChunk_RETRY_SNAPSHOT, c.apply(1, chunks[1]).Result, "out of order")
	damaged := append([]byte{chunks[0][0] ^ 1}, chunks[0][1:]...)
	res := c.apply(0, damaged)
	require.Equal(t, abci.ResponseApplySnapshotChunk_RETRY, res.Result)
	require.Equal(t, []uint32{0}, res.RefetchChunks)
	require.Equal(t, []string{"peer"}, res.RejectSenders)
	require.Equal(t, abci.ResponseApplySnapshotChunk_ACCEPT, c.apply(0, chunks[0]).Result, "the right one is taken then")

	// A whole snapshot in which somebody has made themselves rich: consistent in
	// itself, and not what the light client's app hash says.
	var chunk statepb.Chunk
	require.NoError(t, proto.Unmarshal(chunks[1], &chunk))
	chunk.Values[0] = []byte("rich")
	rich, err := proto.Marshal(&chunk)
	require.NoError(t, err)
	for reason, forged := range map[string][][]byte{
		"a forged record": {chunks[0], rich},
		"its end missing": chunks[:len(chunks)-1],
		"more than all":   append(append([][]byte{}, chunks...), chunks[0]),
	} {
		require.Equal(t, abci.ResponseOfferSnapshot_ACCEPT, c.offer(announced(good, forged), from.hash), reason)
		for i := range forged {
			res = c.apply(uint32(i), forged[i])
			if res.Result != abci.ResponseApplySnapshotChunk_ACCEPT {
				break
			}
		}
		require.Equal(t, abci.ResponseApplySnapshotChunk_REJECT_SNAPSHOT, res.Result, reason)
		require.Equal(t, []string{"peer"}, res.RejectSenders, reason)
	}
	c.requireAt(0, nil)
	c.join(from, good, from.hash)
}

// A crash in the middle of a restore leaves a node that has nothing, and begins
// anew; one right after it leaves the state, and a second restore does no harm.
func TestCrashWhileRestoring(t *testing.T) {
	from := serving(t, 5, 1)
	from.randomBlocks(rand.New(rand.NewPCG(3, 2)), map[byte]uint64{}, 5)
	snapshot := from.awaitSnapshot(5)
	c := fresh(t, app.Options{Dir: t.TempDir()})
	for i := range snapshot.Chunks {
		require.Equal(t, abci.ResponseOfferSnapshot_ACCEPT, c.offer(snapshot, from.hash))
		for before := range i {
			require.Equal(t, abci.ResponseApplySnapshotChunk_ACCEPT, c.apply(before, from.chunk(snapshot, before)).Result)
		}
		c.reopen()
		c.requireAt(0, nil)
		require.Equal(t, abci.ResponseApplySnapshotChunk_RETRY_SNAPSHOT, c.apply(i, from.chunk(snapshot, i)).Result)
	}
	c.join(from, snapshot, from.hash)
	c.join(from, snapshot, from.hash)
	c.reopen()
	c.join(from, snapshot, from.hash)
	from.block()
	c.block()
	require.Equal(t, from.hash, c.hash)
}

// A disk that fails while restoring ends the node, instead of leaving it waiting.
func TestRestoreThatFails(t *testing.T) {
	from := serving(t, 5, 1)
	from.randomBlocks(rand.New(rand.NewPCG(3, 2)), map[byte]uint64{}, 5)
	snapshot := from.awaitSnapshot(5)
	c := fresh(t, app.Options{Dir: t.TempDir()})
	require.NoError(t, c.app.Close())
	_, err := c.app.OfferSnapshot(context.Background(), &abci.RequestOfferSnapshot{Snapshot: snapshot, AppHash: from.hash})
	require.ErrorContains(t, err, "restore a snapshot")
	select {
	case err := <-c.app.Failed():
		require.ErrorContains(t, err, "restore a snapshot")
	default:
		t.Fatal("nobody was told")
	}
}

func TestRetainedBlocks(t *testing.T) {
	retained := func(c *chain, n int) (heights []int64) {
		for range n {
			c.height++
			c.finalize(c.height)
			res, err := c.app.Commit(context.Background(), &abci.RequestCommit{})
			require.NoError(t, err)
			heights = append(heights, res.RetainHeight)
		}
		return heights
	}
	all := start(t)
	require.Equal(t, []int64{0, 0, 0}, retained(all, 3), "all blocks by default")
	few := fresh(t, app.Options{RetainBlocks: 3})
	few.init()
	require.Equal(t, []int64{0, 0, 1, 2, 3}, retained(few, 5), "the last three")

	c := fresh(t, app.Options{RetainBlocks: 3, Snapshots: app.Snapshots{Dir: t.TempDir(), Every: 4, Keep: 2}})
	c.init()
	require.Equal(t, []int64{0, 0, 1, 2, 3, 4, 4}, retained(c, 7), "what follows a snapshot is needed by who starts from it")
	c.awaitSnapshot(4)
	retained(c, 1)
	c.awaitSnapshot(8)
	retained(c, 4)
	c.awaitSnapshot(12)
	require.Eventually(t, func() bool { return len(c.snapshots()) == 2 }, snapshotPatience, snapshotOften)
	require.Equal(t, []int64{8}, retained(c, 1), "until the snapshot is let go")
}

func TestMetrics(t *testing.T) {
	c := serving(t, 2, 1)
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(c.app))
	c.block([]byte("malformed"), []byte("again"))
	require.Equal(t, 1, testutil.CollectAndCount(c.app, "lucid_chain_app_transactions_total"))
	require.Zero(t, testutil.CollectAndCount(c.app, "lucid_chain_app_snapshot_height"), "there is none yet")
	c.block()
	c.awaitSnapshot(2)
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)
	families, err := registry.Gather()
	require.NoError(t, err)
	seen := map[string]float64{}
	for _, family := range families {
		m := family.GetMetric()[0]
		seen[family.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	age := seen["lucid_chain_app_snapshot_age_seconds"]
	require.Positive(t, age)
	require.Less(t, age, snapshotPatience.Seconds())
	delete(seen, "lucid_chain_app_snapshot_age_seconds")
	require.Equal(t, map[string]float64{
		"lucid_chain_app_height": 2, "lucid_chain_app_snapshot_height": 2,
		"lucid_chain_app_snapshot_records": 13, "lucid_chain_app_transactions_total": 2,
		"lucid_chain_app_misbehaviour_total": 0,
	}, seen, "ten holders, the treasury, the pool and the chain")
}
