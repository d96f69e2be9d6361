package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/node"
	"github.com/lucid-blockchain/lucid/internal/livechain/node/nodetest"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const (
	chainID  = "aurora-1"
	million  = 1_000_000
	patience = 20 * time.Second
	often    = 20 * time.Millisecond
)

var holder = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))

// authority may change the validators.
var authority = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))

func holderAddress() livechain.Address {
	return livechain.AddressOf(holder.Public().(ed25519.PublicKey))
}

func document(t *testing.T, chainID string, validators ...genesis.Validator) (doc []byte, hash string) {
	t.Helper()
	doc, hash, err := genesis.BuildGenesis(genesis.Input{
		ChainID: chainID, GenesisTime: time.Now(), CNPYRaised: 40_000 * million, CNPYReserve: 50_000 * million,
		TokenReserve: 160_000_000 * million, InitialSupply: 800_000_000 * million, TotalSupply: 1_000_000_000 * million,
		Holders:  []genesis.Holder{{Address: holderAddress(), Amount: 640_000_000 * million}},
		Treasury: livechain.Address{9}, FeeBasisPoints: 100, Authority: livechain.AddressOf(authority.Public().(ed25519.PublicKey)),
		Validators: validators,
	})
	require.NoError(t, err)
	return doc, hash
}

func newConfig(t *testing.T) (config node.Config, hash string) {
	t.Helper()
	dir := t.TempDir()
	nodeKey, validatorKey, err := node.GenerateKeys()
	require.NoError(t, err)
	public, err := node.ValidatorPublicKey(validatorKey)
	require.NoError(t, err)
	doc, hash := document(t, chainID, genesis.Validator{Name: "validator-0", PublicKey: public, Power: 10})
	return node.Config{
		Home: filepath.Join(dir, "home"), GenesisFile: file(t, dir, "genesis.json", doc),
		NodeKeyFile: file(t, dir, "node_key.json", nodeKey), ValidatorKeyFile: file(t, dir, "validator.json", validatorKey),
		RPCAddress: nodetest.FreeAddress(t), P2PAddress: nodetest.FreeAddress(t), Logger: testr.New(t),
	}, hash
}

func file(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// running is a node in this process.
type running struct {
	*client.Client
	t       *testing.T
	address string // host:port of the RPC
	stop    context.CancelFunc
	done    chan error
}

func start(t *testing.T, config node.Config) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, address: config.RPCAddress, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- node.RunNode(ctx, config) }()
	var err error
	r.Client, err = client.New("http://" + config.RPCAddress)
	require.NoError(t, err)
	return r
}

func (r *running) finish() {
	r.stop()
	require.NoError(r.t, <-r.done)
	// CometBFT leaves open connections to their process's end; this one goes on.
	http.DefaultClient.CloseIdleConnections()
}

// await returns the first status that is at or above a height.
func (r *running) await(height int64) (status client.Status) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		select {
		case err := <-r.done:
			r.done <- err // for finish
			r.t.Errorf("the node ended: %v", err)
			return true
		default:
		}
		var err error
		status, err = r.Status(context.Background())
		return err == nil && status.Height >= height
	}, patience, often)
	return status
}

func (r *running) send(nonce uint64, to livechain.Address, amount money.Amount) error {
	raw, err := tx.Sign(tx.Body{ChainID: chainID, Nonce: nonce, Fee: genesis.DefaultMinFee,
		Message: tx.Transfer{To: to, Asset: tx.Token, Amount: amount}}, holder)
	require.NoError(r.t, err)
	_, err = r.Submit(context.Background(), raw)
	return err
}

func (r *running) awaitBalance(address livechain.Address, want money.Amount) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		account, err := r.Account(context.Background(), address)
		return err == nil && account.Balance == want
	}, patience, often)
}

// From genesis to a transfer, and on after a restart.
func TestNode(t *testing.T) {
	config, hash := newConfig(t)
	config.MetricsAddress = nodetest.FreeAddress(t)
	begin := time.Now()
	first := start(t, config)
	status := first.await(1)
	t.Logf("first block seen after %s", time.Since(begin).Round(time.Millisecond))
	require.Equal(t, chainID, status.ChainID)
	require.Equal(t, hash, status.GenesisHash)
	first.await(3) // with no transaction at all

	account, err := first.Account(context.Background(), holderAddress())
	require.NoError(t, err)
	require.Equal(t, money.Amount(640_000_000*million), account.Balance)
	pool, err := first.Pool(context.Background())
	require.NoError(t, err)
	require.Equal(t, "0.0003125", pool.Price().String(), "the curve's last price")
	supply, err := first.Supply(context.Background())
	require.NoError(t, err)
	require.Equal(t, money.Amount(1_000_000_000*million), supply.Tokens)

	recipient := livechain.Address{42}
	require.NoError(t, first.send(0, recipient, 5))
	first.awaitBalance(recipient, 5)
	err = first.send(0, recipient, 6)
	require.True(t, fault.Is(err, fault.Unprocessable), "%v", err)
	require.ErrorContains(t, err, "the nonce has been used")
	requireMetrics(t, config.MetricsAddress)
	last := first.await(4)
	first.finish()

	config.MetricsAddress = "" // the registry is the process's, it can't be filled twice
	second := start(t, config)
	status = second.await(last.Height + 1)
	require.Equal(t, hash, status.GenesisHash)
	second.awaitBalance(recipient, 5)
	require.NoError(t, second.send(1, recipient, 10))
	second.awaitBalance(recipient, 15)
	second.finish()

	doc, _ := document(t, "aurora-2", genesis.Validator{PublicKey: holder.Public().(ed25519.PublicKey), Power: 10})
	config.GenesisFile = file(t, t.TempDir(), "genesis.json", doc)
	require.ErrorContains(t, node.RunNode(context.Background(), config), "belongs to the genesis")
}

