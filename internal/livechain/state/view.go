package state

import (
	"errors"
	"fmt"
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
	snapshot *pebble.Snapshot
}

// Get reads a record; nil when there is none.
func (v *View) Get(key []byte) ([]byte, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, ErrHeight
	}
	return get(v.snapshot, flatKey(key))
}

// Prove returns the trie nodes from the root to a record, in that order. It
// proves as well that there is no such record.
func (v *View) Prove(key []byte) ([][]byte, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, ErrHeight
	}
	tree, err := trie.New(trie.TrieID(v.Root), nodes{v.snapshot})
	if err != nil {
		return nil, fmt.Errorf("open the state's trie: %w", err)
	}
	var proof path
	if err := tree.Prove(TrieKey(key), &proof); err != nil {
		return nil, fmt.Errorf("prove a record: %w", err)
	}
	return proof, nil
}

func (v *View) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	return v.snapshot.Close()
}

// path collects a proof's nodes in the order in which the trie gives them.
type path [][]byte

// Put implements ethdb.KeyValueWriter.
func (p *path) Put(_, node []byte) error {
	*p = append(*p, node)
	return nil
}

// Delete implements ethdb.KeyValueWriter; a proof is only ever added to.
func (p *path) Delete([]byte) error { return errors.ErrUnsupported }

// VerifyProof returns the value that proof shows key to have under root, nil
// where it shows that there is none, and an error for a proof of neither.
func VerifyProof(root Root, key []byte, proof [][]byte) ([]byte, error) {
	known := memorydb.New()
	for _, node := range proof {
		if err := known.Put(crypto.Keccak256(node), node); err != nil {
			return nil, fmt.Errorf("read a proof: %w", err)
		}
	}
	value, err := trie.VerifyProof(root, TrieKey(key), known)
	if err != nil {
		return nil, fmt.Errorf("the proof does not lead to the record: %w", err)
	}
	return value, nil
}
