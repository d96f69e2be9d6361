package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/cometbft/cometbft/consensus"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/types"
)

const (
	// maxLag is how many blocks a node may be behind its peers and still be ready:
	// all nodes of a busy chain are a block or two apart at times.
	maxLag = 3
	// headerTimeout bounds how long an asker may take to ask.
	headerTimeout = 2 * time.Second
)

// unready says why the node should not be asked yet, and is empty when it may
// be. A chain that has no block yet is ready: nobody is ahead.
func unready(node *cmtnode.Node, others int) string {
	peers := node.Switch().Peers()
	if node.ConsensusReactor().WaitSync() {
		return "the node fetches the blocks that others have"
	}
	if others > 0 && peers.Size() == 0 {
		return "the node is connected to no other"
	}
	var working []int64
	for _, peer := range peers.Copy() {
		if state, ok := peer.Get(types.PeerStateKey).(*consensus.PeerState); ok {
			working = append(working, state.GetHeight())
		}
	}
	return lag(node.BlockStore().Height(), working)
}

// lag compares a node's last block with the heights that its peers work on, each
// the one after that peer's last block.
func lag(own int64, working []int64) string {
	if highest := slices.Max(append(working, 0)) - 1; highest > own+maxLag {
		return fmt.Sprintf("the node is at height %d, a peer at %d", own, highest)
	}
	return ""
}

// serveReady answers GET /ready until ctx ends: 200, or 503 and the reason.
func serveReady(ctx context.Context, address string, reason func() string) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen for readiness probes: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if why := reason(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		defer stop()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			_ = listener.Close() // the probe fails, and the node is replaced
		}
	}()
	return nil
}
