package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// status tells what runs, or that nothing does.
func (c *cluster) status(ctx context.Context) error {
	state, err := c.layout.ReadState()
	if err != nil {
		return err
	}
	if state == nil {
		return fmt.Errorf("no cluster runs: start it with `make up`")
	}
	if !state.Alive() {
		return fmt.Errorf("the cluster has stopped: `make up` starts it anew, `make down` removes what it left")
	}
	fmt.Printf("backend     %s\nsupervisor  process %d\nnode        process %d\nlogs        %s\n",
		state.Backend, state.Supervisor.PID, state.Init.PID, c.layout.Logs())
	for _, v := range variables(c.layout, state) {
		if v.name != "LUCID_DATABASE_URL" {
			fmt.Printf("%s=%s\n", v.name, v.value)
		}
	}
	path, err := c.box.Path(ctx, "kubectl")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, "--kubeconfig", c.layout.Kubeconfig(), "get", "nodes,pods", "-A", "-o", "wide")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("asking the cluster: %w", err)
	}
	return nil
}
