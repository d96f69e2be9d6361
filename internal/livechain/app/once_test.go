package app_test

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

func anchorOf(from ed25519.PrivateKey, session byte) string {
	return "/anchor/" + at(from).String() + "/" + number(session).String()
}

// number is a UUID of a test's own.
func number(n byte) (id uuid.UUID) { id[0] = n; return id }

// do has the message done with the account's next nonce and returns its event.
func (c *chain) do(from ed25519.PrivateKey, message tx.Message) app.Event {
	result := c.try(from, message)
	require.Zero(c.t, result.Code, result.Log)
	event, err := app.Outcome(result)
	require.NoError(c.t, err)
	return event
}

// try wants the same answer from the mempool and from a block.
func (c *chain) try(from ed25519.PrivateKey, message tx.Message) *abci.ExecTxResult {
	body := tx.Body{Nonce: c.account(at(from)).Nonce, Message: message}
	if !from.Equal(authority) {
		body.Fee = fee
	}
	raw := sign(c.t, from, body)
	checked := c.check(raw)
	result := c.block(raw)[0]
	require.EqualValues(c.t, checked, result.Code, result.Log)
	return result
}

func (c *chain) supply() app.Supply {
	var supply app.Supply
	require.Zero(c.t, c.ask("/supply", &supply))
	return supply
}

func payouts(ids byte, asset tx.Asset, payments ...tx.Payment) tx.Payout {
	return tx.Payout{ID: number(ids), Asset: asset, Payments: payments}
}

// Each account has an anchor of its own for a session: who comes first takes
// nothing from anybody else.
func TestSessionsAreAnchoredOnce(t *testing.T) {
	c := start(t)
	anchor := tx.SessionAnchor{Session: number(7), Root: tx.Root{1, 2}, Chunks: 3, Size: 4_000}
	require.Equal(t, app.CodeAbsent, c.ask(anchorOf(key(1), 7), nil))
	require.Equal(t, app.Anchored{Account: at(key(1)), SessionAnchor: anchor}, c.do(key(1), anchor))

	other := anchor
	other.Root = tx.Root{9}
	for _, again := range []tx.SessionAnchor{anchor, other} {
		require.EqualValues(t, app.CodeDone, c.try(key(1), again).Code, "the first anchor stays")
	}
	c.do(key(2), other)
	c.reopen()
	for from, root := range map[byte]tx.Root{1: anchor.Root, 2: other.Root} {
		var got app.Anchor
		require.Zero(t, c.ask(anchorOf(key(from), 7), &got))
		require.Equal(t, app.Anchor{
			Session: number(7), Root: hex.EncodeToString(root[:]), Chunks: 3, Size: 4_000, By: at(key(from)),
		}, got)
	}
	require.Equal(t, app.CodeAbsent, c.ask(anchorOf(key(3), 7), nil))
	for _, path := range []string{"/anchor/" + number(7).String(), anchorOf(key(1), 7) + "/", "/anchor/me/" + number(7).String()} {
		require.Equal(t, app.CodeBadQuery, c.ask(path, nil), path)
	}
	other.Session = number(8)
	c.do(key(2), other)
	requireSums(t, c)
}

