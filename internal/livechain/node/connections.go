package node

import (
	"context"

	abcicli "github.com/cometbft/cometbft/abci/client"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/proxy"
)

// connections makes CometBFT's four connections to an application in this process.
// Each has a lock of its own: a query need not wait for a block.
func connections(application abci.Application) proxy.ClientCreator {
	locked := proxy.NewConnSyncLocalClientCreator(application)
	if able, ok := application.(preverifier); ok {
		return preverifying{locked, able}
	}
	return locked
}

// preverifier can do a part of CheckTx for many callers at once.
type preverifier interface{ Preverify(raw []byte) }

type preverifying struct {
	proxy.ClientCreator
	application preverifier
}

// NewABCIClient implements proxy.ClientCreator.
func (p preverifying) NewABCIClient() (abcicli.Client, error) {
	client, err := p.ClientCreator.NewABCIClient()
	return preverifyingClient{client, p.application}, err
}

// preverifyingClient checks signatures before it asks for the connection's lock,
// which lets one transaction through at a time: they are most of a check's work.
type preverifyingClient struct {
	abcicli.Client
	application preverifier
}

// CheckTxAsync implements abcicli.Client.
func (c preverifyingClient) CheckTxAsync(ctx context.Context, req *abci.RequestCheckTx) (*abcicli.ReqRes, error) {
	if req.Type == abci.CheckTxType_New {
		c.application.Preverify(req.Tx)
	}
	return c.Client.CheckTxAsync(ctx, req)
}
