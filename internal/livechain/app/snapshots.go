package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/lucid-blockchain/lucid/internal/livechain/state"
)

// Snapshots says what of the state is kept ready for nodes that join.
type Snapshots struct {
	Dir       string // folder, created when missing; empty means that none are kept
	Every     int64  // heights from one to the next; 0 means that none are made
	Keep      int    // how many of the last ones; 1 at least
	ChunkSize int    // bytes of records in a chunk; zero means DefaultChunkSize
}

// restoring is a snapshot of another node that is being taken in. Only the
// snapshot connection touches it.
type restoring struct {
	*state.Restore
	hashes []byte
	next   uint32
}

func (r *restoring) chunks() uint32 { return uint32(len(r.hashes) / sha256.Size) }

// openSnapshots readies what Options say of snapshots.
func (a *Application) openSnapshots(o Snapshots) (err error) {
	a.snapshots = o
	if a.snapshots.ChunkSize == 0 {
		a.snapshots.ChunkSize = DefaultChunkSize
	}
	if o.Dir == "" {
		a.shelf = &shelf{}
		return nil
	}
	a.shelf, err = openShelf(o.Dir, o.Keep)
	return err
}

// snapshotAfter begins a snapshot when it is time for one. The height is pinned
// now and written beside the blocks that follow.
func (a *Application) snapshotAfter(height int64) {
	if a.snapshots.Dir == "" || a.snapshots.Every <= 0 || height%a.snapshots.Every != 0 {
		return
	}
	if !a.shelf.begin(height) {
		a.logger.V(1).Info("No snapshot: the one before is still in the making", "height", height)
		return
	}
	view, err := a.store.Pin()
	if err != nil {
		a.shelf.release()
		a.logger.Error(err, "No snapshot", "height", height)
		return
	}
	a.background.Go(func() {
		begin := time.Now()
		err := a.shelf.finish(a.running, view, a.snapshots.ChunkSize)
		if err = errors.Join(err, view.Close()); err != nil && a.running.Err() == nil {
			a.logger.Error(err, "No snapshot", "height", height)
			return
		}
		a.logger.V(1).Info("Snapshot made", "height", height, "took", time.Since(begin))
	})
}

// retainHeight is the least height whose block the node has to keep: the last
// RetainBlocks, and all that a node needs that begins from a snapshot. 0 keeps
// all blocks.
func (a *Application) retainHeight(height int64) int64 {
	if a.retainBlocks <= 0 {
		return 0
	}
	retain := height - a.retainBlocks + 1
	if oldest := a.shelf.oldest(); oldest > 0 {
		retain = min(retain, oldest)
	}
	return max(retain, 0)
}

// ListSnapshots implements abci.Application.
func (a *Application) ListSnapshots(context.Context, *abci.RequestListSnapshots) (*abci.ResponseListSnapshots, error) {
	return &abci.ResponseListSnapshots{Snapshots: a.shelf.list()}, nil
}

// LoadSnapshotChunk implements abci.Application. A chunk that is not there any
// more is empty: the other node asks somebody else.
func (a *Application) LoadSnapshotChunk(_ context.Context, req *abci.RequestLoadSnapshotChunk) (*abci.ResponseLoadSnapshotChunk, error) {
	if req.Format != SnapshotFormat {
		return &abci.ResponseLoadSnapshotChunk{}, nil
	}
	chunk, err := a.shelf.chunk(int64(req.Height), req.Chunk)
	if err != nil {
		a.logger.Error(err, "A snapshot is lost")
	}
	return &abci.ResponseLoadSnapshotChunk{Chunk: chunk}, nil
}

// OfferSnapshot implements abci.Application. req.AppHash comes from CometBFT's
// light client; all else is a stranger's word. What was restored before, whole
// or in part, is replaced: the node comes here only before it has blocks.
func (a *Application) OfferSnapshot(_ context.Context, req *abci.RequestOfferSnapshot) (*abci.ResponseOfferSnapshot, error) {
	answer := func(result abci.ResponseOfferSnapshot_Result) (*abci.ResponseOfferSnapshot, error) {
		return &abci.ResponseOfferSnapshot{Result: result}, nil
	}
	a.restoring = nil
	offer := req.Snapshot
	switch {
	case offer == nil || len(req.AppHash) != len(state.Root{}):
		return answer(abci.ResponseOfferSnapshot_REJECT)
	case offer.Format != SnapshotFormat:
		return answer(abci.ResponseOfferSnapshot_REJECT_FORMAT)
	}
	digest := sha256.Sum256(offer.Metadata)
	if offer.Chunks == 0 || uint64(len(offer.Metadata)) != uint64(offer.Chunks)*sha256.Size || !bytes.Equal(digest[:], offer.Hash) {
		return answer(abci.ResponseOfferSnapshot_REJECT_SENDER)
	}
	restore, err := a.store.Restore(int64(offer.Height), state.Root(req.AppHash))
	if err != nil {
		return nil, a.fail(err)
	}
	a.restoring = &restoring{Restore: restore, hashes: offer.Metadata}
	return answer(abci.ResponseOfferSnapshot_ACCEPT)
}

// ApplySnapshotChunk implements abci.Application. A chunk that is not the one
// that was announced is fetched again from somebody else. One that is, and is
// not what the app hash says, proves that the whole snapshot is false.
func (a *Application) ApplySnapshotChunk(_ context.Context, req *abci.RequestApplySnapshotChunk) (*abci.ResponseApplySnapshotChunk, error) {
	r := a.restoring
	if r == nil || req.Index != r.next {
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_RETRY_SNAPSHOT}, nil
	}
	if digest := sha256.Sum256(req.Chunk); !bytes.Equal(digest[:], chunkHash(r.hashes, req.Index)) {
		a.logger.Info("A peer sent a damaged chunk of a snapshot", "peer", req.Sender, "chunk", req.Index)
		return &abci.ResponseApplySnapshotChunk{
			Result:        abci.ResponseApplySnapshotChunk_RETRY,
			RefetchChunks: []uint32{req.Index}, RejectSenders: []string{req.Sender},
		}, nil
	}
	complete, err := r.Add(req.Chunk)
	r.next++
	if err == nil && complete != (r.next == r.chunks()) {
		err = fmt.Errorf("%w: the state ends elsewhere", state.ErrChunk)
	}
	switch {
	case errors.Is(err, state.ErrChunk):
		a.restoring = nil
		a.logger.Info("A snapshot does not belong to this chain", "peer", req.Sender, "reason", err.Error())
		return &abci.ResponseApplySnapshotChunk{
			Result: abci.ResponseApplySnapshotChunk_REJECT_SNAPSHOT, RejectSenders: []string{req.Sender},
		}, nil
	case err != nil:
		return nil, a.fail(err)
	case complete:
		a.restoring = nil
		if err := r.Commit(); err != nil {
			return nil, a.fail(err)
		}
		a.resetCheck(a.store.Time())
	}
	return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_ACCEPT}, nil
}

// Failed tells of a trouble of this node's own after which CometBFT would wait
// for ever: the node has to be started again.
func (a *Application) Failed() <-chan error { return a.failed }

func (a *Application) fail(err error) error {
	a.restoring = nil
	return a.halt(fmt.Errorf("restore a snapshot: %w", err))
}

// halt ends the node with an error: CometBFT by itself would go on without blocks.
func (a *Application) halt(err error) error {
	select {
	case a.failed <- err:
	default:
	}
	return err
}