func TestVouchers(t *testing.T) {
	c := start(t)
	in := tx.VoucherIn{Transfer: number(1), To: at(key(3)), Amount: 500 * million}
	require.EqualValues(t, app.CodeAuthority, c.try(key(1), in).Code, "a holder can't make CNPY")
	require.Equal(t, app.VoucheredIn{Account: at(authority), VoucherIn: in}, c.do(authority, in))
	require.Equal(t, money.Amount(500*million), c.account(at(key(3))).CNPY)
	require.Equal(t, money.Amount(40_500*million), c.supply().CNPY)
	again := in
	again.To, again.Amount = at(key(4)), 1
	require.EqualValues(t, app.CodeDone, c.try(authority, in).Code)
	require.EqualValues(t, app.CodeDone, c.try(authority, again).Code, "one transfer, one voucher, whatever it says")

	out := tx.VoucherOut{ID: number(1), LedgerAccount: number(9), Amount: 200 * million}
	require.EqualValues(t, app.CodeInsufficientBalance, c.try(key(4), out).Code)
	require.Equal(t, app.VoucheredOut{Account: at(key(3)), VoucherOut: out}, c.do(key(3), out), "the failed one has not used the id")
	require.EqualValues(t, app.CodeDone, c.try(key(3), out).Code)
	require.Equal(t, money.Amount(300*million), c.account(at(key(3))).CNPY)
	require.Equal(t, money.Amount(40_300*million), c.supply().CNPY)

	var voucher app.Voucher
	require.Zero(t, c.ask("/voucher-in/"+number(1).String(), &voucher))
	require.Equal(t, app.Voucher{ID: number(1), Account: at(key(3)), Amount: 500 * million}, voucher)
	require.Zero(t, c.ask("/voucher-out/"+number(1).String(), &voucher))
	require.Equal(t, app.Voucher{ID: number(1), Account: at(key(3)), Amount: 200 * million, LedgerAccount: number(9)}, voucher)
	require.Equal(t, app.CodeBadQuery, c.ask("/voucher-out/1", nil))

	most := math.MaxInt64 - c.supply().CNPY
	require.EqualValues(t, app.CodeSupply, c.try(authority, tx.VoucherIn{Transfer: number(2), To: at(key(3)), Amount: most + 1}).Code)
	c.do(authority, tx.VoucherIn{Transfer: number(2), To: at(key(3)), Amount: most})
	require.Equal(t, money.Amount(math.MaxInt64), c.supply().CNPY)
}

func TestPayouts(t *testing.T) {
	c := start(t)
	two := payouts(1, tx.CNPY, tx.Payment{To: livechain.Address{1}, Amount: 3}, tx.Payment{To: livechain.Address{2}, Amount: 4})
	c.do(authority, tx.VoucherIn{Transfer: number(1), To: at(authority), Amount: 10})
	require.EqualValues(t, app.CodeAuthority, c.try(key(1), two).Code, "a holder has transfers")
	require.EqualValues(t, app.CodeFeeTooLow, c.try(authority, two).Code, "the authority pays for what is no command")
	c.do(key(1), send(at(authority), million))

	pay := func(payout tx.Payout) *abci.ExecTxResult {
		t.Helper()
		return c.block(sign(t, authority, tx.Body{Nonce: c.account(at(authority)).Nonce, Fee: fee, Message: payout}))[0]
	}
	much := payouts(1, tx.CNPY, tx.Payment{To: livechain.Address{1}, Amount: 3}, tx.Payment{To: livechain.Address{2}, Amount: 8})
	require.EqualValues(t, app.CodeInsufficientBalance, pay(much).Code)
	require.Zero(t, c.account(livechain.Address{1}).CNPY, "all are paid or none")
	done := pay(two)
	event, err := app.Outcome(done)
	require.NoError(t, err)
	require.Equal(t, app.PaidOut{Account: at(authority), Payout: two}, event)
	require.EqualValues(t, app.CodeDone, pay(two).Code)
	require.Equal(t, []money.Amount{3, 4, 3}, []money.Amount{
		c.account(livechain.Address{1}).CNPY, c.account(livechain.Address{2}).CNPY, c.account(at(authority)).CNPY,
	})
	var payout app.Payout
	require.Zero(t, c.ask("/payout/"+number(1).String(), &payout))
	require.Equal(t, app.Payout{ID: number(1), By: at(authority), Asset: "cnpy", Amount: 7, Recipients: 2}, payout)

	itself := payouts(2, tx.CNPY, tx.Payment{To: at(authority), Amount: 3})
	require.Zero(t, pay(itself).Code)
	require.Equal(t, money.Amount(3), c.account(at(authority)).CNPY, "paying itself makes nothing")
}

// The treasury pays out what has vested.
func TestTreasuryPaysOut(t *testing.T) {
	c := start(t)
	half := document(t).Treasury.Amount / 2
	res, err := c.app.FinalizeBlock(context.Background(), &abci.RequestFinalizeBlock{
		Height: 1, Time: born.Add(genesis.DefaultVesting / 2), Txs: [][]byte{
			sign(t, treasury, tx.Body{Fee: fee, Message: payouts(1, tx.Token, tx.Payment{To: at(key(1)), Amount: half})}),
			sign(t, treasury, tx.Body{Nonce: 1, Fee: fee, Message: payouts(1, tx.Token, tx.Payment{To: at(key(1)), Amount: half - 2*fee})}),
		}})
	require.NoError(t, err)
	require.EqualValues(t, app.CodeInsufficientBalance, res.TxResults[0].Code, "the fee is the treasury's too")
	require.Zero(t, res.TxResults[1].Code, res.TxResults[1].Log)
}

