package graduated

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// part is what one address had to do with one transaction.
type part struct {
	address      livechain.Address
	hash, kind   string
	code         app.Code
	change       holding
	fee          money.Amount // of the network, which the signer paid in tokens
	counterparty string
	reference    string // id of the session, payout, voucher or proposal
	height       int64
	index        int
	at           time.Time
}

// holding is what an address has more than before, or less.
type holding struct{ cnpy, tokens, shares money.Amount }

func of(asset tx.Asset, amount money.Amount) holding {
	if asset == tx.Token {
		return holding{tokens: amount}
	}
	return holding{cnpy: amount}
}

func (h holding) plus(other holding) holding {
	return holding{h.cnpy + other.cnpy, h.tokens + other.tokens, h.shares + other.shares}
}

// historyOf tells of each transaction what its addresses had to do with it, and of
// one that failed what it cost its signer.
func historyOf(blocks []client.Block) []part {
	var all []part
	for _, block := range blocks {
		for _, done := range block.Done {
			first := part{hash: client.ShownHash(done.Hash), kind: tx.Name(done.Tx.Message), height: block.Height, index: done.Index, at: block.Time}
			all = append(all, partsOf(first, done.Tx, done.Event)...)
		}
		for _, failed := range block.Failed {
			fee, change := cost(failed.Tx)
			all = append(all, part{
				address: failed.Tx.Sender(), hash: client.ShownHash(failed.Hash), kind: tx.Name(failed.Tx.Message), code: failed.Code,
				change: change, fee: fee, height: block.Height, index: failed.Index, at: block.Time,
			})
		}
	}
	return all
}

// cost is what a transaction takes from its signer whatever comes of it. A fee in
// CNPY is no other than what the account has less.
func cost(signed *tx.Tx) (fee money.Amount, change holding) {
	if signed.FeeIn() == tx.CNPY {
		return 0, holding{cnpy: -signed.Fee}
	}
	return signed.Fee, holding{}
}

// partsOf makes one part of each address: who pays themselves has one. The signer
// comes first.
func partsOf(first part, signed *tx.Tx, event app.Event) []part {
	change, reference, others := movesOf(event)
	first.reference = reference
	signer := first
	fee, less := cost(signed)
	signer.address, signer.change, signer.fee = signed.Sender(), change.plus(less), fee
	parts := []part{signer}
	at := map[livechain.Address]int{signer.address: 0}
	for _, m := range others {
		i, known := at[m.to]
		if !known {
			i = len(parts)
			at[m.to] = i
			other := first
			other.address, other.counterparty = m.to, signer.address.String()
			parts = append(parts, other)
		}
		parts[i].change = parts[i].change.plus(m.what)
	}
	if len(others) == 1 {
		parts[0].counterparty = others[0].to.String()
	}
	return parts
}

// moved is what came to an address that did not sign, or may not have.
type moved struct {
	to   livechain.Address
	what holding
}

// movesOf tells what an event changed of its signer, its id where it has one, and
// what came to others.
func movesOf(event app.Event) (signer holding, reference string, others []moved) {
	switch e := event.(type) {
	case app.Transferred:
		return of(e.Asset, -e.Amount), "", []moved{{e.To, of(e.Asset, e.Amount)}}
	case app.Swapped:
		bought := tx.Token
		if e.Sold == tx.Token {
			bought = tx.CNPY
		}
		return of(e.Sold, -e.In).plus(of(bought, e.Out)), "", nil
	case app.Provided:
		return holding{-e.CNPY, -e.Tokens, e.Shares}, "", nil
	case app.Removed:
		return holding{e.CNPY, e.Tokens, -e.Shares}, "", nil
	case app.PaidOut:
		for _, payment := range e.Payments {
			others = append(others, moved{payment.To, of(e.Asset, payment.Amount)})
		}
		return of(e.Asset, -e.Total()), e.ID.String(), others
	case app.VoucheredIn:
		return holding{}, e.Transfer.String(), []moved{{e.To, holding{cnpy: e.Amount}}}
	case app.VoucheredOut:
		return holding{cnpy: -e.Amount}, e.ID.String(), nil
	case app.Staked:
		return holding{cnpy: -e.Amount}, "", nil
	case app.Unstaked:
		return holding{cnpy: e.Amount}, "", nil
	case app.Anchored:
		return holding{}, e.Session.String(), nil
	case app.Proposed:
		return holding{}, e.ID.String(), nil
	case app.Voted:
		return holding{}, e.Proposal.String(), nil
	}
	return holding{}, "", nil // validators are changed by the authority, which moves nothing
}

// remember writes the parts in the transaction that moves the cursor.
func remember(ctx context.Context, q *db.Queries, chain uuid.UUID, parts []part) error {
	if len(parts) == 0 {
		return nil
	}
	rows := db.InsertChainHistoryParams{ChainID: chain}
	for _, p := range parts {
		rows.Addresses = append(rows.Addresses, p.address.String())
		rows.Heights = append(rows.Heights, p.height)
		rows.Indexes = append(rows.Indexes, int32(p.index))
		rows.Hashes = append(rows.Hashes, p.hash)
		rows.Types = append(rows.Types, p.kind)
		rows.Codes = append(rows.Codes, int64(p.code))
		rows.Cnpy = append(rows.Cnpy, int64(p.change.cnpy))
		rows.Tokens = append(rows.Tokens, int64(p.change.tokens))
		rows.Shares = append(rows.Shares, int64(p.change.shares))
		rows.Fees = append(rows.Fees, int64(p.fee))
		rows.Counterparties = append(rows.Counterparties, p.counterparty)
		rows.Refs = append(rows.Refs, p.reference)
		rows.Times = append(rows.Times, p.at)
	}
	return q.InsertChainHistory(ctx, rows)
}
