package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/lucid-blockchain/lucid/internal/livechain"
)

// getter reads a record; nil when there is none.
type getter interface {
	Get(key []byte) ([]byte, error)
}

// nothing is the state before the first.
type nothing struct{}

// Get implements getter.
func (nothing) Get([]byte) ([]byte, error) { return nil, nil }

// overlay holds the records that a block, a transaction or the mempool's view
// has changed over another state. Not safe for concurrent use.
type overlay struct {
	below   getter
	changes map[string][]byte
}

func over(below getter) *overlay { return &overlay{below, map[string][]byte{}} }

// Get implements getter.
func (o *overlay) Get(key []byte) ([]byte, error) {
	if own, ok := o.changes[string(key)]; ok {
		return own, nil
	}
	return o.below.Get(key)
}

func (o *overlay) read(key string, into any) (found bool, err error) {
	raw, err := o.Get([]byte(key))
	if err != nil || raw == nil {
		return false, err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("decode the record %q: %w", key, err)
	}
	return true, nil
}

func (o *overlay) set(key string, record any) error {
	raw, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode the record %q: %w", key, err)
	}
	o.changes[key] = raw
	return nil
}

func accountOf(from *overlay, address livechain.Address) (account Account, err error) {
	_, err = from.read(accountPrefix+address.String(), &account)
	return account, err
}

// deliver executes a transaction. A refusal is part of the result; an error is
// this node's own. What is refused for its operation uses up its sequence number
// all the same, or it could be sent again at a moment that suits somebody else.
func deliver(on *overlay, raw []byte, height int64) (*abci.ExecTxResult, error) {
	t, err := parse(raw)
	if err == nil {
		err = advance(on, t)
	}
	if err == nil {
		err = operate(on, t, height)
	}
	var r *refusal
	switch {
	case errors.As(err, &r):
		return &abci.ExecTxResult{Code: r.code, Codespace: Codespace, Log: r.reason}, nil
	case err != nil:
		return nil, err
	}
	return &abci.ExecTxResult{Events: []abci.Event{{Type: string(t.Body.Op), Attributes: []abci.EventAttribute{
		{Key: "name", Value: t.Body.Name, Index: true}, {Key: "account", Value: t.From().String(), Index: true},
	}}}}, nil
}

// advance counts the signer's transaction.
func advance(on *overlay, t Tx) error {
	var chain Info
	if _, err := on.read(chainKey, &chain); err != nil {
		return err
	}
	account, err := accountOf(on, t.From())
	switch {
	case err != nil:
		return err
	case t.Body.ChainID != chain.ChainID:
		return refuse(CodeChain, "the transaction is for another chain")
	case t.Body.Sequence != account.Sequence:
		return refuse(CodeSequence, "the next sequence number of %s is %d, not %d", t.From(), account.Sequence, t.Body.Sequence)
	}
	account.Sequence++
	return on.set(accountPrefix+t.From().String(), account)
}

// operate changes the name, or nothing.
func operate(on *overlay, t Tx, height int64) error {
	trial := over(on)
	name := Name{Name: t.Body.Name}
	taken, err := trial.read(namePrefix+t.Body.Name, &name)
	switch {
	case err != nil:
		return err
	case t.Body.Op == Register && taken:
		return refuse(CodeTaken, "the name is taken")
	case t.Body.Op != Register && !taken:
		return refuse(CodeAbsent, "the name is free")
	case taken && name.Owner != t.From():
		return refuse(CodeOwner, "the name is somebody else's")
	}
	switch t.Body.Op {
	case Register:
		name.Owner, name.Value = t.From(), t.Body.Value
	case Set:
		name.Value = t.Body.Value
	case Transfer:
		name.Owner = t.Body.To
	}
	name.Height = height
	if err := trial.set(namePrefix+t.Body.Name, name); err != nil {
		return err
	}
	maps.Copy(on.changes, trial.changes)
	return nil
}
