package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

func document(t *testing.T, generation int64) string {
	t.Helper()
	s := &snapshot.Snapshot{Generation: generation, Gateway: "default/main", Identity: snapshot.Production, CNPYUSDRate: "1.00"}
	raw, err := s.Encode()
	require.NoError(t, err)
	return string(raw)
}

// received remembers what a source delivered.
type received struct {
	mu      sync.Mutex
	seen    []int64
	origins []string
	refuse  error
}

func (r *received) deliver(origin string, s *snapshot.Snapshot) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return r.refuse
	}
	r.seen, r.origins = append(r.seen, s.Generation), append(r.origins, origin)
	return nil
}

func (r *received) generations() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int64(nil), r.seen...)
}

// last is the newest generation and where it came from; -1 before the first.
func (r *received) last() (int64, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 {
		return -1, ""
	}
	return r.seen[len(r.seen)-1], r.origins[len(r.origins)-1]
}

func (r *received) await(t *testing.T, generation int64, limit time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool {
		newest, _ := r.last()
		return newest == generation
	}, limit, 2*time.Millisecond, "generation %d", generation)
}

func run(t *testing.T, s Source, deliver Deliver) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx, deliver) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot.json")
	write := func(content string) { require.NoError(t, os.WriteFile(path, []byte(content), 0o600)) }
	var mu sync.Mutex
	complaints := 0
	log := funcr.New(func(string, string) { mu.Lock(); complaints++; mu.Unlock() }, funcr.Options{})
	var got received
	run(t, &File{Path: path, Every: 5 * time.Millisecond, Log: log}, got.deliver)

	time.Sleep(50 * time.Millisecond)
	mu.Lock()
	assert.Equal(t, 1, complaints, "A file that is not there yet is reported once.")
	mu.Unlock()

	write(document(t, 1))
	got.await(t, 1, 5*time.Second)
	write(`{"gateway":`)
	time.Sleep(50 * time.Millisecond)
	assert.Equal(t, []int64{1}, got.generations(), "Half a file changes nothing.")

	write(document(t, 2))
	got.await(t, 2, 5*time.Second)
	require.NoError(t, os.Remove(path))
	time.Sleep(30 * time.Millisecond)
	staged := path + ".new"
	require.NoError(t, os.WriteFile(staged, []byte(document(t, 3)), 0o600))
	require.NoError(t, os.Rename(staged, path))
	got.await(t, 3, 5*time.Second)
	time.Sleep(50 * time.Millisecond)
	assert.Equal(t, []int64{1, 2, 3}, got.generations(), "Each content is delivered once.")
}

func TestFileRefusedIsOfferedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot.json")
	require.NoError(t, os.WriteFile(path, []byte(document(t, 1)), 0o600))
	got := received{refuse: errors.New("not now")}
	run(t, &File{Path: path, Every: 5 * time.Millisecond}, got.deliver)
	time.Sleep(30 * time.Millisecond)
	got.mu.Lock()
	got.refuse = nil
	got.mu.Unlock()
	got.await(t, 1, 5*time.Second)
}
