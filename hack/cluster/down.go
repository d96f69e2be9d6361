package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lucid-blockchain/lucid/hack/cluster/node"
)

// stopGrace is how long the supervisor has to take the node down itself.
const stopGrace = 20 * time.Second

// down removes the cluster and everything it left but the built programs in
// the user's cache folder.
func (c *cluster) down(ctx context.Context) error {
	state, err := c.layout.ReadState()
	if err != nil {
		return err
	}
	if state == nil {
		c.log.Say("no cluster runs")
	} else if err := c.log.Step("taking the cluster down", func() error { return c.remove(ctx, state) }); err != nil {
		return err
	}
	// What other commands left beside the state is of no use without it.
	if err := os.RemoveAll(c.layout.State); err != nil {
		return fmt.Errorf("removing %s: %w", c.layout.State, err)
	}
	return nil
}

// remove ends the recorded cluster's processes and removes its files. It signals
// nothing but the very processes that were recorded.
func (c *cluster) remove(ctx context.Context, state *node.State) error {
	if state.Backend == backendKind {
		if err := c.removeKind(ctx); err != nil {
			return err
		}
	}
	if state.Boot == node.BootID() {
		err := errors.Join(state.Supervisor.Stop(stopGrace), state.Init.Stop(0), node.RemoveCgroups(state.Cgroups))
		if err != nil {
			return fmt.Errorf("%w\nthe state is kept in %s: run the command again when the cause is gone", err, c.layout.StateFile())
		}
	}
	// The files that tell others of the cluster go last but one, the record of
	// what there was to remove last.
	for _, path := range []string{c.layout.Run(), c.layout.Kubeconfig(), c.layout.EnvFile(), c.layout.StateFile()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing %s: %w", path, err)
		}
	}
	return nil
}
