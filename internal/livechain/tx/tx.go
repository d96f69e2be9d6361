// Package tx is the canonical signed encoding of a live chain's transactions:
// a protobuf envelope of the body's bytes, an Ed25519 public key and its
// signature. One transaction has exactly one encoding, so that neither its
// hash nor its size can be changed by anybody but its signer.
package tx

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"

	consensus "github.com/cometbft/cometbft/crypto/ed25519"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx/txpb"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const (
	// MaxSize is the largest encoding in bytes: a payout to MaxPayments accounts
	// fits, and the other messages need a tenth of it.
	MaxSize = 4 << 10
	// signDomain keeps a signature from meaning anything elsewhere.
	signDomain = "lucid.chain.v1/transaction\x00"
)

// The ways in which bytes are not a transaction.
var (
	ErrMalformed = errors.New("the transaction is not in its canonical encoding")
	ErrSignature = errors.New("the signature does not belong to the body and the public key")
)

// Asset is one of the two assets of a live chain.
type Asset = txpb.Asset

// The assets: CNPY's voucher and the chain's own token.
const (
	CNPY  = txpb.Asset_ASSET_CNPY
	Token = txpb.Asset_ASSET_TOKEN
	none  = txpb.Asset_ASSET_UNSPECIFIED
)

// Message is one of Transfer, Swap, Deposit, Withdrawal, ValidatorUpdate,
// SessionAnchor, Payout, VoucherIn, VoucherOut, Proposal, Vote, WorkReport, Upgrade,
// Stake and Unstake.
type Message interface{ message() }

// Transfer moves an amount, greater than zero, to another account.
type Transfer struct {
	To     livechain.Address
	Asset  Asset
	Amount money.Amount
}

// Swap sells AmountIn of one asset to the pool for MinOut or more of the other.
type Swap struct {
	Sell     Asset
	AmountIn money.Amount
	MinOut   money.Amount
}

// Deposit gives liquidity to the pool, of both assets or of one, for MinShares
// or more.
type Deposit struct {
	CNPY, Tokens money.Amount // not both zero
	MinShares    money.Amount // shares count 1e-6 units too
}

// Withdrawal takes a part of the signer's liquidity out of the pool.
type Withdrawal struct {
	Percent   uint32       // of the signer's shares, 1 to 100
	MinCNPY   money.Amount // least to receive
	MinTokens money.Amount
}

// MaxPower is the greatest power of one validator: however many there are, their
// sum stays within what CometBFT counts.
const MaxPower = 1 << 40

// ValidatorUpdate sets a validator's power, 0 to take it out. Only the chain's
// authority may, and it pays no fee.
type ValidatorUpdate struct {
	Key   ed25519.PublicKey
	Power int64 // 0 to MaxPower
}

func (Transfer) message()        {}
func (Swap) message()            {}
func (Deposit) message()         {}
func (Withdrawal) message()      {}
func (ValidatorUpdate) message() {}

// Body is what a signer says.
type Body struct {
	ChainID string
	Nonce   uint64       // the account's nonce on chain, plus one for each of its transactions that wait
	Fee     money.Amount // of the asset FeeAsset
	// FeeAsset is what the fee is paid in: CNPY, or the chain's own token, which
	// the zero value says. Token is written as the zero value and read as such.
	FeeAsset Asset
	// Expires is the Unix second after which no block takes the transaction; 0
	// means that it waits for its nonce for ever.
	Expires int64
	// Salt tells two orders of the same content apart, which would else be one
	// transaction: nodes that are a block behind give out a nonce twice.
	Salt    uint64
	Message Message
}

// FeeIn is the asset that the fee is paid in.
func (b Body) FeeIn() Asset {
	if b.FeeAsset == none {
		return Token
	}
	return b.FeeAsset
}

// Tx is a decoded transaction. Its signature has not been checked: see Verify.
type Tx struct {
	Body
	Signer ed25519.PublicKey

	sender    livechain.Address
	signed    [sha256.Size]byte
	signature []byte
}

