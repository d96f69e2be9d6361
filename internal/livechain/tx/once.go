package tx

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx/txpb"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// The messages of this file are carried out exactly once for their id, whoever
// signs them and however often.

// encoder is a message that writes itself.
type encoder interface {
	Message
	encode(into *txpb.Body)
}

// Root is the BLAKE3 Merkle root of a session's chunks.
type Root [sha256.Size]byte

// SessionAnchor keeps what a session's data is for good, by the word of its signer:
// the first one of an account for a session counts.
type SessionAnchor struct {
	Session uuid.UUID
	Root    Root
	Chunks  uint64 // 1 and more
	Size    uint64 // bytes, at least one in each chunk
}

// MaxPayments is how many accounts one payout can pay.
const MaxPayments = 100

// Payout pays many accounts at once: all of them or none. Only the chain's
// authority and its treasury may, from what they have.
type Payout struct {
	ID       uuid.UUID
	Asset    Asset
	Payments []Payment // 1 to MaxPayments, ascending by address, each once
}

// Payment is one account's part of a payout.
type Payment struct {
	To     livechain.Address
	Amount money.Amount // greater than zero
}

// Total is what a payout's signer pays. It is in range: Sign and Decode refuse a
// payout of more.
func (p Payout) Total() (sum money.Amount) {
	for _, payment := range p.Payments {
		sum += payment.Amount
	}
	return sum
}

// VoucherIn makes CNPY on the chain for what the ledger has locked away. Only
// the chain's authority may, and it pays no fee.
type VoucherIn struct {
	Transfer uuid.UUID // of the ledger
	To       livechain.Address
	Amount   money.Amount // greater than zero
}

// VoucherOut burns CNPY of the signer's; the ledger gives it to an account.
type VoucherOut struct {
	ID            uuid.UUID // the signer's choice, by which the ledger pays once
	LedgerAccount uuid.UUID
	Amount        money.Amount // greater than zero
}

func (SessionAnchor) message() {}
func (Payout) message()        {}
func (VoucherIn) message()     {}
func (VoucherOut) message()    {}

func (m SessionAnchor) encode(into *txpb.Body) {
	into.Message = &txpb.Body_SessionAnchor{SessionAnchor: &txpb.SessionAnchor{
		SessionId: m.Session[:], Root: m.Root[:], ChunkCount: m.Chunks, TotalSize: m.Size,
	}}
}

func (m Payout) encode(into *txpb.Body) {
	pb := &txpb.Payout{Id: m.ID[:], Asset: m.Asset}
	for _, payment := range m.Payments {
		pb.Payments = append(pb.Payments, &txpb.Payment{To: payment.To[:], Amount: uint64(payment.Amount)})
	}
	into.Message = &txpb.Body_Payout{Payout: pb}
}

func (m VoucherIn) encode(into *txpb.Body) {
	into.Message = &txpb.Body_VoucherIn{VoucherIn: &txpb.VoucherIn{TransferId: m.Transfer[:], To: m.To[:], Amount: uint64(m.Amount)}}
}

func (m VoucherOut) encode(into *txpb.Body) {
	into.Message = &txpb.Body_VoucherOut{VoucherOut: &txpb.VoucherOut{
		Id: m.ID[:], LedgerAccount: m.LedgerAccount[:], Amount: uint64(m.Amount),
	}}
}

func sessionAnchor(pb *txpb.SessionAnchor) (Message, error) {
	session, err := id(pb.GetSessionId())
	if err != nil {
		return nil, err
	}
	if len(pb.GetRoot()) != len(Root{}) {
		return nil, fmt.Errorf("%w: a Merkle root has 32 bytes", ErrMalformed)
	}
	if pb.GetChunkCount() < 1 || pb.GetTotalSize() < pb.GetChunkCount() || pb.GetTotalSize() > math.MaxInt64 {
		return nil, fmt.Errorf("%w: a session has a chunk at least, and none is empty", ErrMalformed)
	}
	return SessionAnchor{Session: session, Root: Root(pb.GetRoot()), Chunks: pb.GetChunkCount(), Size: pb.GetTotalSize()}, nil
}

func payout(pb *txpb.Payout) (Message, error) {
	number, err := id(pb.GetId())
	if err != nil {
		return nil, err
	}
	if err := known(pb.GetAsset()); err != nil {
		return nil, err
	}
	if n := len(pb.GetPayments()); n < 1 || n > MaxPayments {
		return nil, fmt.Errorf("%w: a payout pays 1 to %d accounts", ErrMalformed, MaxPayments)
	}
	out := Payout{ID: number, Asset: pb.GetAsset(), Payments: make([]Payment, len(pb.GetPayments()))}
	var sum money.Amount
	for i, payment := range pb.GetPayments() {
		if out.Payments[i], err = onePayment(payment); err != nil {
			return nil, err
		}
		if i > 0 && bytes.Compare(pb.GetPayments()[i-1].GetTo(), payment.GetTo()) >= 0 {
			return nil, fmt.Errorf("%w: the accounts of a payout ascend by address", ErrMalformed)
		}
		if sum, err = sum.Add(out.Payments[i].Amount); err != nil {
			return nil, fmt.Errorf("%w: the sum of a payout is out of range", ErrMalformed)
		}
	}
	return out, nil
}

func onePayment(pb *txpb.Payment) (Payment, error) {
	to, err := address(pb.GetTo())
	if err != nil {
		return Payment{}, err
	}
	value, err := amount(pb.GetAmount(), 1)
	return Payment{To: to, Amount: value}, err
}

func voucherIn(pb *txpb.VoucherIn) (Message, error) {
	transfer, err := id(pb.GetTransferId())
	if err != nil {
		return nil, err
	}
	to, err := address(pb.GetTo())
	if err != nil {
		return nil, err
	}
	value, err := amount(pb.GetAmount(), 1)
	if err != nil {
		return nil, err
	}
	return VoucherIn{Transfer: transfer, To: to, Amount: value}, nil
}

func voucherOut(pb *txpb.VoucherOut) (Message, error) {
	number, err := id(pb.GetId())
	if err != nil {
		return nil, err
	}
	account, err := id(pb.GetLedgerAccount())
	if err != nil {
		return nil, err
	}
	value, err := amount(pb.GetAmount(), 1)
	if err != nil {
		return nil, err
	}
	return VoucherOut{ID: number, LedgerAccount: account, Amount: value}, nil
}

// id reads a UUID of any version but the one that is all zeros.
func id(raw []byte) (uuid.UUID, error) {
	number, err := uuid.FromBytes(raw)
	if err != nil || number == uuid.Nil {
		return uuid.Nil, fmt.Errorf("%w: an id is a UUID of 16 bytes", ErrMalformed)
	}
	return number, nil
}
