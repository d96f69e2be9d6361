package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/lucid-blockchain/lucid/internal/livechain/state"
)

const (
	// SnapshotFormat is the encoding of the chunks, state.View.Chunks; a node
	// refuses others.
	SnapshotFormat = 1
	// DefaultChunkSize is far below the 16 MB that CometBFT's peers may send.
	DefaultChunkSize = 1 << 20

	hashesFile  = "hashes" // the SHA-256 of each chunk, one after the other
	unfinished  = "new-"   // begins the folder of a snapshot that is being made
	shelfFolder = 0o700
	shelfFile   = 0o600
)

// shelf is the folder of the snapshots that are ready for other nodes: in it one
// folder per height, in that one file per chunk. It is safe for concurrent use.
type shelf struct {
	dir  string
	keep int

	mu      sync.Mutex
	kept    []kept // ascending heights
	making  int64  // height of the snapshot in the making, or 0
	records int    // of the last snapshot made by this process
}

type kept struct {
	height int64
	hashes []byte
	made   time.Time
}

// openShelf reads what is there and removes what a crash left unfinished.
func openShelf(dir string, keep int) (*shelf, error) {
	s := &shelf{dir: dir, keep: max(keep, 1)}
	if err := os.MkdirAll(dir, shelfFolder); err != nil {
		return nil, fmt.Errorf("make the folder of the snapshots: %w", err)
	}
	folders, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of the snapshots: %w", err)
	}
	for _, folder := range folders {
		if found, ok := s.recall(folder); ok {
			s.kept = append(s.kept, found)
		} else if err := os.RemoveAll(filepath.Join(dir, folder.Name())); err != nil {
			return nil, fmt.Errorf("remove an unfinished snapshot: %w", err)
		}
	}
	slices.SortFunc(s.kept, func(a, b kept) int { return int(a.height - b.height) })
	return s, s.discardOld()
}

func (s *shelf) recall(folder os.DirEntry) (kept, bool) {
	height, err := strconv.ParseInt(folder.Name(), 10, 64)
	if err != nil || strings.HasPrefix(folder.Name(), unfinished) {
		return kept{}, false
	}
	file := filepath.Join(s.folder(height), hashesFile)
	hashes, err := os.ReadFile(file)
	if err != nil || len(hashes) == 0 || len(hashes)%sha256.Size != 0 {
		return kept{}, false
	}
	info, err := os.Stat(file)
	if err != nil {
		return kept{}, false
	}
	return kept{height: height, hashes: hashes, made: info.ModTime()}, true
}

func (s *shelf) folder(height int64) string {
	return filepath.Join(s.dir, strconv.FormatInt(height, 10))
}

// begin reserves a height; false when it is kept already or another snapshot is
// still in the making.
func (s *shelf) begin(height int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.making != 0 || slices.ContainsFunc(s.kept, func(k kept) bool { return k.height == height }) {
		return false
	}
	s.making = height
	return true
}

// release ends what begin began.
func (s *shelf) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.making = 0
}

// finish writes the snapshot of the height that was begun. It counts once its
// folder has its name.
func (s *shelf) finish(ctx context.Context, view *state.View, size int) (err error) {
	defer s.release()
	folder, err := os.MkdirTemp(s.dir, unfinished)
	if err != nil {
		return fmt.Errorf("make a snapshot's folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	var hashes []byte
	records, err := view.Chunks(ctx, size, func(chunk []byte) error {
		name := strconv.Itoa(len(hashes) / sha256.Size)
		digest := sha256.Sum256(chunk)
		hashes = append(hashes, digest[:]...)
		return writeSynced(filepath.Join(folder, name), chunk)
	})
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(folder, hashesFile), hashes); err != nil {
		return err
	}
	if err := os.Rename(folder, s.folder(view.Height)); err != nil {
		return fmt.Errorf("keep a snapshot: %w", err)
	}
	s.mu.Lock()
	s.records = records
	s.kept = append(s.kept, kept{height: view.Height, hashes: hashes, made: time.Now()})
	s.mu.Unlock()
	return s.discardOld()
}

func writeSynced(name string, content []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, shelfFile)
	if err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	return nil
}

// discardOld lets go of all but the last ones.
func (s *shelf) discardOld() error {
	s.mu.Lock()
	old := slices.Clone(s.kept[:max(0, len(s.kept)-s.keep)])
	s.kept = slices.Delete(s.kept, 0, len(old))
	s.mu.Unlock()
	var all error
	for _, k := range old {
		all = errors.Join(all, os.RemoveAll(s.folder(k.height)))
	}
	return all
}

// list is what may be offered.
func (s *shelf) list() []*abci.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*abci.Snapshot, len(s.kept))
	for i, k := range s.kept {
		digest := sha256.Sum256(k.hashes)
		all[i] = &abci.Snapshot{
			Height: uint64(k.height), Format: SnapshotFormat, Chunks: uint32(len(k.hashes) / sha256.Size),
			Hash: digest[:], Metadata: k.hashes,
		}
	}
	return all
}

// chunk reads a chunk; nil when there is none. One that the disk has damaged is
// never served: its snapshot is let go and an error says so.
func (s *shelf) chunk(height int64, index uint32) ([]byte, error) {
	s.mu.Lock()
	at := slices.IndexFunc(s.kept, func(k kept) bool { return k.height == height })
	if at < 0 || int(index) >= len(s.kept[at].hashes)/sha256.Size {
		s.mu.Unlock()
		return nil, nil
	}
	want := chunkHash(s.kept[at].hashes, index)
	s.mu.Unlock()
	chunk, err := os.ReadFile(filepath.Join(s.folder(height), strconv.FormatUint(uint64(index), 10)))
	if digest := sha256.Sum256(chunk); err == nil && bytes.Equal(digest[:], want) {
		return chunk, nil
	}
	s.mu.Lock()
	s.kept = slices.DeleteFunc(s.kept, func(k kept) bool { return k.height == height })
	s.mu.Unlock()
	damaged := fmt.Errorf("chunk %d of the snapshot of height %d is damaged, the snapshot is let go", index, height)
	return nil, errors.Join(damaged, err, os.RemoveAll(s.folder(height)))
}

func chunkHash(hashes []byte, index uint32) []byte {
	return hashes[int(index)*sha256.Size : (int(index)+1)*sha256.Size]
}

// oldest is the least height whose blocks another node needs after a snapshot;
// 0 when there is none.
func (s *shelf) oldest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) > 0 {
		return s.kept[0].height
	}
	return s.making
}

// last describes the newest snapshot; height is 0 when there is none.
func (s *shelf) last() (height int64, made time.Time, records int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == 0 {
		return 0, time.Time{}, s.records
	}
	k := s.kept[len(s.kept)-1]
	return k.height, k.made, s.records
}
