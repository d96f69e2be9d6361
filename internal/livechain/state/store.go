// Package state keeps a live chain's records under a Merkle root that is
// updated along the paths that a block touched, never rebuilt. Records lie
// twice in one Pebble database: flat, for reading, and as the nodes of a
// Merkle-Patricia trie, for the root and for proofs. A height's records, nodes,
// number and root are written in one synced batch, so a crash leaves the whole
// height or nothing of it.
//
// All of it lies in one of two spaces of the database. A state that is restored
// from another node's chunks grows in the other one, and a single write makes
// that one count.
package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/trie/trienode"
	"github.com/ethereum/go-ethereum/triedb/database"
)

const (
	flatPrefix = 's' // record by the digest of its key
	nodePrefix = 'n' // trie node by its path
	cacheSize  = 32 << 20
	// history is how many heights can be read and proven: a light client proves
	// height h against the header of h+1, by when the chain has moved on.
	history = 16
)

var metaKey = []byte("m/head")

// ErrHeight says that a height is no longer, or not yet, kept.
var ErrHeight = errors.New("the state of this height is not kept")

// ErrClosed says that the store was closed: the node is stopping.
var ErrClosed = errors.New("the state is closed")

// Root is the Merkle root of all records: the app hash.
type Root = common.Hash

// Store is the committed state. One goroutine prepares and commits; any number
// read.
type Store struct {
	db *pebble.DB

	mu      sync.RWMutex
	closed  bool
	started bool // a height has been committed
	height  int64
	root    Root
	time    time.Time
	space   space
	views   []*View // ascending heights, the last is the present one
}

// Open opens or creates the store in a folder.
func Open(dir string) (*Store, error) { return open(dir, vfs.Default) }

// OpenInMemory makes a store that nothing is left of once it is closed.
func OpenInMemory() (*Store, error) { return open("state", vfs.NewMem()) }

func open(dir string, in vfs.FS) (*Store, error) {
	cache := pebble.NewCache(cacheSize)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{Cache: cache, Logger: quiet{}, FS: in})
	if err != nil {
		return nil, fmt.Errorf("open the state: %w", err)
	}
	s := &Store{db: db, root: types.EmptyRootHash}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	// What a restore left that a crash cut off.
	if err := clearSpace(db, s.space.other()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) load() error {
	seen, err := readHead(s.db)
	if err != nil || seen == nil {
		return err
	}
	s.space = seen.space
	s.advance(*seen)
	return nil
}

// head is what the database says of itself: where its records lie, their height,
// their root, and when their block was made.
type head struct {
	space  space
	height int64
	root   Root
	time   time.Time // zero when it is not known
}

const (
	// untimed is the length of a head without a time, as it was first written.
	untimed = 1 + 8 + common.HashLength
	timed   = untimed + 8
)

func (h head) encode() []byte {
	raw := append(binary.BigEndian.AppendUint64([]byte{byte(h.space)}, uint64(h.height)), h.root[:]...)
	if h.time.IsZero() {
		return raw
	}
	return binary.BigEndian.AppendUint64(raw, uint64(h.time.UnixNano()))
}

// readHead returns nil before the first commit.
func readHead(from pebble.Reader) (*head, error) {
	raw, err := get(from, metaKey)
	if err != nil || raw == nil {
		return nil, err
	}
	if len(raw) != untimed && len(raw) != timed || raw[0] > 1 {
		return nil, errors.New("the state's head is damaged: restore the node's home or let it sync anew")
	}
	h := &head{space: space(raw[0]), height: int64(binary.BigEndian.Uint64(raw[1:])), root: common.BytesToHash(raw[9:untimed])}
	if len(raw) == timed {
		h.time = time.Unix(0, int64(binary.BigEndian.Uint64(raw[untimed:]))).UTC()
	}
	return h, nil
}

// Close gives the folder back. Views taken before are no longer usable.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var all []error
	for _, view := range s.views {
		all = append(all, view.Close())
	}
	s.views = nil
	return errors.Join(append(all, s.db.Close())...)
}

// Head returns the last committed height and its root; started is false before
// the first commit.
func (s *Store) Head() (height int64, root Root, started bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.height, s.root, s.started
}

// Time is when the block of the last committed height was made; zero when that is
// not known, as after a restore.
func (s *Store) Time() time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.time
}

// Get reads a committed record; nil when there is none.
func (s *Store) Get(key []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	return get(s.db, s.space.record(TrieKey(key)))
}

// Pending is a state that has been computed and not yet committed.
type Pending struct {
	// Root is what the app hash becomes.
	Root Root
	// Time of the block, kept beside the records and not part of the root; zero
	// when there is none.
	Time    time.Time
	space   space
	changes map[string][]byte
	nodes   *trienode.NodeSet
}

