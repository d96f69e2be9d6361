package state_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/state"
)

func open(t *testing.T, dir string) *state.Store {
	t.Helper()
	s, err := state.Open(dir)
	require.NoError(t, err)
	return s
}

func commit(t *testing.T, s *state.Store, height int64, changes map[string][]byte) state.Root {
	t.Helper()
	pending, err := s.Prepare(changes)
	require.NoError(t, err)
	require.NoError(t, s.Commit(height, pending))
	return pending.Root
}

func randomChanges(r *rand.Rand, n int) map[string][]byte {
	changes := map[string][]byte{}
	for range n {
		changes[fmt.Sprintf("record %d", r.IntN(500))] = fmt.Appendf(nil, "value %d", r.Uint64())
	}
	return changes
}

// The root says what is in the state and nothing about how it came there.
func TestIncrementalRootEqualsOneBuild(t *testing.T) {
	dir := t.TempDir()
	grown := open(t, filepath.Join(dir, "grown"))
	r := rand.New(rand.NewPCG(1, 2))
	all := map[string][]byte{}
	for height := int64(1); height <= 60; height++ {
		changes := randomChanges(r, 20)
		for key, value := range changes {
			all[key] = value
		}
		root := commit(t, grown, height, changes)
		if height%20 == 0 {
			require.NoError(t, grown.Close())
			grown = open(t, filepath.Join(dir, "grown"))
			at, reopened, started := grown.Head()
			require.True(t, started)
			require.Equal(t, height, at)
			require.Equal(t, root, reopened)
		}
	}
	built := open(t, filepath.Join(dir, "built"))
	want := commit(t, built, 1, all)
	_, root, _ := grown.Head()
	require.Equal(t, want, root)
	for key, value := range all {
		got, err := grown.Get([]byte(key))
		require.NoError(t, err)
		require.Equal(t, value, got)
	}
	require.NoError(t, built.Close())
	require.NoError(t, grown.Close())
}

func TestPrepareWritesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	defer func() { require.NoError(t, s.Close()) }()
	_, _, started := s.Head()
	require.False(t, started)
	root := commit(t, s, 1, map[string][]byte{"a": {1}})
	pending, err := s.Prepare(map[string][]byte{"a": {2}})
	require.NoError(t, err)
	require.NotEqual(t, root, pending.Root)
	value, err := s.Get([]byte("a"))
	require.NoError(t, err)
	require.Equal(t, []byte{1}, value)

	same, err := s.Prepare(nil)
	require.NoError(t, err)
	require.Equal(t, root, same.Root, "an empty block leaves the root")
	again, err := s.PrepareEmpty(map[string][]byte{"a": {1}})
	require.NoError(t, err)
	require.Equal(t, root, again.Root)
	_, err = s.Prepare(map[string][]byte{"a": nil})
	require.Error(t, err, "an empty value would delete")
}

func TestProofs(t *testing.T) {
	s := open(t, t.TempDir())
	defer func() { require.NoError(t, s.Close()) }()
	r := rand.New(rand.NewPCG(3, 4))
	first := randomChanges(r, 300)
	old := commit(t, s, 1, first)
	commit(t, s, 2, randomChanges(r, 300))

	view, err := s.At(1)
	require.NoError(t, err)
	require.Equal(t, old, view.Root)
	for key, want := range first {
		proof, err := view.Prove([]byte(key))
		require.NoError(t, err)
		got, err := state.VerifyProof(view.Root, []byte(key), proof)
		require.NoError(t, err)
		require.Equal(t, want, got, "an old height keeps its values")
		last := proof[len(proof)-1]
		last[len(last)-1] ^= 1
		_, err = state.VerifyProof(view.Root, []byte(key), proof)
		require.Error(t, err, "a proof that was tampered with")
	}
	proof, err := view.Prove([]byte("nothing"))
	require.NoError(t, err)
	got, err := state.VerifyProof(view.Root, []byte("nothing"), proof)
	require.NoError(t, err)
	require.Nil(t, got, "absence is proven too")
}

func TestOldHeightsAreLetGo(t *testing.T) {
	s := open(t, t.TempDir())
	_, err := s.At(0)
	require.ErrorIs(t, err, state.ErrHeight)
	commit(t, s, 1, map[string][]byte{"a": {1}})
	view, err := s.At(1)
	require.NoError(t, err)
	for height := int64(2); height < 40; height++ {
		commit(t, s, height, map[string][]byte{"a": {byte(height)}})
	}
	_, err = s.At(1)
	require.ErrorIs(t, err, state.ErrHeight)
	_, err = view.Get([]byte("a"))
	require.ErrorIs(t, err, state.ErrHeight, "a view that was held on to says so")
	_, err = view.Prove([]byte("a"))
	require.ErrorIs(t, err, state.ErrHeight)
	now, err := s.At(0)
	require.NoError(t, err)
	require.EqualValues(t, 39, now.Height)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice does nothing")
	_, err = s.Get([]byte("a"))
	require.ErrorIs(t, err, state.ErrClosed)
	_, err = now.Get([]byte("a"))
	require.ErrorIs(t, err, state.ErrHeight)
}

// The time of the last block is there after a restart, and changes no root; a
// folder from before it was kept opens as well.
func TestTimeIsKeptBesideTheRecords(t *testing.T) {
	dir := t.TempDir()
	s, err := state.Open(dir)
	require.NoError(t, err)
	first, err := s.Prepare(map[string][]byte{"a": []byte("1")})
	require.NoError(t, err)
	require.NoError(t, s.Commit(1, first))
	require.True(t, s.Time().IsZero(), "nobody has said when")
	require.NoError(t, s.Close())

	s, err = state.Open(dir)
	require.NoError(t, err)
	require.True(t, s.Time().IsZero())
	second, err := s.Prepare(nil)
	require.NoError(t, err)
	require.Equal(t, first.Root, second.Root)
	second.Time = time.Date(2026, 11, 23, 7, 0, 0, 123_456_789, time.UTC)
	require.NoError(t, s.Commit(2, second))
	require.NoError(t, s.Close())

	s, err = state.Open(dir)
	require.NoError(t, err)
	require.Equal(t, second.Time, s.Time())
	require.NoError(t, s.Close())
}
