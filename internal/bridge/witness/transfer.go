package witness

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
)

// transferTopic is the event Transfer(address indexed from, address indexed to,
// uint256 value) of EIP-20, which TRC-20 took over.
var transferTopic = crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)"))

// decimalsSelector calls decimals() of EIP-20.
var decimalsSelector = crypto.Keccak256([]byte("decimals()"))[:4]

// entry is one log entry, from whichever kind of chain.
type entry struct {
	address common.Address
	topics  []common.Hash
	data    []byte
}

// transfer reads a log entry of the token. It reports false for any other event,
// such as the Transfer of an ERC-721, whose value is a fourth topic, and for what
// is no amount. Topics that hold more than an address are no Transfer either.
func (t *token) transfer(e entry) (bridge.Payment, bool) {
	if e.address != t.contract || len(e.topics) != 3 || e.topics[0] != transferTopic || len(e.data) != common.HashLength {
		return bridge.Payment{}, false
	}
	from, to := common.BytesToAddress(e.topics[1][:]), common.BytesToAddress(e.topics[2][:])
	if common.BytesToHash(from[:]) != e.topics[1] || common.BytesToHash(to[:]) != e.topics[2] {
		return bridge.Payment{}, false
	}
	amount, ok := t.asset.Amount(new(big.Int).SetBytes(e.data))
	return bridge.Payment{
		From:   counterchain.FormatAddress(t.asset.Kind, from),
		To:     counterchain.FormatAddress(t.asset.Kind, to),
		Amount: amount,
	}, ok
}

// maxPayments is how many payments a slice should have at most: they are written in
// one transaction.
const maxPayments = 200

// bounded cuts sorted payments, found in the blocks up to last, to those of the first
// blocks, and says up to which block nothing was cut off. A block is taken whole or
// not at all, and the first one that has payments in any case.
func bounded(list []bridge.Payment, last uint64) ([]bridge.Payment, uint64) {
	if len(list) <= maxPayments {
		return list, last
	}
	edge := list[maxPayments].Block
	if edge == list[0].Block {
		edge++
	}
	cut := slices.IndexFunc(list, func(p bridge.Payment) bool { return p.Block >= edge })
	if cut < 0 {
		return list, last
	}
	return list[:cut], list[cut].Block - 1
}

// sortPayments puts them into the chain's order and drops repetitions, which come
// of addresses that were asked for twice.
func sortPayments(list []bridge.Payment) []bridge.Payment {
	slices.SortFunc(list, comparePayments)
	return slices.CompactFunc(list, func(a, b bridge.Payment) bool { return comparePayments(a, b) == 0 })
}

func comparePayments(a, b bridge.Payment) int {
	return cmp.Or(cmp.Compare(a.Block, b.Block), cmp.Compare(a.LogIndex, b.LogIndex), cmp.Compare(a.TxHash, b.TxHash))
}
