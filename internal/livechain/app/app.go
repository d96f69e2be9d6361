// Package app is the application of a live chain (docs/domain.md §4) behind ABCI
// 2.0: accounts with two assets, transfers and one AMM pool. It depends on
// nothing but the blocks: the same blocks give the same app hash everywhere.
package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/go-logr/logr"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// Name is what the application calls itself.
const Name = "lucid"

// Application implements abci.Application. CometBFT calls it from four
// connections at once: consensus drives the block, the mempool checks, queries
// and snapshots read.
type Application struct {
	// Vote extensions are not offered; the base declines them.
	abci.BaseApplication

	store        *state.Store
	genesisHash  string
	newest       uint64 // version of the rules that this program knows
	retainBlocks int64
	logger       logr.Logger
	metrics      metrics

	known      known
	snapshots  Snapshots
	shelf      *shelf
	restoring  *restoring
	failed     chan error
	running    context.Context // ends with Close
	stop       context.CancelFunc
	background sync.WaitGroup // the snapshot in the making

	// The block in progress; only the consensus connection touches it.
	pending  *state.Pending
	results  []*abci.ExecTxResult
	height   int64
	cooldown cooldown

	mu    sync.Mutex
	check *overlay // the committed state with the mempool's transactions applied
	now   time.Time
}

// Options are what an application can't learn from its blocks.
type Options struct {
	Dir         string // folder of the state, created when missing; empty keeps it in memory only
	GenesisHash string // shown at /info
	Snapshots   Snapshots
	// RetainBlocks is how many of the last blocks CometBFT has to keep; 0 means
	// all of them.
	RetainBlocks int64
	Logger       logr.Logger // of what happens beside the blocks
}

// New opens the application on its folder. It refuses a chain whose rules this
// program does not know.
func New(o Options) (*Application, error) { return open(o, genesis.AppVersion) }

func open(o Options, newest uint64) (*Application, error) {
	store, err := openState(o.Dir)
	if err != nil {
		return nil, err
	}
	a := &Application{
		store: store, genesisHash: o.GenesisHash, newest: newest, retainBlocks: o.RetainBlocks, logger: o.Logger,
		metrics: newMetrics(), failed: make(chan error, 1),
	}
	if _, err := a.rules(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if a.known, err = newKnown(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if err := a.openSnapshots(o.Snapshots); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	a.running, a.stop = context.WithCancel(context.Background())
	a.resetCheck(store.Time())
	return a, nil
}

func openState(dir string) (*state.Store, error) {
	if dir == "" {
		return state.OpenInMemory()
	}
	return state.Open(dir)
}

// Close gives the folder back. A snapshot in the making is given up.
func (a *Application) Close() error {
	a.stop()
	a.background.Wait()
	return a.store.Close()
}

// Info tells CometBFT what was committed; it replays the blocks after that.
func (a *Application) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	height, root, started := a.store.Head()
	rules, err := a.rules()
	if err != nil {
		return nil, err
	}
	info := &abci.ResponseInfo{Data: Name, AppVersion: rules, LastBlockHeight: height}
	if started {
		info.LastBlockAppHash = root[:]
	}
	return info, nil
}

// InitChain makes the state of height 0 from the genesis document. It is asked
// again when the node stopped before its first block, and refuses a folder that
// another genesis was made in.
func (a *Application) InitChain(_ context.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	first, err := genesis.ParseState(req.AppStateBytes)
	if err != nil {
		return nil, err
	}
	rules, err := a.firstRules(req.ConsensusParams)
	if err != nil {
		return nil, err
	}
	records := firstRecords(req.ChainId, first, rules)
	validators, err := firstValidators(req.Validators)
	if err != nil {
		return nil, err
	}
	records.set(validatorsKey, validators)
	changes, err := records.encode()
	if err != nil {
		return nil, err
	}
	pending, err := a.store.PrepareEmpty(changes)
	if err != nil {
		return nil, err
	}
	height, root, started := a.store.Head()
	if started && (height != 0 || root != pending.Root) {
		return nil, errors.New("the node's home holds the state of another genesis")
	}
	if !started {
		pending.Time = req.Time
		if err := a.store.Commit(0, pending); err != nil {
			return nil, err
		}
	}
	a.resetCheck(req.Time)
	return &abci.ResponseInitChain{AppHash: pending.Root[:], ConsensusParams: inHeader(rules)}, nil
}

// firstRecords spreads a validated genesis state over the records.
func firstRecords(chainID string, first genesis.State, rules uint64) *overlay {
	o := newOverlay(nil)
	for _, holder := range first.Holders {
		o.setAccount(holder.Address, &statepb.Account{Tokens: uint64(holder.Amount)})
	}
	treasury := first.Treasury
	o.setAccount(treasury.Address, &statepb.Account{
		Tokens:  uint64(treasury.Amount),
		Vesting: &statepb.Vesting{Amount: uint64(treasury.Amount), Start: treasury.VestingStart, End: treasury.VestingEnd},
	})
	o.set(poolKey, &statepb.Pool{
		Cnpy: uint64(first.Pool.CNPY), Tokens: uint64(first.Pool.Tokens),
		Shares: first.Pool.LockedShares, LockedShares: first.Pool.LockedShares,
	})
	chain := &statepb.Chain{
		ChainId: chainID, TokenSupply: uint64(first.TokenSupply), CnpySupply: uint64(first.CNPYSupply),
		FeeBasisPoints: first.FeeBasisPoints, MinFee: uint64(first.MinFee), Treasury: treasury.Address[:],
		Operational: first.Policy == genesis.PolicyOperational, Rules: rules, ValidatorMinStake: uint64(first.ValidatorMinStake),
	}
	if first.Authority != (livechain.Address{}) {
		chain.Authority = first.Authority[:]
	}
	o.set(chainKey, chain)
	return o
}

// Preverify does the part of CheckTx that needs no state for many transactions, so
// that CheckTx finds it done. Unlike CheckTx it may be called by many at once.
func (a *Application) Preverify(txs [][]byte) { a.known.readAll(txs) }

// CheckTx admits a transaction to the mempool when it would work after all that
// wait there already.
func (a *Application) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	d := a.known.read(req.Tx)
	err := d.err
	if err == nil {
		err = a.checkState(d.tx)
	}
	res, err := result(asRefusal(err))
	if err != nil {
		return nil, err
	}
	return &abci.ResponseCheckTx{Code: res.Code, Codespace: res.Codespace, Log: res.Log}, nil
}

