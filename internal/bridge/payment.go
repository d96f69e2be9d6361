// Package bridge is the one-way order book on which people get CNPY for what they
// hold on other chains (docs/domain.md §5). Sellers put CNPY into escrow and ask an
// amount of a counter asset at an address; a buyer's swap locks whole orders, best
// price first, and pays each of them on the counter chain; the payment, once it is
// final there, closes its order, which pays the CNPY out of the escrow.
//
// The counter chains are only ever looked at, through a [Witness]: the bridge holds
// no key and sends nothing.
package bridge

import (
	"context"
	"time"

	"github.com/lucid-blockchain/lucid/internal/money"
)

// Asset names a counter asset: one token on one chain.
type Asset struct {
	Network string // the chain's name here, in lower case, such as "ethereum" or "tron"
	Symbol  string // in upper case, such as "USDT"
}

// String writes "USDT on ethereum".
func (a Asset) String() string { return a.Symbol + " on " + a.Network }

// Block is a place on a counter chain.
type Block struct {
	Number uint64
	At     time.Time // what the block says of its time; never falls along a chain
}

// Payment is a transfer of a counter asset in a final block. TxHash and LogIndex
// name it for good on its chain: it is counted once, however often it is told.
type Payment struct {
	TxHash   string // as the chain's explorers write it
	LogIndex uint32 // tells apart the transfers of one transaction
	From, To string // normalised, as ParseAddress returns them
	// Amount counts 1e-6 units of the asset, floored, whatever its decimals are.
	// It is more than 0: what is finer is no payment.
	Amount money.Amount
	Block  uint64
	At     time.Time // of the block
}

// Witness looks at one counter asset. It may be used by several goroutines at once.
// Errors of the node are faults of kind Unavailable, without a word of the node's
// or of its URL.
type Witness interface {
	// Asset is what it looks at.
	Asset() Asset
	// ParseAddress checks an address of the asset's chain, checksum included, and
	// returns the one way in which it is written here. Its error finishes the
	// sentence "field …" and may be shown to the caller.
	ParseAddress(text string) (string, error)
	// Final returns the last block that has the confirmations asked for: neither it
	// nor one before it can change any more.
	Final(ctx context.Context) (Block, error)
	// Payments returns every transfer of the asset to one of the addresses in a slice
	// of the chain, in its order: the blocks after the first one given up to and
	// including the block returned, which is the second one given or one before it.
	// How large a slice is lies with the witness, which knows what its node bears; it
	// has one block at least. The blocks given are ones that Final or Payments has
	// returned, however far apart. A call that fails told nothing.
	Payments(ctx context.Context, to []string, after, until Block) ([]Payment, Block, error)
}
