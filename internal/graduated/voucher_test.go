package graduated_test

import (
	"context"
	"crypto/ed25519"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/graduated/graduatedtest"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

func (w *world) holds(user uuid.UUID) money.Amount {
	w.t.Helper()
	held, err := ledger.BalanceOf(w.t.Context(), w.store.Queries(), ledger.Account{Type: ledger.User, Owner: user, Asset: ledger.CNPY})
	w.must(err)
	return held
}

func (w *world) escrow() money.Amount {
	w.t.Helper()
	held, err := ledger.BalanceOf(w.t.Context(), w.store.Queries(), ledger.Account{Type: ledger.LiveChain, Owner: w.chain, Asset: ledger.CNPY})
	w.must(err)
	return held
}

// proveLedger wants the ledger to be sound, and the chain's escrow to be what the
// chain has, but for what is on its way.
func (w *world) proveLedger(underway money.Amount) {
	w.t.Helper()
	report, err := ledger.Verify(w.t.Context(), w.store)
	w.must(err)
	for _, p := range report.Problems {
		w.t.Errorf("ledger verify: %s %s: %s", p.Check, p.Subject, p.Detail)
	}
	supply, err := w.live.Supply(w.t.Context())
	w.must(err)
	if held := w.escrow(); held != supply.CNPY+underway {
		w.t.Errorf("the escrow holds %s, the chain has %s and %s are on their way", held, supply.CNPY, underway)
	}
}

func (w *world) carry() int {
	w.t.Helper()
	left, err := (&graduated.Carrier{Store: w.store}).Carry(w.t.Context(), w.chain, graduatedtest.Authority())
	w.must(err)
	return left
}

func (w *world) voucher(user uuid.UUID, id uuid.UUID) graduated.Voucher {
	w.t.Helper()
	all, _, err := w.service.Vouchers(w.t.Context(), user, w.chain, graduated.Page{Number: 1, Size: 100})
	w.must(err)
	for _, v := range all {
		if v.ID == id {
			return v
		}
	}
	return graduated.Voucher{}
}

func (w *world) bringIn(amount money.Amount) graduated.Voucher {
	w.t.Helper()
	v, err := w.service.VoucherIn(w.t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: amount})
	w.must(err)
	return v
}

func (w *world) takeOut(amount money.Amount) graduated.Voucher {
	w.t.Helper()
	v, err := w.service.VoucherOut(w.t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: amount}, w.byWhale())
	w.must(err)
	return v
}

func (w *world) onChain(address livechain.Address) money.Amount {
	w.t.Helper()
	account, err := w.live.Account(w.t.Context(), address)
	w.must(err)
	return account.CNPY
}

func (w *world) awaitStatus(user, id uuid.UUID, status graduated.VoucherStatus) graduated.Voucher {
	w.t.Helper()
	var v graduated.Voucher
	w.eventually("the voucher is "+string(status), func() bool { v = w.voucher(user, id); return v.Status == status })
	return v
}

