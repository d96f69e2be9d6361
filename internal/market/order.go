package market

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/text"
)

// Side is the user's side of a trade.
type Side string

// The sides.
const (
	Buy  Side = "buy"  // CNPY in, tokens out
	Sell Side = "sell" // tokens in, CNPY out
)

// Order is what a user asks for. Exactly one of CNPY and Tokens is set: the
// side that the user fixes. The other side is bounded by MinOut where the user
// fixed what goes in, and by MaxIn where the user fixed what comes out.
type Order struct {
	ID             uuid.UUID     // of the trade to be; made by the market when zero
	PoolID         uuid.UUID     // the pool's id or its chain's
	UserID         uuid.UUID     // who trades
	Side           Side          //
	CNPY           *money.Amount // paid on a buy, fee included; received on a sell, fee taken
	Tokens         *money.Amount // received on a buy; paid on a sell
	MinOut         *money.Amount // least to receive: tokens on a buy, CNPY on a sell
	MaxIn          *money.Amount // most to pay: CNPY on a buy, tokens on a sell
	Deadline       time.Time     // looked at when the trade is decided; zero means none
	IdempotencyKey string        // of the user's own; empty means none
}

// exactIn reports whether the user fixed what goes into the pool.
func (o Order) exactIn() bool { return (o.Side == Buy) == (o.CNPY != nil) }

// Validate reports every wrong field at once as an Invalid fault, or nil.
func (o Order) Validate() error {
	fields := o.amountFields()
	if o.MinOut != nil && !o.exactIn() {
		fields = append(fields, field("min_out", "goes with an exact amount to pay; use max_in", "conflict", *o.MinOut))
	}
	if o.MaxIn != nil && o.exactIn() {
		fields = append(fields, field("max_in", "goes with an exact amount to receive; use min_out", "conflict", *o.MaxIn))
	}
	fields = append(fields, limitField("min_out", o.MinOut)...)
	fields = append(fields, limitField("max_in", o.MaxIn)...)
	if !text.IdempotencyKey(o.IdempotencyKey) {
		fields = append(fields, field("Idempotency-Key", text.IdempotencyKeyRule, "format", nil))
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

// amountFields checks the side and the two amounts.
func (o Order) amountFields() []fault.Field {
	var fields []fault.Field
	if o.Side != Buy && o.Side != Sell {
		fields = append(fields, field("side", "must be buy or sell", "one_of", string(o.Side)))
	}
	if (o.CNPY == nil) == (o.Tokens == nil) {
		const reason = "give exactly one of cnpy_amount and token_amount"
		fields = append(fields, field("cnpy_amount", reason, "required", nil), field("token_amount", reason, "required", nil))
	}
	if o.CNPY != nil && *o.CNPY <= 0 {
		fields = append(fields, field("cnpy_amount", "must be greater than 0", "min_value", *o.CNPY))
	}
	if o.Tokens != nil && *o.Tokens <= 0 {
		fields = append(fields, field("token_amount", "must be greater than 0", "min_value", *o.Tokens))
	}
	return fields
}

func limitField(name string, limit *money.Amount) []fault.Field {
	if limit == nil || *limit >= 0 {
		return nil
	}
	return []fault.Field{field(name, "must be at least 0", "min_value", *limit)}
}

func field(name, reason, rule string, value any) fault.Field {
	return fault.Field{Name: name, Reason: reason, Value: value, Rule: rule}
}

// hash tells one request from another under the same key. pool is the pool's
// own id: asking by the chain's id is the same request.
func (o Order) hash(pool uuid.UUID) []byte {
	h := sha256.New()
	h.Write([]byte("lucid order 1\n" + string(o.Side) + "\n"))
	h.Write(pool[:])
	h.Write(o.UserID[:])
	for _, amount := range []*money.Amount{o.CNPY, o.Tokens, o.MinOut, o.MaxIn} {
		n := int64(-1) // no valid amount or limit is negative
		if amount != nil {
			n = int64(*amount)
		}
		_ = binary.Write(h, binary.BigEndian, n) // a hash never fails
	}
	deadline := int64(0)
	if !o.Deadline.IsZero() {
		deadline = o.Deadline.UnixNano()
	}
	_ = binary.Write(h, binary.BigEndian, deadline)
	return h.Sum(nil)
}
