package tx_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx/txpb"
	"github.com/lucid-blockchain/lucid/internal/money"
)

var (
	key       = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	recipient = livechain.ModuleAddress("somebody")
)

func transfer() tx.Body {
	return tx.Body{ChainID: "aurora-1", Nonce: 7, Fee: 1_000, Message: tx.Transfer{To: recipient, Asset: tx.Token, Amount: 5_000_000}}
}

func swap() tx.Body {
	return tx.Body{ChainID: "aurora-1", Message: tx.Swap{Sell: tx.CNPY, AmountIn: 1, MinOut: 2}}
}

func deposit() tx.Body {
	return tx.Body{ChainID: "aurora-1", Nonce: 1, Message: tx.Deposit{CNPY: 3, MinShares: 1}}
}

func withdrawal() tx.Body {
	return tx.Body{ChainID: "aurora-1", Expires: 1_800_000_000, Salt: 5, Message: tx.Withdrawal{Percent: 50, MinCNPY: 1, MinTokens: 2}}
}

func validatorUpdate() tx.Body {
	return tx.Body{ChainID: "aurora-1", Message: tx.ValidatorUpdate{Key: key.Public().(ed25519.PublicKey), Power: tx.MaxPower}}
}

func paidInCNPY() tx.Body {
	body := transfer()
	body.FeeAsset = tx.CNPY
	return body
}

// everyKind is one body of each message.
func everyKind() []tx.Body {
	bodies := []tx.Body{transfer(), swap(), deposit(), withdrawal(), validatorUpdate(), paidInCNPY()}
	for _, message := range []tx.Message{
		tx.SessionAnchor{Session: uuid.UUID{1}, Root: tx.Root{2}, Chunks: 3, Size: 1 << 40},
		tx.Payout{ID: uuid.UUID{1}, Asset: tx.Token, Payments: payments(2)},
		tx.VoucherIn{Transfer: uuid.UUID{1}, To: livechain.Address{1}, Amount: 5},
		tx.VoucherOut{ID: uuid.UUID{1}, LedgerAccount: uuid.UUID{2}, Amount: math.MaxInt64},
		tx.Proposal{ID: uuid.UUID{1}, Change: tx.MinFee(0)},
		tx.Proposal{ID: uuid.UUID{1}, Change: tx.MinFee(tx.MaxMinFee)},
		tx.Proposal{ID: uuid.UUID{1}, Change: tx.PoolFee(tx.MaxFeeBasisPoints)},
		tx.Proposal{ID: uuid.UUID{1}, Change: tx.ValidatorUpdate{Key: key.Public().(ed25519.PublicKey)}},
		tx.Upgrade{Version: 1, Height: math.MaxInt64},
		tx.Vote{Proposal: uuid.UUID{1}},
		tx.WorkReport{
			Key: key.Public().(ed25519.PublicKey), Day: 20_000, Relayed: tx.MaxWorkBytes, Stored: tx.MaxWorkBytes,
			Validations: tx.MaxValidations, Uptime: tx.SecondsPerDay,
		},
		tx.Vote{Proposal: uuid.UUID{1}, Approve: true},
		tx.Stake{Validator: key.Public().(ed25519.PublicKey), Amount: math.MaxInt64},
		tx.Unstake{Validator: key.Public().(ed25519.PublicKey), Amount: 1},
	} {
		bodies = append(bodies, tx.Body{ChainID: "aurora-1", Message: message})
	}
	return bodies
}

// payments are n, each of the most that all of them may be.
func payments(n int) []tx.Payment {
	all := make([]tx.Payment, n)
	for i := range all {
		all[i] = tx.Payment{To: livechain.Address{byte(i), 1}, Amount: money.Amount(math.MaxInt64 / n)}
	}
	return all
}

// A chain id of any length that CometBFT allows leaves room for every payment.
func TestTheLargestPayoutFits(t *testing.T) {
	body := tx.Body{
		ChainID: strings.Repeat("c", 50), Nonce: math.MaxUint64, Fee: math.MaxInt64, FeeAsset: tx.CNPY, Expires: math.MaxInt64, Salt: math.MaxUint64,
		Message: tx.Payout{ID: uuid.UUID{1}, Asset: tx.Token, Payments: payments(tx.MaxPayments)},
	}
	raw, err := tx.Sign(body, key)
	require.NoError(t, err)
	require.LessOrEqual(t, len(raw), tx.MaxSize)
	got, err := tx.Decode(raw)
	require.NoError(t, err)
	require.Equal(t, body, got.Body)
	require.Equal(t, money.Amount(math.MaxInt64/tx.MaxPayments*tx.MaxPayments), got.Message.(tx.Payout).Total())
}

