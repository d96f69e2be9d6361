package graduated

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// seen is a part without what all parts of its transaction share.
type seen struct {
	address      livechain.Address
	change       holding
	fee          money.Amount
	counterparty string
	reference    string
}

// Each address of a transaction has one part, with what it gained and lost by it.
func TestHistoryOf(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	me := livechain.AddressOf(key.Public().(ed25519.PublicKey))
	you, they := livechain.Address{2}, livechain.Address{3}
	id := uuid.New()
	const fee = 7
	for reason, c := range map[string]struct {
		message tx.Message
		event   app.Event
		want    []seen
	}{
		"a transfer is seen from both sides": {
			tx.Transfer{To: you, Asset: tx.CNPY, Amount: 5}, app.Transferred{From: me, To: you, Asset: tx.CNPY, Amount: 5},
			[]seen{{me, holding{cnpy: -5}, fee, you.String(), ""}, {you, holding{cnpy: 5}, 0, me.String(), ""}},
		},
		"who pays themselves has it once": {
			tx.Transfer{To: me, Asset: tx.Token, Amount: 5}, app.Transferred{From: me, To: me, Asset: tx.Token, Amount: 5},
			[]seen{{me, holding{}, fee, me.String(), ""}},
		},
		"a swap of CNPY": {
			tx.Swap{Sell: tx.CNPY, AmountIn: 10}, app.Swapped{Account: me, Sold: tx.CNPY, In: 10, Out: 90},
			[]seen{{me, holding{cnpy: -10, tokens: 90}, fee, "", ""}},
		},
		"a swap of tokens": {
			tx.Swap{Sell: tx.Token, AmountIn: 10}, app.Swapped{Account: me, Sold: tx.Token, In: 10, Out: 1},
			[]seen{{me, holding{cnpy: 1, tokens: -10}, fee, "", ""}},
		},
		"a deposit": {
			tx.Deposit{CNPY: 4, Tokens: 9}, app.Provided{Account: me, CNPY: 4, Tokens: 9, Shares: 6},
			[]seen{{me, holding{-4, -9, 6}, fee, "", ""}},
		},
		"a withdrawal": {
			tx.Withdrawal{Percent: 100}, app.Removed{Account: me, CNPY: 4, Tokens: 9, Shares: 6},
			[]seen{{me, holding{4, 9, -6}, fee, "", ""}},
		},
		"a payout to many, the signer among them": {
			tx.Payout{ID: id, Asset: tx.Token, Payments: payments(me, you, they)},
			app.PaidOut{Account: me, Payout: tx.Payout{ID: id, Asset: tx.Token, Payments: payments(me, you, they)}},
			[]seen{
				{me, holding{tokens: -200}, fee, "", id.String()}, {you, holding{tokens: 100}, 0, me.String(), id.String()},
				{they, holding{tokens: 100}, 0, me.String(), id.String()},
			},
		},
		"a voucher in is from nobody's account": {
			tx.VoucherIn{Transfer: id, To: you, Amount: 5}, app.VoucheredIn{Account: me, VoucherIn: tx.VoucherIn{Transfer: id, To: you, Amount: 5}},
			[]seen{{me, holding{}, fee, you.String(), id.String()}, {you, holding{cnpy: 5}, 0, me.String(), id.String()}},
		},
		"a voucher out": {
			tx.VoucherOut{ID: id, Amount: 5}, app.VoucheredOut{Account: me, VoucherOut: tx.VoucherOut{ID: id, Amount: 5}},
			[]seen{{me, holding{cnpy: -5}, fee, "", id.String()}},
		},
		"an anchor": {
			tx.SessionAnchor{Session: id, Chunks: 1, Size: 1}, app.Anchored{Account: me, SessionAnchor: tx.SessionAnchor{Session: id}},
			[]seen{{me, holding{}, fee, "", id.String()}},
		},
		"a proposal":         {tx.Proposal{ID: id, Change: tx.MinFee(1)}, app.Proposed{Account: me, ID: id}, []seen{{me, holding{}, fee, "", id.String()}}},
		"a vote":             {tx.Vote{Proposal: id}, app.Voted{Account: me, Proposal: id}, []seen{{me, holding{}, fee, "", id.String()}}},
		"a stake":            {tx.Stake{Validator: make([]byte, 32), Amount: 5}, app.Staked{Account: me, Amount: 5}, []seen{{me, holding{cnpy: -5}, fee, "", ""}}},
		"a stake taken back": {tx.Unstake{Validator: make([]byte, 32), Amount: 5}, app.Unstaked{Account: me, Amount: 5}, []seen{{me, holding{cnpy: 5}, fee, "", ""}}},
		"a validator": {
			tx.ValidatorUpdate{Key: make([]byte, ed25519.PublicKeySize), Power: 1}, app.Empowered{Account: me}, []seen{{me, holding{}, fee, "", ""}},
		},
	} {
		signed := signedBy(t, key, c.message, fee)
		parts := historyOf([]client.Block{{Height: 9, Time: time.Unix(9, 0), Done: []client.Done{{Index: 3, Hash: "AB", Tx: signed, Event: c.event}}}})
		if len(parts) != len(c.want) {
			t.Errorf("%s: %d parts, want %d", reason, len(parts), len(c.want))
			continue
		}
		for i, p := range parts {
			if got := (seen{p.address, p.change, p.fee, p.counterparty, p.reference}); got != c.want[i] {
				t.Errorf("%s: part %d is %+v, want %+v", reason, i, got, c.want[i])
			}
			if p.hash != "0xab" || p.kind != tx.Name(c.message) || p.code != app.CodeOK || p.height != 9 || p.index != 3 {
				t.Errorf("%s: part %d is of another transaction: %+v", reason, i, p)
			}
		}
	}
}

