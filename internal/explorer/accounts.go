package explorer

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Account is what an address holds after the block of a height.
type Account struct {
	app.Account
	ChainID uuid.UUID
	Network string
	Height  int64
	MinFee  money.Amount         // least fee of a transaction, by the last block
	Proof   *client.AccountProof // where it was asked for
}

// AccountQuery asks for an account.
type AccountQuery struct {
	Address livechain.Address
	Height  int64 // 0 means the last one
	Prove   bool
}

// Account asks the chain for an address, which need not have been used. A chain
// keeps the state of its last heights alone: NotFound for another one, and for a
// chain with an application of its own.
func (s *Service) Account(ctx context.Context, chain uuid.UUID, q AccountQuery) (Account, error) {
	l, err := s.reach(ctx, chain)
	if err != nil {
		return Account{}, err
	}
	info, err := l.client.InfoOf(ctx, l.network, l.genesisHash)
	if err != nil {
		return Account{}, err
	}
	found := Account{ChainID: l.id, Network: l.network, MinFee: info.MinFee}
	if !q.Prove {
		found.Account, found.Height, err = l.client.AccountAt(ctx, q.Address, q.Height)
		return found, err
	}
	proof, err := l.client.ProveAccount(ctx, q.Address, q.Height)
	if err != nil {
		return Account{}, err
	}
	found.Account, found.Height, found.Proof = proof.Account, proof.Height, &proof
	return found, nil
}

// Activity is what an address had to do with a transaction. The changes are
// without the network fee.
type Activity struct {
	Hash         string // 0x and lower-case hex
	Type         string // of the message
	Status       Status
	Reason       string // why it failed
	Height       int64
	At           time.Time // of the block
	CNPY         money.Amount
	Tokens       money.Amount
	Shares       money.Amount // of the pool's liquidity
	NetworkFee   money.Amount // tokens that the address paid as the signer
	Counterparty string       // the other address, where it is one; else empty
	Reference    string       // id of the session, payout, voucher or proposal; else empty
}

// History returns a page of an address's transactions, the newest first, and how
// many there are, up to the block that the indexer has read.
func (s *Service) History(ctx context.Context, chain uuid.UUID, address livechain.Address, page Page) ([]Activity, int64, error) {
	l, err := s.reach(ctx, chain)
	if err != nil {
		return nil, 0, err
	}
	q := s.Store.Queries()
	total, err := q.CountChainHistory(ctx, db.CountChainHistoryParams{ChainID: l.id, Address: address.String()})
	if err != nil {
		return nil, 0, fmt.Errorf("count the history of an address: %w", err)
	}
	rows, err := q.ListChainHistory(ctx, db.ListChainHistoryParams{
		ChainID: l.id, Address: address.String(), MaxRows: int32(page.Size), Skip: int32(page.skip()),
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the history of an address: %w", err)
	}
	all := make([]Activity, len(rows))
	for i, row := range rows {
		all[i] = activityOf(row)
	}
	return all, total, nil
}

func activityOf(row db.ChainHistory) Activity {
	a := Activity{
		Hash: row.TransactionHash, Type: row.TransactionType, Status: Confirmed, Height: row.BlockHeight, At: row.CreatedAt.UTC(),
		CNPY: money.Amount(row.CnpyChange), Tokens: money.Amount(row.TokenChange), Shares: money.Amount(row.ShareChange),
		NetworkFee: money.Amount(row.NetworkFee), Counterparty: row.Counterparty, Reference: row.Reference,
	}
	if code := app.Code(row.Code); code != app.CodeOK {
		a.Status, a.Reason = Failed, code.String()
	}
	return a
}