// Sender is the account that the signer's key opens.
func (t *Tx) Sender() livechain.Address { return t.sender }

// Verify checks the signature by the rules that were made for consensus (ZIP-215):
// every implementation of them agrees on every signature, good or odd.
func (t *Tx) Verify() error {
	if !consensus.PubKey(t.Signer).VerifySignature(t.signed[:], t.signature) {
		return ErrSignature
	}
	return nil
}

// VerifyAll is Verify of each, at less than half of its price when they are many.
// The errors are in the order of the transactions, nil for a good one.
func VerifyAll(all []*Tx) []error {
	errs := make([]error, len(all))
	if len(all) == 1 {
		errs[0] = all[0].Verify()
		return errs
	}
	batch := consensus.NewBatchVerifier()
	for i, t := range all {
		// It refuses what can't be a key or a signature, and counts it as bad.
		errs[i] = batch.Add(consensus.PubKey(t.Signer), t.signed[:], t.signature)
	}
	if errors.Join(errs...) == nil {
		if good, _ := batch.Verify(); good {
			return errs
		}
	}
	for i, t := range all {
		errs[i] = t.Verify()
	}
	return errs
}

// Sign encodes body and signs it.
func Sign(body Body, key ed25519.PrivateKey) ([]byte, error) {
	message, err := body.proto()
	if err != nil {
		return nil, err
	}
	encoded, err := marshal(message)
	if err != nil {
		return nil, err
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("sign a transaction: not an Ed25519 key")
	}
	digest := signHash(encoded)
	return marshal(&txpb.Envelope{Body: encoded, PublicKey: public, Signature: ed25519.Sign(key, digest[:])})
}

// Decode reads a canonical encoding; anything else, unknown fields included, is
// ErrMalformed with the reason.
func Decode(raw []byte) (*Tx, error) {
	if len(raw) > MaxSize {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrMalformed, MaxSize)
	}
	var envelope txpb.Envelope
	if err := unmarshal(raw, &envelope); err != nil {
		return nil, err
	}
	if len(envelope.GetPublicKey()) != ed25519.PublicKeySize || len(envelope.GetSignature()) != ed25519.SignatureSize {
		return nil, fmt.Errorf("%w: the public key has 32 bytes and the signature 64", ErrMalformed)
	}
	var pb txpb.Body
	if err := unmarshal(envelope.GetBody(), &pb); err != nil {
		return nil, err
	}
	body, err := fromProto(&pb)
	if err != nil {
		return nil, err
	}
	return &Tx{
		Body: body, Signer: envelope.GetPublicKey(), sender: livechain.AddressOf(envelope.GetPublicKey()),
		signed: signHash(envelope.GetBody()), signature: envelope.GetSignature(),
	}, nil
}

func signHash(body []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(signDomain), body...))
}

// proto checks on the way out what fromProto checks on the way in.
func (b Body) proto() (*txpb.Body, error) {
	pb := &txpb.Body{ChainId: b.ChainID, Nonce: b.Nonce, Fee: uint64(b.Fee), Expires: b.Expires, Salt: b.Salt}
	if b.FeeAsset != Token {
		pb.FeeAsset = b.FeeAsset
	}
	switch m := b.Message.(type) {
	case Transfer:
		pb.Message = &txpb.Body_Transfer{Transfer: &txpb.Transfer{To: m.To[:], Asset: m.Asset, Amount: uint64(m.Amount)}}
	case Swap:
		pb.Message = &txpb.Body_Swap{Swap: &txpb.Swap{Sell: m.Sell, AmountIn: uint64(m.AmountIn), MinOut: uint64(m.MinOut)}}
	case Deposit:
		pb.Message = &txpb.Body_Deposit{Deposit: &txpb.Deposit{
			Cnpy: uint64(m.CNPY), Tokens: uint64(m.Tokens), MinShares: uint64(m.MinShares),
		}}
	case Withdrawal:
		pb.Message = &txpb.Body_Withdrawal{Withdrawal: &txpb.Withdrawal{
			Percent: m.Percent, MinCnpy: uint64(m.MinCNPY), MinTokens: uint64(m.MinTokens),
		}}
	case ValidatorUpdate:
		pb.Message = &txpb.Body_ValidatorUpdate{ValidatorUpdate: m.proto()}
	case encoder:
		m.encode(pb)
	}
	_, err := fromProto(pb)
	return pb, err
}

