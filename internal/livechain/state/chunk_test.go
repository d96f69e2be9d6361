package state_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
)

const chunkSize = 2_000

func openUntilEnd(t *testing.T, dir string) *state.Store {
	t.Helper()
	s := open(t, dir)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// grown is a store that has seen many heights, and all that is in it.
func grown(t *testing.T, heights int64) (*state.Store, map[string][]byte) {
	t.Helper()
	s, all := openUntilEnd(t, t.TempDir()), map[string][]byte{}
	r := rand.New(rand.NewPCG(7, uint64(heights)))
	for height := int64(1); height <= heights; height++ {
		changes := randomChanges(r, 40)
		for key, value := range changes {
			all[key] = value
		}
		commit(t, s, height, changes)
	}
	return s, all
}

func chunksOf(t *testing.T, s *state.Store, size int) (chunks [][]byte, records int) {
	t.Helper()
	view, err := s.Pin()
	require.NoError(t, err)
	defer func() { require.NoError(t, view.Close()) }()
	records, err = view.Chunks(context.Background(), size, func(chunk []byte) error {
		chunks = append(chunks, chunk)
		return nil
	})
	require.NoError(t, err)
	return chunks, records
}

func requireSame(t *testing.T, s *state.Store, height int64, root state.Root, all map[string][]byte) {
	t.Helper()
	at, got, started := s.Head()
	require.True(t, started)
	require.Equal(t, height, at)
	require.Equal(t, root, got)
	view, err := s.At(height)
	require.NoError(t, err)
	for key, want := range all {
		value, err := s.Get([]byte(key))
		require.NoError(t, err)
		require.Equal(t, want, value)
		proof, err := view.Prove([]byte(key))
		require.NoError(t, err)
		value, err = state.VerifyProof(root, []byte(key), proof)
		require.NoError(t, err, "the trie was restored with the records")
		require.Equal(t, want, value)
	}
}

func restore(t *testing.T, into *state.Store, height int64, root state.Root, chunks [][]byte) {
	t.Helper()
	r, err := into.Restore(height, root)
	require.NoError(t, err)
	for i, chunk := range chunks {
		complete, err := r.Add(chunk)
		require.NoError(t, err)
		require.Equal(t, i == len(chunks)-1, complete)
	}
	require.NoError(t, r.Commit())
}

// Whatever the size of the chunks, the restored state is the same, and it stays
// the same under the same changes.
func TestRestoreFromChunks(t *testing.T) {
	from, all := grown(t, 30)
	_, root, _ := from.Head()
	for _, size := range []int{1, 100, chunkSize, 1 << 20} {
		chunks, records := chunksOf(t, from, size)
		require.Equal(t, len(all), records)
		again, _ := chunksOf(t, from, size)
		require.Equal(t, chunks, again, "the same chunks from every node")
		dir := t.TempDir()
		into := open(t, dir)
		restore(t, into, 30, root, chunks)
		requireSame(t, into, 30, root, all)
		changes := randomChanges(rand.New(rand.NewPCG(9, 9)), 50)
		want, err := from.Prepare(changes)
		require.NoError(t, err)
		require.Equal(t, want.Root, commit(t, into, 31, changes), "and goes on in the same way")
		require.NoError(t, into.Close())
		into = openUntilEnd(t, dir)
		_, reopened, _ := into.Head()
		require.Equal(t, want.Root, reopened, "also after a restart")
	}
}

// A store that has a state gets another: nothing of the old one is left.
func TestRestoreReplacesAState(t *testing.T) {
	from, all := grown(t, 5)
	_, root, _ := from.Head()
	chunks, _ := chunksOf(t, from, chunkSize)
	into := openUntilEnd(t, t.TempDir())
	commit(t, into, 0, map[string][]byte{"left behind": {1}})
	old, err := into.At(0)
	require.NoError(t, err)
	for range 3 { // to and fro between the two spaces
		restore(t, into, 5, root, chunks)
		requireSame(t, into, 5, root, all)
		value, err := into.Get([]byte("left behind"))
		require.NoError(t, err)
		require.Nil(t, value)
	}
	_, err = old.Get([]byte("left behind"))
	require.ErrorIs(t, err, state.ErrHeight)
	back, records := chunksOf(t, into, chunkSize)
	require.Equal(t, len(all), records)
	require.Equal(t, chunks, back)
}

// A crash in the middle leaves what was there, and no rubbish for the next one.
func TestRestoreCutOff(t *testing.T) {
	from, all := grown(t, 20)
	_, root, _ := from.Head()
	chunks, _ := chunksOf(t, from, chunkSize)
	require.Greater(t, len(chunks), 3)
	dir := t.TempDir()
	into := open(t, dir)
	kept := commit(t, into, 3, map[string][]byte{"mine": {1}})
	r, err := into.Restore(20, root)
	require.NoError(t, err)
	_, err = r.Add(chunks[0])
	require.NoError(t, err)
	require.ErrorContains(t, r.Commit(), "not complete")
	value, err := into.Get([]byte("mine"))
	require.NoError(t, err)
	require.Equal(t, []byte{1}, value, "the old state serves until the end")
	require.NoError(t, into.Close())
	_, err = into.Restore(20, root)
	require.ErrorIs(t, err, state.ErrClosed)
	_, err = into.Pin()
	require.ErrorIs(t, err, state.ErrClosed)

	into = openUntilEnd(t, dir)
	requireSame(t, into, 3, kept, map[string][]byte{"mine": {1}})
	restore(t, into, 20, root, chunks)
	requireSame(t, into, 20, root, all)
}

// tampered applies a change to a decoded chunk.
func tampered(t *testing.T, raw []byte, change func(*statepb.Chunk)) []byte {
	t.Helper()
	var chunk statepb.Chunk
	require.NoError(t, proto.Unmarshal(raw, &chunk))
	change(&chunk)
	raw, err := proto.Marshal(&chunk)
	require.NoError(t, err)
	return raw
}

// Nothing but the next part of the state gets in, and a refused chunk leaves the
// restore able to go on with the right one.
func TestForgedChunks(t *testing.T) {
	from, all := grown(t, 20)
	_, root, _ := from.Head()
	chunks, _ := chunksOf(t, from, chunkSize)
	into := openUntilEnd(t, t.TempDir())
	r, err := into.Restore(20, root)
	require.NoError(t, err)
	for i, chunk := range chunks {
		for reason, forged := range map[string][]byte{
			"not a chunk":       []byte("hello"),
			"nothing":           nil,
			"the wrong place":   chunks[(i+1)%len(chunks)],
			"another value":     tampered(t, chunk, func(c *statepb.Chunk) { c.Values[3] = []byte("rich") }),
			"an empty value":    tampered(t, chunk, func(c *statepb.Chunk) { c.Values[3] = nil }),
			"a record left out": tampered(t, chunk, func(c *statepb.Chunk) { c.Keys, c.Values = c.Keys[1:], c.Values[1:] }),
			"a gap": tampered(t, chunk, func(c *statepb.Chunk) {
				c.Keys, c.Values = append(c.Keys[:2], c.Keys[3:]...), append(c.Values[:2], c.Values[3:]...)
			}),
			"cut off at the end": tampered(t, chunk, func(c *statepb.Chunk) { n := len(c.Keys) - 1; c.Keys, c.Values = c.Keys[:n], c.Values[:n] }),
			"a record invented":  tampered(t, chunk, func(c *statepb.Chunk) { c.Keys[1][31] ^= 1 }),
			"a key cut short":    tampered(t, chunk, func(c *statepb.Chunk) { c.Keys[1] = c.Keys[1][:31] }),
			"a value without":    tampered(t, chunk, func(c *statepb.Chunk) { c.Keys = c.Keys[1:] }),
			"no proof":           tampered(t, chunk, func(c *statepb.Chunk) { c.Proof = nil }),
			"another proof":      tampered(t, chunk, func(c *statepb.Chunk) { c.Proof[0][5] ^= 1 }),
		} {
			_, err := r.Add(forged)
			require.ErrorIs(t, err, state.ErrChunk, "chunk %d: %s", i, reason)
		}
		_, err := r.Add(chunk)
		require.NoError(t, err)
	}
	_, err = r.Add(chunks[0])
	require.ErrorIs(t, err, state.ErrChunk, "there is nothing after the last")
	require.NoError(t, r.Commit())
	requireSame(t, into, 20, root, all)
}

func TestChunksOfAPinnedHeight(t *testing.T) {
	s := openUntilEnd(t, t.TempDir())
	_, err := s.Pin()
	require.ErrorIs(t, err, state.ErrHeight, "nothing yet")
	root := commit(t, s, 1, map[string][]byte{"a": {1}})
	view, err := s.Pin()
	require.NoError(t, err)
	for height := int64(2); height < 40; height++ {
		commit(t, s, height, map[string][]byte{"a": {byte(height)}, fmt.Sprint(height): {1}})
	}
	require.EqualValues(t, 1, view.Height)
	require.Equal(t, root, view.Root)
	records, err := view.Chunks(context.Background(), chunkSize, func([]byte) error { return nil })
	require.NoError(t, err)
	require.Equal(t, 1, records, "as it was when it was pinned, long after its height was let go")

	full := errors.New("the disk is full")
	_, err = view.Chunks(context.Background(), chunkSize, func([]byte) error { return full })
	require.ErrorIs(t, err, full)
	over, end := context.WithCancel(context.Background())
	end()
	_, err = view.Chunks(over, chunkSize, func([]byte) error { return nil })
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, view.Close())
	_, err = view.Chunks(context.Background(), chunkSize, func([]byte) error { return nil })
	require.ErrorIs(t, err, state.ErrHeight)
}
