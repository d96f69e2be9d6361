package graduated_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// Somebody who holds no token brings CNPY onto the chain: they can buy, give
// liquidity and leave with the rest, and pay for it in CNPY as simulated.
func TestANewcomerWithCNPYAlone(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	owner := uuid.New()
	w.must(w.store.Queries().EnsureUser(t.Context(), owner))
	address, err := w.service.Custody.EnsureAddress(t.Context(), owner)
	w.must(err)
	_, err = ledger.Faucet(t.Context(), w.store, owner, 100*unit)
	w.must(err)
	_, err = w.service.VoucherIn(t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: owner, Amount: 100 * unit})
	w.must(err)
	w.carry()

	by := graduated.Authority{Caller: owner}
	info, err := w.live.Info(t.Context())
	w.must(err)
	if info.MinFeeCNPY < 1 || info.MinFeeCNPY >= info.MinFee {
		t.Fatalf("a token is worth less than a CNPY here, and more than nothing: %+v", info)
	}
	order := func(message tx.Message, asset tx.Asset, reason string) graduated.Fee {
		t.Helper()
		o := graduated.Order{PoolID: w.chain, Message: message}
		foreseen, err := w.service.Simulate(t.Context(), o, by)
		w.must(err)
		done, err := w.service.Execute(t.Context(), o, by)
		w.must(err)
		if done.NetworkFee != foreseen.NetworkFee || done.NetworkFee.Asset != asset || done.NetworkFee.Amount < 1 {
			t.Errorf("%s: simulated %+v, paid %+v", reason, foreseen.NetworkFee, done.NetworkFee)
		}
		return done.NetworkFee
	}
	first := order(tx.Deposit{CNPY: 20 * unit}, tx.CNPY, "liquidity of one side")
	rest := 80*unit - first.Amount
	if first.Amount <= info.MinFeeCNPY || w.onChain(address) != rest {
		t.Errorf("a little more than the least fee is offered: %+v, %s are left", first, w.onChain(address))
	}
	order(tx.Swap{Sell: tx.CNPY, AmountIn: rest - info.MinFeeCNPY}, tx.CNPY, "nothing but the least fee is left, and taken")
	if w.onChain(address) != 0 {
		t.Errorf("%s are left", w.onChain(address))
	}
	held, err := w.live.Account(t.Context(), address)
	w.must(err)
	order(tx.Swap{Sell: tx.Token, AmountIn: held.Balance / 2}, tx.Token, "now there are tokens")
	held, err = w.live.Account(t.Context(), address)
	w.must(err)
	order(tx.Swap{Sell: tx.Token, AmountIn: held.Balance}, tx.CNPY, "all tokens go into the order")

	before, left := w.holds(owner), w.onChain(address)
	_, err = w.service.VoucherOut(t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: owner, Amount: left - 10}, by)
	w.must(err)
	w.eventually("the rest is back in the ledger", func() bool { return w.holds(owner) == before+left-10 })
	w.proveLedger(0)
}