func fromProto(pb *txpb.Body) (Body, error) {
	if pb.GetChainId() == "" {
		return Body{}, fmt.Errorf("%w: no chain id", ErrMalformed)
	}
	fee, err := amount(pb.GetFee(), 0)
	if err != nil {
		return Body{}, err
	}
	if pb.GetExpires() < 0 {
		return Body{}, fmt.Errorf("%w: an end before 1970", ErrMalformed)
	}
	// The token is left out, or there would be two encodings of the same.
	if pb.GetFeeAsset() != none && pb.GetFeeAsset() != CNPY {
		return Body{}, fmt.Errorf("%w: a fee is paid in CNPY, or in tokens where no asset is named", ErrMalformed)
	}
	body := Body{
		ChainID: pb.GetChainId(), Nonce: pb.GetNonce(), Fee: fee, FeeAsset: pb.GetFeeAsset(),
		Expires: pb.GetExpires(), Salt: pb.GetSalt(),
	}
	switch m := pb.GetMessage().(type) {
	case *txpb.Body_Transfer:
		body.Message, err = transfer(m.Transfer)
	case *txpb.Body_Swap:
		body.Message, err = swap(m.Swap)
	case *txpb.Body_Deposit:
		body.Message, err = deposit(m.Deposit)
	case *txpb.Body_Withdrawal:
		body.Message, err = withdrawal(m.Withdrawal)
	case *txpb.Body_ValidatorUpdate:
		body.Message, err = validatorUpdate(m.ValidatorUpdate)
	case *txpb.Body_SessionAnchor:
		body.Message, err = sessionAnchor(m.SessionAnchor)
	case *txpb.Body_Payout:
		body.Message, err = payout(m.Payout)
	case *txpb.Body_VoucherIn:
		body.Message, err = voucherIn(m.VoucherIn)
	case *txpb.Body_VoucherOut:
		body.Message, err = voucherOut(m.VoucherOut)
	case *txpb.Body_Proposal:
		body.Message, err = proposal(m.Proposal)
	case *txpb.Body_Vote:
		body.Message, err = vote(m.Vote)
	case *txpb.Body_WorkReport:
		body.Message, err = workReport(m.WorkReport)
	case *txpb.Body_Upgrade:
		body.Message, err = upgrade(m.Upgrade)
	case *txpb.Body_Stake:
		body.Message, err = stake(m.Stake)
	case *txpb.Body_Unstake:
		body.Message, err = unstake(m.Unstake)
	default:
		err = fmt.Errorf("%w: no message", ErrMalformed)
	}
	return body, err
}

func transfer(pb *txpb.Transfer) (Message, error) {
	value, err := amount(pb.GetAmount(), 1)
	if err != nil {
		return nil, err
	}
	to, err := address(pb.GetTo())
	if err != nil {
		return nil, err
	}
	if err := known(pb.GetAsset()); err != nil {
		return nil, err
	}
	return Transfer{To: to, Asset: pb.GetAsset(), Amount: value}, nil
}

func swap(pb *txpb.Swap) (Message, error) {
	in, err := amount(pb.GetAmountIn(), 1)
	if err != nil {
		return nil, err
	}
	least, err := amount(pb.GetMinOut(), 0)
	if err != nil {
		return nil, err
	}
	if err := known(pb.GetSell()); err != nil {
		return nil, err
	}
	return Swap{Sell: pb.GetSell(), AmountIn: in, MinOut: least}, nil
}