// CNPY comes onto the chain, buys there, and leaves it; the carrier and the indexer
// die between the steps, and what they did is done again.
func TestAVouchersStory(t *testing.T) {
	w := newWorld(t)
	stop := w.index()
	w.listed()
	whale, err := w.service.Custody.EnsureAddress(t.Context(), w.whale)
	w.must(err)
	w.proveLedger(0)
	before := w.holds(w.whale)
	made := w.bringIn(1_000 * unit)
	if made.Status != graduated.VoucherPending || w.holds(w.whale) != before-1_000*unit || made.Address != whale.String() {
		t.Errorf("a voucher in is paid at once and for the caller's own wallet: %+v", made)
	}
	w.proveLedger(1_000 * unit)

	// The carrier dies right after its transaction has gone out.
	w.sendAsAuthority(tx.VoucherIn{Transfer: made.ID, To: whale, Amount: 1_000 * unit})
	if w.onChain(whale) != 1_000*unit || w.voucher(w.whale, made.ID).Status != graduated.VoucherPending {
		t.Error("the chain has it and the ledger does not know yet")
	}
	if left := w.carry(); left != 0 {
		t.Errorf("%d vouchers are left", left)
	}
	settled := w.voucher(w.whale, made.ID)
	if settled.Status != graduated.VoucherSettled || settled.Height == nil || *settled.Height < 1 || settled.SettledAt == nil || w.onChain(whale) != 1_000*unit {
		t.Errorf("carried twice it came once: %+v", settled)
	}
	w.bringIn(50 * unit)
	first, second := w.carry(), w.carry()
	if first != 0 || second != 0 || w.onChain(whale) != 1_050*unit {
		t.Error("one that nobody has sent is sent once")
	}

	w.do(graduated.Order{PoolID: w.chain, Message: tx.Swap{Sell: tx.CNPY, AmountIn: 400 * unit}})
	stop()
	out := w.takeOut(600 * unit)
	if out.Status != graduated.VoucherPending || out.Hash == nil || w.holds(w.whale) != before-1_050*unit || w.onChain(whale) != 50*unit {
		t.Errorf("what is burnt is paid by the indexer: %+v", out)
	}
	w.proveLedger(600 * unit)
	stop = w.index()
	paid := w.awaitStatus(w.whale, out.ID, graduated.VoucherSettled)
	if *paid.Hash != *out.Hash || *paid.Height != *out.Height || w.holds(w.whale) != before-450*unit {
		t.Errorf("paid %+v, burnt %+v", paid, out)
	}
	w.proveLedger(0)

	// The blocks are read from the first one again.
	stop()
	for _, table := range []string{"graduated_transactions", "graduated_cursors", "graduated_pools"} {
		w.must(w.store.Exec(t.Context(), "DELETE FROM "+table))
	}
	defer w.index()()
	w.awaitTransactions(1)
	w.do(w.sell(unit))
	w.awaitTransactions(2)
	if w.holds(w.whale) != before-450*unit {
		t.Error("a voucher that is read again is not paid again")
	}
	w.proveLedger(0)
}

// sendAsAuthority has the chain's authority do something and waits for its block.
func (w *world) sendAsAuthority(message tx.Message) {
	w.t.Helper()
	sent, err := w.live.Act(w.t.Context(), graduatedtest.Authority(), tx.Body{ChainID: w.live.ID, Message: message})
	w.must(err)
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	_, err = w.live.Await(ctx, sent)
	w.must(err)
}

// A request that comes again with its key moves nothing again, whichever way.
func TestAVouchersKey(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	in := graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: 100 * unit, IdempotencyKey: "in"}
	first, err := w.service.VoucherIn(t.Context(), in)
	w.must(err)
	again, err := w.service.VoucherIn(t.Context(), in)
	w.must(err)
	if !again.Replayed || first.Replayed || again.ID != first.ID || w.escrow() <= 0 {
		t.Errorf("%+v is no replay of %+v", again, first)
	}
	in.Amount++
	_, err = w.service.VoucherIn(t.Context(), in)
	w.refused("the key of another amount", err, fault.Conflict, "The Idempotency-Key was used for another voucher")
	if w.carry() != 0 {
		t.Error("a voucher is left")
	}

	out := graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: 40 * unit, IdempotencyKey: "out"}
	burnt, err := w.service.VoucherOut(t.Context(), out, w.byWhale())
	w.must(err)
	w.awaitStatus(w.whale, burnt.ID, graduated.VoucherSettled)
	replay, err := w.service.VoucherOut(t.Context(), out, w.byWhale())
	w.must(err)
	if !replay.Replayed || replay.ID != burnt.ID || replay.Status != graduated.VoucherSettled {
		t.Errorf("%+v is no replay of %+v", replay, burnt)
	}
	out.Amount++
	_, err = w.service.VoucherOut(t.Context(), out, w.byWhale())
	w.refused("the key of another amount", err, fault.Conflict, "The Idempotency-Key was used for another voucher")
	w.proveLedger(0)
}

// What is wrong with a request is said before anything moves.
func TestVouchersThatAreRefused(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	stranger := uuid.New()
	for reason, c := range map[string]struct {
		change func(*graduated.VoucherRequest)
		kind   fault.Kind
	}{
		"no amount":               {func(r *graduated.VoucherRequest) { r.Amount = 0 }, fault.Invalid},
		"a key of no text":        {func(r *graduated.VoucherRequest) { r.IdempotencyKey = "\x00" }, fault.Invalid},
		"no such pool":            {func(r *graduated.VoucherRequest) { r.PoolID = uuid.New() }, fault.NotFound},
		"more than the payer has": {func(r *graduated.VoucherRequest) { r.Caller, r.To = stranger, &livechain.Address{1} }, fault.Unprocessable},
	} {
		r := graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: unit}
		c.change(&r)
		_, err := w.service.VoucherIn(t.Context(), r)
		w.refused(reason, err, c.kind, "")
		if reason == "more than the payer has" {
			continue // on the chain the balance is another one
		}
		_, err = w.service.VoucherOut(t.Context(), r, w.byWhale())
		w.refused(reason, err, c.kind, "")
	}
	_, err := w.service.VoucherOut(t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: 1 << 60}, w.byWhale())
	w.refused("more than the signer has", err, fault.Unprocessable, "")
	w.live.Stop()
	_, err = w.service.VoucherIn(t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: unit})
	w.refused("a chain that does not answer", err, fault.Unavailable, "")
	w.live.Resume()
	w.proveLedger(0)
}

