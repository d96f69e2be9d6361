package graduated

import (
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Fee is what a transaction costs its signer beside what it moves.
type Fee struct {
	Amount money.Amount
	Asset  tx.Asset // tx.Token or tx.CNPY
}

// least is the chain's least fee in the asset of this one.
func (f Fee) least(info app.Info) money.Amount {
	if f.Asset == tx.CNPY {
		return info.MinFeeCNPY
	}
	return info.MinFee
}

// feeOf takes the fee in tokens where the account has enough of them beside what
// the order moves, else in CNPY. Of an account that has enough of neither it is in
// tokens, and the chain says what is missing.
func feeOf(info app.Info, held app.Account, m tx.Message) Fee {
	cnpy, tokens := spends(m)
	left := held.CNPY - cnpy
	if held.Spendable-tokens >= info.MinFee || left < info.MinFeeCNPY {
		return Fee{info.MinFee, tx.Token}
	}
	// The price that the chain takes it by is the one of the block. A tenth more, if
	// it is there, spares most orders to be refused for another's swap.
	const part = 10
	return Fee{info.MinFeeCNPY + min(left-info.MinFeeCNPY, info.MinFeeCNPY/part+1), tx.CNPY}
}

// spends is what an order takes from its signer.
func spends(m tx.Message) (cnpy, tokens money.Amount) {
	switch m := m.(type) {
	case tx.Swap:
		if m.Sell == tx.Token {
			return 0, m.AmountIn
		}
		return m.AmountIn, 0
	case tx.Deposit:
		return m.CNPY, m.Tokens
	case tx.VoucherOut:
		return m.Amount, 0
	}
	return 0, 0
}
