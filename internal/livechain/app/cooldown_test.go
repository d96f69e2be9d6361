package app_test

import (
	"context"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"
)

// accepts asks whether a node would have a validator propose the next height, with
// those present that signed the last one.
func (c *chain) accepts(proposer byte, present ...byte) bool {
	address, commit := at(key(proposer)), signedBy(present...)
	commit.Votes = commit.Votes[1:] // without the stranger
	res, err := c.app.ProcessProposal(context.Background(), &abci.RequestProcessProposal{
		Height: c.height + 1, ProposerAddress: address[:], ProposedLastCommit: commit,
	})
	require.NoError(c.t, err)
	return res.Status == abci.ResponseProcessProposal_ACCEPT
}

// made commits a block of a proposer.
func (c *chain) made(proposer byte) {
	address := at(key(proposer))
	c.run(&abci.RequestFinalizeBlock{Height: c.height + 1, ProposerAddress: address[:]})
}

func TestProposersCoolDown(t *testing.T) {
	seven := []byte{50, 51, 52, 53, 54, 55, 56}
	for _, test := range []struct {
		why     string
		made    []byte
		by      byte
		present []byte
		want    bool
	}{
		{"nobody has made a block yet", nil, 50, seven, true},
		{"three of seven cool down", []byte{50, 51, 52}, 50, seven, false},
		{"the fourth last is free again", []byte{50, 51, 52, 53}, 50, seven, true},
		{"of four, one cools down", []byte{50, 51}, 51, seven[:4], false},
		{"and no more than one", []byte{50, 51}, 50, seven[:4], true},
		{"three are too few to wait for each other", []byte{50}, 50, seven[:3], true},
		{"who is alone never waits", []byte{50, 50, 50}, 50, seven[:1], true},
		{"nobody signs the block before the first", []byte{50}, 50, nil, true},
	} {
		c := working(t)
		for _, by := range test.made {
			c.made(by)
		}
		require.Equal(t, test.want, c.accepts(test.by, test.present...), test.why)
	}
}

func TestSixteenSlots(t *testing.T) {
	c := working(t)
	var many []byte
	for n := range byte(40) {
		many = append(many, 100+n)
	}
	for _, by := range many[:17] {
		c.made(by)
	}
	require.True(t, c.accepts(many[0], many...), "sixteen blocks of others lie between")
	require.False(t, c.accepts(many[1], many...))
}

// However the rounds fall, a height is not refused for ever: they may come to nobody
// else for long.
func TestCooldownEnds(t *testing.T) {
	c := working(t)
	c.made(50)
	present := []byte{50, 51, 52, 53}
	for range 2 {
		require.False(t, c.accepts(50, present...))
	}
	require.True(t, c.accepts(50, present...), "twice and no more")
	c.made(50)
	require.False(t, c.accepts(50, present...), "the next height is another matter")
}

// A node that was started again has forgotten, and stake waits for nobody.
func TestNoCooldownWithoutMemoryOrPolicy(t *testing.T) {
	c := working(t)
	c.made(50)
	c.reopen()
	require.True(t, c.accepts(50, 50, 51, 52, 53))
	stake := governed(t)
	stake.made(50)
	require.True(t, stake.accepts(50, 50, 51, 52, 53))
}
