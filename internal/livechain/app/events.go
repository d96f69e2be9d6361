package app

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/amm"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Types of the events that a transaction leaves when it has worked; there is one
// for each. Addresses and ids in them are indexed, so that CometBFT's tx_search
// finds the history of an address.
const (
	typeTransfer   = "transfer"
	typeSwap       = "swap"
	typeDeposit    = "deposit"
	typeWithdrawal = "withdrawal"
	typeValidator  = "validator"
	typeAnchor     = "session_anchor"
	typePayout     = "payout"
	typeVoucherIn  = "voucher_in"
	typeVoucherOut = "voucher_out"
	typeProposal   = "proposal"
	typeVote       = "vote"
	typeWork       = "work_report"
	typeUpgrade    = "upgrade"
	typeStake      = "stake"
	typeUnstake    = "unstake"
)

// Names of the events' attributes. Amounts are decimals of whole units.
const (
	keyAccount  = "account" // whose transaction it is
	keyTo       = "to"
	keyAsset    = "asset" // "cnpy" or "token": what is moved, or sold
	keyAmount   = "amount"
	keyIn       = "amount_in"
	keyOut      = "amount_out"
	keyFee      = "fee" // the part of amount_in that stays in the pool
	keyCNPY     = "cnpy"
	keyTokens   = "tokens"
	keyShares   = "shares" // minted or burnt
	keyReserveX = "cnpy_reserve"
	keyReserveY = "token_reserve"
	keySupply   = "share_supply"
	keyKey      = "public_key" // in hex
	keyPower    = "power"
	keyID       = "id"
	keyRoot     = "root" // in hex
	keyChunks   = "chunk_count"
	keySize     = "total_size"
	keyLedger   = "ledger_account"
	keyApprove  = "approve" // "true" or "false"
	keyDay      = "day"     // UTC, since 1970
	keyState    = "state"   // of the proposal after the vote
	keyTotal    = "total"   // of the account's stake on the validator after it
	keyVersion  = "version" // of the rules
	keyHeight   = "height"  // of the blocks that were signed, or of the first that follows other rules
)

// Event is one of Transferred, Swapped, Provided, Removed, Empowered, Anchored,
// PaidOut, VoucheredIn, VoucheredOut, Proposed, Voted, Worked, Upgraded, Staked and
// Unstaked.
type Event interface{ event() abci.Event }

// Transferred is what a transfer did.
type Transferred struct {
	From, To livechain.Address
	Asset    tx.Asset
	Amount   money.Amount
}

// Swapped is what a swap did.
type Swapped struct {
	Account livechain.Address
	Sold    tx.Asset
	In, Out money.Amount
	Fee     money.Amount // of the sold asset, part of In
	After   amm.Pool
}

// Provided is what a deposit did.
type Provided struct {
	Account      livechain.Address
	CNPY, Tokens money.Amount
	Shares       money.Amount // minted
	After        amm.Pool
}

// Removed is what a withdrawal did.
type Removed struct {
	Account      livechain.Address
	CNPY, Tokens money.Amount
	Shares       money.Amount // burnt
	After        amm.Pool
}

// Empowered is what a validator update did.
type Empowered struct {
	Account livechain.Address // the chain's authority
	Key     ed25519.PublicKey
	Power   int64
}

// Anchored is what a session anchor did.
type Anchored struct {
	Account livechain.Address
	tx.SessionAnchor
}

// PaidOut is what a payout did. The event names recipients and amounts in turn.
type PaidOut struct {
	Account livechain.Address
	tx.Payout
}

// VoucheredIn is CNPY that came onto the chain.
type VoucheredIn struct {
	Account livechain.Address // the chain's authority
	tx.VoucherIn
}

// VoucheredOut is CNPY that left the chain.
type VoucheredOut struct {
	Account livechain.Address // whose it was
	tx.VoucherOut
}

// Proposed is a change that validators may vote on now.
type Proposed struct {
	Account livechain.Address
	ID      uuid.UUID
}

// Voted is a validator's vote. The change is in force when State is "passed".
type Voted struct {
	Account  livechain.Address // of the validator's key
	Proposal uuid.UUID
	Approve  bool
	State    string // "open", "passed" or "rejected"
}

func (e Proposed) event() abci.Event {
	return event(typeProposal, keyAccount, e.Account.String(), keyID, e.ID.String())
}

func (e Voted) event() abci.Event {
	return event(typeVote, keyAccount, e.Account.String(), keyID, e.Proposal.String(),
		keyApprove, strconv.FormatBool(e.Approve), keyState, e.State)
}