func TestSignedTransactionsComeBack(t *testing.T) {
	for _, body := range everyKind() {
		raw, err := tx.Sign(body, key)
		require.NoError(t, err)
		got, err := tx.Decode(raw)
		require.NoError(t, err)
		require.Equal(t, body, got.Body)
		require.NoError(t, got.Verify())
		require.Equal(t, livechain.AddressOf(key.Public().(ed25519.PublicKey)), got.Sender())
	}
}

// What old programs can't decode must not count before the rules that brought it.
func TestSince(t *testing.T) {
	for _, body := range everyKind() {
		want := uint64(1)
		switch m := body.Message.(type) {
		case tx.Stake, tx.Unstake:
			want = 3
		case tx.Proposal:
			if _, is := m.Change.(tx.ValidatorUpdate); is {
				want = 2
			}
		}
		require.Equal(t, want, body.Since(), "%T", body.Message)
	}
}

// The encoding is consensus: a change of these digests is a hard fork.
func TestEncodingIsFixed(t *testing.T) {
	for want, body := range map[string]tx.Body{
		"76ae0c77803f2976192afe656b438717b577b1db916c098e3ce0db974ca46b69": transfer(),
		"47d2ecb8893a9db9d4314d82ded9253e127904e554075db5739241896d581f87": swap(),
		"65adcf8ea6b99a4a3f9083b6c7b8f2b35d423aee8c65487abf8ebb44306d2f48": paidInCNPY(),
	} {
		raw, err := tx.Sign(body, key)
		require.NoError(t, err)
		digest := sha256.Sum256(raw)
		require.Equal(t, want, hex.EncodeToString(digest[:]))
	}
}

// A fee in tokens is written one way, however its signer says it.
func TestTokensAreTheFeesDefault(t *testing.T) {
	said := transfer()
	said.FeeAsset = tx.Token
	raw, err := tx.Sign(said, key)
	require.NoError(t, err)
	unsaid, err := tx.Sign(transfer(), key)
	require.NoError(t, err)
	require.Equal(t, unsaid, raw)
	got, err := tx.Decode(raw)
	require.NoError(t, err)
	require.Equal(t, tx.Token, got.FeeIn())
	require.Equal(t, tx.CNPY, paidInCNPY().FeeIn())
}

