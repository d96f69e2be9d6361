package node_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/node"
	"github.com/lucid-blockchain/lucid/internal/livechain/node/nodetest"
)

// network is a chain of several validators in this process, who find each other
// by one list that all of them are given.
type network struct {
	t   *testing.T
	ids []string

	validators []genesis.Validator
	list       string
	nodes      []node.Config
	up         []*running // nil while a validator is stopped
}

// newNetwork makes size nodes, the first born of which are validators at genesis.
func newNetwork(t *testing.T, size, born int) *network {
	t.Helper()
	dir := t.TempDir()
	n := &network{t: t, list: filepath.Join(dir, "peers"), nodes: make([]node.Config, size), up: make([]*running, size)}
	for i := range n.nodes {
		nodeKey, validatorKey, err := node.GenerateKeys()
		require.NoError(t, err)
		public, err := node.ValidatorPublicKey(validatorKey)
		require.NoError(t, err)
		id, err := node.NodeID(nodeKey)
		require.NoError(t, err)
		n.ids = append(n.ids, id)
		n.validators = append(n.validators, genesis.Validator{Name: fmt.Sprintf("validator-%d", i), PublicKey: public, Power: 10})
		name := func(file string) string { return fmt.Sprintf("%d-%s", i, file) }
		n.nodes[i] = node.Config{
			Home:        filepath.Join(dir, name("home")),
			NodeKeyFile: file(t, dir, name("node_key.json"), nodeKey), ValidatorKeyFile: file(t, dir, name("validator.json"), validatorKey),
			RPCAddress: nodetest.FreeAddress(t), P2PAddress: nodetest.FreeAddress(t), ReadyAddress: nodetest.FreeAddress(t),
			PeersFile: n.list, Logger: logr.Discard(),
		}
	}
	doc, _ := document(t, chainID, n.validators[:born]...)
	for i := range n.nodes {
		n.nodes[i].GenesisFile = file(t, dir, "genesis.json", doc)
	}
	n.tellPeers()
	t.Cleanup(func() {
		for i := range n.up {
			n.stop(i)
		}
	})
	return n
}

// tellPeers writes where every node listens by now.
func (n *network) tellPeers() {
	var lines strings.Builder
	for i, config := range n.nodes {
		fmt.Fprintf(&lines, "%s@%s\n", n.ids[i], config.P2PAddress)
	}
	require.NoError(n.t, os.WriteFile(n.list, []byte(lines.String()), 0o600))
}

func (n *network) start(i int) { n.up[i] = start(n.t, n.nodes[i]) }

func (n *network) stop(i int) {
	if n.up[i] != nil {
		n.up[i].finish()
		n.up[i] = nil
	}
}

// height is the highest of the validators that run.
func (n *network) height() (highest int64) {
	for _, r := range n.up {
		if r == nil {
			continue
		}
		status, err := r.Status(context.Background())
		require.NoError(n.t, err)
		highest = max(highest, status.Height)
	}
	return highest
}

// await waits until all validators that run have a height.
func (n *network) await(height int64) {
	n.t.Helper()
	for _, r := range n.up {
		if r != nil {
			r.await(height)
		}
	}
}

// header returns the hashes of a block, as one validator has it: its own, and of
// the state before it.
func (n *network) header(i int, height int64) (block, app string) {
	n.t.Helper()
	rpc, err := rpchttp.New("http://"+n.nodes[i].RPCAddress, "/websocket")
	require.NoError(n.t, err)
	res, err := rpc.Block(context.Background(), &height)
	require.NoError(n.t, err)
	return res.BlockID.Hash.String(), res.Block.AppHash.String()
}

func ready(config node.Config) (code int, reason string) {
	res, err := http.Get("http://" + config.ReadyAddress + "/ready")
	if err != nil {
		return 0, err.Error()
	}
	text, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}

func (n *network) awaitReady(i, want int) {
	n.t.Helper()
	require.Eventually(n.t, func() bool { code, _ := ready(n.nodes[i]); return code == want }, patience, often)
}

// Four validators bear the loss of one, halt without two, and go on by
// themselves when these come back, one of them elsewhere than it was.
func TestFourValidators(t *testing.T) {
	n := newNetwork(t, 4, 4)
	n.start(0)
	n.awaitReady(0, http.StatusServiceUnavailable)
	for i := 1; i < 4; i++ {
		n.start(i)
	}
	n.await(3)
	for i := range n.nodes {
		n.awaitReady(i, http.StatusOK)
	}
	recipient := livechain.Address{42}
	require.NoError(t, n.up[1].send(0, recipient, 5))
	n.up[2].awaitBalance(recipient, 5)

	n.stop(3)
	n.await(n.height() + 3)
	status, err := n.up[0].Status(t.Context())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		signing, err := n.up[0].Signing(t.Context(), status.Height)
		return err == nil && signing == 3
	}, patience, often, "three of four sign")

	n.stop(2)
	halted := n.height()
	time.Sleep(3 * time.Second)
	require.LessOrEqual(t, n.height(), halted+1, "half of the power commits nothing but what was under way")

	n.nodes[2].P2PAddress = nodetest.FreeAddress(t)
	n.tellPeers()
	n.start(2)
	n.start(3)
	n.await(halted + 4)
	for i := range n.nodes {
		n.awaitReady(i, http.StatusOK)
		n.up[i].awaitBalance(recipient, 5)
		block, app := n.header(i, halted+4)
		wantBlock, wantApp := n.header(0, halted+4)
		require.Equal(t, wantBlock, block, "no fork")
		require.Equal(t, wantApp, app, "one state")
	}
}