// Every kind is refused before it moves anything, in the mempool and in a block.
func TestEveryKindIsRefusedAlike(t *testing.T) {
	kinds := map[string]tx.Message{
		"proposal":    tx.Proposal{ID: number(1), Change: tx.PoolFee(30)},
		"work report": tx.WorkReport{Key: public(50), Day: 1},
		"upgrade":     tx.Upgrade{Version: 2, Height: 9},
		"vote":        tx.Vote{Proposal: number(1), Approve: true},
		"anchor":      tx.SessionAnchor{Session: number(1), Chunks: 1, Size: 1},
		"payout":      payouts(1, tx.CNPY, tx.Payment{To: at(key(1)), Amount: 1}),
		"voucher in":  tx.VoucherIn{Transfer: number(1), To: at(key(1)), Amount: 1},
		"voucher out": tx.VoucherOut{ID: number(1), LedgerAccount: number(2), Amount: 1},
	}
	c := start(t)
	used := sign(t, key(1), tx.Body{Fee: fee, Message: send(at(key(2)), 1)})
	require.Zero(t, c.block(used)[0].Code)
	for name, message := range kinds {
		forged := sign(t, key(1), tx.Body{Nonce: 1, Fee: fee, Message: message})
		forged[len(forged)-1] ^= 1
		for want, raw := range map[app.Code][]byte{
			app.CodeBadSignature: forged,
			app.CodeMalformed:    append(sign(t, key(1), tx.Body{Nonce: 1, Fee: fee, Message: message}), 0),
			app.CodeWrongChain:   sign(t, key(1), tx.Body{ChainID: "other-1", Nonce: 1, Fee: fee, Message: message}),
			app.CodeStaleNonce:   sign(t, key(1), tx.Body{Fee: fee, Message: message}),
			app.CodeNonceGap:     sign(t, key(1), tx.Body{Nonce: 2, Fee: fee, Message: message}),
			app.CodeFeeTooLow:    sign(t, key(1), tx.Body{Nonce: 1, Message: message}),
			app.CodeExpired:      sign(t, key(1), tx.Body{Nonce: 1, Fee: fee, Expires: born.Unix(), Message: message}),
		} {
			hash := c.hash
			require.Equal(t, want, c.check(raw), name)
			require.EqualValues(t, want, c.block(raw)[0].Code, name)
			require.Equal(t, hash, c.hash, "%s: nothing moved", name)
		}
	}
}

func TestEventsOfOnceAreReadStrictly(t *testing.T) {
	c := start(t)
	c.do(key(1), send(at(authority), million))
	c.do(authority, tx.VoucherIn{Transfer: number(1), To: at(authority), Amount: 10})
	for _, message := range []tx.Message{
		tx.SessionAnchor{Session: number(1), Root: tx.Root{1}, Chunks: 1, Size: 1},
		tx.VoucherIn{Transfer: number(2), To: at(key(1)), Amount: 1},
		tx.VoucherOut{ID: number(1), LedgerAccount: number(2), Amount: 1},
		payouts(1, tx.CNPY, tx.Payment{To: at(key(1)), Amount: 1}),
	} {
		raw := sign(t, authority, tx.Body{Nonce: c.account(at(authority)).Nonce, Fee: fee, Message: message})
		result := c.block(raw)[0]
		require.Zero(t, result.Code, result.Log)
		for i, a := range result.Events[0].Attributes {
			result.Events[0].Attributes[i].Value = "?"
			_, err := app.Outcome(result)
			require.ErrorContains(t, err, a.Key)
			result.Events[0].Attributes[i].Value = a.Value
		}
	}
}

