package graduated

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// carryAtOnce bounds one run of Carry; the next one takes the rest. All wait for the
// same blocks, but each is proven by a question of its own, and a busy chain keeps the
// state of a height for some three seconds.
const carryAtOnce = 200

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
	// One more than goes at once tells that some are left.
	rows, err := c.Store.Queries().PendingVouchers(ctx, db.PendingVouchersParams{ChainID: chainID, MaxRows: carryAtOnce + 1})
	if err != nil || len(rows) == 0 {
		return 0, wrap(err, "look for pending vouchers")
	}
	to, err := c.board(ctx, chainID, authority)
	if err != nil {
		return len(rows), err
	}
	p := &passage{Carrier: c, vessel: to, chain: chainID}
	p.fail(p.run(ctx, p.load(rows[:min(len(rows), carryAtOnce)])))
	return len(rows) - p.ended, errors.Join(p.failed...)
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

// Abandon says that nobody runs a chain any more, so that nothing is taken for it, and
// gives back the vouchers that nothing was ever sent for. Once somebody runs it again
// it is as before.
func (c *Carrier) Abandon(ctx context.Context, chainID uuid.UUID) error {
	var rows []db.Voucher
	// In one transaction: a voucher that is taken at the same time comes before it and is
	// seen, or after it and is refused.
	err := c.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
		if err := q.ForgetLiveChain(ctx, chainID); err != nil {
			return err
		}
		rows, err = q.PendingVouchers(ctx, db.PendingVouchersParams{ChainID: chainID, MaxRows: 1 << 20})
		return err
	})
	if err != nil {
		return fmt.Errorf("give a live chain up: %w", err)
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
