package node_test

import (
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/node"
	"github.com/lucid-blockchain/lucid/internal/livechain/node/nodetest"
)

// follower is a node without a vote beside the one of config.
func follower(t *testing.T, config node.Config) node.Config {
	t.Helper()
	dir := t.TempDir()
	leader, err := os.ReadFile(config.NodeKeyFile)
	require.NoError(t, err)
	id, err := node.NodeID(leader)
	require.NoError(t, err)
	nodeKey, validatorKey, err := node.GenerateKeys()
	require.NoError(t, err)
	return node.Config{
		Home: filepath.Join(dir, "home"), GenesisFile: config.GenesisFile,
		NodeKeyFile: file(t, dir, "node_key.json", nodeKey), ValidatorKeyFile: file(t, dir, "validator.json", validatorKey),
		RPCAddress: nodetest.FreeAddress(t), P2PAddress: nodetest.FreeAddress(t), Logger: config.Logger,
		Peers:     []string{id + "@" + config.P2PAddress},
		StateSync: node.StateSync{Servers: []string{"http://" + config.RPCAddress}},
	}
}

// earliest asks for the first block that a node has.
func (r *running) earliest() int64 {
	r.t.Helper()
	rpc, err := rpchttp.New("http://"+r.address, "/websocket")
	require.NoError(r.t, err)
	seen, err := rpc.Status(context.Background())
	require.NoError(r.t, err)
	return seen.SyncInfo.EarliestBlockHeight
}

// fill has the chain make blocks with one transfer each, faster than idle ones.
func (r *running) fill(nonce *uint64, recipient livechain.Address, until int64) {
	r.t.Helper()
	for {
		status := r.await(1)
		if status.Height >= until {
			return
		}
		require.NoError(r.t, r.send(*nonce, recipient, 1))
		*nonce++
		r.await(status.Height + 1)
	}
}

// A node joins from a snapshot, trusting a given header; it goes on after a
// restart with nobody to ask. When the first blocks are pruned, another joins,
// trusting the genesis.
func TestJoiningByStateSync(t *testing.T) {
	config, hash := newConfig(t)
	// Kept for longer than a slow machine takes to fetch one.
	config.Retention = node.Retention{SnapshotEvery: 4, SnapshotKeep: 12}
	ctx, recipient := context.Background(), livechain.Address{42}
	var nonce uint64
	leader := start(t, config)
	leader.fill(&nonce, recipient, 11) // two snapshots and what proves the second

	second := follower(t, config)
	second.StateSync.TrustHeight, second.StateSync.TrustHash = header(t, leader)
	joined := start(t, second)
	status := joined.await(11)
	require.Equal(t, hash, status.GenesisHash)
	require.Greater(t, joined.earliest(), int64(4), "it has not fetched the first blocks")
	account, err := leader.Account(ctx, holderAddress())
	require.NoError(t, err)
	joined.awaitBalance(holderAddress(), account.Balance)
	requireProvenByBoth(t, leader, joined, hash)
	joined.finish()

	second.StateSync.Servers = []string{"http://" + nodetest.FreeAddress(t)}
	joined = start(t, second)
	leader.fill(&nonce, recipient, status.Height+3)
	joined.await(status.Height + 3)
	joined.finish()
	first, _, err := leader.TrustGenesis(ctx, hash, 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, first.Height)
	recent, _, err := leader.TrustGenesis(ctx, hash, 6*time.Second)
	require.NoError(t, err)
	require.Greater(t, recent.Height, int64(1), "the first block is believed for less than half of the period")
	leader.finish()

	config.Retention.Blocks = 3
	leader = start(t, config)
	leader.fill(&nonce, recipient, leader.await(1).Height+9)
	require.Greater(t, leader.earliest(), int64(1), "old blocks are let go")
	_, err = client.NewLight(ctx, chainID, first, leader.Client)
	require.ErrorContains(t, err, "does not keep that block any more")
	third := follower(t, config)
	joined = start(t, third)
	joined.await(leader.await(1).Height)
	require.Greater(t, joined.earliest(), int64(8))
	joined.finish()

	// As in a cluster: a list of the chain's nodes, itself among them.
	fourth := follower(t, config)
	fourth.StateSync = listed(t, config, fourth)
	joined = start(t, fourth)
	joined.await(leader.await(1).Height)
	require.Greater(t, joined.earliest(), int64(8), "it would wait for the first block for ever")
	joined.finish()
	leader.finish()
}