func TestBodiesThatCannotBeSigned(t *testing.T) {
	for reason, body := range map[string]tx.Body{
		"no chain":          {Message: tx.Swap{Sell: tx.CNPY, AmountIn: 1}},
		"no message":        {ChainID: "a"},
		"a fee in stones":   {ChainID: "a", FeeAsset: 3, Message: tx.Swap{Sell: tx.CNPY, AmountIn: 1}},
		"a negative fee":    {ChainID: "a", Fee: -1, Message: tx.Swap{Sell: tx.CNPY, AmountIn: 1}},
		"nothing to move":   {ChainID: "a", Message: tx.Transfer{Asset: tx.CNPY}},
		"no asset":          {ChainID: "a", Message: tx.Transfer{Amount: 1}},
		"nothing to sell":   {ChainID: "a", Message: tx.Swap{Sell: tx.CNPY}},
		"nothing sold":      {ChainID: "a", Message: tx.Swap{AmountIn: 1}},
		"negative minimum":  {ChainID: "a", Message: tx.Swap{Sell: tx.CNPY, AmountIn: 1, MinOut: -1}},
		"an end in 1969":    {ChainID: "a", Expires: -1, Message: tx.Swap{Sell: tx.CNPY, AmountIn: 1}},
		"nothing given":     {ChainID: "a", Message: tx.Deposit{}},
		"no session":        {ChainID: "a", Message: tx.SessionAnchor{Chunks: 1, Size: 1}},
		"no chunk":          {ChainID: "a", Message: tx.SessionAnchor{Session: uuid.UUID{1}, Size: 1}},
		"an empty chunk":    {ChainID: "a", Message: tx.SessionAnchor{Session: uuid.UUID{1}, Chunks: 2, Size: 1}},
		"too much data":     {ChainID: "a", Message: tx.SessionAnchor{Session: uuid.UUID{1}, Chunks: 2, Size: 1 << 63}},
		"an unknown payout": {ChainID: "a", Message: tx.Payout{Asset: tx.CNPY, Payments: payments(1)}},
		"nobody to pay":     {ChainID: "a", Message: tx.Payout{ID: uuid.UUID{1}, Asset: tx.CNPY}},
		"too many to pay":   {ChainID: "a", Message: tx.Payout{ID: uuid.UUID{1}, Asset: tx.CNPY, Payments: payments(tx.MaxPayments + 1)}},
		"paid in nothing":   {ChainID: "a", Message: tx.Payout{ID: uuid.UUID{1}, Payments: payments(1)}},
		"paid twice":        {ChainID: "a", Message: tx.Payout{ID: uuid.UUID{1}, Asset: tx.CNPY, Payments: append(payments(2), payments(2)[1])}},
		"paid no amount":    {ChainID: "a", Message: tx.Payout{ID: uuid.UUID{1}, Asset: tx.CNPY, Payments: []tx.Payment{{}}}},
		"more than counts":  {ChainID: "a", Message: tx.Payout{ID: uuid.UUID{1}, Asset: tx.CNPY, Payments: append(payments(1), tx.Payment{To: livechain.Address{9}, Amount: 1})}},
		"no transfer":       {ChainID: "a", Message: tx.VoucherIn{To: livechain.Address{1}, Amount: 1}},
		"no CNPY in":        {ChainID: "a", Message: tx.VoucherIn{Transfer: uuid.UUID{1}}},
		"no id out":         {ChainID: "a", Message: tx.VoucherOut{LedgerAccount: uuid.UUID{1}, Amount: 1}},
		"no account":        {ChainID: "a", Message: tx.VoucherOut{ID: uuid.UUID{1}, Amount: 1}},
		"no CNPY out":       {ChainID: "a", Message: tx.VoucherOut{ID: uuid.UUID{1}, LedgerAccount: uuid.UUID{1}}},
		"no proposal":       {ChainID: "a", Message: tx.Vote{}},
		"an unknown change": {ChainID: "a", Message: tx.Proposal{Change: tx.PoolFee(1)}},
		"no change":         {ChainID: "a", Message: tx.Proposal{ID: uuid.UUID{1}}},
		"too high a fee":    {ChainID: "a", Message: tx.Proposal{ID: uuid.UUID{1}, Change: tx.MinFee(tx.MaxMinFee + 1)}},
		"a fee below zero":  {ChainID: "a", Message: tx.Proposal{ID: uuid.UUID{1}, Change: tx.MinFee(-1)}},
		"too high a part":   {ChainID: "a", Message: tx.Proposal{ID: uuid.UUID{1}, Change: tx.PoolFee(tx.MaxFeeBasisPoints + 1)}},
		"half a validator":  {ChainID: "a", Message: tx.Proposal{ID: uuid.UUID{1}, Change: tx.ValidatorUpdate{Key: make([]byte, 16)}}},
		"no rules":          {ChainID: "a", Message: tx.Upgrade{Height: 1}},
		"rules of no block": {ChainID: "a", Message: tx.Upgrade{Version: 1}},
		"rules of 1969":     {ChainID: "a", Message: tx.Upgrade{Version: 1, Height: -1}},
		"work of nobody":    {ChainID: "a", Message: tx.WorkReport{Day: 1}},
		"work before 1970":  {ChainID: "a", Message: tx.WorkReport{Key: make([]byte, 32), Day: -1}},
		"too much relayed":  {ChainID: "a", Message: tx.WorkReport{Key: make([]byte, 32), Relayed: tx.MaxWorkBytes + 1}},
		"too much stored":   {ChainID: "a", Message: tx.WorkReport{Key: make([]byte, 32), Stored: tx.MaxWorkBytes + 1}},
		"too much checked":  {ChainID: "a", Message: tx.WorkReport{Key: make([]byte, 32), Validations: tx.MaxValidations + 1}},
		"a stake of none":   {ChainID: "a", Message: tx.Stake{Validator: make([]byte, 32)}},
		"a stake on nobody": {ChainID: "a", Message: tx.Stake{Amount: 1}},
		"less than a stake": {ChainID: "a", Message: tx.Unstake{Validator: make([]byte, 32), Amount: -1}},
		"a longer day":      {ChainID: "a", Message: tx.WorkReport{Key: make([]byte, 32), Uptime: tx.SecondsPerDay + 1}},
		"half a key":        {ChainID: "a", Message: tx.ValidatorUpdate{Key: make([]byte, 16)}},
		"too much power":    {ChainID: "a", Message: tx.ValidatorUpdate{Key: make([]byte, 32), Power: tx.MaxPower + 1}},
		"negative power":    {ChainID: "a", Message: tx.ValidatorUpdate{Key: make([]byte, 32), Power: -1}},
		"a negative gift":   {ChainID: "a", Message: tx.Deposit{CNPY: 1, Tokens: -1}},
		"no part":           {ChainID: "a", Message: tx.Withdrawal{}},
		"more than all":     {ChainID: "a", Message: tx.Withdrawal{Percent: 101}},
		"a negative least":  {ChainID: "a", Message: tx.Withdrawal{Percent: 1, MinTokens: -1}},
	} {
		_, err := tx.Sign(body, key)
		require.ErrorIs(t, err, tx.ErrMalformed, reason)
	}
}

