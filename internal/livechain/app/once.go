package app

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Prefixes of the records that are known by a UUID, each before its bytes, and of
// the queries for them. But for a proposal's, what they hold never changes: a
// proof of it stays true. An anchor is known by who made it as well, or whoever
// came first could take a session's id from its owner for good.
const (
	anchorPrefix     = "anchor/"
	payoutPrefix     = "payout/"
	voucherInPrefix  = "voucher-in/"
	voucherOutPrefix = "voucher-out/"
	proposalPrefix   = "proposal/"
)

// oncePaths are the queries for them, as a refusal tells.
const oncePaths = "/anchor/{address}/{uuid}, /payout/{uuid}, /voucher-in/{uuid}, /voucher-out/{uuid}, /proposal/{uuid}"

func onceKey(prefix string, id uuid.UUID) string { return prefix + string(id[:]) }

func anchorKey(by livechain.Address, session uuid.UUID) string {
	return onceKey(anchorPrefix+string(by[:]), session)
}

// first refuses an id that has a record already, which seen is for.
func (e execution) first(key string, seen proto.Message) error {
	if err := e.on.record(key, seen); err != nil {
		return err
	}
	if proto.Size(seen) > 0 {
		return refuse(CodeDone, "the chain has done this before, under the same id")
	}
	return nil
}

func (e execution) anchor(m tx.SessionAnchor) (Event, error) {
	key := anchorKey(e.from, m.Session)
	if err := e.first(key, &statepb.Anchor{}); err != nil {
		return nil, err
	}
	e.on.set(key, &statepb.Anchor{Root: m.Root[:], ChunkCount: m.Chunks, TotalSize: m.Size, By: e.from[:]})
	return Anchored{Account: e.from, SessionAnchor: m}, nil
}

func (e execution) payOut(m tx.Payout) (Event, error) {
	chain, err := chainOf(e.on)
	if err != nil {
		return nil, err
	}
	if !e.isAuthority(chain) && !bytes.Equal(chain.GetTreasury(), e.from[:]) {
		return nil, refuse(CodeAuthority, "payouts are made by the chain's authority and its treasury alone")
	}
	key := onceKey(payoutPrefix, m.ID)
	if err := e.first(key, &statepb.Payout{}); err != nil {
		return nil, err
	}
	if err := e.pay(m.Asset, m.Total()); err != nil {
		return nil, err
	}
	for _, payment := range m.Payments {
		if err := e.give(payment.To, m.Asset, payment.Amount); err != nil {
			return nil, err
		}
	}
	e.on.set(key, &statepb.Payout{
		By: e.from[:], Asset: uint32(m.Asset), Amount: uint64(m.Total()), Recipients: uint32(len(m.Payments)),
	})
	return PaidOut{Account: e.from, Payout: m}, nil
}

func (e execution) voucherIn(m tx.VoucherIn) (Event, error) {
	chain, err := chainOf(e.on)
	if err != nil {
		return nil, err
	}
	if !e.isAuthority(chain) {
		return nil, refuse(CodeAuthority, "CNPY is brought onto the chain by its authority alone")
	}
	key := onceKey(voucherInPrefix, m.Transfer)
	if err := e.first(key, &statepb.Voucher{}); err != nil {
		return nil, err
	}
	// Kept within an int64, as give relies on.
	if uint64(m.Amount) > math.MaxInt64-chain.GetCnpySupply() {
		return nil, refuse(CodeSupply, "the chain has %s CNPY and can't count %s more", money.Amount(chain.GetCnpySupply()), m.Amount)
	}
	chain.CnpySupply += uint64(m.Amount)
	e.on.set(chainKey, chain)
	e.on.set(key, &statepb.Voucher{Account: m.To[:], Amount: uint64(m.Amount)})
	if err := e.give(m.To, tx.CNPY, m.Amount); err != nil {
		return nil, err
	}
	return VoucheredIn{Account: e.from, VoucherIn: m}, nil
}

func (e execution) voucherOut(m tx.VoucherOut) (Event, error) {
	chain, err := chainOf(e.on)
	if err != nil {
		return nil, err
	}
	key := onceKey(voucherOutPrefix, m.ID)
	if err := e.first(key, &statepb.Voucher{}); err != nil {
		return nil, err
	}
	if err := e.pay(tx.CNPY, m.Amount); err != nil {
		return nil, err
	}
	chain.CnpySupply -= uint64(m.Amount)
	e.on.set(chainKey, chain)
	e.on.set(key, &statepb.Voucher{Account: e.from[:], Amount: uint64(m.Amount), LedgerAccount: m.LedgerAccount[:]})
	return VoucheredOut{Account: e.from, VoucherOut: m}, nil
}

