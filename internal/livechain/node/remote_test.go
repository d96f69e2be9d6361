package node_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/node"
	"github.com/lucid-blockchain/lucid/internal/livechain/registry"
)

// beside is another application than Lucid's, as it runs in a container of its own.
type beside struct {
	t             *testing.T
	address, home string
	stop          context.CancelFunc
	done          chan error
}

func (b *beside) start() {
	application, err := registry.New(b.home)
	require.NoError(b.t, err)
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.done = stop, make(chan error, 1)
	go func() {
		err := registry.Serve(ctx, b.address, application)
		if closed := application.Close(); err == nil {
			err = closed
		}
		b.done <- err
	}()
}

func (b *beside) finish() {
	b.stop()
	require.NoError(b.t, <-b.done)
}

// asked is the chain's RPC, by words of CometBFT alone.
type asked struct {
	t   *testing.T
	rpc *rpchttp.HTTP
}

// register registers a name, and waits for the block.
func (a asked) register(name string, sequence uint64) {
	raw, err := registry.Sign(registry.Body{ChainID: chainID, Sequence: sequence, Op: registry.Register, Name: name, Value: "v"}, holder)
	require.NoError(a.t, err)
	res, err := a.rpc.BroadcastTxCommit(context.Background(), raw)
	require.NoError(a.t, err)
	require.Zero(a.t, res.TxResult.Code, res.TxResult.Log)
}

func (a asked) owns(name string) {
	res, err := a.rpc.ABCIQuery(context.Background(), "/name/"+name, nil)
	require.NoError(a.t, err)
	require.Zero(a.t, res.Response.Code, res.Response.Log)
	var found registry.Name
	require.NoError(a.t, json.Unmarshal(res.Response.Value, &found))
	require.Equal(a.t, holderAddress(), found.Owner)
}

// agrees holds the app hash that the application has against the headers that
// the validators have signed.
func (a asked) agrees(r *running) {
	info, err := a.rpc.ABCIInfo(context.Background())
	require.NoError(a.t, err)
	next := info.Response.LastBlockHeight + 1
	r.await(next)
	header, err := a.rpc.Header(context.Background(), &next)
	require.NoError(a.t, err)
	require.EqualValues(a.t, info.Response.LastBlockAppHash, header.Header.AppHash)
}

// CometBFT over a UNIX socket with an application of its own: either may start
// first, end first, and the application may lose all it has.
func TestApplicationBeside(t *testing.T) {
	config, hash := newConfig(t)
	dir, err := os.MkdirTemp("", "abci") // a socket's path is short
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	app := &beside{t: t, address: "unix://" + filepath.Join(dir, "s"), home: filepath.Join(dir, "home")}
	config.Application = app.address
	rpc, err := rpchttp.NewWithClient("http://"+config.RPCAddress, "/websocket", http.DefaultClient)
	require.NoError(t, err)
	a := asked{t, rpc}

	first := start(t, config) // waits
	app.start()
	status := first.await(2)
	require.Equal(t, hash, status.GenesisHash, "from the document, for this application does not know it")
	require.Equal(t, chainID, status.ChainID)
	require.Equal(t, registry.Codespace, status.Application)
	require.EqualValues(t, registry.Version, status.AppVersion)
	signing, err := first.Signing(t.Context(), status.Height)
	require.NoError(t, err)
	require.EqualValues(t, 1, signing)
	_, err = first.Pool(t.Context())
	require.Error(t, err, "it has no pool, and says so")
	a.register("one", 0)
	a.agrees(first)
	first.finish()

	second := start(t, config) // the application went on
	second.await(status.Height + 1)
	a.owns("one")
	a.register("two", 1)
	app.finish()
	require.ErrorContains(t, <-second.done, "the application went away", "the node ends, to be started again")
	http.DefaultClient.CloseIdleConnections()

	require.NoError(t, os.RemoveAll(app.home)) // with its volume
	app.start()
	third := start(t, config)
	third.await(status.Height + 2)
	a.owns("one")
	a.owns("two")
	a.agrees(third)
	third.finish()
	app.finish()
}

func TestApplicationNeverThere(t *testing.T) {
	config, _ := newConfig(t)
	config.Application = "unix://" + filepath.Join(t.TempDir(), "none")
	waiting := start(t, config)
	waiting.finish() // without an error: nothing went wrong but the time

	config.Application = "kvstore"
	require.ErrorContains(t, node.RunNode(context.Background(), config), "unix:///path or tcp://host:port")
}