// A voucher out that was signed elsewhere must name the caller's account; what
// others burn for an account that the ledger does not know stays in escrow.
func TestVouchersSignedElsewhere(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	w.bringIn(100 * unit)
	w.carry()
	key, err := w.service.Custody.UserKey(t.Context(), w.whale)
	w.must(err)
	own := ledger.Account{Type: ledger.User, Owner: w.whale, Asset: ledger.CNPY}.ID()
	unknown := uuid.New()
	out := func(account uuid.UUID, amount money.Amount, raw []byte) error {
		if raw == nil {
			raw = w.sign(key, tx.VoucherOut{ID: uuid.New(), LedgerAccount: account, Amount: amount}, nil)
		}
		_, err := w.service.VoucherOut(t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: 10 * unit},
			graduated.Authority{Caller: w.whale, Signed: raw})
		return err
	}
	w.refused("another account", out(unknown, 10*unit, nil), fault.Invalid, "")
	w.refused("another amount", out(own, 11*unit, nil), fault.Invalid, "")
	w.refused("no transaction", out(own, 10*unit, []byte("none")), fault.Invalid, "")
	w.refused("another message", out(own, 0, w.sign(key, tx.Swap{Sell: tx.CNPY, AmountIn: 10 * unit}, nil)), fault.Invalid, "")
	before := w.holds(w.whale)
	w.must(out(own, 10*unit, nil))
	w.eventually("the voucher is paid", func() bool { return w.holds(w.whale) == before+10*unit })

	lost := uuid.New()
	hash, err := w.live.Submit(t.Context(), w.sign(key, tx.VoucherOut{ID: lost, LedgerAccount: unknown, Amount: 20 * unit}, nil))
	w.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = w.live.Await(ctx, client.Sent{Hash: hash})
	w.must(err)
	w.eventually("the voucher is recorded", func() bool {
		row, err := w.store.Queries().GetVoucher(t.Context(), db.GetVoucherParams{ChainID: w.chain, Direction: "out", ID: lost})
		return err == nil && row.Status == string(graduated.VoucherUnclaimed) && row.UserID == nil && row.Reason != ""
	})
	w.proveLedger(20 * unit)
}

// A voucher goes back to its payer once, and only when it is proven that the chain
// does not have it and can't get it any more.
func TestAVoucherGoesBack(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	whale, err := w.service.Custody.EnsureAddress(t.Context(), w.whale)
	w.must(err)
	before := w.holds(w.whale)
	made := w.bringIn(100 * unit)
	// The chain is as full as it can be, as by an authority that overdid it.
	supply, err := w.live.Supply(t.Context())
	w.must(err)
	w.sendAsAuthority(tx.VoucherIn{Transfer: uuid.New(), To: whale, Amount: money.Amount(1<<63-1) - supply.CNPY})
	if left := w.carry(); left != 1 {
		t.Errorf("%d left: its transaction may still get into a block", left)
	}
	if v := w.voucher(w.whale, made.ID); v.Status != graduated.VoucherPending || v.Reason == "" || w.holds(w.whale) != before-100*unit {
		t.Errorf("given back too early: %+v", v)
	}
	w.must(w.store.Exec(t.Context(), "UPDATE vouchers SET expires_at = now() - INTERVAL '2 seconds'"))
	w.live.AwaitHeight(10)
	w.eventually("the voucher is given back", func() bool { return w.carry() == 0 })
	if v := w.voucher(w.whale, made.ID); v.Status != graduated.VoucherReturned || w.holds(w.whale) != before {
		t.Errorf("a voucher that the chain refuses for good: %+v", v)
	}
	w.carry()
	if w.holds(w.whale) != before {
		t.Error("given back twice")
	}
	report, err := ledger.Verify(t.Context(), w.store)
	w.must(err)
	if !report.Clean() {
		t.Errorf("ledger verify: %+v", report.Problems)
	}
}

