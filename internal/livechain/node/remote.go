package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	abcicli "github.com/cometbft/cometbft/abci/client"
	cmtnet "github.com/cometbft/cometbft/libs/net"
	"github.com/cometbft/cometbft/proxy"
)

// applicationEvery is how often an application that is not there yet is looked for.
const applicationEvery = 200 * time.Millisecond

// checkApplication refuses an address that CometBFT would take for a file's name.
func checkApplication(address string) error {
	if address == "" || strings.HasPrefix(address, "unix://") || strings.HasPrefix(address, "tcp://") {
		return nil
	}
	return fmt.Errorf("the application's address is unix:///path or tcp://host:port, not %q", address)
}

// runRemote runs CometBFT alone, for an application that answers on a socket. It
// ends with an error when the application goes away: CometBFT can't connect anew
// in the middle of a block, and compares heights with the application at its start.
func runRemote(ctx context.Context, config Config) error {
	document, hash, err := prepare(config)
	if err != nil {
		return err
	}
	config.Logger.Info("The node waits for its application", "address", config.Application)
	if !awaitApplication(ctx, config.Application) {
		return nil
	}
	failed := make(chan error, 1)
	return host(ctx, config, document, hash, remote{config.Application, failed}, failed)
}

// awaitApplication returns false when ctx ends before the application listens.
func awaitApplication(ctx context.Context, address string) bool {
	network, at := cmtnet.ProtocolAndAddress(address)
	for {
		var dialer net.Dialer
		connection, err := dialer.DialContext(ctx, network, at)
		if err == nil {
			_ = connection.Close()
			return true
		}
		if !pause(ctx, applicationEvery) {
			return false
		}
	}
}

// remote makes CometBFT's four connections to an application in another process.
type remote struct {
	address string
	failed  chan<- error
}

// NewABCIClient implements proxy.ClientCreator.
func (r remote) NewABCIClient() (abcicli.Client, error) {
	return &remoteClient{Client: abcicli.NewSocketClient(r.address, true), failed: r.failed, stopped: make(chan struct{})}, nil
}

var _ proxy.ClientCreator = remote{}

// remoteClient tells of a lost connection. CometBFT would send its own process a
// signal, which ends the node as if somebody had asked for it.
type remoteClient struct {
	abcicli.Client
	failed  chan<- error
	stopped chan struct{}
	once    sync.Once
}

// Start implements service.Service.
func (c *remoteClient) Start() error {
	if err := c.Client.Start(); err != nil {
		return err
	}
	go c.watch()
	return nil
}

func (c *remoteClient) watch() {
	<-c.Client.Quit()
	if cause := c.Error(); cause != nil {
		select {
		case c.failed <- errors.Join(errors.New("the application went away"), cause):
		default: // another of the four connections has said so
		}
	}
}

// Quit implements service.Service: it ends with Stop alone, see remoteClient.
func (c *remoteClient) Quit() <-chan struct{} { return c.stopped }

// Stop implements service.Service. A connection that was lost is stopped already.
func (c *remoteClient) Stop() error {
	c.once.Do(func() { close(c.stopped) })
	if !c.IsRunning() {
		return nil
	}
	return c.Client.Stop()
}
