package graduated

import (
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
	words "github.com/lucid-blockchain/lucid/internal/text"
)

// Order is what somebody asks of a pool.
type Order struct {
	PoolID   uuid.UUID  // the pool's id or its chain's
	Message  tx.Message // a tx.Swap, tx.Deposit, tx.Withdrawal or tx.VoucherOut
	Deadline time.Time  // no block after it carries the order out; zero means none
	// IdempotencyKey is of the caller's own: under one key an order is carried out at
	// most once. Empty means none. A simulation has no use for it.
	IdempotencyKey string
}

// Authority says in whose name an order is signed. Of the four ways exactly one
// is taken: a transaction that has been signed elsewhere, a wallet of the
// caller's and its password, the treasury of a chain that the caller has made, or
// the wallet that the platform keeps for the caller.
type Authority struct {
	Caller   uuid.UUID
	Signed   []byte
	WalletID *uuid.UUID
	Password string
	Treasury bool
}

// Validate reports every wrong field at once, by the names of the REST bodies.
func (o Order) Validate() error {
	var fields []fault.Field
	switch m := o.Message.(type) {
	case tx.Swap:
		fields = swapFields(m)
	case tx.Deposit:
		fields = depositFields(m)
	case tx.Withdrawal:
		fields = withdrawalFields(m)
	case tx.VoucherOut:
		fields = above("cnpy_amount", m.Amount, 1)
	}
	if !o.Deadline.IsZero() && o.Deadline.Unix() <= 0 {
		fields = append(fields, field("deadline", "must be after 1970", "range", nil))
	}
	if !words.IdempotencyKey(o.IdempotencyKey) {
		fields = append(fields, field("Idempotency-Key", words.IdempotencyKeyRule, "format", nil))
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

func swapFields(m tx.Swap) []fault.Field {
	name := "cnpy_amount"
	if m.Sell == tx.Token {
		name = "token_amount"
	}
	return append(above(name, m.AmountIn, 1), above("min_out", m.MinOut, 0)...)
}

func depositFields(m tx.Deposit) []fault.Field {
	fields := append(above("cnpy_amount", m.CNPY, 0), above("token_amount", m.Tokens, 0)...)
	if m.CNPY == 0 && m.Tokens == 0 {
		const reason = "give cnpy_amount, token_amount or both"
		fields = append(fields, field("cnpy_amount", reason, "required", nil), field("token_amount", reason, "required", nil))
	}
	return append(fields, above("min_shares", m.MinShares, 0)...)
}

func withdrawalFields(m tx.Withdrawal) []fault.Field {
	var fields []fault.Field
	if m.Percent < 1 || m.Percent > 100 {
		fields = append(fields, field("percent", "must be between 1 and 100", "range", m.Percent))
	}
	fields = append(fields, above("min_cnpy", m.MinCNPY, 0)...)
	return append(fields, above("min_tokens", m.MinTokens, 0)...)
}

func above(name string, value, least money.Amount) []fault.Field {
	switch {
	case value >= least:
		return nil
	case least == 0:
		return []fault.Field{field(name, "must be at least 0", "min_value", value)}
	}
	return []fault.Field{field(name, "must be greater than 0", "min_value", value)}
}

func field(name, reason, rule string, value any) fault.Field {
	return fault.Field{Name: name, Reason: reason, Value: value, Rule: rule}
}
