// Package node runs a node of a live chain: CometBFT and Lucid's application in one
// process, or CometBFT alone beside an application of the chain's own. All configuration is derived here; there is no file to edit.
package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtconfig "github.com/cometbft/cometbft/config"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"
	"github.com/go-logr/logr"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
)

const (
	// afterCommit is the pause between two blocks while transactions wait.
	afterCommit = 200 * time.Millisecond
	// A round's timeouts only matter when the proposer is gone.
	proposeTimeout = time.Second
	voteTimeout    = 500 * time.Millisecond
	// emptyBlocks is how often a chain without transactions makes a block: its
	// height shows that it lives, and time passes for vesting.
	emptyBlocks = time.Second
	// metricsNamespace begins the names of CometBFT's metrics.
	metricsNamespace = "lucid_chain"

	stateFolder = "application"
	folderMode  = 0o700
	fileMode    = 0o600
)

// Config says where a node finds what it is given and where it listens.
type Config struct {
	Home             string // folder of all that the node keeps; created when missing
	GenesisFile      string
	NodeKeyFile      string // CometBFT's node_key.json
	ValidatorKeyFile string // CometBFT's priv_validator_key.json

	RPCAddress     string   // host:port
	P2PAddress     string   // host:port
	MetricsAddress string   // host:port of Prometheus metrics; empty means none
	ReadyAddress   string   // host:port of GET /ready; empty means none
	Peers          []string // the chain's nodes, each as id@host:port; itself is left out
	PeersFile      string   // more of them, one a line, read again all the time; may be empty
	Logger         logr.Logger
	// Application is where another application than Lucid's answers, as
	// unix:///path or tcp://host:port; empty runs Lucid's in this process.
	Application string

	Retention Retention
	StateSync StateSync
}

// RunNode runs until ctx ends and then stops in order: RPC and peers,
// consensus, stores. Started again on the same home it goes on from the last
// height. It returns an error when the node can't start or stops by itself.
func RunNode(ctx context.Context, config Config) (err error) {
	if config.Application != "" {
		return runRemote(ctx, config)
	}
	document, hash, err := prepare(config)
	if err != nil {
		return err
	}
	application, err := app.New(config.application(hash))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, application.Close()) }()
	remove, err := registerMetrics(config, document.ChainID, application)
	if err != nil {
		return err
	}
	defer remove()
	return host(ctx, config, document, hash, connections(application, config.Logger), application.Failed())
}

// RunApplication is RunNode with another application than Lucid's in this process.
func RunApplication(ctx context.Context, config Config, application abci.Application) error {
	document, hash, err := prepare(config)
	if err != nil {
		return err
	}
	return host(ctx, config, document, hash, connections(application, config.Logger), nil)
}

// prepare checks the configuration and makes the home of its genesis.
func prepare(config Config) (*types.GenesisDoc, string, error) {
	if err := config.validate(); err != nil {
		return nil, "", err
	}
	document, hash, err := readGenesis(config.GenesisFile)
	if err != nil {
		return nil, "", err
	}
	return document, hash, makeHome(config.Home, hash)
}

// host runs CometBFT around an application until ctx ends or one of them fails.
func host(ctx context.Context, config Config, document *types.GenesisDoc, hash string, application proxy.ClientCreator, failed <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	files := &databases{}
	defer files.close()
	node, err := start(ctx, config, document, application, files)
	if err != nil {
		return err
	}
	if err := connect(ctx, config, node); err != nil {
		return errors.Join(err, stop(node))
	}
	go files.pruner(node.BlockStore().Base, config.Logger).run(ctx)
	config.Logger.Info("The node runs", "chain", document.ChainID, "genesisHash", hash)
	select {
	case <-ctx.Done():
		config.Logger.Info("The node stops")
	case err = <-failed:
	case <-node.Quit():
		err = errors.New("the node stopped by itself, its log says why")
	}
	return errors.Join(err, stop(node))
}

// connect has the node find its peers and tell whether it is ready, until ctx ends.
func connect(ctx context.Context, config Config, node *cmtnode.Node) error {
	peers := &dialer{
		self: node.NodeInfo().ID(), fixed: config.Peers, file: config.PeersFile,
		via: node.Switch(), log: config.Logger,
	}
	if config.ReadyAddress != "" {
		err := serveReady(ctx, config.ReadyAddress, func() string { return unready(node, len(peers.others())) })
		if err != nil {
			return err
		}
	}
	go peers.run(ctx)
	return nil
}