func (e Anchored) event() abci.Event {
	return event(typeAnchor, keyAccount, e.Account.String(), keyID, e.Session.String(), keyRoot, hex.EncodeToString(e.Root[:]),
		keyChunks, strconv.FormatUint(e.Chunks, 10), keySize, strconv.FormatUint(e.Size, 10))
}

func (e PaidOut) event() abci.Event {
	pairs := []string{keyAccount, e.Account.String(), keyID, e.ID.String(), keyAsset, assetName(e.Asset)}
	for _, payment := range e.Payments {
		pairs = append(pairs, keyTo, payment.To.String(), keyAmount, payment.Amount.String())
	}
	return event(typePayout, pairs...)
}

func (e VoucheredIn) event() abci.Event {
	return event(typeVoucherIn, keyAccount, e.Account.String(), keyID, e.Transfer.String(), keyTo, e.To.String(), keyAmount, e.Amount.String())
}

func (e VoucheredOut) event() abci.Event {
	return event(typeVoucherOut, keyAccount, e.Account.String(), keyID, e.ID.String(), keyLedger, e.LedgerAccount.String(), keyAmount, e.Amount.String())
}

func (e Empowered) event() abci.Event {
	return event(typeValidator, keyAccount, e.Account.String(), keyKey, hex.EncodeToString(e.Key), keyPower, strconv.FormatInt(e.Power, 10))
}

func (e Transferred) event() abci.Event {
	return event(typeTransfer, keyAccount, e.From.String(), keyTo, e.To.String(), keyAsset, assetName(e.Asset), keyAmount, e.Amount.String())
}

func (e Swapped) event() abci.Event {
	return event(typeSwap, append([]string{
		keyAccount, e.Account.String(), keyAsset, assetName(e.Sold),
		keyIn, e.In.String(), keyOut, e.Out.String(), keyFee, e.Fee.String(),
	}, after(e.After)...)...)
}

func (e Provided) event() abci.Event {
	return liquidity(typeDeposit, e.Account, e.CNPY, e.Tokens, e.Shares, e.After)
}

func (e Removed) event() abci.Event {
	return liquidity(typeWithdrawal, e.Account, e.CNPY, e.Tokens, e.Shares, e.After)
}

func liquidity(kind string, account livechain.Address, cnpy, tokens, shares money.Amount, pool amm.Pool) abci.Event {
	return event(kind, append([]string{
		keyAccount, account.String(), keyCNPY, cnpy.String(), keyTokens, tokens.String(), keyShares, shares.String(),
	}, after(pool)...)...)
}

func after(pool amm.Pool) []string {
	return []string{
		keyReserveX, money.Amount(pool.CNPY).String(), keyReserveY, money.Amount(pool.Tokens).String(),
		keySupply, money.Amount(pool.Shares).String(),
	}
}

// indexed are the attributes that a transaction is looked for by. Nobody looks for
// an amount, and each index costs a node about as much as the rest of a swap.
var indexed = map[string]bool{keyAccount: true, keyTo: true, keyKey: true, keyID: true, keyLedger: true}