// Of a chain that nobody carries to any more, what was never sent goes back at
// once; what was sent may be on the chain and stays.
func TestAnAbandonedChain(t *testing.T) {
	w := newWorld(t)
	before := w.holds(w.whale)
	sent, kept := w.bringIn(100*unit), w.bringIn(30*unit)
	_, err := w.store.Queries().AttemptVouchers(t.Context(), db.AttemptVouchersParams{ChainID: w.chain, Ids: []uuid.UUID{sent.ID}, ExpiresAt: time.Now()})
	w.must(err)
	c := &graduated.Carrier{Store: w.store}
	w.must(c.Abandon(t.Context(), w.chain))
	w.must(c.Abandon(t.Context(), w.chain))
	if w.voucher(w.whale, sent.ID).Status != graduated.VoucherPending || w.voucher(w.whale, kept.ID).Status != graduated.VoucherReturned ||
		w.holds(w.whale) != before-100*unit {
		t.Error("what was never sent goes back, once, and nothing else does")
	}
	w.proveLedger(100 * unit)
	w.refused("a voucher", w.takeOne(unit), fault.Unavailable, "The chain does not answer at present")
	_, err = w.service.Simulate(t.Context(), graduated.Order{PoolID: w.chain, Message: tx.Deposit{CNPY: unit}}, w.byWhale())
	w.refused("a simulation", err, fault.Unavailable, "The chain does not answer at present")
	graduatedtest.Again(t, w.store, w.chain, w.live)
	// A key that is not the authority's is refused by the chain, and nothing ends.
	w.must(w.store.Exec(t.Context(), "UPDATE vouchers SET expires_at = now() - INTERVAL '2 seconds' WHERE expires_at IS NOT NULL"))
	w.eventually("a stranger is refused", func() bool {
		_, err = c.Carry(t.Context(), w.chain, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
		_, refused := client.Refused(err)
		return refused
	})
	if w.voucher(w.whale, sent.ID).Status != graduated.VoucherPending {
		t.Error("a stranger's key must not end a voucher")
	}
}

func (w *world) takeOne(amount money.Amount) error {
	_, err := w.service.VoucherIn(w.t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: amount})
	return err
}

// Whatever is taken while a chain is given up is given back or refused: nothing stays
// in escrow for a chain that nobody carries to.
func TestVouchersTakenWhileAChainIsAbandoned(t *testing.T) {
	w := newWorld(t)
	before := w.holds(w.whale)
	c := &graduated.Carrier{Store: w.store}
	for range 3 {
		var taking sync.WaitGroup
		refused := make(chan error, 20)
		for range cap(refused) {
			taking.Go(func() { refused <- w.takeOne(unit) })
		}
		taking.Go(func() { w.must(c.Abandon(t.Context(), w.chain)) })
		taking.Wait()
		close(refused)
		for err := range refused {
			if err != nil && !fault.Is(err, fault.Unavailable) {
				t.Errorf("a voucher met %v", err)
			}
		}
		if got := w.holds(w.whale); got != before {
			t.Errorf("the payer has %s, want %s", got, before)
		}
		w.proveLedger(0)
		graduatedtest.Again(t, w.store, w.chain, w.live)
	}
	w.must(w.takeOne(unit))
	w.carry()
	w.proveLedger(0)
}

// Nobody fills a pass: beyond a hundred of one person's the next voucher is refused,
// takes nothing, and is taken once another has arrived.
func TestNoMoreThanAHundredOnTheirWay(t *testing.T) {
	w := newWorld(t)
	_, err := ledger.Faucet(t.Context(), w.store, w.whale, 1_000*unit)
	w.must(err)
	move := func(caller uuid.UUID) error {
		_, err := w.service.VoucherIn(t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: caller, Amount: unit})
		return err
	}
	for range 100 {
		w.must(move(w.whale))
	}
	before := w.holds(w.whale)
	w.refused("one too many", move(w.whale), fault.Unprocessable, "100 vouchers of yours are on their way onto this chain: wait until one has arrived")
	if w.holds(w.whale) != before {
		t.Errorf("%s were taken for nothing", before-w.holds(w.whale))
	}
	other := uuid.New()
	w.must(w.store.Queries().EnsureUser(t.Context(), other))
	_, err = ledger.Faucet(t.Context(), w.store, other, unit)
	w.must(err)
	w.must(move(other))
	w.carry()
	w.must(move(w.whale))
}
