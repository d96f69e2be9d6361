package client

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// maxMembers is how many validators one answer of CometBFT's holds.
const maxMembers = 100

// Member is a validator who votes.
type Member struct {
	Key   ed25519.PublicKey
	Power int64
}

// Members lists the validators of the block of a height, 0 being the next one.
func (c *Client) Members(ctx context.Context, height int64) ([]Member, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	at := &height
	if height == 0 {
		at = nil
	}
	page, size := 1, maxMembers
	res, err := c.rpc.Validators(ctx, at, &page, &size)
	if err != nil {
		return nil, unreachable(err)
	}
	members := make([]Member, len(res.Validators))
	for i, v := range res.Validators {
		members[i] = Member{Key: v.PubKey.Bytes(), Power: v.VotingPower}
	}
	return members, nil
}

// SetPower has the chain's authority give a validator a power, 0 to take it out.
// It counts two blocks after the one that takes the transaction, and no block later
// than expires, to the second, takes it. Said again, it changes nothing.
func (c *Client) SetPower(ctx context.Context, authority ed25519.PrivateKey, chainID string, member Member, expires time.Time) error {
	_, err := c.Act(ctx, authority, tx.Body{
		ChainID: chainID, Expires: expires.Unix(), Message: tx.ValidatorUpdate{Key: member.Key, Power: member.Power},
	})
	return err
}
