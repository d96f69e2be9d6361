// Package bridgetest has a counter chain in memory, for tests of what the bridge
// does with payments. Real chains are looked at by internal/bridge/witness.
package bridgetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Chain is a counter chain with one asset; every block on it is final. Addresses
// are "0x" and anything after it, in lower case. It is a bridge.Witness.
type Chain struct {
	asset bridge.Asset

	mu       sync.Mutex
	final    bridge.Block
	payments []bridge.Payment
	failure  error
	gate     func() // called by Payments before it answers
	at       map[uint64]time.Time
	span     uint64 // how many blocks Payments reads at once
}

var _ bridge.Witness = (*Chain)(nil)

// NewChain makes a chain whose only block is of the given time.
func NewChain(asset bridge.Asset, at time.Time) *Chain {
	return &Chain{asset: asset, final: bridge.Block{Number: 1, At: at}, at: map[uint64]time.Time{1: at}, span: math.MaxUint64}
}

// Mine adds a block of that time, which holds the payments; their block, time and,
// where they have none, hash are filled in.
func (c *Chain) Mine(at time.Time, payments ...bridge.Payment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.final = bridge.Block{Number: c.final.Number + 1, At: at}
	c.at[c.final.Number] = at
	for i, p := range payments {
		p.Block, p.At = c.final.Number, at
		if p.TxHash == "" {
			p.TxHash = fmt.Sprintf("0x%064x", c.final.Number)
			p.LogIndex = uint32(i)
		}
		c.payments = append(c.payments, p)
	}
}

// Pay mines a block with one payment.
func (c *Chain) Pay(at time.Time, to string, amount money.Amount) {
	c.Mine(at, bridge.Payment{From: "0xbuyer", To: to, Amount: amount})
}

// Insert puts a payment into a block that there is already, of which nobody has read
// the payments.
func (c *Chain) Insert(block uint64, to string, amount money.Amount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.payments = append(c.payments, bridge.Payment{
		TxHash: fmt.Sprintf("0x%064x", len(c.payments)+1<<32), From: "0xbuyer", To: to, Amount: amount, Block: block, At: c.at[block],
	})
}

// Fail makes every look fail with err, until it is nil.
func (c *Chain) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
}

// Slice has Payments read no more than so many blocks at once.
func (c *Chain) Slice(blocks uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.span = blocks
}

// Gate has a function called in every Payments, before the answer.
func (c *Chain) Gate(gate func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gate = gate
}

// Asset implements bridge.Witness.
func (c *Chain) Asset() bridge.Asset { return c.asset }

// ParseAddress implements bridge.Witness.
func (c *Chain) ParseAddress(text string) (string, error) {
	if !strings.HasPrefix(text, "0x") || len(text) == len("0x") {
		return "", errors.New("must be an address that begins with 0x")
	}
	return strings.ToLower(text), nil
}

// Final implements bridge.Witness.
func (c *Chain) Final(context.Context) (bridge.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.final, c.failure
}

// Payments implements bridge.Witness.
func (c *Chain) Payments(_ context.Context, to []string, after, until bridge.Block) ([]bridge.Payment, bridge.Block, error) {
	c.mu.Lock()
	gate := c.gate
	c.mu.Unlock()
	if gate != nil {
		gate()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		return nil, bridge.Block{}, c.failure
	}
	if until.Number-after.Number > c.span {
		number := after.Number + c.span
		until = bridge.Block{Number: number, At: c.at[number]}
	}
	var found []bridge.Payment
	for _, p := range c.payments {
		if p.Block > after.Number && p.Block <= until.Number && slices.Contains(to, p.To) {
			found = append(found, p)
		}
	}
	return found, until, nil
}