// envelope wraps a raw body so that only the body is wrong.
func envelope(t *testing.T, body []byte) []byte {
	raw, err := proto.Marshal(&txpb.Envelope{Body: body, PublicKey: key.Public().(ed25519.PublicKey), Signature: make([]byte, 64)})
	require.NoError(t, err)
	return raw
}

func bodyBytes(t *testing.T, body *txpb.Body) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(body)
	require.NoError(t, err)
	return raw
}

func TestDecodeRefusesWhatIsNotCanonical(t *testing.T) {
	good, err := tx.Sign(transfer(), key)
	require.NoError(t, err)
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)
	whole := bodyBytes(t, &txpb.Body{ChainId: "a", Message: &txpb.Body_Swap{Swap: &txpb.Swap{Sell: tx.CNPY, AmountIn: 1}}})
	nested := protowire.AppendBytes(
		protowire.AppendTag([]byte{0x0a, 1, 'a'}, 17, protowire.BytesType),
		append([]byte{0x08, 1, 0x10, 1}, unknown...))
	for reason, raw := range map[string][]byte{
		"nothing":                       {},
		"not protobuf":                  []byte("transfer everything"),
		"an unknown field outside":      append(bytes.Clone(good), unknown...),
		"a repeated field":              append(bytes.Clone(good), good...),
		"a cut end":                     good[:len(good)-1],
		"too large":                     bytes.Repeat([]byte{0x0a, 0}, tx.MaxSize),
		"an unknown field in the body":  envelope(t, append(bytes.Clone(whole), unknown...)),
		"an unknown field in a message": envelope(t, nested),
		"an explicit zero":              envelope(t, append(bytes.Clone(whole), 0x10, 0)),
		"fields out of order":           envelope(t, append(bytes.Clone(whole[3:]), whole[:3]...)),
		"a padded number":               envelope(t, append([]byte{0x0a, 1, 'a', 0x10, 0x81, 0}, whole[3:]...)),
		"an address of another length": envelope(t, bodyBytes(t, &txpb.Body{ChainId: "a",
			Message: &txpb.Body_Transfer{Transfer: &txpb.Transfer{To: []byte{1}, Asset: tx.CNPY, Amount: 1}}})),
		"an amount beyond int64": envelope(t, bodyBytes(t, &txpb.Body{ChainId: "a", Fee: math.MaxUint64,
			Message: &txpb.Body_Swap{Swap: &txpb.Swap{Sell: tx.CNPY, AmountIn: 1}}})),
		"an unknown field in a list": envelope(t, func() []byte {
			payment := &txpb.Payment{To: make([]byte, 20), Amount: 1}
			payment.ProtoReflect().SetUnknown(unknown)
			return bodyBytes(t, &txpb.Body{ChainId: "a", Message: &txpb.Body_Payout{Payout: &txpb.Payout{
				Id: append(make([]byte, 15), 1), Asset: tx.CNPY, Payments: []*txpb.Payment{payment},
			}}})
		}()),
		"half a root": envelope(t, bodyBytes(t, &txpb.Body{ChainId: "a", Message: &txpb.Body_SessionAnchor{SessionAnchor: &txpb.SessionAnchor{
			SessionId: append(make([]byte, 15), 1), Root: make([]byte, 16), ChunkCount: 1, TotalSize: 1,
		}}})),
		"half an address": envelope(t, bodyBytes(t, &txpb.Body{ChainId: "a", Message: &txpb.Body_VoucherIn{VoucherIn: &txpb.VoucherIn{
			TransferId: append(make([]byte, 15), 1), To: make([]byte, 10), Amount: 1,
		}}})),
		"half an account to pay": envelope(t, bodyBytes(t, &txpb.Body{ChainId: "a", Message: &txpb.Body_Payout{Payout: &txpb.Payout{
			Id: append(make([]byte, 15), 1), Asset: tx.CNPY, Payments: []*txpb.Payment{{To: make([]byte, 10), Amount: 1}},
		}}})),
		"a fee in tokens that says so": envelope(t, bodyBytes(t, &txpb.Body{ChainId: "a", FeeAsset: tx.Token,
			Message: &txpb.Body_Swap{Swap: &txpb.Swap{Sell: tx.CNPY, AmountIn: 1}}})),
		"an asset of a later version": envelope(t, bodyBytes(t, &txpb.Body{ChainId: "a",
			Message: &txpb.Body_Swap{Swap: &txpb.Swap{Sell: 3, AmountIn: 1}}})),
		"a short key": func() []byte {
			raw, _ := proto.Marshal(&txpb.Envelope{Body: whole, PublicKey: []byte{1}, Signature: make([]byte, 64)})
			return raw
		}(),
	} {
		_, err := tx.Decode(raw)
		require.ErrorIs(t, err, tx.ErrMalformed, reason)
	}
	_, err = tx.Decode(envelope(t, whole))
	require.NoError(t, err, "the helper itself makes a canonical envelope")
}