func deposit(pb *txpb.Deposit) (Message, error) {
	given, err := amounts(pb.GetCnpy(), pb.GetTokens(), pb.GetMinShares())
	if err != nil {
		return nil, err
	}
	if pb.GetCnpy() == 0 && pb.GetTokens() == 0 {
		return nil, fmt.Errorf("%w: a deposit of nothing", ErrMalformed)
	}
	return Deposit{CNPY: given[0], Tokens: given[1], MinShares: given[2]}, nil
}

func withdrawal(pb *txpb.Withdrawal) (Message, error) {
	least, err := amounts(pb.GetMinCnpy(), pb.GetMinTokens())
	if err != nil {
		return nil, err
	}
	if pb.GetPercent() < 1 || pb.GetPercent() > 100 {
		return nil, fmt.Errorf("%w: a withdrawal is of 1 to 100 percent", ErrMalformed)
	}
	return Withdrawal{Percent: pb.GetPercent(), MinCNPY: least[0], MinTokens: least[1]}, nil
}

func (m ValidatorUpdate) proto() *txpb.ValidatorUpdate {
	return &txpb.ValidatorUpdate{PublicKey: m.Key, Power: uint64(m.Power)}
}

func validatorUpdate(pb *txpb.ValidatorUpdate) (m ValidatorUpdate, err error) {
	if len(pb.GetPublicKey()) != ed25519.PublicKeySize {
		return m, fmt.Errorf("%w: a validator's public key has 32 bytes", ErrMalformed)
	}
	if pb.GetPower() > MaxPower {
		return m, fmt.Errorf("%w: a validator's power is out of range", ErrMalformed)
	}
	return ValidatorUpdate{Key: pb.GetPublicKey(), Power: int64(pb.GetPower())}, nil
}

func address(raw []byte) (livechain.Address, error) {
	if len(raw) != livechain.AddressLength {
		return livechain.Address{}, fmt.Errorf("%w: an address has 20 bytes", ErrMalformed)
	}
	return livechain.Address(raw), nil
}

func known(asset Asset) error {
	if asset != CNPY && asset != Token {
		return fmt.Errorf("%w: unknown asset", ErrMalformed)
	}
	return nil
}

func amount(n, least uint64) (money.Amount, error) {
	if n < least || n > math.MaxInt64 {
		return 0, fmt.Errorf("%w: an amount is out of range", ErrMalformed)
	}
	return money.Amount(n), nil
}

// amounts reads amounts that may be zero.
func amounts(counts ...uint64) ([]money.Amount, error) {
	read := make([]money.Amount, len(counts))
	for i, n := range counts {
		value, err := amount(n, 0)
		if err != nil {
			return nil, err
		}
		read[i] = value
	}
	return read, nil
}

func marshal(m proto.Message) ([]byte, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode a transaction: %w", err)
	}
	return raw, nil
}

// unmarshal accepts only what marshal writes: protobuf by itself allows fields
// in any order, twice, padded numbers, explicit zeros and unknown fields.
func unmarshal(raw []byte, m proto.Message) error {
	if err := proto.Unmarshal(raw, m); err != nil {
		return fmt.Errorf("%w: not protobuf", ErrMalformed)
	}
	if hasUnknown(m.ProtoReflect()) {
		return fmt.Errorf("%w: unknown field", ErrMalformed)
	}
	again, err := marshal(m)
	if err != nil || !bytes.Equal(again, raw) {
		return fmt.Errorf("%w: not as it would be encoded again", ErrMalformed)
	}
	return nil
}

func hasUnknown(m protoreflect.Message) bool {
	found := len(m.GetUnknown()) > 0
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsList() && field.Kind() == protoreflect.MessageKind:
			for i := range value.List().Len() {
				found = found || hasUnknown(value.List().Get(i).Message())
			}
		case field.Kind() == protoreflect.MessageKind:
			found = found || hasUnknown(value.Message())
		}
		return !found
	})
	return found
}
