package app_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// least is the chain's least fee in CNPY: 1000 units of the token at 0.002.
const least = 2

// newcomer is an account that a voucher has brought CNPY, and that has no token.
func newcomer(c *chain, amount money.Amount) livechain.Address {
	c.do(authority, tx.VoucherIn{Transfer: uuid.New(), To: at(key(42)), Amount: amount})
	return at(key(42))
}

// Whoever has CNPY alone can do with it all that others can.
func TestFeesInCNPY(t *testing.T) {
	for name, message := range map[string]tx.Message{
		"buys tokens":              tx.Swap{Sell: tx.CNPY, AmountIn: 50 * million},
		"gives liquidity":          tx.Deposit{CNPY: 50 * million},
		"takes it back":            tx.VoucherOut{ID: number(1), LedgerAccount: number(2), Amount: 100*million - least},
		"sends it on":              tx.Transfer{To: at(key(1)), Asset: tx.CNPY, Amount: million},
		"anchors a session":        tx.SessionAnchor{Session: number(1), Chunks: 1, Size: 1},
		"asks for a vote on a fee": tx.Proposal{ID: number(1), Change: tx.PoolFee(30)},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t)
			who := newcomer(c, 100*million)
			before, supply := c.account(who), c.supply()
			paid := tx.Body{Fee: least, FeeAsset: tx.CNPY, Message: message}
			raw := sign(t, key(42), paid)
			require.Equal(t, app.CodeOK, c.check(raw))
			result := c.block(raw)[0]
			require.Zero(t, result.Code, result.Log)
			require.Equal(t, money.Amount(least), c.account(livechain.ModuleAddress("fees")).CNPY)
			require.Zero(t, c.account(livechain.ModuleAddress("fees")).Balance)
			require.LessOrEqual(t, c.account(who).CNPY, before.CNPY-least)
			if out, is := message.(tx.VoucherOut); is {
				supply.CNPY -= out.Amount
			}
			require.Equal(t, supply, c.supply(), "a fee makes and burns nothing")
		})
	}
}

func TestRefusedFees(t *testing.T) {
	c := start(t)
	newcomer(c, 10)
	buy := tx.Swap{Sell: tx.CNPY, AmountIn: 9}
	for _, r := range []struct {
		body   tx.Body
		want   app.Code
		reason string
	}{
		{tx.Body{Fee: least - 1, FeeAsset: tx.CNPY, Message: buy}, app.CodeFeeTooLow, "less than the tokens are worth"},
		{tx.Body{FeeAsset: tx.CNPY, Message: buy}, app.CodeFeeTooLow, "nothing"},
		{tx.Body{Fee: least, Message: buy}, app.CodeFeeTooLow, "as many tokens are not enough"},
		{tx.Body{Fee: fee, Message: buy}, app.CodeInsufficientBalance, "tokens that it does not have"},
		{tx.Body{Fee: 11, FeeAsset: tx.CNPY, Message: buy}, app.CodeInsufficientBalance, "more CNPY than it has"},
	} {
		raw, hash := sign(t, key(42), r.body), c.hash
		require.Equal(t, r.want, c.check(raw), r.reason)
		require.EqualValues(t, r.want, c.block(raw)[0].Code, r.reason)
		require.Equal(t, hash, c.hash, "nothing moved: %s", r.reason)
	}
	raw := sign(t, key(42), tx.Body{Fee: least, FeeAsset: tx.CNPY, Message: buy})
	require.EqualValues(t, app.CodeInsufficientBalance, c.block(raw)[0].Code, "the fee leaves too little for the order")
	require.Equal(t, money.Amount(10-least), c.account(at(key(42))).CNPY, "and is paid")
}

// The fee in CNPY goes with the price, within a block too, and with the vote that
// changes the one in tokens.
func TestFeeInCNPYFollowsThePrice(t *testing.T) {
	c := start(t)
	newcomer(c, 100_000*million)
	// 100 000 CNPY more in the pool make a token dearer by twelve times.
	buy := sign(t, key(42), tx.Body{Fee: least, FeeAsset: tx.CNPY, Message: tx.Swap{Sell: tx.CNPY, AmountIn: 100_000*million - 2*least}})
	late := func(fee money.Amount) []byte {
		return sign(t, key(42), tx.Body{Nonce: 1, Fee: fee, FeeAsset: tx.CNPY, Message: tx.SessionAnchor{Session: number(1), Chunks: 1, Size: 1}})
	}
	results := c.block(buy, late(least))
	require.Zero(t, results[0].Code, results[0].Log)
	require.EqualValues(t, app.CodeFeeTooLow, results[1].Code)
	var info app.Info
	require.Zero(t, c.ask("/info", &info))
	require.Equal(t, fee, info.MinFee)
	require.Equal(t, money.Amount(25), info.MinFeeCNPY, "ceil(1000 · 140 000e6 / y)")
	c.do(key(1), tx.Transfer{To: at(key(42)), Asset: tx.Token, Amount: 1})
	require.Equal(t, app.CodeFeeTooLow, c.check(late(24)))
	require.Equal(t, app.CodeInsufficientBalance, c.check(late(25)), "the fee is right, and it has spent all")
}
