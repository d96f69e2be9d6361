package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/trie"
)

// View is the state of one height. It stays as it is while the chain goes on,
// until that height is no longer kept; then reads return ErrHeight.
type View struct {
	Height int64
	Root   Root

	mu       sync.RWMutex
	closed   bool
	space    space
	snapshot *pebble.Snapshot
}

// Get reads a record; nil when there is none.
func (v *View) Get(key []byte) ([]byte, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, ErrHeight
	}
	return get(v.snapshot, v.space.record(TrieKey(key)))
}

// Prove returns the trie nodes from the root to a record, in that order. It
// proves as well that there is no such record.
func (v *View) Prove(key []byte) ([][]byte, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, ErrHeight
	}
	return v.prove(TrieKey(key))
}

// prove returns the nodes to several places of the trie, one after the other.
// v.mu is held.
func (v *View) prove(trieKeys ...[]byte) ([][]byte, error) {
	tree, err := trie.New(trie.TrieID(v.Root), nodes{v.snapshot, v.space})
	if err != nil {
		return nil, fmt.Errorf("open the state's trie: %w", err)
	}
	var proof path
	for _, key := range trieKeys {
		if err := tree.Prove(key, &proof); err != nil {
			return nil, fmt.Errorf("prove a record: %w", err)
		}
	}
	return proof, nil
}

// Close lets go of the height. Only who pinned a view closes it.
func (v *View) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	return v.snapshot.Close()
}

// path collects a proof's nodes in the order in which the trie gives them, each
// once: paths share their beginnings.
type path [][]byte

// Put implements ethdb.KeyValueWriter.
func (p *path) Put(_, node []byte) error {
	if !slices.ContainsFunc(*p, func(have []byte) bool { return bytes.Equal(have, node) }) {
		*p = append(*p, node)
	}
	return nil
}

// Delete implements ethdb.KeyValueWriter; a proof is only ever added to.
func (p *path) Delete([]byte) error { return errors.ErrUnsupported }

// VerifyProof returns the value that proof shows key to have under root, nil
// where it shows that there is none, and an error for a proof of neither.
func VerifyProof(root Root, key []byte, proof [][]byte) ([]byte, error) {
	known, err := byHash(proof)
	if err != nil {
		return nil, err
	}
	value, err := trie.VerifyProof(root, TrieKey(key), known)
	if err != nil {
		return nil, fmt.Errorf("the proof does not lead to the record: %w", err)
	}
	return value, nil
}

func byHash(proof [][]byte) (*memorydb.Database, error) {
	known := memorydb.New()
	for _, node := range proof {
		if err := known.Put(crypto.Keccak256(node), node); err != nil {
			return nil, fmt.Errorf("read a proof: %w", err)
		}
	}
	return known, nil
}