// listed gives a node the list of all nodes' endpoints.
func listed(t *testing.T, nodes ...node.Config) node.StateSync {
	t.Helper()
	var lines strings.Builder
	for _, n := range nodes {
		lines.WriteString("http://" + n.RPCAddress + "\n")
	}
	return node.StateSync{ServersFile: file(t, t.TempDir(), "state-sync", []byte(lines.String()))}
}

// The list is for those who come too late: while the first block is there, no
// snapshot is waited for, which a young chain does not have.
func TestJoiningAYoungChain(t *testing.T) {
	config, _ := newConfig(t)
	config.StateSync.ServersFile = "not there yet"
	leader := start(t, config)
	leader.await(2)
	second := follower(t, config)
	second.StateSync = listed(t, config, second)
	joined := start(t, second)
	joined.await(leader.await(1).Height)
	require.EqualValues(t, 1, joined.earliest())
	joined.finish()
	leader.finish()

	alone, _ := newConfig(t)
	alone.StateSync = listed(t, alone)
	single := start(t, alone)
	single.await(1)
	single.finish()
}

// header is the oldest header that a node has.
func header(t *testing.T, from *running) (height int64, hash string) {
	t.Helper()
	rpc, err := rpchttp.New("http://"+from.address, "/websocket")
	require.NoError(t, err)
	first := from.earliest()
	commit, err := rpc.Commit(context.Background(), &first)
	require.NoError(t, err)
	return first, hex.EncodeToString(commit.Hash())
}

// requireProvenByBoth holds the state of the node that joined against headers
// that the other one confirms.
func requireProvenByBoth(t *testing.T, leader, joined *running, hash string) {
	t.Helper()
	ctx := context.Background()
	trust, id, err := leader.TrustGenesis(ctx, hash, 0)
	require.NoError(t, err)
	light, err := client.NewLight(ctx, id, trust, leader.Client, joined.Client)
	require.NoError(t, err)
	one, err := light.Account(ctx, holderAddress(), 0)
	require.NoError(t, err)
	joined.await(one.Height + 1)
	commit := trust
	commit.Height = one.Height + 1
	commit.Hash, err = hex.DecodeString(one.HeaderHash)
	require.NoError(t, err)
	light, err = client.NewLight(ctx, id, commit, joined.Client, leader.Client)
	require.NoError(t, err)
	two, err := light.Account(ctx, holderAddress(), one.Height)
	require.NoError(t, err)
	require.Equal(t, one, two, "the same record under the same root")
}

func TestRefusedRetentionAndStateSync(t *testing.T) {
	for _, c := range []struct {
		spoil        func(c *node.Config)
		want, reason string
	}{
		{func(c *node.Config) { c.Retention.Blocks = -1 }, "counts of zero or more", "less than no blocks"},
		{func(c *node.Config) { c.Retention.SnapshotEvery = -1 }, "counts of zero or more", "snapshots before each other"},
		{func(c *node.Config) { c.StateSync.TrustPeriod = -time.Second }, "must not be negative", "trust that ended before it began"},
		{func(c *node.Config) { c.StateSync.TrustHeight = 5 }, "or neither", "a height without a hash"},
		{func(c *node.Config) { c.StateSync.TrustHash = "ab" }, "or neither", "a hash without a height"},
		{func(c *node.Config) { c.StateSync.TrustHeight, c.StateSync.TrustHash = 5, "ab" }, "64 hex digits", "a short hash"},
		{func(c *node.Config) { c.StateSync.TrustHeight, c.StateSync.TrustHash = 5, "xyz" }, "64 hex digits", "not hex"},
		{func(c *node.Config) { c.StateSync.Servers = []string{"ftp://x"} }, "starts with http", "not an endpoint"},
		{func(c *node.Config) { c.StateSync.Servers = []string{"http://" + nodetest.FreeAddress(t)} }, "does not answer", "nobody there"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			config, _ := newConfig(t)
			c.spoil(&config)
			require.ErrorContains(t, node.RunNode(context.Background(), config), c.want)
		})
	}
}