// Prepare computes the root that changes lead to from the committed state, and
// writes nothing. Records are never removed; a value must not be empty.
func (s *Store) Prepare(changes map[string][]byte) (*Pending, error) {
	s.mu.RLock()
	root, in := s.root, s.space
	s.mu.RUnlock()
	return s.prepareFrom(root, in, changes)
}

// PrepareEmpty is Prepare from no records at all: the first state of a chain.
func (s *Store) PrepareEmpty(changes map[string][]byte) (*Pending, error) {
	return s.prepareFrom(types.EmptyRootHash, s.space, changes)
}

func (s *Store) prepareFrom(root Root, in space, changes map[string][]byte) (*Pending, error) {
	tree, err := trie.New(trie.TrieID(root), nodes{s.db, in})
	if err != nil {
		return nil, fmt.Errorf("open the state's trie: %w", err)
	}
	for key, value := range changes {
		if len(value) == 0 {
			return nil, fmt.Errorf("the record %q is empty", key)
		}
		if err := tree.Update(TrieKey([]byte(key)), value); err != nil {
			return nil, fmt.Errorf("update the state's trie: %w", err)
		}
	}
	next, set := tree.Commit(false)
	return &Pending{Root: next, space: in, changes: changes, nodes: set}, nil
}

// Commit makes pending the state of a height, for good once it returns nil.
func (s *Store) Commit(height int64, pending *Pending) error {
	batch := s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	if err := fill(batch, height, pending); err != nil {
		return fmt.Errorf("prepare the commit of height %d: %w", height, err)
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("commit height %d: %w", height, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(pending.head(height))
	return nil
}

func fill(batch *pebble.Batch, height int64, pending *Pending) error {
	for key, value := range pending.changes {
		if err := batch.Set(pending.space.record(TrieKey([]byte(key))), value, nil); err != nil {
			return err
		}
	}
	if pending.nodes != nil {
		for path, node := range pending.nodes.Nodes {
			key := pending.space.node([]byte(path))
			if node.IsDeleted() {
				if err := batch.Delete(key, nil); err != nil {
					return err
				}
				continue
			}
			if err := batch.Set(key, node.Blob, nil); err != nil {
				return err
			}
		}
	}
	return batch.Set(metaKey, pending.head(height).encode(), nil)
}

func (p *Pending) head(height int64) head { return head{p.space, height, p.Root, p.Time} }

// advance notes the new head. s.mu is held, or s is not shared yet.
func (s *Store) advance(to head) {
	s.started, s.height, s.root, s.time = true, to.height, to.root, to.time
	s.views = append(s.views, &View{Height: to.height, Root: to.root, space: s.space, snapshot: s.db.NewSnapshot()})
	if len(s.views) > history {
		// A reader that still holds it gets an error, see View.
		_ = s.views[0].Close()
		s.views = slices.Delete(s.views, 0, 1)
	}
}

// At returns the state of a height; 0 means the present one.
func (s *Store) At(height int64) (*View, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if height == 0 && len(s.views) > 0 {
		return s.views[len(s.views)-1], nil
	}
	for _, view := range s.views {
		if view.Height == height {
			return view, nil
		}
	}
	return nil, ErrHeight
}

// TrieKey is where a record lies in the trie: the digest makes all paths as
// long and as spread as each other, whatever the keys are.
func TrieKey(key []byte) []byte {
	digest := sha256.Sum256(key)
	return digest[:]
}

// space is one of the two parts of the database that a state may lie in.
type space byte

func (s space) other() space { return 1 - s }

// record is where the flat record of a trie key lies.
func (s space) record(trieKey []byte) []byte {
	return append([]byte{flatPrefix, byte(s)}, trieKey...)
}

func (s space) node(path []byte) []byte {
	return append([]byte{nodePrefix, byte(s)}, path...)
}

func get(from pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	value = bytes.Clone(value)
	return value, closer.Close()
}

// nodes serves the trie from a database or one of its snapshots. Only one
// version of a node exists in either, so the path alone names it.
type nodes struct {
	from pebble.Reader
	in   space
}

var _ database.NodeDatabase = nodes{}

// NodeReader implements database.NodeDatabase.
func (n nodes) NodeReader(common.Hash) (database.NodeReader, error) { return n, nil }

// Node implements database.NodeReader.
func (n nodes) Node(_ common.Hash, path []byte, _ common.Hash) ([]byte, error) {
	return get(n.from, n.in.node(path))
}

// quiet drops Pebble's chatter; its errors come back from the calls.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf is called when the disk failed in a way after which Pebble may not go
// on; its contract forbids to return.
func (quiet) Fatalf(format string, args ...any) {
	pebble.DefaultLogger.Fatalf(format, args...)
}
