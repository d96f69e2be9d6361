// Command prepare checks that the machine has what a kind of work needs and,
// as root on Debian, installs it.
//
//	go run ./hack/machine/prepare test
//	go run ./hack/machine/prepare cluster
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/lucid-blockchain/lucid/hack/machine"
	"github.com/lucid-blockchain/lucid/hack/progress"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	needs := map[string][]machine.Need{"test": machine.Test, "cluster": machine.Node}
	if len(args) != 1 || needs[args[0]] == nil {
		return fmt.Errorf("say what to prepare for: test or cluster")
	}
	return machine.Ensure(context.Background(), progress.New(os.Stderr), needs[args[0]])
}
