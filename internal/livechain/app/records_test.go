package app

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
)

// fill gives every field of a message a value of its own, so that none can be left
// out of a copy unnoticed, nor be taken for another.
func fill(t *testing.T, m protoreflect.Message) {
	t.Helper()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch number := int64(field.Number()); field.Kind() {
		case protoreflect.Uint64Kind:
			m.Set(field, protoreflect.ValueOfUint64(uint64(number)))
		case protoreflect.Uint32Kind:
			m.Set(field, protoreflect.ValueOfUint32(uint32(number)))
		case protoreflect.Int64Kind:
			m.Set(field, protoreflect.ValueOfInt64(number))
		case protoreflect.BoolKind:
			m.Set(field, protoreflect.ValueOfBool(true))
		case protoreflect.StringKind:
			m.Set(field, protoreflect.ValueOfString(string(field.Name())))
		case protoreflect.BytesKind:
			m.Set(field, protoreflect.ValueOfBytes([]byte(field.Name())))
		case protoreflect.MessageKind:
			require.False(t, field.IsList(), "a list needs a copy of its own")
			fill(t, m.Mutable(field).Message())
		default:
			require.Fail(t, "no value for the field "+string(field.FullName()))
		}
	}
}

// A field that is added to one of these records and not to its copy would be lost
// on the way through the first transaction.
func TestCopiesAreWhole(t *testing.T) {
	account := &statepb.Account{}
	fill(t, account.ProtoReflect())
	require.True(t, proto.Equal(account, copyAccount(account)))
	for _, record := range []proto.Message{&statepb.Pool{}, &statepb.Chain{}, &statepb.Voucher{}} {
		fill(t, record.ProtoReflect())
		into := record.ProtoReflect().New().Interface()
		copyRecord(into, record)
		require.True(t, proto.Equal(record, into), "%T", record)
	}
}

// What a source hands out is the caller's own: a transaction that fails after it
// has changed it leaves nothing behind.
func TestOverlayHandsOutCopies(t *testing.T) {
	o := newOverlay(nil)
	o.setAccount(feeAccount, &statepb.Account{Tokens: 5})
	o.set(poolKey, &statepb.Pool{Cnpy: 6})
	o.set(chainKey, &statepb.Chain{MinFee: 7})
	above := newOverlay(o)
	account, err := above.account(feeAccount)
	require.NoError(t, err)
	pool, err := poolOf(above)
	require.NoError(t, err)
	chain, err := chainOf(above)
	require.NoError(t, err)
	account.Tokens, pool.Cnpy, chain.MinFee = 0, 0, 0

	account, err = above.account(feeAccount)
	require.NoError(t, err)
	pool, err = poolOf(above)
	require.NoError(t, err)
	chain, err = chainOf(above)
	require.NoError(t, err)
	require.Equal(t, []uint64{5, 6, 7}, []uint64{account.GetTokens(), pool.GetCnpy(), chain.GetMinFee()})
}
