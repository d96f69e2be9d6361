package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lucid-blockchain/lucid/hack/cluster/node"
	"github.com/lucid-blockchain/lucid/hack/cluster/objects"
	"github.com/lucid-blockchain/lucid/hack/cluster/volumes"
	"github.com/lucid-blockchain/lucid/hack/images"
)

// Backends of the local cluster.
const (
	backendNode = "node"
	backendKind = "kind"
)

// up starts the cluster. What runs already is only completed, what a failed
// start left is removed first.
func (c *cluster) up(ctx context.Context) error {
	state, err := c.layout.ReadState()
	if err != nil {
		return err
	}
	if state.Alive() && state.Ready {
		c.log.Say("the cluster already runs")
		return c.furnish(ctx, state)
	}
	if state != nil {
		c.log.Say("removing what an earlier cluster left")
		if err := c.remove(ctx, state); err != nil {
			return err
		}
	}
	if state, err = c.start(ctx); err != nil {
		return errors.Join(err, c.cleanUp())
	}
	// A cluster whose pods do not come up is left running, to be looked at.
	if err := c.furnish(ctx, state); err != nil {
		return err
	}
	c.log.Say("the cluster runs; `source %s` sets its variables", c.layout.EnvFile())
	return nil
}

// start starts the cluster with the backend this machine allows.
func (c *cluster) start(ctx context.Context) (*node.State, error) {
	state := &node.State{Boot: node.BootID(), Password: rand.Text()}
	start := c.startNode
	if c.kindUsable(ctx) {
		start = c.startKind
	}
	if err := start(ctx, state); err != nil {
		return nil, err
	}
	// The supervisor has written what it knows.
	state, err := c.layout.ReadState()
	if err != nil {
		return nil, err
	}
	state.Ready = true
	return state, c.layout.WriteState(state)
}

// cleanUp removes what a failed start left, in a context of its own: the
// start's may have ended. The logs are kept aside.
func (c *cluster) cleanUp() error {
	state, err := c.layout.ReadState()
	if err != nil || state == nil {
		return err
	}
	_ = os.RemoveAll(c.layout.FailedLogs())
	if err := os.Rename(c.layout.Logs(), c.layout.FailedLogs()); err == nil {
		c.log.Say("the logs of the failed start are in %s", c.layout.FailedLogs())
	}
	return c.remove(context.Background(), state)
}

// furnish applies the objects every local cluster has and waits for them.
func (c *cluster) furnish(ctx context.Context, state *node.State) error {
	values := objects.Values{
		CoreDNSImage: images.CoreDNS, DNSService: node.DNSService, Provisioner: volumes.Provisioner,
		PostgresImage: state.PostgresImage, MailCatcherImage: images.MailCatcher, Password: state.Password,
	}
	manifest, err := objects.Node(values)
	waits := [][]string{
		{"rollout", "status", "-n", "kube-system", "deployment/coredns", "--timeout=120s"},
		{"rollout", "status", "-n", "lucid", "statefulset/postgres", "--timeout=180s"},
		{"rollout", "status", "-n", "lucid", "deployment/mailcatcher", "--timeout=120s"},
	}
	if state.Backend == backendKind {
		manifest, err = objects.Servers(values)
		waits = waits[1:]
	}
	if err != nil {
		return err
	}
	return c.log.Step("applying the cluster's own objects and waiting for DNS, the database and the mail catcher", func() error {
		if err := c.kubectl(ctx, manifest, "apply", "--server-side", "--force-conflicts", "-f", "-"); err != nil {
			return err
		}
		for _, wait := range waits {
			if err := c.kubectl(ctx, "", wait...); err != nil {
				return fmt.Errorf("%w\nlook at it with: KUBECONFIG=%s kubectl get pods -A", err, c.layout.Kubeconfig())
			}
		}
		return c.writeEnv(state)
	})
}

// kubectl runs kubectl against this cluster and no other.
func (c *cluster) kubectl(ctx context.Context, input string, args ...string) error {
	path, err := c.box.Path(ctx, "kubectl")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"--kubeconfig", c.layout.Kubeconfig()}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// place puts a tool where the node finds it whatever the node hides of the
// machine's folders: by a second name of the same file, else by a copy.
func place(source, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("placing %s: %w", filepath.Base(target), err)
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("placing %s: %w", filepath.Base(target), err)
	}
	if os.Link(source, target) == nil {
		return nil
	}
	return copyProgram(source, target)
}
