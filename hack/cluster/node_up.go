package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"github.com/lucid-blockchain/lucid/hack/cluster/node"
	"github.com/lucid-blockchain/lucid/hack/images"
	"github.com/lucid-blockchain/lucid/hack/machine"
)

// startNode starts the single-node cluster.
func (c *cluster) startNode(ctx context.Context, state *node.State) error {
	if err := c.checkMachine(ctx); err != nil {
		return err
	}
	state.Backend = backendNode
	state.PostgresImage = images.PostgresRepository + ":" + strconv.Itoa(images.PostgresVersion())
	if err := c.layout.Make(); err != nil {
		return fmt.Errorf("making the node's folders: %w", err)
	}
	// From here on there is something to clean up.
	if err := c.layout.WriteState(state); err != nil {
		return err
	}
	if err := c.placePrograms(ctx); err != nil {
		return err
	}
	if err := c.writeClusterImages(ctx); err != nil {
		return err
	}
	return c.log.Step("starting the node", func() error { return c.launch(ctx) })
}

func (c *cluster) checkMachine(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return errors.New("without Docker the local cluster needs Linux: install Docker and run this again")
	}
	if os.Geteuid() != 0 {
		return errors.New("without Docker the local cluster needs root for its namespaces: run `sudo make up`, or install Docker")
	}
	return machine.Ensure(ctx, c.log, machine.Node)
}

// placePrograms builds what the node runs and puts it in the node's folder.
func (c *cluster) placePrograms(ctx context.Context) error {
	for _, name := range append(node.Programs, "kubectl") {
		source, err := c.box.Path(ctx, name)
		if err != nil {
			return err
		}
		if err := place(source, filepath.Join(c.layout.Run(), "bin", name)); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	return copyProgram(self, c.layout.Program())
}

func copyProgram(source, target string) error {
	in, err := os.Open(source)
	if err != nil {
		return fmt.Errorf("copying %s: %w", filepath.Base(target), err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(target, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return fmt.Errorf("copying %s: %w", filepath.Base(target), err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copying %s: %w", filepath.Base(target), err)
	}
	return nil
}

// launch starts the supervisor, which outlives this command, and waits until
// it reports the node up.
func (c *cluster) launch(ctx context.Context) error {
	report, reader, err := node.NewReporter()
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	log, err := os.OpenFile(filepath.Join(c.layout.Logs(), "supervisor.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the supervisor's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(c.layout.Program(), "internal-supervise")
	cmd.Env = append(os.Environ(), node.StateVariable+"="+c.layout.State)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	cmd.ExtraFiles = report.Files()
	// Out of the terminal's session: Ctrl-C is for this command alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the supervisor: %w", err)
	}
	report.Close()
	if err := cmd.Process.Release(); err != nil {
		return fmt.Errorf("letting the supervisor go: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = reader.SetReadDeadline(aLongTimeAgo) })
	defer stop()
	return errors.Join(ctx.Err(), node.Listen(reader, func(line string) { c.log.Say("  %s", line) }))
}
