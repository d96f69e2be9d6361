// Command envtest-assets prints the folder that holds etcd, kube-apiserver and
// kubectl, for the variable KUBEBUILDER_ASSETS of the controller tests.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/lucid-blockchain/lucid/hack/progress"
	"github.com/lucid-blockchain/lucid/hack/tools/toolbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "envtest-assets:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	box, err := toolbox.Open(progress.New(os.Stderr))
	if err != nil {
		return err
	}
	dir, err := box.EnvtestAssets(ctx)
	if err != nil {
		return err
	}
	fmt.Println(dir)
	return nil
}
