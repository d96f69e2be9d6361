package client

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// TrustAgreed takes the header of TrustDocument's age from a node that one trusts,
// such as of one's own cluster, whoever the validators are by now. Of the others
// none that answers may have another block at its height.
func (c *Client) TrustAgreed(ctx context.Context, chainID string, period time.Duration, others ...*Client) (Trust, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if period == 0 {
		period = DefaultTrustPeriod
	}
	height, err := c.firstBlockSince(ctx, time.Now().Add(-period/2))
	if err != nil {
		return Trust{}, err
	}
	block, err := c.provider(chainID).LightBlock(ctx, height)
	if err != nil {
		return Trust{}, lightFault(err)
	}
	for _, other := range others {
		seen, err := other.rpc.Header(ctx, &height)
		if err != nil || seen.Header == nil {
			continue // it does not have that block
		}
		if !bytes.Equal(seen.Header.Hash(), block.Hash()) {
			return Trust{}, unproven(fmt.Errorf("the nodes have different blocks at height %d", height))
		}
	}
	return Trust{Height: height, Hash: block.Hash(), Period: period}, nil
}
