// Command prerequisites checks that the machine has the packages it is asked
// for and, as root on Debian, installs them. Elsewhere it prints what to run.
//
//	go run ./hack/prerequisites postgresql
//	go run ./hack/prerequisites cluster
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/lucid-blockchain/lucid/hack/machine"
	"github.com/lucid-blockchain/lucid/hack/progress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "prerequisites:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("name packages, or say cluster for all that the local cluster needs; known are %s",
			strings.Join(machine.Names(), ", "))
	}
	needs, err := machine.Needs(names)
	if err != nil {
		return err
	}
	return machine.Ensure(ctx, progress.New(os.Stderr), needs)
}
