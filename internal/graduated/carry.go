package graduated

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// carryAtOnce bounds one run of Carry; the next one takes the rest.
const carryAtOnce = 20

// Carrier brings pending vouchers onto their chains. Any number of processes may
// run one: the chain takes each voucher once.
type Carrier struct {
	Store *store.Store
	Now   func() time.Time // time.Now when nil
}

// Carry brings the pending vouchers of a live chain onto it, by its authority's
// key, and returns how many are pending yet: those that are on their way, and those
// that the chain refuses and whose transactions may still get into a block. An
// error says that the chain, or its proof, can't be had at present.
func (c *Carrier) Carry(ctx context.Context, chainID uuid.UUID, authority ed25519.PrivateKey) (left int, err error) {
	rows, err := c.Store.Queries().PendingVouchers(ctx, db.PendingVouchersParams{ChainID: chainID, MaxRows: carryAtOnce})
	if err != nil || len(rows) == 0 {
		return 0, wrap(err, "look for pending vouchers")
	}
	to, err := c.board(ctx, chainID, authority)
	if err != nil {
		return len(rows), err
	}
	left = len(rows)
	var failed []error
	for _, row := range rows {
		ended, err := c.bring(ctx, to, row)
		if ended && err == nil {
			left--
		}
		failed = append(failed, err)
		// One that is in trouble keeps no other back, but a chain that does not answer
		// answers none.
		if fault.Is(err, fault.Unavailable) || ctx.Err() != nil {
			break
		}
	}
	return left, errors.Join(failed...)
}

// vessel is a chain as its authority reaches it.
type vessel struct {
	client    *client.Client
	proven    *client.Light
	network   string
	authority ed25519.PrivateKey
}

func (c *Carrier) board(ctx context.Context, chainID uuid.UUID, authority ed25519.PrivateKey) (vessel, error) {
	q := c.Store.Queries()
	row, err := q.GetLiveChain(ctx, chainID)
	if err != nil {
		return vessel{}, fmt.Errorf("read the live chain: %w", err)
	}
	asked, err := reach(row)
	if err != nil {
		return vessel{}, err
	}
	cursor, err := q.GetGraduatedCursor(ctx, chainID)
	if err != nil && !store.NotFound(err) {
		return vessel{}, fmt.Errorf("read the cursor: %w", err)
	}
	proven, err := trusting(ctx, asked, *row.ChainID, *row.GenesisHash, position{cursor.Height, cursor.BlockHash})
	if err != nil {
		return vessel{}, err
	}
	return vessel{asked, proven, *row.ChainID, authority}, nil
}

// bring takes one voucher as far as it gets: settled once the chain is proven to
// have it, returned once it is proven that it never will, and else sent, unless one
// that was sent before may still get into a block.
func (c *Carrier) bring(ctx context.Context, to vessel, row db.Voucher) (ended bool, err error) {
	const looks = 2 // before sending and after
	for range looks {
		seen, err := to.proven.VoucherIn(ctx, row.ID)
		switch {
		case err != nil:
			return false, err
		case seen.Exists:
			return true, c.settle(ctx, row, seen)
		case row.ExpiresAt != nil && seen.Time.Unix() <= row.ExpiresAt.Unix():
			return false, nil
		case row.Reason != "":
			return true, c.giveBack(ctx, row)
		}
		if sent, err := c.send(ctx, to, &row); err != nil || !sent {
			return false, err
		}
	}
	return false, nil
}

func (c *Carrier) settle(ctx context.Context, row db.Voucher, seen client.Arrival) error {
	if int64(seen.Amount) != row.Amount || seen.Account.String() != row.Address {
		return fmt.Errorf("the chain has voucher %s with another amount or address", row.ID)
	}
	_, err := c.Store.Queries().SettleVoucher(ctx, db.SettleVoucherParams{
		ChainID: row.ChainID, ID: row.ID, Height: seen.Height, At: c.now(),
	})
	return wrap(err, "settle a voucher")
}

// send notes first until when the transaction may get into a block, so that a
// voucher is not given back under it, whoever dies meanwhile. It reports whether
// there is reason to look again now.
func (c *Carrier) send(ctx context.Context, to vessel, row *db.Voucher) (sent bool, err error) {
	address, err := livechain.ParseAddress(row.Address)
	if err != nil {
		return false, fmt.Errorf("read the address of voucher %s: %w", row.ID, err)
	}
	expires := c.now().Add(patience).Truncate(time.Second)
	noted, err := c.Store.Queries().AttemptVoucher(ctx, db.AttemptVoucherParams{ChainID: row.ChainID, ID: row.ID, ExpiresAt: expires})
	if err != nil || noted == 0 {
		return false, wrap(err, "note an attempt")
	}
	row.ExpiresAt = &expires
	handed, err := to.client.Act(ctx, to.authority, tx.Body{
		ChainID: to.network, Expires: expires.Unix(),
		Message: tx.VoucherIn{Transfer: row.ID, To: address, Amount: money.Amount(row.Amount)},
	})
	if err == nil {
		waiting, cancel := context.WithTimeout(ctx, client.DefaultTimeout)
		defer cancel()
		_, err = to.client.Await(waiting, handed)
	}
	return c.judge(ctx, *row, err)
}

// judge reads what came of a transaction. Only what the chain will refuse the next
// time as well ends a voucher; for all else it is sent again when this one is over.
func (c *Carrier) judge(ctx context.Context, row db.Voucher, outcome error) (lookAgain bool, err error) {
	code, refused := client.Refused(outcome)
	switch {
	case outcome == nil, code == app.CodeDone:
		return true, nil
	case refused && code == app.CodeSupply:
		err := c.Store.Queries().RefuseVoucher(ctx, db.RefuseVoucherParams{
			ChainID: row.ChainID, ID: row.ID, Reason: "The chain can't count so much CNPY",
		})
		return false, wrap(err, "note a refusal")
	case outpaced(outcome), errors.Is(outcome, client.ErrNotIncluded):
		return false, nil
	}
	return false, fmt.Errorf("carry voucher %s: %w", row.ID, outcome)
}

// giveBack pays a voucher back to its payer, if nothing was sent for it since row
// was read.
func (c *Carrier) giveBack(ctx context.Context, row db.Voucher) error {
	amount := money.Amount(row.Amount)
	err := c.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		ended, err := q.ReturnVoucher(ctx, db.ReturnVoucherParams{ChainID: row.ChainID, ID: row.ID, At: c.now(), Known: row.ExpiresAt})
		if err != nil || ended == 0 {
			return err
		}
		return ledger.Post(ctx, q, ledger.Journal{ID: row.JournalID, Kind: ledger.KindVoucher, Legs: []ledger.Leg{
			{Account: escrowOf(row.ChainID), Amount: -amount}, {Account: purseOf(*row.UserID), Amount: amount},
		}})
	})
	return wrap(err, "give a voucher back")
}

// Abandon gives back the vouchers of a chain that nothing was ever sent for, when
// nobody will carry them any more.
func (c *Carrier) Abandon(ctx context.Context, chainID uuid.UUID) error {
	rows, err := c.Store.Queries().PendingVouchers(ctx, db.PendingVouchersParams{ChainID: chainID, MaxRows: 1 << 20})
	if err != nil {
		return fmt.Errorf("look for pending vouchers: %w", err)
	}
	for _, row := range rows {
		if row.ExpiresAt != nil {
			continue // it may be on the chain: only its proof can tell
		}
		if err := c.giveBack(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

func (c *Carrier) now() time.Time {
	if c.Now == nil {
		return time.Now().UTC()
	}
	return c.Now().UTC()
}

func wrap(err error, doing string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
