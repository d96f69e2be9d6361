package node

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	abcicli "github.com/cometbft/cometbft/abci/client"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
)

// checks is an application that writes down what it is asked.
type checks struct {
	abci.BaseApplication
	gate chan struct{} // open once closed

	mu      sync.Mutex
	checked []string
	batches []int
}

func (c *checks) Preverify(txs [][]byte) {
	<-c.gate
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batches = append(c.batches, len(txs))
}

func (c *checks) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked = append(c.checked, string(req.Tx))
	switch string(req.Tx) {
	case "broken":
		return nil, errors.New("a secret of the disk")
	case "deadly":
		panic("a secret of the program")
	}
	return &abci.ResponseCheckTx{Log: string(req.Tx)}, nil
}

func (c *checks) open() { close(c.gate) }

func newChecker(t *testing.T) (*checks, *checker) {
	t.Helper()
	application := &checks{gate: make(chan struct{})}
	client, err := connections(application, logr.Discard()).NewABCIClient()
	require.NoError(t, err)
	together, is := client.(*checker)
	require.True(t, is)
	together.SetResponseCallback(func(*abci.Request, *abci.Response) {})
	return application, together
}

func ask(t *testing.T, c abcicli.Client, tx string) *abcicli.ReqRes {
	t.Helper()
	asked, err := c.CheckTxAsync(context.Background(), &abci.RequestCheckTx{Tx: []byte(tx)})
	require.NoError(t, err)
	return asked
}

// The mempool keeps transactions as they were checked: a sender's nonces must not
// overtake each other. What comes while others are checked is verified together.
func TestChecksComeInOrder(t *testing.T) {
	application, c := newChecker(t)
	var answered, want []string
	for i := range 100 {
		want = append(want, strconv.Itoa(i))
		ask(t, c, want[i]).SetCallback(func(res *abci.Response) { answered = append(answered, res.GetCheckTx().GetLog()) })
	}
	application.open()
	require.NoError(t, c.Flush(context.Background()))
	require.Equal(t, want, application.checked)
	require.Equal(t, want, answered, "each callback once, before Flush returns")
	require.Less(t, len(application.batches), len(want), "not one by one")
}

// CometBFT may set its callback before the answer or after it.
func TestLateCallbackIsCalled(t *testing.T) {
	application, c := newChecker(t)
	application.open()
	asked := ask(t, c, "early")
	require.NoError(t, c.Flush(context.Background()))
	var got string
	asked.SetCallback(func(res *abci.Response) { got = res.GetCheckTx().GetLog() })
	require.Equal(t, "early", got)
}

// A block must not be committed under a check that is under way.
func TestFlushWaits(t *testing.T) {
	application, c := newChecker(t)
	require.NoError(t, c.Flush(context.Background()), "nothing was asked")
	ask(t, c, "slow")
	flushed := make(chan struct{})
	go func() {
		assert.NoError(t, c.Flush(context.Background()))
		close(flushed)
	}()
	select {
	case <-flushed:
		t.Fatal("flushed before the answer")
	case <-time.After(20 * time.Millisecond):
	}
	application.open()
	<-flushed
}

// A node whose disk fails, or that a stranger's transaction trips up, refuses, says
// nothing of why, and goes on.
func TestFailureIsRefused(t *testing.T) {
	for _, failing := range []string{"broken", "deadly"} {
		application, c := newChecker(t)
		application.open()
		var got, next *abci.ResponseCheckTx
		ask(t, c, failing).SetCallback(func(res *abci.Response) { got = res.GetCheckTx() })
		ask(t, c, "whole").SetCallback(func(res *abci.Response) { next = res.GetCheckTx() })
		require.NoError(t, c.Flush(context.Background()))
		require.Equal(t, uint32(app.CodeInternal), got.Code)
		require.NotContains(t, got.Log, "secret")
		require.Zero(t, next.Code)
	}
}

// Peers that send faster than the node checks wait; they don't fill its memory.
func TestWaitingChecksAreBounded(t *testing.T) {
	application, c := newChecker(t)
	const sent = 3 * mostWaiting
	var senders sync.WaitGroup
	senders.Go(func() {
		for range sent {
			ask(t, c, "x")
		}
	})
	waiting := func() int {
		c.changed.L.Lock()
		defer c.changed.L.Unlock()
		return len(c.waiting)
	}
	require.Eventually(t, func() bool { return waiting() == mostWaiting }, 10*time.Second, time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	require.Equal(t, mostWaiting, waiting())
	application.open()
	senders.Wait()
	require.NoError(t, c.Flush(context.Background()))
	require.Len(t, application.checked, sent)
}

// What waited through a block is checked again at once, and the mempool hears of it
// by the callback of all requests.
func TestRecheckIsAnsweredAtOnce(t *testing.T) {
	application, c := newChecker(t)
	var heard []string
	c.SetResponseCallback(func(_ *abci.Request, res *abci.Response) { heard = append(heard, res.GetCheckTx().GetLog()) })
	_, err := c.CheckTxAsync(context.Background(), &abci.RequestCheckTx{Tx: []byte("again"), Type: abci.CheckTxType_Recheck})
	require.NoError(t, err)
	require.Equal(t, []string{"again"}, heard)
	require.Empty(t, application.batches)
}
