package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lucid-blockchain/lucid/hack/cluster/node"
)

// deploy installs the platform into the running cluster, or brings it up to
// date: the operator by its chart, then the samples, and waits for the gateway.
func (c *cluster) deploy(ctx context.Context) error {
	state, err := c.layout.ReadState()
	if err != nil {
		return err
	}
	if state == nil || !state.Ready {
		return errors.New("no cluster runs to deploy to: start it with `make cluster-up`")
	}
	reference, err := os.ReadFile(filepath.Join(c.layout.State, "image"))
	if err != nil {
		return fmt.Errorf("no image was built yet (%w): run `make image`", err)
	}
	repository, tag, found := strings.Cut(strings.TrimSpace(string(reference)), ":")
	if !found {
		return fmt.Errorf("%q is no image reference: run `make image`", reference)
	}
	if err := c.log.Step("installing the operator", func() error { return c.helm(ctx, repository, tag) }); err != nil {
		return err
	}
	if err := c.log.Step("applying the samples", func() error {
		return c.kubectl(ctx, "", "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(c.root, "config", "samples"))
	}); err != nil {
		return err
	}
	if err := c.log.Step("waiting for the gateway to be Ready", func() error { return c.awaitGateway(ctx) }); err != nil {
		return err
	}
	c.printAddresses(state)
	return nil
}

// helm installs the chart or upgrades it. Its own files stay in our state: the
// user's helm repositories and plugins play no part.
func (c *cluster) helm(ctx context.Context, repository, tag string) error {
	path, err := c.box.Path(ctx, "helm")
	if err != nil {
		return err
	}
	home := filepath.Join(c.layout.State, "helm")
	cmd := exec.CommandContext(ctx, path, "upgrade", "--install", "lucid", filepath.Join(c.root, "charts", "lucid"),
		"--kubeconfig", c.layout.Kubeconfig(), "--namespace", "lucid-system", "--create-namespace",
		"--set", "image.repository="+repository, "--set-string", "image.tag="+tag, "--wait", "--timeout", "3m")
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	// Killed, it would leave the release locked; interrupted, it says it failed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 15 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("helm upgrade --install lucid: %w\n%s\n%s", err, out, c.hint("kubectl get pods -n lucid-system"))
	}
	return nil
}

func (c *cluster) awaitGateway(ctx context.Context) error {
	err := c.kubectl(ctx, "", "wait", "-n", "lucid", "lucidgateways.lucid-blockchain.org/lucid", "--for=condition=Ready", "--timeout=180s")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, c.hint("kubectl describe lucidgateway,pods -n lucid"))
	}
	return nil
}

// hint is a command that shows more of what went wrong.
func (c *cluster) hint(command string) string {
	return fmt.Sprintf("look at it with: KUBECONFIG=%s %s", c.layout.Kubeconfig(), command)
}

// printAddresses tells where the platform is. The database's address holds its
// password and stays in the file.
func (c *cluster) printAddresses(state *node.State) {
	c.log.Say("the platform runs")
	for _, v := range variables(c.layout, state) {
		if v.name != "LUCID_DATABASE_URL" {
			fmt.Printf("  %-20s %s\n", v.name, v.value)
		}
	}
	fmt.Printf("  the database's address and password: %s (set all of these with: source %s)\n", c.layout.EnvFile(), c.layout.EnvFile())
}
