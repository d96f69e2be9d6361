package node

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/lucid-blockchain/lucid/internal/livechain/client"
)

const (
	// serversPatience is how long a node without blocks waits for another that has
	// some, before it ends to be started again.
	serversPatience = time.Minute
	askTimeout      = 5 * time.Second
	askAgainEvery   = time.Second
)

// errNoServer keeps a node from the first block of a chain that is further: it would
// never get there, or begin another history.
var errNoServer = errors.New("the chain has made blocks, and none of its other nodes answers with any")

// stateSyncServers returns the endpoints to start from a snapshot with, and none
// when the first block can still be had.
func (c Config) stateSyncServers(ctx context.Context) ([]string, error) {
	if len(c.StateSync.Servers) > 0 {
		return c.StateSync.Servers, nil
	}
	listed, err := readPeers(c.StateSync.ServersFile)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(listed) < 2 {
		return nil, nil // the chain is new, or this node is all of it
	}
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(serversPatience); ; {
		serving, whole, err := askServers(ctx, listed)
		if err != nil || whole {
			return nil, err
		}
		if len(serving) > 0 {
			c.Logger.Info("The first blocks are gone; the node starts from a snapshot", "servers", serving)
			return serving, nil
		}
		if time.Now().After(end) || !pause(ctx, askAgainEvery) {
			return nil, errNoServer
		}
	}
}

// askServers returns those that have blocks, and whether one has them all. This
// node is listed as well and answers nobody yet.
func askServers(ctx context.Context, listed []string) (serving []string, whole bool, err error) {
	clients, err := clientsOf(listed)
	if err != nil {
		return nil, false, err
	}
	first := make([]int64, len(clients))
	var asked sync.WaitGroup
	for i, c := range clients {
		asked.Go(func() { first[i] = firstBlock(ctx, c) })
	}
	asked.Wait()
	for i, height := range first {
		if height > 0 {
			serving, whole = append(serving, listed[i]), whole || height == 1
		}
	}
	return serving, whole, nil
}

// firstBlock is 0 where there is none.
func firstBlock(ctx context.Context, c *client.Client) int64 {
	kept, err := c.Kept(ctx)
	if err != nil || kept.Last == 0 {
		return 0
	}
	return kept.First
}
