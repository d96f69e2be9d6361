// Package nodetest runs a live chain of one validator inside a test: the node
// that the operator starts, in this process.
package nodetest

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
	"github.com/go-logr/logr"

	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/node"
)

const (
	patience = 60 * time.Second
	often    = 20 * time.Millisecond
)

// Chain is a chain whose node may be stopped and started again. It ends with
// the test.
type Chain struct {
	*client.Client
	ID          string
	GenesisHash string
	Endpoint    string // http://host:port of the RPC, the same after a restart

	t      testing.TB
	config node.Config
	stop   context.CancelFunc
	done   chan error
}

// Start runs a chain from a genesis whose validator is made here, and returns
// once it has made its first block.
func Start(t testing.TB, in genesis.Input) *Chain {
	t.Helper()
	nodeKey, validatorKey, err := node.GenerateKeys()
	must(t, err)
	public, err := node.ValidatorPublicKey(validatorKey)
	must(t, err)
	in.Validators = []genesis.Validator{{Name: "validator-0", PublicKey: public, Power: 10}}
	document, hash, err := genesis.BuildGenesis(in)
	must(t, err)
	dir := t.TempDir()
	c := &Chain{t: t, ID: in.ChainID, GenesisHash: hash, config: node.Config{
		Home: filepath.Join(dir, "home"), GenesisFile: write(t, dir, "genesis.json", document),
		NodeKeyFile: write(t, dir, "node_key.json", nodeKey), ValidatorKeyFile: write(t, dir, "validator.json", validatorKey),
		RPCAddress: FreeAddress(t), P2PAddress: FreeAddress(t), Logger: logr.Discard(),
	}}
	c.Endpoint = "http://" + c.config.RPCAddress
	c.Client, err = client.New(c.Endpoint)
	must(t, err)
	c.Resume()
	t.Cleanup(c.Stop)
	return c
}

// ValidatorKey is the key of the chain's validator, who alone has a vote.
func (c *Chain) ValidatorKey() ed25519.PrivateKey {
	c.t.Helper()
	raw, err := os.ReadFile(c.config.ValidatorKeyFile)
	must(c.t, err)
	var key privval.FilePVKey
	must(c.t, cmtjson.Unmarshal(raw, &key))
	return key.PrivKey.Bytes()
}

// Resume starts the node and waits for a block. One that runs goes on.
func (c *Chain) Resume() {
	c.t.Helper()
	if c.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop, c.done = stop, make(chan error, 1)
	go func() { c.done <- node.RunNode(ctx, c.config) }()
	c.AwaitHeight(1)
}

// Stop ends the node in order; the chain's data stays.
func (c *Chain) Stop() {
	if c.stop == nil {
		return
	}
	c.stop()
	c.stop = nil
	if err := <-c.done; err != nil {
		c.t.Errorf("the node of %s: %v", c.ID, err)
	}
	// CometBFT leaves open connections to their process's end; this one goes on.
	// Questions that are on their way give their connection back a moment later.
	for range 10 {
		http.DefaultClient.CloseIdleConnections()
		time.Sleep(often)
	}
}

// AwaitHeight waits until the chain has committed a height.
func (c *Chain) AwaitHeight(height int64) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(often) {
		info, err := c.Info(context.Background())
		if err == nil && info.Height >= height {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("chain %s is not at height %d within %s: %v", c.ID, height, patience, err)
		}
		select {
		case err := <-c.done:
			c.t.Fatalf("the node of %s ended: %v", c.ID, err)
		default:
		}
	}
}

// given holds the ports that FreeAddress has returned in this process.
var given sync.Map

// FreeAddress is a local one that nobody listens on. Its port is below those that
// systems take for outgoing connections, one of which could have it by the time that
// a node listens, and is returned once.
func FreeAddress(t testing.TB) string {
	t.Helper()
	const first, count, tries = 20_000, 12_000, 1_000
	for range tries {
		port := first + rand.IntN(count)
		if _, known := given.LoadOrStore(port, true); known {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		must(t, listener.Close())
		return listener.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

func write(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	const private = 0o600
	path := filepath.Join(dir, name)
	must(t, os.WriteFile(path, content, private))
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
