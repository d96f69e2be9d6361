package app

import (
	"errors"
	"fmt"
	"strconv"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// The version of the rules is a part of the state (docs/live-chain.md, Upgrades): a
// program that knows newer ones follows the chain's until they are put in force,
// in the same block on every validator.

// rules is the version that the next block follows, and an error where this
// program does not know it. Before the first block it is the newest.
func (a *Application) rules() (uint64, error) {
	if _, _, started := a.store.Head(); !started {
		return a.newest, nil
	}
	chain, err := chainOf(committed{a.store})
	if err != nil {
		return 0, err
	}
	return chain.GetRules(), a.knows(chain.GetRules())
}

func (a *Application) knows(version uint64) error {
	switch {
	case version == 0:
		return errors.New("the chain was made before its rules had versions: this program does not follow them")
	case version > a.newest:
		return fmt.Errorf("the chain follows rules of version %d, this program knows those up to %d: run a newer image", version, a.newest)
	}
	return nil
}

// firstRules is what the genesis document begins with: the newest when it says
// nothing.
func (a *Application) firstRules(params *cmtproto.ConsensusParams) (uint64, error) {
	if params == nil || params.Version == nil {
		return a.newest, nil
	}
	return params.Version.App, a.knows(params.Version.App)
}

// inHeader has the headers of blocks say which rules they follow.
func inHeader(version uint64) *cmtproto.ConsensusParams {
	return &cmtproto.ConsensusParams{Version: &cmtproto.VersionParams{App: version}}
}

// turnRules ends a block: the one after it follows the rules whose height has come.
// It returns nil where they stay.
func turnRules(block *overlay, height int64) (*cmtproto.ConsensusParams, error) {
	chain, err := chainOf(block)
	if err != nil || chain.GetNextRules() == 0 || chain.GetNextRulesHeight() > height+1 {
		return nil, err
	}
	chain.Rules = chain.NextRules
	chain.NextRules, chain.NextRulesHeight = 0, 0
	block.set(chainKey, chain)
	return inHeader(chain.Rules), nil
}

func (e execution) upgrade(m tx.Upgrade) (Event, error) {
	chain, err := chainOf(e.on)
	if err != nil {
		return nil, err
	}
	switch {
	case !e.isAuthority(chain):
		return nil, refuse(CodeAuthority, "rules are put in force by the chain's authority alone")
	case m.Version < chain.GetRules():
		return nil, refuse(CodeRules, "the chain follows rules of version %d and goes back to none", chain.GetRules())
	case m.Version == chain.GetRules():
		chain.NextRules, chain.NextRulesHeight = 0, 0
	default:
		chain.NextRules, chain.NextRulesHeight = m.Version, m.Height
	}
	e.on.set(chainKey, chain)
	return Upgraded{Account: e.from, Upgrade: m}, nil
}

// refuseNewer says of what newer rules know what a program says that can't decode
// it: the results of all validators have to agree.
func refuseNewer(chain *statepb.Chain) error {
	return refuse(CodeMalformed, "the chain's rules, of version %d, do not know the message", chain.GetRules())
}

// refusal is why a transaction could not be read. One that the rules do not know is
// malformed before its signature is wrong.
func (d decoded) refusal(block source) error {
	if d.tx != nil {
		chain, err := chainOf(block)
		if err != nil {
			return err
		}
		if d.tx.Since() > chain.GetRules() {
			return refuseNewer(chain)
		}
	}
	return asRefusal(d.err)
}

// Upgraded is what an upgrade did: the version waits for its height, or takes back
// the one that waited.
type Upgraded struct {
	Account livechain.Address // the chain's authority
	tx.Upgrade
}

func (e Upgraded) event() abci.Event {
	return event(typeUpgrade, keyAccount, e.Account.String(),
		keyVersion, strconv.FormatUint(e.Version, 10), keyHeight, strconv.FormatInt(e.Height, 10))
}

func (r *attributes) upgraded() Upgraded {
	height, err := strconv.ParseInt(r.values[keyHeight], 10, 64)
	r.note(keyHeight, err)
	return Upgraded{Account: r.address(keyAccount), Upgrade: tx.Upgrade{Version: r.count(keyVersion), Height: height}}
}
