package source

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// defaultFileInterval is how often a file is looked at. Polling sees every way a
// file can be replaced (rename, symbolic link, bind mount), which notification
// does not.
const defaultFileInterval = 500 * time.Millisecond

// File reads the snapshot from a file and follows its changes, for runs without
// Kubernetes.
type File struct {
	Path  string
	Every time.Duration // 500 ms when 0
	Log   logr.Logger
}

// Run implements Source.
func (f *File) Run(ctx context.Context, deliver Deliver) {
	every := f.Every
	if every == 0 {
		every = defaultFileInterval
	}
	var last []byte
	var complained string
	for {
		raw, err := f.read(last, deliver)
		// One complaint per problem: the file is looked at for ever.
		if err != nil && err.Error() != complained {
			f.Log.Error(err, "snapshot file refused, serving on with the last snapshot", "path", f.Path)
		}
		complained = ""
		if err != nil {
			complained = err.Error()
		}
		last = raw
		if !sleep(ctx, every) {
			return
		}
	}
}

// read delivers the file's content if it differs from last and returns what was
// dealt with.
func (f *File) read(last []byte, deliver Deliver) ([]byte, error) {
	raw, err := os.ReadFile(f.Path)
	if err != nil {
		return last, fmt.Errorf("read the snapshot file: %w", err)
	}
	if last != nil && bytes.Equal(raw, last) {
		return last, nil
	}
	s, err := snapshot.Parse(raw)
	if err != nil {
		return last, err
	}
	if err := deliver("file:"+f.Path, s); err != nil {
		return last, err
	}
	return raw, nil
}