// Anchor answers /anchor/{account}/{session}.
type Anchor struct {
	Session uuid.UUID         `json:"session_id"`
	Root    string            `json:"root"` // lower-case hex
	Chunks  uint64            `json:"chunk_count"`
	Size    uint64            `json:"total_size"` // bytes
	By      livechain.Address `json:"by"`         // who anchored it, with a key of this address
}

// Payout answers /payout/{id}.
type Payout struct {
	ID         uuid.UUID         `json:"id"`
	By         livechain.Address `json:"by"`
	Asset      string            `json:"asset"`  // "cnpy" or "token"
	Amount     money.Amount      `json:"amount"` // of all recipients
	Recipients uint32            `json:"recipients"`
}

// Voucher answers /voucher-in/{transfer} and /voucher-out/{id}.
type Voucher struct {
	ID            uuid.UUID         `json:"id"`
	Account       livechain.Address `json:"account"` // whose the CNPY became, or was
	Amount        money.Amount      `json:"amount"`
	LedgerAccount uuid.UUID         `json:"ledger_account,omitzero"` // whose it is in the ledger; none when it came
}

func describeAnchor(id uuid.UUID, r *statepb.Anchor) Anchor {
	a := Anchor{Session: id, Root: hex.EncodeToString(r.GetRoot()), Chunks: r.GetChunkCount(), Size: r.GetTotalSize()}
	copy(a.By[:], r.GetBy())
	return a
}

func describePayout(id uuid.UUID, r *statepb.Payout) Payout {
	p := Payout{ID: id, Asset: assetName(tx.Asset(r.GetAsset())), Amount: money.Amount(r.GetAmount()), Recipients: r.GetRecipients()}
	copy(p.By[:], r.GetBy())
	return p
}

func describeVoucher(id uuid.UUID, r *statepb.Voucher) Voucher {
	v := Voucher{ID: id, Amount: money.Amount(r.GetAmount())}
	copy(v.Account[:], r.GetAccount())
	copy(v.LedgerAccount[:], r.GetLedgerAccount())
	return v
}

// onceAnswer reads a record that is known by a UUID.
func onceAnswer(from source, prefix string, id uuid.UUID) (answer any, err error) {
	var record proto.Message
	switch key := onceKey(prefix, id); prefix {
	case payoutPrefix:
		r := &statepb.Payout{}
		record, err = r, from.record(key, r)
		answer = describePayout(id, r)
	case proposalPrefix:
		r := &statepb.Proposal{}
		record, err = r, from.record(key, r)
		if err == nil {
			answer, err = proposalAnswer(from, id, r)
		}
	default:
		r := &statepb.Voucher{}
		record, err = r, from.record(key, r)
		answer = describeVoucher(id, r)
	}
	return answer, orAbsent(record, err)
}

func anchorAnswer(from source, by livechain.Address, session uuid.UUID) (Anchor, error) {
	r := &statepb.Anchor{}
	err := from.record(anchorKey(by, session), r)
	return describeAnchor(session, r), orAbsent(r, err)
}

// orAbsent refuses a record that was read and is not there.
func orAbsent(record proto.Message, err error) error {
	if err == nil && proto.Size(record) == 0 {
		return refuse(CodeAbsent, "the chain has no such record")
	}
	return err
}

// anchorPath takes a path of the form /anchor/{account}/{session} apart.
func anchorPath(path string) (by livechain.Address, session uuid.UUID, ok bool, err error) {
	rest, ok := strings.CutPrefix(path, "/"+anchorPrefix)
	if !ok {
		return by, session, false, nil
	}
	account, id, _ := strings.Cut(rest, "/")
	if by, err = livechain.ParseAddress(account); err == nil {
		session, err = uuid.Parse(id)
	}
	if err != nil {
		err = refuse(CodeBadQuery, "an anchor is asked for by its account's address and its session's UUID")
	}
	return by, session, true, err
}

// oncePath takes a query's path such as /payout/{uuid} apart.
func oncePath(path string) (prefix string, id uuid.UUID, ok bool, err error) {
	for _, prefix = range []string{payoutPrefix, voucherInPrefix, voucherOutPrefix, proposalPrefix} {
		text, found := strings.CutPrefix(path, "/"+prefix)
		if !found {
			continue
		}
		if id, err = uuid.Parse(text); err != nil {
			err = refuse(CodeBadQuery, "an id is written as a UUID")
		}
		return prefix, id, true, err
	}
	return "", id, false, nil
}
