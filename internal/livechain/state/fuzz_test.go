package state_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
)

// truth is a state in memory and its records in the order of the trie.
type truth struct {
	store        *state.Store
	root         state.Root
	all          map[string][]byte
	chunks       [][]byte
	keys, values [][]byte
}

func newTruth(f *testing.F) (s truth) {
	var err error
	s.store, err = state.OpenInMemory()
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.store.Close()) })
	s.all = randomChanges(rand.New(rand.NewPCG(9, 9)), 300)
	pending, err := s.store.PrepareEmpty(s.all)
	require.NoError(f, err)
	require.NoError(f, s.store.Commit(1, pending))
	s.root = pending.Root
	view, err := s.store.At(1)
	require.NoError(f, err)
	_, err = view.Chunks(context.Background(), chunkSize, func(raw []byte) error {
		s.chunks = append(s.chunks, raw)
		return nil
	})
	require.NoError(f, err)
	for _, raw := range s.chunks {
		var chunk statepb.Chunk
		require.NoError(f, proto.Unmarshal(raw, &chunk))
		s.keys, s.values = append(s.keys, chunk.GetKeys()...), append(s.values, chunk.GetValues()...)
	}
	return s
}

// FuzzVerifyProof: whatever is taken for a proof, what it shows is so. The nodes
// come as a chunk's proof.
func FuzzVerifyProof(f *testing.F) {
	s := newTruth(f)
	view, err := s.store.At(1)
	require.NoError(f, err)
	seeds := []string{"nothing", ""}
	for key := range s.all {
		if seeds = append(seeds, key); len(seeds) > 20 {
			break
		}
	}
	for _, key := range seeds {
		nodes, err := view.Prove([]byte(key))
		require.NoError(f, err)
		raw, err := proto.Marshal(&statepb.Chunk{Proof: nodes})
		require.NoError(f, err)
		f.Add([]byte(key), raw)
		f.Add([]byte("another"), raw)
	}
	f.Fuzz(func(t *testing.T, key, raw []byte) {
		var wire statepb.Chunk
		if proto.Unmarshal(raw, &wire) != nil {
			return
		}
		value, err := state.VerifyProof(s.root, key, wire.GetProof())
		if err == nil {
			require.True(t, bytes.Equal(s.all[string(key)], value), "%q has %q, the proof shows %q", key, s.all[string(key)], value)
		}
	})
}

// FuzzRestore: a chunk is refused, or it is the next part of the state, to the
// record.
func FuzzRestore(f *testing.F) {
	s := newTruth(f)
	for i, chunk := range s.chunks {
		f.Add(uint8(i), chunk)
		f.Add(uint8(0), chunk)
	}
	into, err := state.OpenInMemory()
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, into.Close()) })
	f.Fuzz(func(t *testing.T, begun uint8, raw []byte) {
		r, err := into.Restore(1, s.root)
		require.NoError(t, err)
		at := 0
		for _, chunk := range s.chunks[:int(begun)%len(s.chunks)] {
			_, err := r.Add(chunk)
			require.NoError(t, err)
			at += count(t, chunk)
		}
		complete, err := r.Add(raw)
		if err != nil {
			require.ErrorIs(t, err, state.ErrChunk)
			return
		}
		var chunk statepb.Chunk
		require.NoError(t, proto.Unmarshal(raw, &chunk))
		end := at + len(chunk.GetKeys())
		require.Equal(t, s.keys[at:end], chunk.GetKeys())
		require.Equal(t, s.values[at:end], chunk.GetValues())
		require.Equal(t, end == len(s.keys), complete)
	})
}

func count(t *testing.T, raw []byte) int {
	var chunk statepb.Chunk
	require.NoError(t, proto.Unmarshal(raw, &chunk))
	return len(chunk.GetKeys())
}