// event builds an event of names and values in turn.
func event(kind string, pairs ...string) abci.Event {
	e := abci.Event{Type: kind, Attributes: make([]abci.EventAttribute, 0, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		e.Attributes = append(e.Attributes, abci.EventAttribute{Key: pairs[i], Value: pairs[i+1], Index: indexed[pairs[i]]})
	}
	return e
}

// Outcome is what a transaction did: the first of its events that is ours. A
// refused transaction did nothing: nil.
func Outcome(result *abci.ExecTxResult) (Event, error) {
	if result.Code != uint32(CodeOK) {
		return nil, nil
	}
	for _, e := range result.Events {
		r := attributes{of: e, values: map[string]string{}}
		for _, a := range e.Attributes {
			r.values[a.Key] = a.Value
		}
		if read := r.read(); read != nil {
			if r.err != nil {
				return nil, fmt.Errorf("read the event %s: %w", e.Type, r.err)
			}
			return read, nil
		}
	}
	return nil, errors.New("the transaction has left no event")
}

// attributes takes an event apart and remembers all that does not fit.
type attributes struct {
	of     abci.Event
	values map[string]string
	err    error
}

// read returns nil for an event of CometBFT's own.
func (r *attributes) read() Event {
	switch r.of.Type {
	case typeTransfer:
		return Transferred{From: r.address(keyAccount), To: r.address(keyTo), Asset: r.asset(), Amount: r.amount(keyAmount)}
	case typeSwap:
		return Swapped{
			Account: r.address(keyAccount), Sold: r.asset(), In: r.amount(keyIn), Out: r.amount(keyOut),
			Fee: r.amount(keyFee), After: r.pool(),
		}
	case typeDeposit:
		return Provided{
			Account: r.address(keyAccount), CNPY: r.amount(keyCNPY), Tokens: r.amount(keyTokens),
			Shares: r.amount(keyShares), After: r.pool(),
		}
	case typeWithdrawal:
		return Removed{
			Account: r.address(keyAccount), CNPY: r.amount(keyCNPY), Tokens: r.amount(keyTokens),
			Shares: r.amount(keyShares), After: r.pool(),
		}
	case typeValidator:
		return r.empowered()
	case typeAnchor:
		return r.anchored()
	case typePayout:
		return r.paidOut()
	case typeVoucherIn:
		return VoucheredIn{Account: r.address(keyAccount), VoucherIn: tx.VoucherIn{
			Transfer: r.id(keyID), To: r.address(keyTo), Amount: r.amount(keyAmount),
		}}
	case typeVoucherOut:
		return VoucheredOut{Account: r.address(keyAccount), VoucherOut: tx.VoucherOut{
			ID: r.id(keyID), LedgerAccount: r.id(keyLedger), Amount: r.amount(keyAmount),
		}}
	case typeProposal:
		return Proposed{Account: r.address(keyAccount), ID: r.id(keyID)}
	case typeVote:
		return r.voted()
	case typeWork:
		return r.worked()
	case typeUpgrade:
		return r.upgraded()
	case typeStake:
		return Staked(r.staked())
	case typeUnstake:
		return Unstaked(r.staked())
	}
	return nil
}

func (r *attributes) voted() Voted {
	approve, err := strconv.ParseBool(r.values[keyApprove])
	r.note(keyApprove, err)
	return Voted{Account: r.address(keyAccount), Proposal: r.id(keyID), Approve: approve, State: r.values[keyState]}
}

func (r *attributes) anchored() Anchored {
	e := Anchored{Account: r.address(keyAccount), SessionAnchor: tx.SessionAnchor{
		Session: r.id(keyID), Chunks: r.count(keyChunks), Size: r.count(keySize),
	}}
	root, err := hex.DecodeString(r.values[keyRoot])
	if err == nil && len(root) != len(e.Root) {
		err = errors.New("is no root")
	}
	r.note(keyRoot, err)
	copy(e.Root[:], root)
	return e
}

// paidOut reads the pairs of recipient and amount in their order.
func (r *attributes) paidOut() PaidOut {
	e := PaidOut{Account: r.address(keyAccount), Payout: tx.Payout{ID: r.id(keyID), Asset: r.asset()}}
	for _, a := range r.of.Attributes {
		r.values[a.Key] = a.Value
		if a.Key == keyAmount {
			e.Payments = append(e.Payments, tx.Payment{To: r.address(keyTo), Amount: r.amount(keyAmount)})
		}
	}
	return e
}

func (r *attributes) id(name string) uuid.UUID {
	value, err := uuid.Parse(r.values[name])
	r.note(name, err)
	return value
}

func (r *attributes) count(name string) uint64 {
	value, err := strconv.ParseUint(r.values[name], 10, 64)
	r.note(name, err)
	return value
}

func (r *attributes) empowered() Empowered {
	power, err := strconv.ParseInt(r.values[keyPower], 10, 64)
	r.note(keyPower, err)
	return Empowered{Account: r.address(keyAccount), Key: r.publicKey(), Power: power}
}

func (r *attributes) publicKey() ed25519.PublicKey {
	public, err := hex.DecodeString(r.values[keyKey])
	r.note(keyKey, err)
	return public
}

func (r *attributes) amount(name string) money.Amount {
	value, err := money.Parse(r.values[name])
	if err == nil && value < 0 {
		err = money.ErrRange
	}
	r.note(name, err)
	return value
}

func (r *attributes) address(name string) livechain.Address {
	value, err := livechain.ParseAddress(r.values[name])
	r.note(name, err)
	return value
}

func (r *attributes) asset() tx.Asset {
	switch r.values[keyAsset] {
	case assetName(tx.CNPY):
		return tx.CNPY
	case assetName(tx.Token):
		return tx.Token
	}
	r.note(keyAsset, errors.New("is no asset"))
	return 0
}

func (r *attributes) pool() amm.Pool {
	return amm.Pool{
		CNPY: uint64(r.amount(keyReserveX)), Tokens: uint64(r.amount(keyReserveY)), Shares: uint64(r.amount(keySupply)),
	}
}

func (r *attributes) note(name string, err error) {
	if err != nil {
		r.err = errors.Join(r.err, fmt.Errorf("%s: %w", name, err))
	}
}

func assetName(asset tx.Asset) string {
	if asset == tx.Token {
		return "token"
	}
	return "cnpy"
}
