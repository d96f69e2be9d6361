package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cometbft/cometbft/abci/server"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/spf13/cobra"
)

// NewCommand returns `lucid application registry`. It runs until its context ends.
func NewCommand() *cobra.Command {
	var address, home string
	cmd := &cobra.Command{
		Use:   "registry",
		Short: "Serve a registry of names over ABCI",
		Long: "Serves an ABCI 2.0 application that keeps who owns which name, for a CometBFT beside\n" +
			"it. The names are in its home: started again there, it goes on from its last height.",
		Example: "  lucid application registry --address unix:///run/lucid/application.sock --home /var/lib/application",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if address == "" || home == "" {
				return errors.New("--address and --home are required")
			}
			application, err := New(home)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, application.Close()) }()
			return Serve(cmd.Context(), address, application)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&address, "address", "", "where CometBFT connects, as unix:///path or tcp://host:port (required)")
	flags.StringVar(&home, "home", "", "folder of the names; created when missing (required)")
	return cmd
}

// Serve answers CometBFT on a socket until ctx ends. The socket that a process
// left behind which was ended is taken over.
func Serve(ctx context.Context, address string, application abci.Application) error {
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the socket of before: %w", err)
		}
	}
	served := server.NewSocketServer(address, application)
	served.SetLogger(log.NewNopLogger())
	if err := served.Start(); err != nil {
		return fmt.Errorf("listen for CometBFT: %w", err)
	}
	<-ctx.Done()
	if err := served.Stop(); err != nil {
		return fmt.Errorf("stop listening: %w", err)
	}
	return nil
}