func TestVerify(t *testing.T) {
	raw, err := tx.Sign(transfer(), key)
	require.NoError(t, err)
	flip := func(pb *txpb.Envelope) []byte {
		out, err := proto.Marshal(pb)
		require.NoError(t, err)
		return out
	}
	var pb txpb.Envelope
	require.NoError(t, proto.Unmarshal(raw, &pb))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	richer := transfer()
	richer.Fee++
	foreign, err := tx.Sign(richer, key)
	require.NoError(t, err)
	var foreignPB txpb.Envelope
	require.NoError(t, proto.Unmarshal(foreign, &foreignPB))
	for reason, raw := range map[string][]byte{
		"another key":                flip(&txpb.Envelope{Body: pb.Body, PublicKey: other.Public().(ed25519.PublicKey), Signature: pb.Signature}),
		"the signature of another":   flip(&txpb.Envelope{Body: pb.Body, PublicKey: pb.PublicKey, Signature: foreignPB.Signature}),
		"signed without the domain":  flip(&txpb.Envelope{Body: pb.Body, PublicKey: pb.PublicKey, Signature: ed25519.Sign(key, pb.Body)}),
		"signed over the plain hash": flip(&txpb.Envelope{Body: pb.Body, PublicKey: pb.PublicKey, Signature: func() []byte { d := sha256.Sum256(pb.Body); return ed25519.Sign(key, d[:]) }()}),
	} {
		got, err := tx.Decode(raw)
		require.NoError(t, err, reason)
		require.ErrorIs(t, got.Verify(), tx.ErrSignature, reason)
	}
}

// FuzzDecode: no input panics, and what decodes has this one encoding.
func FuzzDecode(f *testing.F) {
	for _, body := range everyKind() {
		raw, err := tx.Sign(body, key)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := tx.Decode(raw)
		if err != nil {
			require.ErrorIs(t, err, tx.ErrMalformed)
			return
		}
		var pb txpb.Envelope
		require.NoError(t, proto.Unmarshal(raw, &pb))
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(&pb)
		require.NoError(t, err)
		require.Equal(t, raw, again)
		require.NotNil(t, got.Message)
		_, err = tx.Sign(got.Body, key)
		require.NoError(t, err, "what can be read can be written")
	})
}

// A batch says of each what Verify says of it, whatever the others are.
func TestVerifyAll(t *testing.T) {
	decode := func(flip int) *tx.Tx {
		raw, err := tx.Sign(transfer(), key)
		require.NoError(t, err)
		if flip > 0 {
			raw[len(raw)-flip] ^= 1
		}
		got, err := tx.Decode(raw)
		require.NoError(t, err)
		return got
	}
	good, bad := decode(0), decode(3)
	for _, batch := range [][]*tx.Tx{{}, {good}, {bad}, {good, good}, {good, bad, good}, {bad, bad}} {
		errs := tx.VerifyAll(batch)
		require.Len(t, errs, len(batch))
		for i, one := range batch {
			require.Equal(t, one.Verify(), errs[i])
		}
	}
}