// One that failed in its block cost its signer the fee, and nobody else anything.
func TestHistoryOfAFailure(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	signed := signedBy(t, key, tx.Transfer{To: livechain.Address{2}, Asset: tx.CNPY, Amount: 5}, 7)
	parts := historyOf([]client.Block{{Height: 9, Failed: []client.Failed{{Index: 1, Hash: "AB", Tx: signed, Code: app.CodeInsufficientBalance}}}})
	if len(parts) != 1 || parts[0].address != signed.Sender() || parts[0].change != (holding{}) || parts[0].fee != 7 ||
		parts[0].code != app.CodeInsufficientBalance || parts[0].kind != "transfer" || parts[0].index != 1 {
		t.Errorf("got %+v", parts)
	}
}

// A fee in CNPY is what the signer has less of it, whether the message works or not.
func TestHistoryOfAFeeInCNPY(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	raw, err := tx.Sign(tx.Body{ChainID: "c", Fee: 7, FeeAsset: tx.CNPY, Message: tx.Swap{Sell: tx.CNPY, AmountIn: 100}}, key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := tx.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	parts := historyOf([]client.Block{{
		Done:   []client.Done{{Hash: "AB", Tx: signed, Event: app.Swapped{Account: signed.Sender(), Sold: tx.CNPY, In: 100, Out: 30}}},
		Failed: []client.Failed{{Hash: "CD", Tx: signed, Code: app.CodeMinOut}},
	}})
	if len(parts) != 2 || parts[0].change != (holding{cnpy: -107, tokens: 30}) || parts[1].change != (holding{cnpy: -7}) || parts[0].fee+parts[1].fee != 0 {
		t.Errorf("got %+v", parts)
	}
}

func payments(to ...livechain.Address) []tx.Payment {
	all := make([]tx.Payment, len(to))
	for i, address := range to {
		all[i] = tx.Payment{To: address, Amount: 100}
	}
	return all
}

func signedBy(t *testing.T, key ed25519.PrivateKey, message tx.Message, fee money.Amount) *tx.Tx {
	t.Helper()
	if out, is := message.(tx.VoucherOut); is {
		out.LedgerAccount = uuid.New()
		message = out
	}
	if p, is := message.(tx.Payout); is { // the wire has them in the order of addresses
		p.Payments = payments(livechain.Address{2}, livechain.Address{3})
		message = p
	}
	raw, err := tx.Sign(tx.Body{ChainID: "c", Fee: fee, Message: message}, key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := tx.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