// A record, and that there is none, follow from the app hash.
func TestOnceIsProven(t *testing.T) {
	c := start(t)
	c.do(authority, tx.VoucherIn{Transfer: number(1), To: at(key(1)), Amount: 10})
	c.do(key(1), tx.SessionAnchor{Session: number(1), Root: tx.Root{5}, Chunks: 1, Size: 1})
	c.do(key(1), tx.VoucherOut{ID: number(1), LedgerAccount: number(2), Amount: 4})
	prove := func(path string) *abci.ResponseQuery {
		t.Helper()
		res, err := c.app.Query(context.Background(), &abci.RequestQuery{Path: path, Prove: true})
		require.NoError(t, err)
		require.Zero(t, res.Code, res.Log)
		return res
	}
	root := state.Root(c.hash)
	anchor, exists, err := app.ProvenAnchor(root, at(key(1)), number(1), prove(anchorOf(key(1), 1)).ProofOps)
	require.NoError(t, err)
	require.True(t, exists)
	require.Equal(t, at(key(1)), anchor.By)
	_, exists, err = app.ProvenAnchor(root, at(key(2)), number(1), prove(anchorOf(key(2), 1)).ProofOps)
	require.NoError(t, err)
	require.False(t, exists, "that one account has, and another not")
	ops := prove("/voucher-out/" + number(1).String()).ProofOps
	voucher, exists, err := app.ProvenVoucherOut(root, number(1), ops)
	require.NoError(t, err)
	require.True(t, exists)
	require.Equal(t, app.Voucher{ID: number(1), Account: at(key(1)), Amount: 4, LedgerAccount: number(2)}, voucher)
	_, exists, err = app.ProvenVoucherOut(root, number(3), prove("/voucher-out/"+number(3).String()).ProofOps)
	require.NoError(t, err)
	require.False(t, exists)
	_, exists, _ = app.ProvenVoucherOut(root, number(3), ops)
	require.False(t, exists, "one id's proof is no other's")
	_, _, err = app.ProvenAnchor(root, at(key(1)), number(1), ops)
	require.Error(t, err, "nor can one kind's hide another's")
	res, err := c.app.Query(context.Background(), &abci.RequestQuery{Path: "/payout/x", Prove: true})
	require.NoError(t, err)
	require.EqualValues(t, app.CodeBadQuery, res.Code)
}

// However vouchers and payouts come, and come again: what exists is what the
// genesis and the accepted vouchers gave, and no id counts twice.
func TestVouchersAddUp(t *testing.T) {
	c := start(t)
	c.do(key(1), send(at(authority), 1_000*million))
	r := rand.New(rand.NewPCG(3, 4))
	id := func() uuid.UUID { return number(byte(1 + r.IntN(200))) }
	want, taken := c.supply().CNPY, map[any]bool{}
	for range 400 {
		var message tx.Message
		from := authority
		switch r.IntN(3) {
		case 0:
			message = tx.VoucherIn{Transfer: id(), To: at(key(byte(1 + r.IntN(3)))), Amount: money.Amount(1 + r.IntN(1_000))}
		case 1:
			from, message = key(byte(1+r.IntN(3))), tx.VoucherOut{ID: id(), LedgerAccount: id(), Amount: money.Amount(1 + r.IntN(1_000))}
		default:
			message = payouts(byte(1+r.IntN(200)), tx.Token, tx.Payment{To: at(key(4)), Amount: money.Amount(1 + r.IntN(9))})
		}
		raw := sign(t, from, tx.Body{Nonce: c.account(at(from)).Nonce, Fee: fee, Message: message})
		event, err := app.Outcome(c.block(raw)[0])
		require.NoError(t, err)
		var done any
		switch e := event.(type) {
		case app.VoucheredIn:
			want += e.Amount
			done = "in" + e.Transfer.String()
		case app.VoucheredOut:
			want -= e.Amount
			done = "out" + e.ID.String()
		case app.PaidOut:
			done = "paid" + e.ID.String()
		default:
			continue
		}
		require.False(t, taken[done], "%v twice", done)
		taken[done] = true
	}
	require.Greater(t, len(taken), 100)
	require.Equal(t, want, c.supply().CNPY)
	var pool app.Pool
	require.Zero(t, c.ask("/pool", &pool))
	sum := pool.CNPYReserve + c.account(at(authority)).CNPY
	for n := byte(1); n <= 10; n++ {
		sum += c.account(at(key(n))).CNPY
	}
	require.Equal(t, want, sum)
}
