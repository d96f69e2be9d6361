package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	cmtconfig "github.com/cometbft/cometbft/config"
	sm "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
)

const (
	// DefaultSnapshotEvery is a quarter of an hour without transactions and three
	// minutes of the fastest blocks.
	DefaultSnapshotEvery = 1_000
	// DefaultSnapshotKeep lets a node that fetches one finish before it is let go.
	DefaultSnapshotKeep = 2
	// DefaultRetainBlocks are the blocks of client.DefaultTrustPeriod at the
	// chain's fastest pace. A light client can start from any header that it may
	// trust, and an indexer may be away as long.
	DefaultRetainBlocks = int64(client.DefaultTrustPeriod / afterCommit)

	snapshotFolder = "snapshots" // of the node's own
	fetchedFolder  = "state-sync"
	stateDatabase  = "state" // CometBFT's name
	// discovery is how long peers are asked for snapshots, CometBFT's least.
	discovery = 5 * time.Second
	// leastServers is how many endpoints CometBFT's light client wants.
	leastServers = 2
)

// Retention says what of the past a node keeps for others.
type Retention struct {
	SnapshotEvery int64 // heights from one snapshot to the next; 0 makes none
	SnapshotKeep  int   // how many snapshots; 1 at least
	// Blocks is how many of the last blocks are kept, and those after the oldest
	// snapshot in any case; 0 keeps all.
	Blocks int64
}

// StateSync lets a node that has no blocks start from a snapshot of its peers,
// which a light client holds against headers, instead of from the first block.
type StateSync struct {
	// Servers are RPC endpoints such as http://aurora-rpc:26657 that headers are
	// asked from; none means that the node starts from the first block.
	Servers []string
	// ServersFile lists the chain's nodes, one RPC endpoint a line, once it makes
	// blocks; it may be missing or empty. A node without blocks then starts from a
	// snapshot where none of them has the first block any more.
	ServersFile string
	// The trusted header. Without it, one that the genesis' validators have signed
	// is trusted, which serves until the chain has others.
	TrustHeight int64
	TrustHash   string // hex
	// TrustPeriod is how old the trusted header may be; zero means
	// client.DefaultTrustPeriod.
	TrustPeriod time.Duration
}

func (r *Retention) flags(flags *pflag.FlagSet) {
	flags.Int64Var(&r.SnapshotEvery, "snapshot-every", DefaultSnapshotEvery, "heights from one snapshot of the state to the next; 0 makes none")
	flags.IntVar(&r.SnapshotKeep, "snapshot-keep", DefaultSnapshotKeep, "how many of the last snapshots to keep")
	flags.Int64Var(&r.Blocks, "retain-blocks", DefaultRetainBlocks, "how many of the last blocks to keep, and those since the oldest snapshot; 0 keeps all")
}

func (s *StateSync) flags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&s.Servers, "state-sync-rpc", nil, "RPC endpoints of other nodes; a node without blocks starts from a peer's snapshot then")
	flags.StringVar(&s.ServersFile, "state-sync-file", defaultStateSync, "file of RPC endpoints, one a line; a node without blocks starts from a snapshot when these have let go of the first block")
	flags.Int64Var(&s.TrustHeight, "state-sync-trust-height", 0, "height of a trusted header; 0 trusts one that the genesis' validators signed")
	flags.StringVar(&s.TrustHash, "state-sync-trust-hash", "", "hash of the trusted header, in hex")
	flags.DurationVar(&s.TrustPeriod, "state-sync-trust-period", client.DefaultTrustPeriod, "how old the trusted header may be")
}

// validate finds what would otherwise be found after the node has begun.
func (c Config) validate() error {
	for _, peer := range c.Peers {
		if _, err := checkPeer(peer); err != nil {
			return err
		}
	}
	if err := checkApplication(c.Application); err != nil {
		return err
	}
	s, r := c.StateSync, c.Retention
	switch {
	case r.SnapshotEvery < 0 || r.SnapshotKeep < 0 || r.Blocks < 0:
		return errors.New("snapshots and retained blocks are counts of zero or more")
	case s.TrustPeriod < 0:
		return errors.New("the trust period of state sync must not be negative")
	case (s.TrustHeight == 0) != (s.TrustHash == ""):
		return errors.New("state sync needs the trusted header's height and its hash, or neither")
	}
	if hash, err := hex.DecodeString(s.TrustHash); err != nil || s.TrustHash != "" && len(hash) != 32 || s.TrustHeight < 0 {
		return errors.New("the trusted header of state sync has a height of one or more and a hash of 64 hex digits")
	}
	return nil
}