func (a *Application) checkState(t *tx.Tx) error {
	if a.running.Err() != nil {
		// CometBFT goes through its mempool once more behind its own back, after it
		// was stopped, and takes an error here for a reason to panic.
		return refuse(CodeNotStarted, "the node stops")
	}
	if _, _, started := a.store.Head(); !started {
		return refuse(CodeNotStarted, "the chain has not started yet")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	trial := newOverlay(a.check)
	if _, _, err := run(trial, t, a.now); err != nil {
		return err
	}
	trial.mergeInto(a.check)
	return nil
}

// asRefusal gives the errors of package tx their codes.
func asRefusal(err error) error {
	switch {
	case errors.Is(err, tx.ErrMalformed):
		return refuse(CodeMalformed, "%s", err)
	case errors.Is(err, tx.ErrSignature):
		return refuse(CodeBadSignature, "%s", err)
	}
	return err
}

// FinalizeBlock computes the block's effects and the root after it. Nothing is
// written before Commit. An error here is this node's own and stops it.
func (a *Application) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	if _, err := a.rules(); err != nil {
		return nil, a.halt(err)
	}
	block := overState(a.store)
	results := make([]*abci.ExecTxResult, len(req.Txs))
	for i, d := range a.known.readAll(req.Txs) {
		var err error
		if results[i], err = d.deliver(block, req.Time); err != nil {
			return nil, fmt.Errorf("execute transaction %d of height %d: %w", i, req.Height, err)
		}
	}
	events, err := closeBlock(block, req)
	if err != nil {
		return nil, err
	}
	params, err := turnRules(block, req.Height)
	if err != nil {
		return nil, err
	}
	changes, err := block.encode()
	if err != nil {
		return nil, err
	}
	if a.pending, err = a.store.Prepare(changes); err != nil {
		return nil, err
	}
	a.pending.Time = req.Time
	a.height, a.results = req.Height, results
	a.cooldown.made(req.ProposerAddress)
	a.metrics.misbehaviour.Add(float64(len(events)))
	a.mu.Lock()
	a.now = req.Time
	a.mu.Unlock()
	updates, err := validatorUpdates(committed{a.store}, block)
	if err != nil {
		return nil, err
	}
	return &abci.ResponseFinalizeBlock{
		Events: events, TxResults: results, ValidatorUpdates: updates, ConsensusParamUpdates: params, AppHash: a.pending.Root[:],
	}, nil
}

// closeBlock does what follows from a block itself, after its transactions.
func closeBlock(block *overlay, req *abci.RequestFinalizeBlock) ([]abci.Event, error) {
	events, err := punish(block, req.Misbehavior)
	if err != nil {
		return nil, err
	}
	if err := turnStakes(block); err != nil {
		return nil, err
	}
	// The day's powers are of the days before it, which this block adds nothing to.
	if err := turnEpoch(block, req.Time); err != nil {
		return nil, err
	}
	return events, attend(block, req)
}

// Commit writes the block's effects, its height and its root in one step.
func (a *Application) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	if a.pending == nil {
		return nil, errors.New("commit without a block")
	}
	if err := a.store.Commit(a.height, a.pending); err != nil {
		return nil, err
	}
	a.metrics.count(a.results)
	a.pending, a.results = nil, nil
	a.mu.Lock()
	a.check = overState(a.store)
	a.mu.Unlock()
	a.snapshotAfter(a.height)
	return &abci.ResponseCommit{RetainHeight: a.retainHeight(a.height)}, nil
}

func (a *Application) resetCheck(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.check, a.now = overState(a.store), now
}

func (d decoded) deliver(block *overlay, now time.Time) (*abci.ExecTxResult, error) {
	if d.err != nil {
		return result(d.refusal(block))
	}
	event, _, err := run(block, d.tx, now)
	if err != nil {
		return result(err)
	}
	return &abci.ExecTxResult{Events: []abci.Event{event.event()}}, nil
}
