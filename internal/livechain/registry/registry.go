// Package registry is an ABCI application other than Lucid's own: it keeps who
// owns which name and what the name stands for. It shows what a chain that runs
// an application image of its own needs (docs/applications.md), and shares with
// Lucid's application only the store of its records, with its Merkle root.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
)

// Version is the rules of the application.
const Version = 1

// Codespace is where the codes of this application are counted.
const Codespace = "registry"

// The reasons of refusals. A number keeps its meaning for good: it is part of
// the results that validators agree on.
const (
	CodeMalformed uint32 = 1
	CodeSignature uint32 = 2
	CodeChain     uint32 = 3 // signed for another chain
	CodeSequence  uint32 = 4 // used before, or one too early
	CodeTaken     uint32 = 5
	CodeAbsent    uint32 = 6
	CodeOwner     uint32 = 7 // the name is somebody else's
	CodePath      uint32 = 8 // there is no such query
)

// refusal is a transaction's or a query's fault, never the node's.
type refusal struct {
	code   uint32
	reason string
}

// Error implements error.
func (r *refusal) Error() string { return r.reason }

func refuse(code uint32, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// Name answers /name/{name}.
type Name struct {
	Name   string            `json:"name"`
	Owner  livechain.Address `json:"owner"`
	Value  string            `json:"value"`
	Height int64             `json:"height"` // of the last change
}

// Account answers /account/{address}.
type Account struct {
	Sequence uint64 `json:"sequence"` // of the next transaction
}

// Info answers /info.
type Info struct {
	ChainID string `json:"chain_id"`
}

// Keys of the records.
const (
	namePrefix    = "name/"
	accountPrefix = "account/"
	chainKey      = "chain"
)

// Application implements abci.Application. Snapshots and vote extensions are not
// offered; the base declines them.
type Application struct {
	abci.BaseApplication

	store *state.Store

	// The block in progress; only the consensus connection touches it.
	pending *state.Pending
	height  int64

	mu    sync.Mutex
	check *overlay // the committed state with the mempool's transactions applied
}

// New opens the application on its folder, which is made when missing.
func New(dir string) (*Application, error) {
	store, err := state.Open(dir)
	if err != nil {
		return nil, err
	}
	return &Application{store: store, check: over(store)}, nil
}

// Close gives the folder back.
func (a *Application) Close() error { return a.store.Close() }

// Info tells CometBFT what was committed; it replays the blocks after that.
func (a *Application) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	height, root, started := a.store.Head()
	info := &abci.ResponseInfo{Data: Codespace, AppVersion: Version, LastBlockHeight: height}
	if started {
		info.LastBlockAppHash = root[:]
	}
	return info, nil
}

// InitChain begins without names. What the genesis says for Lucid's application,
// balances and a pool, is not this one's. It is asked again when the node stopped
// before its first block, and refuses the folder of another chain.
func (a *Application) InitChain(_ context.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	first := over(nothing{})
	if err := first.set(chainKey, Info{ChainID: req.ChainId}); err != nil {
		return nil, err
	}
	pending, err := a.store.PrepareEmpty(first.changes)
	if err != nil {
		return nil, err
	}
	height, root, started := a.store.Head()
	if started && (height != 0 || root != pending.Root) {
		return nil, errors.New("the folder holds the names of another chain")
	}
	if !started {
		if err := a.store.Commit(0, pending); err != nil {
			return nil, err
		}
	}
	a.recheck()
	return &abci.ResponseInitChain{AppHash: pending.Root[:]}, nil
}

// CheckTx admits a transaction to the mempool when it would work after all that
// wait there already.
func (a *Application) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	height, _, _ := a.store.Head()
	// What is refused waits nowhere, so it has not used its sequence number either.
	trial := over(a.check)
	result, err := deliver(trial, req.Tx, height+1)
	if err != nil {
		return nil, err
	}
	if result.Code == abci.CodeTypeOK {
		maps.Copy(a.check.changes, trial.changes)
	}
	return &abci.ResponseCheckTx{Code: result.Code, Codespace: result.Codespace, Log: result.Log}, nil
}

// FinalizeBlock computes the block's effects and the root after it. Nothing is
// written before Commit.
func (a *Application) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	block := over(a.store)
	results := make([]*abci.ExecTxResult, len(req.Txs))
	for i, raw := range req.Txs {
		var err error
		if results[i], err = deliver(block, raw, req.Height); err != nil {
			return nil, fmt.Errorf("execute transaction %d of height %d: %w", i, req.Height, err)
		}
	}
	pending, err := a.store.Prepare(block.changes)
	if err != nil {
		return nil, err
	}
	a.pending, a.height = pending, req.Height
	return &abci.ResponseFinalizeBlock{TxResults: results, AppHash: pending.Root[:]}, nil
}

// Commit writes the block's effects, its height and its root in one step.
func (a *Application) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	if a.pending == nil {
		return nil, errors.New("commit without a block")
	}
	if err := a.store.Commit(a.height, a.pending); err != nil {
		return nil, err
	}
	a.pending = nil
	a.recheck()
	return &abci.ResponseCommit{}, nil
}

// recheck has the mempool's transactions looked at from the committed state.
func (a *Application) recheck() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.check = over(a.store)
}

// Query answers a path in JSON at a kept height, 0 being the last one.
func (a *Application) Query(_ context.Context, req *abci.RequestQuery) (*abci.ResponseQuery, error) {
	value, height, err := a.answer(req)
	if err == nil {
		return &abci.ResponseQuery{Key: []byte(req.Path), Value: value, Height: height}, nil
	}
	var r *refusal
	if errors.As(err, &r) {
		return &abci.ResponseQuery{Code: r.code, Codespace: Codespace, Log: r.reason}, nil
	}
	// A query's trouble must not stop the node, nor be told to strangers.
	return &abci.ResponseQuery{Code: CodeAbsent, Codespace: Codespace, Log: "the names can't be read"}, nil
}

func (a *Application) answer(req *abci.RequestQuery) (value []byte, height int64, err error) {
	view, err := a.store.At(req.Height)
	if err != nil {
		return nil, 0, err
	}
	key := strings.TrimPrefix(req.Path, "/")
	switch {
	case req.Path == "/info":
		key = chainKey
	case strings.HasPrefix(key, accountPrefix):
		return answerAccount(view, key)
	case !strings.HasPrefix(key, namePrefix):
		return nil, 0, refuse(CodePath, "ask for /name/{name}, /account/{address} or /info")
	}
	value, err = view.Get([]byte(key))
	if err == nil && value == nil {
		err = refuse(CodeAbsent, "the name is free")
	}
	return value, view.Height, err
}

// answerAccount answers for any address: one that was never used is at the start.
func answerAccount(view *state.View, key string) (value []byte, height int64, err error) {
	address, err := livechain.ParseAddress(strings.TrimPrefix(key, accountPrefix))
	if err != nil {
		return nil, 0, refuse(CodePath, "%s", err)
	}
	account, err := accountOf(over(view), address)
	if err != nil {
		return nil, 0, err
	}
	value, err = json.Marshal(account)
	return value, view.Height, err
}