func (c Config) application(hash string) app.Options {
	return app.Options{
		Dir: filepath.Join(c.Home, stateFolder), GenesisHash: hash, Logger: c.Logger,
		RetainBlocks: c.Retention.Blocks,
		Snapshots: app.Snapshots{
			Dir: filepath.Join(c.Home, snapshotFolder), Every: c.Retention.SnapshotEvery, Keep: c.Retention.SnapshotKeep,
		},
	}
}

// configureStateSync makes CometBFT start from a snapshot when the node has no
// blocks. A node that has some goes on from there and needs no server.
func configureStateSync(ctx context.Context, c Config, settings *cmtconfig.Config, document *types.GenesisDoc) error {
	if len(c.StateSync.Servers) == 0 && c.StateSync.ServersFile == "" {
		return nil
	}
	begun, err := hasBlocks(settings)
	if err != nil || begun {
		return err
	}
	if len(c.StateSync.Servers) > 0 {
		c.StateSync.ServersFile = "" // these need not be the chain's own nodes
	}
	servers, err := c.stateSyncServers(ctx)
	if err != nil || len(servers) == 0 {
		return err
	}
	c.StateSync.Servers = servers
	trust, err := c.StateSync.trust(ctx, document)
	if err != nil {
		return fmt.Errorf("find the header that state sync trusts: %w", err)
	}
	// What an earlier attempt has fetched is of no use: it would be fetched anew.
	fetched := filepath.Join(c.Home, fetchedFolder)
	if err := errors.Join(os.RemoveAll(fetched), os.Mkdir(fetched, folderMode)); err != nil {
		return fmt.Errorf("make the folder of fetched chunks: %w", err)
	}
	to := settings.StateSync
	to.Enable, to.DiscoveryTime, to.TempDir = true, discovery, fetched
	for len(to.RPCServers) < max(leastServers, len(c.StateSync.Servers)) {
		// One that stands alone is its own witness.
		to.RPCServers = append(to.RPCServers, c.StateSync.Servers[len(to.RPCServers)%len(c.StateSync.Servers)])
	}
	to.TrustHeight, to.TrustHash, to.TrustPeriod = trust.Height, hex.EncodeToString(trust.Hash), trust.Period
	return nil
}

// hasBlocks looks into CometBFT's own state.
func hasBlocks(settings *cmtconfig.Config) (begun bool, err error) {
	database, err := cmtconfig.DefaultDBProvider(&cmtconfig.DBContext{ID: stateDatabase, Config: settings})
	if err != nil {
		return false, fmt.Errorf("open the node's state: %w", err)
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	known, err := sm.NewStore(database, sm.StoreOptions{}).Load()
	if err != nil {
		return false, fmt.Errorf("read the node's state: %w", err)
	}
	return known.LastBlockHeight > 0, nil
}

// trust returns what was given, or asks the servers for a header. The chain's own
// nodes are trusted where its validators are not those of the genesis any more.
func (s StateSync) trust(ctx context.Context, document *types.GenesisDoc) (client.Trust, error) {
	trust := client.Trust{Height: s.TrustHeight, Period: s.TrustPeriod}
	if trust.Period == 0 {
		trust.Period = client.DefaultTrustPeriod
	}
	var err error
	if s.TrustHeight > 0 {
		trust.Hash, err = hex.DecodeString(s.TrustHash)
		return trust, err
	}
	clients, err := clientsOf(s.Servers)
	if err != nil {
		return trust, err
	}
	var all error
	for _, c := range clients {
		if trust, err = c.TrustDocument(ctx, document, s.TrustPeriod); err == nil {
			return trust, nil
		}
		all = errors.Join(all, err)
	}
	if s.ServersFile == "" || !errors.Is(all, client.ErrUnproven) {
		return trust, all
	}
	return clients[0].TrustAgreed(ctx, document.ChainID, s.TrustPeriod, clients[1:]...)
}

func clientsOf(servers []string) ([]*client.Client, error) {
	clients := make([]*client.Client, len(servers))
	for i, server := range servers {
		var err error
		if clients[i], err = client.New(server, client.WithTimeout(askTimeout)); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

// registerMetrics adds the application's metrics to CometBFT's, which are in the
// process's registry, and returns how to take them out again.
func registerMetrics(c Config, chainID string, application *app.Application) (remove func(), err error) {
	if c.MetricsAddress == "" {
		return func() {}, nil
	}
	registry := prometheus.WrapRegistererWith(prometheus.Labels{"chain_id": chainID}, prometheus.DefaultRegisterer)
	if err := registry.Register(application); err != nil {
		return nil, fmt.Errorf("register the application's metrics: %w", err)
	}
	return func() { registry.Unregister(application) }, nil
}
