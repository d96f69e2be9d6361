package witness

import (
	"context"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"sync"
	"time"

	ethereum "github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
)

const (
	// maxSpan is how many blocks are asked for at once; nodes that bear less get less.
	maxSpan = 2000
	// maxTopics is how many addresses go into one question.
	maxTopics = 200
	// codeReverted is JSON-RPC's code of a call that the contract reverted.
	codeReverted = 3
)

// evm looks at an ERC-20 token.
type evm struct {
	*token
	node *ethclient.Client

	mu   sync.Mutex
	span uint64 // how many blocks the node bore lately; it limits them, or its answers, or its time
}

// block is what is read of a block. The hash is the node's: chains whose headers
// have more fields than Ethereum's can't be hashed here.
type block struct {
	Number hexutil.Uint64 `json:"number"`
	Hash   common.Hash    `json:"hash"`
	Time   hexutil.Uint64 `json:"timestamp"`
}

func (b block) at() time.Time { return time.Unix(int64(b.Time), 0).UTC() }

func newEVM(t *token, endpoint Endpoint) (*evm, error) {
	client, err := rpc.DialOptions(context.Background(), endpoint.URL, rpc.WithHTTPClient(newHTTPClient(http.DefaultTransport)))
	if err != nil {
		return nil, plain(err)
	}
	return &evm{token: t, node: ethclient.NewClient(client), span: maxSpan}, nil
}

// Final implements bridge.Witness.
func (w *evm) Final(ctx context.Context) (bridge.Block, error) {
	final, err := w.final(ctx)
	if err != nil {
		return bridge.Block{}, w.unavailable(err)
	}
	return bridge.Block{Number: uint64(final.Number), At: final.at()}, nil
}

func (w *evm) final(ctx context.Context) (block, error) {
	if err := w.check(ctx, w.chainID, w.decimals); err != nil {
		return block{}, err
	}
	switch w.asset.Finality {
	case counterchain.BySafe:
		return w.block(ctx, rpc.SafeBlockNumber)
	case counterchain.ByFinalized:
		return w.block(ctx, rpc.FinalizedBlockNumber)
	}
	head, err := w.block(ctx, rpc.LatestBlockNumber)
	if err != nil {
		return block{}, err
	}
	return w.block(ctx, rpc.BlockNumber(w.deepest(uint64(head.Number))))
}

// Payments implements bridge.Witness.
func (w *evm) Payments(ctx context.Context, to []string, after, until bridge.Block) ([]bridge.Payment, bridge.Block, error) {
	payments, reached, err := w.payments(ctx, to, after.Number+1, until)
	return payments, reached, w.unavailable(err)
}

func (w *evm) payments(ctx context.Context, to []string, from uint64, until bridge.Block) ([]bridge.Payment, bridge.Block, error) {
	if err := w.check(ctx, w.chainID, w.decimals); err != nil {
		return nil, bridge.Block{}, err
	}
	addresses, err := w.addresses(to)
	if err != nil || len(addresses) == 0 || from > until.Number {
		return nil, until, err
	}
	logs, last, err := w.slice(ctx, addresses, from, until.Number)
	if err != nil {
		return nil, bridge.Block{}, err
	}
	payments, last, err := w.read(ctx, logs, from, last)
	if err != nil || last == until.Number {
		return payments, until, err
	}
	reached, err := w.block(ctx, rpc.BlockNumber(last))
	return payments, bridge.Block{Number: last, At: reached.at()}, err
}

// slice asks for the transfers to all of the addresses in as many blocks as the node
// bears, and returns up to which block that was.
func (w *evm) slice(ctx context.Context, to []common.Address, from, until uint64) ([]types.Log, uint64, error) {
	span := w.currentSpan()
	last := min(until, from+span-1)
	var logs []types.Log
	for part := range slices.Chunk(to, maxTopics) {
		found, reached, err := w.logs(ctx, part, from, last)
		if err != nil {
			return nil, 0, err
		}
		logs, last = append(logs, found...), reached
	}
	if w.currentSpan() == span {
		w.grow(span)
	}
	// What an earlier question found behind the end of a later one is asked for again.
	logs = slices.DeleteFunc(logs, func(l types.Log) bool { return l.BlockNumber > last && l.BlockNumber <= until })
	return logs, last, nil
}