// makeHome creates the folders and binds them to one genesis: CometBFT goes on
// with the document that it saw first, whatever it is given later.
func makeHome(home, hash string) error {
	for _, folder := range []string{cmtconfig.DefaultConfigDir, cmtconfig.DefaultDataDir, stateFolder} {
		if err := os.MkdirAll(filepath.Join(home, folder), folderMode); err != nil {
			return fmt.Errorf("make the node's home: %w", err)
		}
	}
	mark := filepath.Join(home, cmtconfig.DefaultConfigDir, "genesis.sha256")
	known, err := os.ReadFile(mark)
	switch {
	case errors.Is(err, os.ErrNotExist) || err == nil && len(known) == 0:
		// An empty file is what a crash while writing it leaves.
		if err := os.WriteFile(mark, []byte(hash), fileMode); err != nil {
			return fmt.Errorf("note the genesis in the node's home: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("read the node's home: %w", err)
	case string(known) != hash:
		return fmt.Errorf("the node's home belongs to the genesis %s, this one is %s: each chain needs a home of its own", known, hash)
	}
	return nil
}

func start(ctx context.Context, config Config, document *types.GenesisDoc, application proxy.ClientCreator, files *databases) (*cmtnode.Node, error) {
	key, err := loadNodeKey(config.NodeKeyFile)
	if err != nil {
		return nil, err
	}
	signer, err := openSigner(config.ValidatorKeyFile, filepath.Join(config.Home, cmtconfig.DefaultDataDir, "priv_validator_state.json"))
	if err != nil {
		return nil, err
	}
	settings := config.comet()
	if err := configureStateSync(ctx, config, settings, document); err != nil {
		return nil, err
	}
	node, err := cmtnode.NewNodeWithContext(ctx, settings, signer, key, application,
		func() (*types.GenesisDoc, error) { return document, nil },
		files.open, cmtnode.DefaultMetricsProvider(settings.Instrumentation), newLogger(config.Logger))
	if err != nil {
		return nil, fmt.Errorf("set up the node: %w", err)
	}
	if err := node.Start(); err != nil {
		return nil, fmt.Errorf("start the node: %w", err)
	}
	return node, nil
}

// comet derives CometBFT's settings.
func (c Config) comet() *cmtconfig.Config {
	settings := cmtconfig.DefaultConfig().SetRoot(c.Home)
	settings.RPC.ListenAddress = "tcp://" + c.RPCAddress
	settings.P2P.ListenAddress = "tcp://" + c.P2PAddress
	// The dialer finds the peers; learning of more from them would keep addresses
	// that pods have left.
	settings.P2P.PexReactor = false
	// The nodes of one cluster have private addresses and may share one.
	settings.P2P.AddrBookStrict = false
	settings.P2P.AllowDuplicateIP = true

	settings.Consensus.TimeoutCommit = afterCommit
	settings.Consensus.TimeoutPropose = proposeTimeout
	settings.Consensus.TimeoutPrevote = voteTimeout
	settings.Consensus.TimeoutPrecommit = voteTimeout
	settings.Consensus.CreateEmptyBlocks = true
	settings.Consensus.CreateEmptyBlocksInterval = emptyBlocks

	settings.Instrumentation.Prometheus = c.MetricsAddress != ""
	settings.Instrumentation.PrometheusListenAddr = c.MetricsAddress
	settings.Instrumentation.Namespace = metricsNamespace
	return settings
}

func stop(node *cmtnode.Node) error {
	if !node.IsRunning() {
		return nil
	}
	if err := node.Stop(); err != nil {
		return fmt.Errorf("stop the node: %w", err)
	}
	node.Wait()
	return nil
}

// databases remembers what CometBFT opens: it leaves some of its databases open
// when it stops, and their locks with them.
type databases struct {
	opened []dbm.DB
	index  dbm.DB // of transactions
}

// open is a cmtconfig.DBProvider.
func (d *databases) open(c *cmtconfig.DBContext) (dbm.DB, error) {
	found, err := cmtconfig.DefaultDBProvider(c)
	if err != nil {
		return nil, err
	}
	database := &parting{DB: found}
	d.opened = append(d.opened, database)
	if c.ID == indexName {
		d.index = database
	}
	return database, nil
}

func (d *databases) pruner(base func() int64, log logr.Logger) pruner {
	return pruner{index: d.index, base: base, log: log}
}

// close closes what CometBFT has left open. Nothing is lost where that fails:
// what counts has been synced.
func (d *databases) close() {
	for _, database := range d.opened {
		_ = database.Close()
	}
}
