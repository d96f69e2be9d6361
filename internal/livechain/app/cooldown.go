package app

import (
	"bytes"
	"context"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"
)

const (
	// cooldownSlots is how many blocks a proposer waits before the next of its own,
	// on a chain of the policy PoOT that has enough others (docs/domain.md §4).
	cooldownSlots = 16
	// cooldownFrom is how many must be there for anybody to wait: with fewer, one may
	// have most of the power, and the rounds come to nobody else for long.
	cooldownFrom = 4
	// mostRefusals bounds what a height may lose: each is a round of about a second.
	mostRefusals = 2
)

// cooldown is what one node remembers of who made the last blocks. It is no part
// of the state: a refusal only has this node vote for no block in a round, and the
// next round has another proposer. So nodes may differ, as one does that has just
// started and refuses nobody. Only the consensus connection touches it.
type cooldown struct {
	proposers [][]byte // of the last blocks, the newest last
	height    int64    // that was refused last
	refusals  int      // of that height
}

// made notes who proposed a block that was decided.
func (c *cooldown) made(proposer []byte) {
	c.proposers = append(c.proposers, proposer)
	if extra := len(c.proposers) - cooldownSlots; extra > 0 {
		c.proposers = slices.Delete(c.proposers, 0, extra)
	}
}

// refuses reports whether a proposer should leave the block to another. Fewer than
// half of the validators that have just signed ever cool down, and no height is
// refused often: whoever is away, and however the rounds fall, the chain goes on.
func (c *cooldown) refuses(req *abci.RequestProcessProposal) bool {
	present := len(signers(req.ProposedLastCommit))
	if present < cooldownFrom {
		return false
	}
	slots := min(cooldownSlots, (present-1)/2, len(c.proposers))
	cooling := c.proposers[len(c.proposers)-slots:]
	if !slices.ContainsFunc(cooling, func(made []byte) bool { return bytes.Equal(made, req.ProposerAddress) }) {
		return false
	}
	if c.height != req.Height {
		c.height, c.refusals = req.Height, 0
	}
	c.refusals++
	return c.refusals <= mostRefusals
}

// ProcessProposal implements abci.Application. What a block may hold is not judged
// here: transactions that can't be carried out are refused one by one.
func (a *Application) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	chain, err := chainOf(committed{a.store})
	if err != nil {
		return nil, err
	}
	if chain.GetOperational() && a.cooldown.refuses(req) {
		return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}
