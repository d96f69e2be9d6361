package node

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	abcicli "github.com/cometbft/cometbft/abci/client"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/proxy"
	"github.com/go-logr/logr"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
)

// connections makes CometBFT's four connections to an application in this process.
// Each has a lock of its own: a query need not wait for a block.
func connections(application abci.Application, log logr.Logger) proxy.ClientCreator {
	locked := proxy.NewConnSyncLocalClientCreator(application)
	if able, ok := application.(preverifier); ok {
		return checkingTogether{locked, able, log}
	}
	return locked
}

// preverifier can do a part of CheckTx for many transactions together.
type preverifier interface{ Preverify(txs [][]byte) }

type checkingTogether struct {
	proxy.ClientCreator
	application preverifier
	log         logr.Logger
}

// NewABCIClient implements proxy.ClientCreator.
func (c checkingTogether) NewABCIClient() (abcicli.Client, error) {
	client, err := c.ClientCreator.NewABCIClient()
	return &checker{Client: client, application: c.application, log: c.log, changed: sync.NewCond(&sync.Mutex{})}, err
}

// mostWaiting bounds the transactions that wait for their check. Whoever brings
// another one waits for room.
const mostWaiting = 1 << 8

// checker checks transactions in the order in which they come, and the signatures,
// which are most of the work, of all that have come meanwhile together. Nobody waits
// for a batch to fill. The mempool takes its answers later, as it does those of an
// application on a socket.
type checker struct {
	abcicli.Client
	application preverifier
	log         logr.Logger

	changed *sync.Cond // guards what follows
	waiting []*abcicli.ReqRes
	working bool
}

// CheckTxAsync implements abcicli.Client. What is checked again after a block is
// checked at once: the mempool stands still meanwhile, and knows the signatures.
func (c *checker) CheckTxAsync(ctx context.Context, req *abci.RequestCheckTx) (*abcicli.ReqRes, error) {
	if req.Type != abci.CheckTxType_New {
		return c.Client.CheckTxAsync(ctx, req)
	}
	asked := abcicli.NewReqRes(abci.ToRequestCheckTx(req))
	c.changed.L.Lock()
	defer c.changed.L.Unlock()
	for len(c.waiting) >= mostWaiting {
		c.changed.Wait()
	}
	c.waiting = append(c.waiting, asked)
	if !c.working {
		c.working = true
		go c.work()
	}
	return asked, nil
}

// Flush implements abcicli.Client: it returns when all that was asked is answered.
// CometBFT calls it before a block is committed, while nothing new may come.
func (c *checker) Flush(ctx context.Context) error {
	c.changed.L.Lock()
	for c.working {
		c.changed.Wait()
	}
	c.changed.L.Unlock()
	return c.Client.Flush(ctx)
}

// work goes on until nothing waits.
func (c *checker) work() {
	for batch := c.take(); len(batch) > 0; batch = c.take() {
		txs := make([][]byte, len(batch))
		for i, asked := range batch {
			txs[i] = asked.Request.GetCheckTx().GetTx()
		}
		c.application.Preverify(txs)
		for _, asked := range batch {
			c.answer(asked)
		}
	}
}

// take returns none when the work is done.
func (c *checker) take() []*abcicli.ReqRes {
	c.changed.L.Lock()
	defer c.changed.L.Unlock()
	batch := c.waiting
	c.waiting, c.working = nil, len(batch) > 0
	c.changed.Broadcast()
	return batch
}

// answer refuses what the application fails on: CometBFT would take the failure for
// a reason to panic.
func (c *checker) answer(asked *abcicli.ReqRes) {
	res, err := c.check(asked.Request.GetCheckTx())
	if err != nil {
		c.log.Error(err, "A transaction can't be checked")
		res = &abci.ResponseCheckTx{Code: uint32(app.CodeInternal), Codespace: app.Codespace, Log: app.CodeInternal.String()}
	}
	asked.Response = abci.ToResponseCheckTx(res)
	asked.Done()
	asked.InvokeCallback()
}

// check makes an error of a panic. Whoever has sent the transaction is a stranger, and
// CometBFT, which would lose the stranger's connection alone, is not on this stack.
func (c *checker) check(req *abci.RequestCheckTx) (res *abci.ResponseCheckTx, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("the application panicked: %v\n%s", reason, debug.Stack())
		}
	}()
	return c.CheckTx(context.Background(), req)
}
