package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/trie"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
)

// ErrChunk says that a chunk is not the next part of the state under its root:
// it is damaged, or whoever sent it lies.
var ErrChunk = errors.New("the chunk is not a part of the state")

// Pin returns the present state, kept until the caller closes it.
func (s *Store) Pin() (*View, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	// A commit may be under way: what is pinned says itself which height it is.
	snapshot := s.db.NewSnapshot()
	seen, err := readHead(snapshot)
	if err == nil && seen == nil {
		err = ErrHeight
	}
	if err != nil {
		return nil, errors.Join(err, snapshot.Close())
	}
	return &View{Height: seen.height, Root: seen.root, space: seen.space, snapshot: snapshot}, nil
}

// Chunks hands all records to yield, in encoded chunks whose records have about
// size bytes. The same state gives the same chunks on every node. It stops when
// ctx ends or yield fails, and returns the number of records handed over. Only a
// pinned view should be read for so long.
func (v *View) Chunks(ctx context.Context, size int, yield func(chunk []byte) error) (records int, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return 0, ErrHeight
	}
	first, last := v.space.recordBounds()
	cursor, err := v.snapshot.NewIter(&pebble.IterOptions{LowerBound: first, UpperBound: last})
	if err != nil {
		return 0, fmt.Errorf("read the state: %w", err)
	}
	defer func() { err = errors.Join(err, cursor.Close()) }()
	next := firstTrieKey()
	for more := cursor.First(); more; {
		chunk := &statepb.Chunk{}
		for filled := 0; more && filled < size; more = cursor.Next() {
			key, value := bytes.Clone(cursor.Key()[len(first):]), bytes.Clone(cursor.Value())
			chunk.Keys, chunk.Values = append(chunk.Keys, key), append(chunk.Values, value)
			filled += len(key) + len(value)
		}
		end := chunk.Keys[len(chunk.Keys)-1]
		if chunk.Proof, err = v.prove(next, end); err != nil {
			return records, err
		}
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(chunk)
		if err != nil {
			return records, fmt.Errorf("encode a chunk: %w", err)
		}
		if err := errors.Join(ctx.Err(), yield(raw)); err != nil {
			return records, err
		}
		records += len(chunk.Keys)
		next = after(end)
	}
	return records, cursor.Error()
}

// Restore takes in a state from chunks, each of which is proven against the root
// before any of it is kept. Until Commit the store goes on with the state that
// it has; a restore that does not get there leaves no trace.
type Restore struct {
	store  *Store
	height int64
	root   Root
	space  space

	tree     *trie.StackTrie
	batch    *pebble.Batch
	err      error  // of the tree's callback
	next     []byte // the next chunk begins here
	complete bool
}

// Restore begins to take in the state of a height, known by its root. There is
// one restore at a time: an earlier one that was not committed is void.
func (s *Store) Restore(height int64, root Root) (*Restore, error) {
	s.mu.RLock()
	r := &Restore{store: s, height: height, root: root, space: s.space.other(), next: firstTrieKey()}
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return nil, ErrClosed
	}
	r.tree = trie.NewStackTrie(func(path []byte, _ common.Hash, blob []byte) {
		r.err = errors.Join(r.err, r.batch.Set(r.space.node(path), blob, nil))
	})
	return r, clearSpace(s.db, r.space)
}

// Add takes the next chunk and says whether it was the last one. ErrChunk when
// it is not what the root says; the right one may be added then.
func (r *Restore) Add(raw []byte) (complete bool, err error) {
	chunk, more, err := r.verify(raw)
	if err != nil {
		return false, err
	}
	r.batch = r.store.db.NewBatch()
	defer func() { _ = r.batch.Close() }()
	for i, key := range chunk.GetKeys() {
		err = errors.Join(r.tree.Update(key, chunk.GetValues()[i]), r.batch.Set(r.space.record(key), chunk.GetValues()[i], nil))
		if err != nil {
			return false, fmt.Errorf("restore a record: %w", err)
		}
	}
	if !more {
		r.tree.Hash() // hands the last nodes over
	}
	// The last write, in Commit, is synced, and these with it.
	if err := errors.Join(r.err, r.batch.Commit(pebble.NoSync)); err != nil {
		return false, fmt.Errorf("restore a chunk: %w", err)
	}
	r.next, r.complete = after(chunk.GetKeys()[len(chunk.GetKeys())-1]), !more
	return r.complete, nil
}

// verify says with the chunk whether more records follow it.
func (r *Restore) verify(raw []byte) (chunk *statepb.Chunk, more bool, err error) {
	if r.complete {
		return nil, false, fmt.Errorf("%w: nothing is missing", ErrChunk)
	}
	chunk = &statepb.Chunk{}
	if err := proto.Unmarshal(raw, chunk); err != nil {
		return nil, false, fmt.Errorf("%w: it can't be read", ErrChunk)
	}
	if len(chunk.GetKeys()) == 0 || len(chunk.GetKeys()) != len(chunk.GetValues()) {
		return nil, false, fmt.Errorf("%w: it has %d keys and %d values", ErrChunk, len(chunk.GetKeys()), len(chunk.GetValues()))
	}
	for _, key := range chunk.GetKeys() {
		if len(key) != common.HashLength {
			return nil, false, fmt.Errorf("%w: a key of %d bytes", ErrChunk, len(key))
		}
	}
	known, err := byHash(chunk.GetProof())
	if err != nil {
		return nil, false, err
	}
	more, err = trie.VerifyRangeProof(r.root, r.next, chunk.GetKeys(), chunk.GetValues(), known)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrChunk, err)
	}
	return chunk, more, nil
}

// Commit makes the restored state the store's, in one write: a crash leaves the
// old state or the new one. The heights that could be read before are let go.
func (r *Restore) Commit() error {
	if !r.complete {
		return errors.New("the restored state is not complete")
	}
	s := r.store
	to := head{space: r.space, height: r.height, root: r.root}
	batch := s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	err := errors.Join(batch.Set(metaKey, to.encode(), nil), removeSpace(batch, r.space.other()))
	if err != nil {
		return fmt.Errorf("prepare the restored state: %w", err)
	}
	// Nobody may read in between: the old space is empty from now on.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("commit the restored state: %w", err)
	}
	for _, view := range s.views {
		_ = view.Close()
	}
	s.views, s.space = nil, r.space
	s.advance(to)
	return nil
}

func firstTrieKey() []byte { return make([]byte, common.HashLength) }

// after is the next possible trie key. There is none after the very last, where
// a trie ends in any case.
func after(key []byte) []byte {
	next := bytes.Clone(key)
	for i := len(next) - 1; i >= 0; i-- {
		next[i]++
		if next[i] != 0 {
			break
		}
	}
	return next
}

func (s space) recordBounds() (first, end []byte) {
	return []byte{flatPrefix, byte(s)}, []byte{flatPrefix, byte(s) + 1}
}

func (s space) nodeBounds() (first, end []byte) {
	return []byte{nodePrefix, byte(s)}, []byte{nodePrefix, byte(s) + 1}
}

func removeSpace(from pebble.Writer, s space) error {
	first, end := s.recordBounds()
	err := from.DeleteRange(first, end, pebble.NoSync)
	first, end = s.nodeBounds()
	return errors.Join(err, from.DeleteRange(first, end, pebble.NoSync))
}

func clearSpace(db *pebble.DB, s space) error {
	if err := removeSpace(db, s); err != nil {
		return fmt.Errorf("clear what a restore left: %w", err)
	}
	return nil
}
