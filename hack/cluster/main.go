// Command cluster runs the local Kubernetes cluster of this checkout.
//
//	go run ./hack/cluster up          start it, or say that it runs
//	go run ./hack/cluster down        remove it and all it left
//	go run ./hack/cluster status      show what runs
//	go run ./hack/cluster env         print the variables of .lucid/env
//	go run ./hack/cluster load-image  build the product's image into it
//	go run ./hack/cluster deploy      install the platform from that image
//
// The cluster is kind where Docker and its node image are to be had, else one
// node in namespaces of this machine (package node). Its state is in .lucid;
// the user's own kubeconfig is never read or written.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/lucid-blockchain/lucid/hack/cluster/node"
	"github.com/lucid-blockchain/lucid/hack/images"
	"github.com/lucid-blockchain/lucid/hack/progress"
	"github.com/lucid-blockchain/lucid/hack/tools/toolbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// commands are what a user can ask for.
var commands = []struct {
	name string
	run  func(*cluster, context.Context) error
}{
	{"up", (*cluster).up},
	{"down", (*cluster).down},
	{"status", (*cluster).status},
	{"env", (*cluster).env},
	{"load-image", (*cluster).loadImage},
	{"deploy", (*cluster).deploy},
}

func run(ctx context.Context, args []string) error {
	names := make([]string, 0, len(commands))
	for _, c := range commands {
		names = append(names, c.name)
	}
	if len(args) != 1 {
		return fmt.Errorf("say one of: %s", strings.Join(names, ", "))
	}
	// The commands of the cluster's own processes.
	switch args[0] {
	case "internal-init":
		return runInit()
	case "internal-agent":
		return node.RunAgent(images.Pause, node.InheritedReporter())
	case "internal-supervise":
		return supervise(ctx)
	}
	i := slices.Index(names, args[0])
	if i < 0 {
		return fmt.Errorf("there is no command %q; say one of: %s", args[0], strings.Join(names, ", "))
	}
	c, err := open()
	if err != nil {
		return err
	}
	return commands[i].run(c, ctx)
}

func runInit() error {
	layout, err := node.InheritedLayout()
	if err != nil {
		return err
	}
	report := node.InheritedReporter()
	// Process 1 does not end but by an error.
	err = node.RunInit(layout, report)
	report.Fail(err)
	return err
}

// cluster is the cluster of one checkout.
type cluster struct {
	root   string
	layout node.Layout
	box    *toolbox.Box
	log    *progress.Printer
}

func open() (*cluster, error) {
	root, err := toolbox.Root()
	if err != nil {
		return nil, err
	}
	// Progress goes to the error stream; the output is for what is asked for.
	log := progress.New(os.Stderr)
	box, err := toolbox.Open(log)
	if err != nil {
		return nil, err
	}
	layout := node.Layout{State: filepath.Join(root, ".lucid")}
	if err := os.MkdirAll(layout.State, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of the cluster's state: %w", err)
	}
	return &cluster{root: root, layout: layout, box: box, log: log}, nil
}
