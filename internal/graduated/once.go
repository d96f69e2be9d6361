package graduated

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// once carries an order out at most once under its caller's key, however often it is
// asked for, and whichever process dies meanwhile: its transaction is written down
// before the chain gets it, and stands for the order until it is certain that no
// block will ever have it.
func (e errand) once(ctx context.Context) (Receipt, error) {
	var own []byte
	for {
		known, err := e.recall(ctx)
		if err != nil {
			return Receipt{}, err
		}
		if known.raw != nil {
			receipt, err := e.pursue(ctx, known)
			if late := e.onTime(e.order); late != nil && over(err) {
				return Receipt{}, late // nothing came of it, and nothing will
			}
			if !over(err) || !e.again(ctx) {
				receipt.Replayed = !bytes.Equal(known.raw, own)
				return receipt, e.explain(err)
			}
		}
		if own, err = e.remember(ctx, known.raw); err != nil {
			return Receipt{}, e.explain(err)
		}
	}
}

// recall finds the transaction of an earlier request with the same key, if there is
// one. The key of another order is a Conflict.
func (e errand) recall(ctx context.Context) (transaction, error) {
	row, err := e.Store.Queries().GetGraduatedOrder(ctx, db.GetGraduatedOrderParams{
		UserID: e.by.Caller, IdempotencyKey: e.order.IdempotencyKey,
	})
	switch {
	case store.NotFound(err):
		return transaction{}, nil
	case err != nil:
		return transaction{}, fmt.Errorf("look for the key: %w", err)
	case !bytes.Equal(row.RequestHash, e.fingerprint()):
		return transaction{}, fault.New(fault.Conflict, "The Idempotency-Key was used for another request")
	}
	return transactionOf(row.SignedTransaction, row.SinceHeight)
}

// remember signs a transaction and writes it down, in the place of the one that is
// over if there was one. Where another process was faster its own stays, and what is
// signed here is never sent.
func (e errand) remember(ctx context.Context, last []byte) (own []byte, err error) {
	if err := e.onTime(e.order); err != nil {
		return nil, err
	}
	made, err := e.sign(ctx)
	if err != nil {
		return nil, err
	}
	if last == nil {
		err = e.Store.Queries().InsertGraduatedOrder(ctx, db.InsertGraduatedOrderParams{
			UserID: e.by.Caller, IdempotencyKey: e.order.IdempotencyKey, RequestHash: e.fingerprint(), PoolID: e.poolID,
			SignedTransaction: made.raw, SinceHeight: made.Since, CreatedAt: e.now().UTC(),
		})
	} else {
		err = e.Store.Queries().ReplaceGraduatedOrder(ctx, db.ReplaceGraduatedOrderParams{
			UserID: e.by.Caller, IdempotencyKey: e.order.IdempotencyKey, SignedTransaction: made.raw, SinceHeight: made.Since, Over: last,
		})
	}
	return made.raw, wrap(err, "write the order's transaction down")
}

// pursue brings a transaction that is written down into a block, or finds out that
// none will ever have it.
func (e errand) pursue(ctx context.Context, known transaction) (Receipt, error) {
	err := e.hand(ctx, known)
	code, refused := client.Refused(err)
	// A nonce that is used may be used by this very transaction, which another process
	// has handed over. What was signed elsewhere is not signed anew, whatever the answer.
	ours := len(e.by.Signed) == 0
	unsure := refused && ours && (code == app.CodeStaleNonce || code == app.CodeExpired)
	if err != nil && !unsure {
		return Receipt{}, err
	}
	receipt, err := e.settle(ctx, known)
	if ours && errors.Is(err, client.ErrNotIncluded) {
		return Receipt{}, e.missed(ctx, known, err)
	}
	return receipt, err
}

// over reports that a transaction has not happened and never will.
func over(err error) bool {
	code, _ := client.Refused(err)
	return outpaced(err) || code == app.CodeExpired || errors.Is(err, client.ErrNotIncluded)
}

// missed makes sure that an expired transaction is in no block that it could have got
// into: the index by which it was looked for lags behind the blocks.
func (e errand) missed(ctx context.Context, known transaction, expired error) error {
	for from := known.Since + 1; ; {
		blocks, err := e.client.Blocks(ctx, from, math.MaxInt64)
		if err != nil {
			return known.untold(err)
		}
		for _, b := range blocks {
			if b.Time.Unix() > known.Expires.Unix() {
				return expired
			}
			for _, done := range b.Done {
				if done.Hash == known.Hash {
					return known.untold(errors.New("the index of transactions is behind the blocks"))
				}
			}
		}
		from += int64(len(blocks))
	}
}

func (made transaction) untold(cause error) error {
	return fault.New(fault.Unavailable, "What became of transaction %s can't be told at present; ask again with the same Idempotency-Key",
		client.ShownHash(made.Hash)).Because(cause)
}

// fingerprint tells one order from another under the same key. It has no password in
// it: who repeats an order may have changed that, and it is not to be guessed from here.
func (e errand) fingerprint() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "lucid graduated order 1\n%s\n%q\n", e.poolID, e.order.terms())
	if !e.order.Deadline.IsZero() {
		fmt.Fprintf(h, "until %s\n", e.order.Deadline.UTC().Format(time.RFC3339Nano))
	}
	if e.by.WalletID != nil {
		fmt.Fprintf(h, "by wallet %s\n", e.by.WalletID)
	}
	if e.by.Treasury {
		fmt.Fprintln(h, "by the treasury")
	}
	if len(e.by.Signed) > 0 {
		fmt.Fprintf(h, "signed %s\n", client.HashOf(e.by.Signed))
	}
	return h.Sum(nil)
}

// terms are what an order's message says.
func (o Order) terms() string {
	switch m := o.Message.(type) {
	case tx.Swap:
		return fmt.Sprint("swap ", m.Sell, " ", m.AmountIn, " ", m.MinOut)
	case tx.Deposit:
		return fmt.Sprint("deposit ", m.CNPY, " ", m.Tokens, " ", m.MinShares)
	case tx.Withdrawal:
		return fmt.Sprint("withdrawal ", m.Percent, " ", m.MinCNPY, " ", m.MinTokens)
	}
	return fmt.Sprintf("%T %v", o.Message, o.Message)
}