func requireMetrics(t *testing.T, address string) {
	t.Helper()
	res, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "lucid_chain_consensus_height{chain_id=\""+chainID)
	require.Contains(t, string(text), "lucid_chain_app_height{chain_id=\""+chainID)
}

func TestRefusedConfigurations(t *testing.T) {
	const secret = "c2VjcmV0"
	short := []byte(`{"priv_key": {"type": "tendermint/PrivKeyEd25519", "value": "` + secret + `"}}`)
	for _, c := range []struct {
		spoil        func(dir string, c *node.Config)
		want, reason string
	}{
		{func(dir string, c *node.Config) { c.GenesisFile = filepath.Join(dir, "gone") }, "read the genesis", "no genesis"},
		{func(dir string, c *node.Config) { c.GenesisFile = file(t, dir, "g", []byte("{}")) }, "genesis", "an empty genesis"},
		{func(dir string, c *node.Config) { c.NodeKeyFile = filepath.Join(dir, "gone") }, "read the node's key", "no node key"},
		{func(dir string, c *node.Config) { c.NodeKeyFile = file(t, dir, "n", short) }, "Ed25519 node key", "a short node key"},
		{func(dir string, c *node.Config) { c.ValidatorKeyFile = filepath.Join(dir, "gone") }, "read the validator's key", "no validator key"},
		{func(dir string, c *node.Config) { c.ValidatorKeyFile = file(t, dir, "v", short) }, "Ed25519 validator key", "a short validator key"},
		{func(dir string, c *node.Config) { c.Home = file(t, dir, "h", nil) }, "home", "a home that is a file"},
		{func(_ string, c *node.Config) { c.RPCAddress = c.P2PAddress }, "address already in use", "an address that is taken"},
		{func(dir string, c *node.Config) {
			raw, err := os.ReadFile(c.GenesisFile)
			require.NoError(t, err)
			c.GenesisFile = file(t, dir, "g", bytes.Replace(raw, []byte(`"token_supply":1`), []byte(`"token_supply":2`), 1))
		}, "handed out", "sums that don't match"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			config, _ := newConfig(t)
			c.spoil(t.TempDir(), &config)
			err := node.RunNode(context.Background(), config)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), secret, "a secret must not reach the log")
		})
	}
}

// What a validator has signed must survive: an unreadable state stops the node.
func TestDamagedValidatorState(t *testing.T) {
	config, _ := newConfig(t)
	data := filepath.Join(config.Home, "data")
	require.NoError(t, os.MkdirAll(data, 0o700))
	file(t, data, "priv_validator_state.json", []byte("{"))
	require.ErrorContains(t, node.RunNode(context.Background(), config), "validator's state")
}

func TestKeysAreTwoSecrets(t *testing.T) {
	nodeKey, validatorKey, err := node.GenerateKeys()
	require.NoError(t, err)
	again, _, err := node.GenerateKeys()
	require.NoError(t, err)
	require.NotEqual(t, nodeKey, again)
	id, err := node.NodeID(nodeKey)
	require.NoError(t, err)
	other, err := node.NodeID(validatorKey)
	require.NoError(t, err, "both files name their private key alike")
	require.NotEqual(t, id, other)
	for reason, raw := range map[string]string{"empty": "", "no key": "{}", "no JSON": "secret"} {
		_, err := node.ValidatorPublicKey([]byte(raw))
		require.Error(t, err, reason)
		require.NotContains(t, err.Error(), "secret", reason)
		_, err = node.NodeID([]byte(raw))
		require.Error(t, err, reason)
	}
}

func TestClientWithoutAChain(t *testing.T) {
	c, err := client.New("http://"+nodetest.FreeAddress(t), client.WithTimeout(time.Second))
	require.NoError(t, err)
	_, err = c.Status(context.Background())
	f, ok := fault.As(err)
	require.True(t, ok)
	require.Equal(t, fault.Unavailable, f.Kind)
	require.Equal(t, "The chain does not answer at present", f.Message, "no address, no upstream text")
	_, err = client.New("ftp://somewhere")
	require.True(t, fault.Is(err, fault.Invalid))
}

func TestCommand(t *testing.T) {
	for args, want := range map[string]string{
		"":                              "--home is required",
		"--home=h --genesis=gone":       "read the genesis",
		"--home=h --log-format=papyrus": "set up the log",
	} {
		cmd := node.NewCommand()
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(strings.Fields(args))
		require.ErrorContains(t, cmd.Execute(), want)
	}
}
