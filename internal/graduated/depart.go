package graduated

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// trustFor is how long the validators of a header that was followed are believed:
// they are the platform's own, and none leaves with a stake.
const trustFor = 365 * 24 * time.Hour

// departed is CNPY that left a chain, and the block that holds it.
type departed struct {
	app.VoucheredOut
	hash   string
	height int64
	at     time.Time
}

func departuresOf(blocks []client.Block) []departed {
	var all []departed
	for _, block := range blocks {
		for _, done := range block.Done {
			if gone, is := done.Event.(app.VoucheredOut); is {
				all = append(all, departed{gone, client.ShownHash(done.Hash), block.Height, block.Time})
			}
		}
	}
	return all
}

// prove has CometBFT's light client verify the last of the blocks that are about to
// be stored, and with it all before it, from the last one that was; and holds what a
// node's events say has left the chain against the chain's state. So the stored
// cursor is always a block that the validators have signed, and may be begun from,
// and the ledger pays nothing that one node alone has said.
func (x *Indexer) prove(ctx context.Context, f *follower, asked *client.Client, last client.Block, gone []departed) error {
	verified, err := f.verifier(ctx, asked)
	if err != nil {
		return err
	}
	hash, err := verified.Block(ctx, last.Height)
	if err != nil {
		return err
	}
	if hash != last.Hash {
		return fmt.Errorf("the validators have signed block %s at height %d, not %s as the node says", hash, last.Height, last.Hash)
	}
	for _, d := range gone {
		seen, exists, err := verified.VoucherOut(ctx, d.ID)
		if err != nil {
			return err
		}
		if !exists || seen.Amount != d.Amount || seen.LedgerAccount != d.LedgerAccount || seen.Account != d.Account {
			return fmt.Errorf("block %d tells of a voucher %s that the chain's state does not have", d.height, d.ID)
		}
	}
	return nil
}

// verifier is the light client of a follower. It goes on from what it has verified; a
// new one begins where the stored cursor is not what this process wrote last, or after
// a failure.
func (f *follower) verifier(ctx context.Context, asked *client.Client) (_ *client.Light, err error) {
	if f.row.Network == nil {
		return nil, errors.New("the chain has graduated without an id")
	}
	if f.proven == nil {
		f.proven, err = trusting(ctx, asked, *f.row.Network, *f.row.GenesisHash, f.stored)
	}
	return f.proven, err
}

// trusting starts a light client from the block of a stored cursor, which was proven
// when it was stored, or from the genesis where there is none yet.
func trusting(ctx context.Context, asked *client.Client, network, genesisHash string, stored position) (*client.Light, error) {
	if stored.height > 0 {
		hash, err := hex.DecodeString(stored.hash)
		if err != nil {
			return nil, fmt.Errorf("read the hash of block %d: %w", stored.height, err)
		}
		return client.NewLight(ctx, network, client.Trust{Height: stored.height, Hash: hash, Period: trustFor}, asked)
	}
	trust, named, err := asked.TrustGenesis(ctx, genesisHash, trustFor)
	switch {
	case err != nil:
		return nil, err
	case named != network:
		return nil, fmt.Errorf("the genesis is of chain %q, not %q", named, network)
	}
	return client.NewLight(ctx, network, trust, asked)
}

// journalNamespace derives the journal of a voucher out: its id is the signer's
// choice, and may be any other journal's.
var journalNamespace = uuid.MustParse("5a0d3e6c-13f7-5f0b-8e52-0d4c9f7b2a61")

// payOut pays what has left a chain, in the transaction that moves its cursor. One
// that is known, because the blocks are read anew, is not paid again.
func (x *Indexer) payOut(ctx context.Context, q *db.Queries, chain uuid.UUID, gone []departed) error {
	for _, d := range gone {
		row := db.InsertVoucherParams{
			ChainID: chain, Direction: string(Outward), ID: d.ID, LedgerAccount: d.LedgerAccount, Address: d.Account.String(),
			JournalID: uuid.NewSHA1(journalNamespace, append(chain[:], d.ID[:]...)), Amount: int64(d.Amount),
			Status: string(VoucherSettled), BlockHeight: &d.height, TransactionHash: &d.hash, CreatedAt: d.at, SettledAt: new(x.Now().UTC()),
		}
		payee, err := payable(ctx, q, &row)
		if err != nil {
			return err
		}
		fresh, err := q.InsertVoucher(ctx, row)
		if err != nil {
			return fmt.Errorf("write voucher %s: %w", d.ID, err)
		}
		if fresh == 0 || row.Status != string(VoucherSettled) {
			continue
		}
		err = ledger.Post(ctx, q, ledger.Journal{ID: row.JournalID, Kind: ledger.KindVoucher, Legs: []ledger.Leg{
			{Account: escrowOf(chain), Amount: -d.Amount}, {Account: payee, Amount: d.Amount},
		}})
		if err != nil {
			return fmt.Errorf("pay voucher %s: %w", d.ID, err)
		}
	}
	return nil
}

// payable finds whom to pay. What can't be paid stays in escrow, with the reason.
func payable(ctx context.Context, q *db.Queries, row *db.InsertVoucherParams) (ledger.Account, error) {
	account, err := q.GetAccount(ctx, row.LedgerAccount)
	if store.NotFound(err) {
		account, err = db.Account{}, nil
	}
	if err != nil {
		return ledger.Account{}, fmt.Errorf("read the account of voucher %s: %w", row.ID, err)
	}
	if account.OwnerType != string(ledger.User) || account.Asset != ledger.CNPY {
		row.Status, row.Reason, row.SettledAt = string(VoucherUnclaimed), "The ledger has no such account of CNPY", nil
		return ledger.Account{}, nil
	}
	row.UserID = &account.OwnerID
	held, err := ledger.BalanceOf(ctx, q, escrowOf(row.ChainID))
	if err != nil {
		return ledger.Account{}, err
	}
	if int64(held) < row.Amount {
		row.Status, row.Reason, row.SettledAt = string(VoucherUnclaimed), "The chain's escrow does not cover it", nil
	}
	return purseOf(account.OwnerID), nil
}
