package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cometbft/cometbft/mempool"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
)

// askEvery is how often a transaction that waits for its block is looked for:
// a block that has something to hold comes after 0.2 seconds.
const askEvery = 50 * time.Millisecond

// RefusedError is why the chain did not carry a transaction out. It is the cause of
// the fault that tells so.
type RefusedError struct{ Code app.Code }

// Error implements error.
func (r *RefusedError) Error() string { return "the chain's code " + r.Code.String() }

// Refused returns the chain's reason, if err is a refusal of the chain.
func Refused(err error) (app.Code, bool) {
	var refusal *RefusedError
	if errors.As(err, &refusal) {
		return refusal.Code, true
	}
	return app.CodeOK, false
}

func refused(code app.Code) error {
	return fault.New(fault.Unprocessable, "The chain refused the transaction: %s", code).Because(&RefusedError{Code: code})
}

// ErrNotIncluded says that a transaction has expired and is in no block: it has
// moved nothing and never will.
var ErrNotIncluded = errors.New("the transaction expired before a block took it")

// Included is a transaction in a block.
type Included struct {
	Hash   string // upper-case hex, as CometBFT writes it
	Height int64
	Event  app.Event // what it did
}

// HashOf is how the chain calls a signed transaction: the SHA-256 of its bytes
// in upper-case hex.
func HashOf(raw []byte) string { return strings.ToUpper(hex.EncodeToString(types.Tx(raw).Hash())) }

// Submit hands a signed transaction to the mempool and returns its hash in
// upper-case hex. Handing it over again changes nothing. Unprocessable, with the
// reason (see Refused), when the chain refuses it.
func (c *Client) Submit(ctx context.Context, raw []byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.rpc.BroadcastTxSync(ctx, raw)
	switch {
	case saysRPC(err, mempool.ErrTxInCache.Error()):
		return HashOf(raw), nil
	case err != nil:
		return "", unreachable(err)
	case res.Code != uint32(app.CodeOK):
		return "", refused(app.Code(res.Code))
	}
	return res.Hash.String(), nil
}

// Find looks for a transaction in the chain's blocks; found is false when no
// block has it. Unprocessable, with the reason, when a block has it and its
// message failed.
func (c *Client) Find(ctx context.Context, hash string) (tx Included, found bool, err error) {
	digest, err := hex.DecodeString(hash)
	if err != nil {
		return Included{}, false, fault.New(fault.Invalid, "A transaction's hash is written in hex").Because(err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.rpc.Tx(ctx, digest, false)
	if saysRPC(err, "not found") {
		return Included{}, false, nil
	}
	if err != nil {
		return Included{}, false, unreachable(err)
	}
	tx = Included{Hash: res.Hash.String(), Height: res.Height}
	if res.TxResult.Code != uint32(app.CodeOK) {
		return tx, true, refused(app.Code(res.TxResult.Code))
	}
	if tx.Event, err = app.Outcome(&res.TxResult); err != nil {
		return tx, true, fmt.Errorf("transaction %s: %w", hash, err)
	}
	return tx, true, nil
}

// Await waits until a block holds the transaction. ErrNotIncluded once it has
// expired by the chain's clock (expires is zero for one that never does). When
// ctx ends first, the chain's last failure to answer or ctx's own is returned,
// and the transaction may still get into a block.
func (c *Client) Await(ctx context.Context, hash string, expires time.Time) (Included, error) {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	over := false
	for {
		tx, found, err := c.Find(ctx, hash)
		switch {
		case found:
			return tx, err
		case over && err == nil:
			return Included{}, ErrNotIncluded
		case ctx.Err() != nil:
			return Included{}, unreachable(errors.Join(ctx.Err(), err))
		}
		// Expired by the chain's clock, it is looked for once more: the block
		// may have come in between.
		over = c.isPast(ctx, expires)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// isPast asks the chain for its time only when there is reason to.
func (c *Client) isPast(ctx context.Context, moment time.Time) bool {
	if moment.IsZero() || time.Now().Before(moment) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	seen, err := c.rpc.Status(ctx)
	return err == nil && seen.SyncInfo.LatestBlockTime.Unix() > moment.Unix()
}

// saysRPC reports an answer of the node, not of the network, with these words:
// CometBFT's RPC has no codes for them.
func saysRPC(err error, words string) bool {
	var answer *rpctypes.RPCError
	return errors.As(err, &answer) && strings.Contains(answer.Data, words)
}
