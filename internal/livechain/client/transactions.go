package client

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cometbft/cometbft/mempool"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// A transaction that waits for its block is looked for after askFirst, and then less
// and less often until it is every askAtLast: most are in the next block, which
// comes after 0.2 seconds.
const (
	askFirst  = 50 * time.Millisecond
	askAtLast = 200 * time.Millisecond
)

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

// The ways in which a transaction can end without a block. It has moved nothing
// then, and never will.
var (
	// ErrNotIncluded says that it expired.
	ErrNotIncluded = errors.New("the transaction expired before a block took it")
	// ErrSuperseded says that a block took another transaction with its nonce.
	ErrSuperseded = errors.New("another transaction of the account has used the nonce")
)

// Included is a transaction in a block.
type Included struct {
	Hash   string // upper-case hex, as CometBFT writes it
	Height int64
	Event  app.Event // what it did
}

// HashOf is how the chain calls a signed transaction: the SHA-256 of its bytes
// in upper-case hex.
func HashOf(raw []byte) string { return strings.ToUpper(hex.EncodeToString(types.Tx(raw).Hash())) }

// ShownHash writes a hash of CometBFT's as all hashes of the platform are written.
func ShownHash(hash string) string { return "0x" + strings.ToLower(hash) }

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
func (c *Client) Find(ctx context.Context, hash string) (included Included, found bool, err error) {
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
	included = Included{Hash: res.Hash.String(), Height: res.Height}
	if res.TxResult.Code != uint32(app.CodeOK) {
		return included, true, refused(app.Code(res.TxResult.Code))
	}
	if included.Event, err = app.Outcome(&res.TxResult); err != nil {
		return included, true, fmt.Errorf("transaction %s: %w", hash, err)
	}
	return included, true, nil
}

// Sent is a transaction that a mempool has taken.
type Sent struct {
	Hash    string    // upper-case hex
	Expires time.Time // by the chain's clock no block takes it later; zero for never
	// Since is a height at which the sender's nonce was unused yet; 0 when none is
	// known.
	Since  int64
	Sender livechain.Address
	Nonce  uint64
}

// Act signs a body with the next nonce of the key's account, salts it and hands it
// to the mempool. The errors are Submit's. Of two that act for one account at once
// one may be refused for its nonce, here or by Await: it can act again.
func (c *Client) Act(ctx context.Context, key ed25519.PrivateKey, body tx.Body) (Sent, error) {
	series, err := c.Series(ctx, key)
	if err != nil {
		return Sent{}, err
	}
	return series.Act(ctx, body)
}

// Await waits until a block holds the transaction. ErrNotIncluded once it has
// expired, ErrSuperseded once its nonce is used otherwise. When ctx ends first, the
// chain's last failure to answer or ctx's own is returned, and the transaction may
// still get into a block.
func (c *Client) Await(ctx context.Context, sent Sent) (Included, error) {
	pause, over := askFirst, error(nil)
	for round := 1; ; round++ {
		included, found, err := c.Find(ctx, sent.Hash)
		switch {
		case found:
			return included, err
		case over != nil && err == nil:
			return Included{}, over
		case ctx.Err() != nil:
			return Included{}, unreachable(errors.Join(ctx.Err(), err))
		}
		// Once it is over the transaction is looked for once more: the block may
		// have come in between.
		over = c.isOver(ctx, sent, round)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			pause = min(pause*3/2, askAtLast)
		}
	}
}

// isOver returns how the transaction ended, if it did. Most are in the next block,
// so the nonce is looked at only now and then.
func (c *Client) isOver(ctx context.Context, sent Sent, round int) error {
	const often = 4
	switch {
	case c.isPast(ctx, sent.Expires):
		return ErrNotIncluded
	case sent.Since > 0 && round%often == 0 && c.isSuperseded(ctx, sent):
		return ErrSuperseded
	}
	return nil
}

// isSuperseded is sure of it: the nonce is used, and no block has the transaction.
// The blocks themselves are asked, for the index of transactions lags behind them,
// and nodes behind each other.
func (c *Client) isSuperseded(ctx context.Context, sent Sent) bool {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var account app.Account
	height, err := c.queryAt(ctx, "/account/"+sent.Sender.String(), &account)
	if err != nil || account.Nonce <= sent.Nonce {
		return false
	}
	for at := sent.Since + 1; at <= height; at++ {
		block, err := c.rpc.Block(ctx, &at)
		if err != nil || slices.ContainsFunc(block.Block.Txs, func(raw types.Tx) bool { return HashOf(raw) == sent.Hash }) {
			return false
		}
	}
	return true
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
