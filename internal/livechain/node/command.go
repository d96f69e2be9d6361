package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lucid-blockchain/lucid/internal/telemetry"
)

// Where the operator mounts what a node is given.
const (
	defaultGenesis = "/etc/lucid/genesis/genesis.json"
	defaultKeys    = "/etc/lucid/keys"
	// defaultStateSync lies beside the peers. It is not there before the chain makes
	// blocks, nor outside a cluster.
	defaultStateSync = "/etc/lucid/peers/state-sync"
)

// NewCommand returns `lucid node`. It runs until its context ends.
func NewCommand() *cobra.Command {
	var config Config
	var keys, format string
	var verbosity int
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run a node of a live chain",
		Long: "Runs CometBFT and Lucid's ABCI application in one process. With --application it runs\n" +
			"CometBFT alone, and waits for the application that answers there.\n\n" +
			"The operator starts it in a chain's StatefulSet, with the genesis document in a\n" +
			"ConfigMap and the keys in a Secret. Everything that the node keeps is in its home:\n" +
			"started again there, it goes on from its last height. SIGTERM stops it cleanly.",
		Example: "  lucid node --home /var/lib/lucid",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if config.Home == "" {
				return errors.New("--home is required: the folder of all that the node keeps")
			}
			if config.Logger, err = telemetry.NewLogger(os.Stderr, telemetry.LogFormat(format), verbosity); err != nil {
				return fmt.Errorf("set up the log: %w", err)
			}
			config.NodeKeyFile = filepath.Join(keys, "node_key.json")
			config.ValidatorKeyFile = filepath.Join(keys, "priv_validator_key.json")
			return RunNode(cmd.Context(), config)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&config.Home, "home", "", "folder of all that the node keeps; created when missing (required)")
	flags.StringVar(&config.GenesisFile, "genesis", defaultGenesis, "file of the genesis document")
	flags.StringVar(&keys, "keys", defaultKeys, "folder of node_key.json and priv_validator_key.json")
	flags.StringVar(&config.RPCAddress, "rpc-address", "0.0.0.0:26657", "host:port of CometBFT's RPC")
	flags.StringVar(&config.P2PAddress, "p2p-address", "0.0.0.0:26656", "host:port for the other nodes")
	flags.StringVar(&config.MetricsAddress, "metrics-address", "0.0.0.0:26660", "host:port of Prometheus metrics at /metrics; empty for none")
	flags.StringVar(&config.ReadyAddress, "ready-address", "0.0.0.0:26661", "host:port of GET /ready, which fails while the node is behind its peers; empty for none")
	flags.StringSliceVar(&config.Peers, "peers", nil, "the chain's nodes, each as id@host:port; names are looked up for every attempt")
	flags.StringVar(&config.PeersFile, "peers-file", "", "file of more peers, one a line; it is read again all the time")
	flags.StringVar(&config.Application, "application", "", "where another ABCI application answers, as unix:///path or tcp://host:port; empty runs Lucid's own")
	config.Retention.flags(flags)
	config.StateSync.flags(flags)
	flags.StringVar(&format, "log-format", string(telemetry.LogJSON), "json or text")
	flags.IntVar(&verbosity, "verbosity", 0, "1 adds what each block does, 2 adds all of consensus")
	return cmd
}