// logs asks for transfers in the blocks up to last, or in fewer where the node
// refuses so many.
func (w *evm) logs(ctx context.Context, to []common.Address, from, last uint64) ([]types.Log, uint64, error) {
	topics := make([]common.Hash, len(to))
	for i, address := range to {
		topics[i] = common.BytesToHash(address[:])
	}
	for {
		found, err := w.node.FilterLogs(ctx, ethereum.FilterQuery{
			FromBlock: new(big.Int).SetUint64(from), ToBlock: new(big.Int).SetUint64(last),
			Addresses: []common.Address{w.contract}, Topics: [][]common.Hash{{transferTopic}, nil, topics},
		})
		if err = plain(err); err == nil {
			return found, last, nil
		}
		if !w.shrink(err, last-from+1) || ctx.Err() != nil {
			return nil, 0, err
		}
		last = min(last, from+w.currentSpan()-1)
	}
}

func (w *evm) currentSpan() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.span
}

// shrink halves the span when the node refused a range or did not get through with
// it. Providers limit blocks, results or time, each in its own words and codes, so
// any refusal is taken for that; one block that is refused is an error.
func (w *evm) shrink(err error, asked uint64) bool {
	if asked == 1 || !isRefusal(err) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.span = asked / 2
	return true
}

func isRefusal(err error) bool {
	var refused *codeError
	var status *statusError
	if errors.As(err, &status) {
		switch status.status {
		case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
			return true
		}
		return status.status >= http.StatusInternalServerError
	}
	return errors.As(err, &refused) || errors.Is(err, errTooSlow) || errors.Is(err, errTooLarge)
}

// grow feels its way back up in small steps, so that few questions are refused.
func (w *evm) grow(span uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.span = min(maxSpan, span+span/8+1)
}

// read turns logs into payments, each with the time of its block. It says up to which
// block it read: each block that holds a payment is a question of its own, and so
// there is a bound to them.
func (w *evm) read(ctx context.Context, logs []types.Log, from, last uint64) ([]bridge.Payment, uint64, error) {
	var payments []bridge.Payment
	hashes := map[uint64]common.Hash{}
	for _, log := range logs {
		payment, ok := w.transfer(entry{address: log.Address, topics: log.Topics, data: log.Data})
		if !ok || log.Removed {
			continue
		}
		if log.BlockNumber < from || log.BlockNumber > last {
			return nil, 0, errUnreadable // not what was asked for
		}
		if hash, known := hashes[log.BlockNumber]; known && hash != log.BlockHash {
			return nil, 0, ErrReorganised
		}
		hashes[log.BlockNumber] = log.BlockHash
		payment.TxHash, payment.LogIndex, payment.Block = log.TxHash.Hex(), uint32(log.Index), log.BlockNumber
		payments = append(payments, payment)
	}
	payments, last = bounded(sortPayments(payments), last)
	return payments, last, w.date(ctx, payments, hashes)
}

// date gives each payment the time of its block, which must still be the one that the
// log was found in.
func (w *evm) date(ctx context.Context, payments []bridge.Payment, hashes map[uint64]common.Hash) error {
	var at time.Time
	for i, payment := range payments {
		if i == 0 || payments[i-1].Block != payment.Block {
			found, err := w.block(ctx, rpc.BlockNumber(payment.Block))
			if err != nil {
				return err
			}
			if found.Hash != hashes[payment.Block] {
				return ErrReorganised
			}
			at = found.at()
		}
		payments[i].At = at
	}
	return nil
}

// block asks for a block without its transactions.
func (w *evm) block(ctx context.Context, number rpc.BlockNumber) (block, error) {
	var found *block
	if err := w.node.Client().CallContext(ctx, &found, "eth_getBlockByNumber", number, false); err != nil {
		return block{}, plain(err)
	}
	// null: the node does not have it, though it or its neighbour just said so.
	if found == nil || (number >= 0 && int64(found.Number) != number.Int64()) {
		return block{}, errUnreadable
	}
	return *found, nil
}

func (w *evm) chainID(ctx context.Context) (uint64, error) {
	id, err := w.node.ChainID(ctx)
	if err != nil {
		return 0, plain(err)
	}
	if !id.IsUint64() {
		return 0, ErrWrongChain
	}
	return id.Uint64(), nil
}

func (w *evm) decimals(ctx context.Context) (uint64, error) {
	answer, err := w.node.CallContract(ctx, ethereum.CallMsg{To: &w.contract, Data: decimalsSelector}, nil)
	var refused *codeError
	switch err = plain(err); {
	case errors.As(err, &refused) && refused.code == codeReverted:
		return 0, ErrWrongToken
	case err != nil:
		return 0, err
	}
	return word(answer)
}

// word reads a uint256 that a contract returned and that must be small.
func word(raw []byte) (uint64, error) {
	value := new(big.Int).SetBytes(raw)
	if len(raw) != common.HashLength || !value.IsUint64() {
		return 0, ErrWrongToken
	}
	return value.Uint64(), nil
}