// A validator that lost its volume fetches the blocks it missed and is not ready
// before it has them.
func TestEmptyHomeCatchesUp(t *testing.T) {
	n := newNetwork(t, 4, 4)
	for i := range 3 {
		n.start(i)
	}
	n.await(7)
	list, err := os.ReadFile(n.list)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(n.list, append(list, "\nnobody@nowhere\n"...), 0o600), "a wrong line must not hide the others")
	n.start(3)
	n.awaitReady(3, http.StatusOK)
	status, err := n.up[3].Status(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, status.Height, int64(4))
	require.False(t, status.CatchingUp)
	require.EqualValues(t, genesis.AppVersion, status.AppVersion)
}

// A node that follows the chain becomes a validator and another stops being one,
// while blocks go on.
func TestValidatorsChange(t *testing.T) {
	n := newNetwork(t, 3, 2)
	for i := range n.nodes {
		n.start(i)
	}
	n.await(2)
	n.awaitReady(2, http.StatusOK)
	set := func(i int, power int64) {
		t.Helper()
		member := client.Member{Key: n.validators[i].PublicKey, Power: power}
		require.NoError(t, n.up[1].SetPower(t.Context(), authority, chainID, member, time.Now().Add(patience)))
	}
	awaitMembers := func(want ...int) {
		t.Helper()
		require.Eventually(t, func() bool {
			members, err := n.up[2].Members(t.Context(), 0)
			for _, i := range want {
				at := slices.IndexFunc(members, func(m client.Member) bool { return n.validators[i].PublicKey.Equal(m.Key) })
				if at < 0 || members[at].Power != 10 {
					return false
				}
			}
			return err == nil && len(members) == len(want)
		}, patience, often)
	}
	awaitMembers(0, 1)
	set(2, 10)
	awaitMembers(0, 1, 2)
	require.Eventually(t, func() bool {
		status, err := n.up[2].Status(t.Context())
		require.NoError(t, err)
		signing, err := n.up[2].Signing(t.Context(), status.Height)
		return err == nil && signing == 3
	}, patience, often, "the new one signs")

	set(0, 0)
	awaitMembers(1, 2)
	n.stop(0)
	n.await(n.height() + 3)

	err := n.up[1].SetPower(t.Context(), holder, chainID, client.Member{Key: n.validators[0].PublicKey, Power: 10}, time.Now().Add(patience))
	require.True(t, fault.Is(err, fault.Unprocessable), "nobody but the authority: %v", err)

	late := client.Member{Key: n.validators[0].PublicKey, Power: 10}
	err = n.up[1].SetPower(t.Context(), authority, chainID, late, time.Now().Add(-time.Minute))
	require.Error(t, err, "a change that has expired")
	members, err := n.up[1].Members(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, members, 2, "those of the first block stay what they were")
	n.trustsItself()
}

// trustsItself takes a header from the chain's nodes, whose validators the genesis
// does not name any more.
func (n *network) trustsItself() {
	n.t.Helper()
	raw, err := os.ReadFile(n.nodes[1].GenesisFile)
	require.NoError(n.t, err)
	document, _, err := genesis.Parse(raw)
	require.NoError(n.t, err)
	const recent = 200 * time.Millisecond
	_, err = n.up[1].TrustDocument(n.t.Context(), document, recent)
	require.ErrorIs(n.t, err, client.ErrUnproven)
	trust, err := n.up[1].TrustAgreed(n.t.Context(), chainID, recent, n.up[2].Client)
	require.NoError(n.t, err)
	hash, _ := n.header(2, trust.Height)
	require.Equal(n.t, hash, strings.ToUpper(hex.EncodeToString(trust.Hash)))
	require.Equal(n.t, recent, trust.Period)
}

func TestReadinessNeedsItsAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	config, _ := newConfig(t)
	config.ReadyAddress = taken.Addr().String()
	require.ErrorContains(t, node.RunNode(context.Background(), config), "readiness probes")
}

func TestRefusedPeers(t *testing.T) {
	id := strings.Repeat("ab", 20)
	for peer, reason := range map[string]string{
		"127.0.0.1:1":            "no id",
		id:                       "no address",
		id + "@127.0.0.1":        "no port",
		id + "@127.0.0.1:":       "an empty port",
		id[2:] + "@127.0.0.1:1":  "half an id",
		"x" + id[1:] + "@host:1": "an id that is not hex",
	} {
		config, _ := newConfig(t)
		config.Peers = []string{peer}
		require.ErrorContains(t, node.RunNode(context.Background(), config), "id@host:port", reason)
	}
}
