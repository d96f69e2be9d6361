// Command install builds the named tools of hack/tools into the user's cache
// folder and prints the path of each, one a line. What is built already is
// only printed.
//
//	go run ./hack/tools/install helm sqlc
//	go run ./hack/tools/install all
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
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("name the tools to build, or say all; there are %v", toolbox.Names())
	}
	if len(names) == 1 && names[0] == "all" {
		names = toolbox.Names()
	}
	// Progress goes to the error stream: the output holds nothing but paths.
	box, err := toolbox.Open(progress.New(os.Stderr))
	if err != nil {
		return err
	}
	for _, name := range names {
		path, err := box.Path(ctx, name)
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
