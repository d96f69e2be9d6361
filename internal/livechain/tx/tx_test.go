package tx_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx/txpb"
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
	return tx.Body{ChainID: "aurora-1", Expires: 1_800_000_000, Message: tx.Withdrawal{Percent: 50, MinCNPY: 1, MinTokens: 2}}
}

func validatorUpdate() tx.Body {
	return tx.Body{ChainID: "aurora-1", Message: tx.ValidatorUpdate{Key: key.Public().(ed25519.PublicKey), Power: tx.MaxPower}}
}

// everyKind is one body of each message.
func everyKind() []tx.Body {
	return []tx.Body{transfer(), swap(), deposit(), withdrawal(), validatorUpdate()}
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

// The encoding is consensus: a change of these digests is a hard fork.
func TestEncodingIsFixed(t *testing.T) {
	for want, body := range map[string]tx.Body{
		"76ae0c77803f2976192afe656b438717b577b1db916c098e3ce0db974ca46b69": transfer(),
		"47d2ecb8893a9db9d4314d82ded9253e127904e554075db5739241896d581f87": swap(),
	} {
		raw, err := tx.Sign(body, key)
		require.NoError(t, err)
		digest := sha256.Sum256(raw)
		require.Equal(t, want, hex.EncodeToString(digest[:]))
	}
}

func TestBodiesThatCannotBeSigned(t *testing.T) {
	for reason, body := range map[string]tx.Body{
		"no chain":         {Message: tx.Swap{Sell: tx.CNPY, AmountIn: 1}},
		"no message":       {ChainID: "a"},
		"a negative fee":   {ChainID: "a", Fee: -1, Message: tx.Swap{Sell: tx.CNPY, AmountIn: 1}},
		"nothing to move":  {ChainID: "a", Message: tx.Transfer{Asset: tx.CNPY}},
		"no asset":         {ChainID: "a", Message: tx.Transfer{Amount: 1}},
		"nothing to sell":  {ChainID: "a", Message: tx.Swap{Sell: tx.CNPY}},
		"nothing sold":     {ChainID: "a", Message: tx.Swap{AmountIn: 1}},
		"negative minimum": {ChainID: "a", Message: tx.Swap{Sell: tx.CNPY, AmountIn: 1, MinOut: -1}},
		"an end in 1969":   {ChainID: "a", Expires: -1, Message: tx.Swap{Sell: tx.CNPY, AmountIn: 1}},
		"nothing given":    {ChainID: "a", Message: tx.Deposit{}},
		"half a key":       {ChainID: "a", Message: tx.ValidatorUpdate{Key: make([]byte, 16)}},
		"too much power":   {ChainID: "a", Message: tx.ValidatorUpdate{Key: make([]byte, 32), Power: tx.MaxPower + 1}},
		"negative power":   {ChainID: "a", Message: tx.ValidatorUpdate{Key: make([]byte, 32), Power: -1}},
		"a negative gift":  {ChainID: "a", Message: tx.Deposit{CNPY: 1, Tokens: -1}},
		"no part":          {ChainID: "a", Message: tx.Withdrawal{}},
		"more than all":    {ChainID: "a", Message: tx.Withdrawal{Percent: 101}},
		"a negative least": {ChainID: "a", Message: tx.Withdrawal{Percent: 1, MinTokens: -1}},
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
