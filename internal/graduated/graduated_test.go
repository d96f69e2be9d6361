package graduated_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// One pool from its opening through swaps and liquidity: what is simulated is
// what happens, and what happens is what is indexed.
func TestAPoolsStory(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	opening := w.listed()
	if opening.ID != graduated.PoolID(w.chain) || opening.Network != w.live.ID || opening.Transactions != 0 || !opening.Active() {
		t.Errorf("the pool at its opening: %+v", opening)
	}
	if opening.Day.ChangePercent != "0" || opening.Day.High.Cmp(opening.State.Price()) != 0 {
		t.Errorf("a quiet pool has been where it is all day: %+v", opening.Day)
	}
	var seen []graduated.Receipt
	for _, message := range []tx.Message{
		tx.Swap{Sell: tx.Token, AmountIn: 1_000_000 * unit, MinOut: 1},
		tx.Deposit{CNPY: 50 * unit, Tokens: 200_000 * unit},
		tx.Swap{Sell: tx.CNPY, AmountIn: 20 * unit},
		tx.Deposit{Tokens: 1_000 * unit},
		tx.Withdrawal{Percent: 40},
		tx.Withdrawal{Percent: 100, MinCNPY: 1, MinTokens: 1},
	} {
		order := graduated.Order{PoolID: w.chain, Message: message, Deadline: time.Now().Add(time.Minute)}
		foreseen, err := w.service.Simulate(t.Context(), order, w.byWhale())
		w.must(err)
		done := w.do(order)
		if foreseen.Address == "" {
			foreseen.Address = done.Address // swaps and deposits are simulated for nobody
		}
		if foreseen.Effect != done.Effect {
			t.Errorf("%T: simulated %+v, happened %+v", message, foreseen.Effect, done.Effect)
		}
		if !foreseen.Simulated || foreseen.Hash != "" || done.Simulated || !strings.HasPrefix(done.Hash, "0x") || done.Height < 1 {
			t.Errorf("%T: a simulation has no block, a transaction has: %+v %+v", message, foreseen, done)
		}
		seen = append(seen, done)
	}
	pool := w.awaitTransactions(int64(len(seen)))
	checkIndexed(t, w, seen, pool)
	checkFilters(t, w, seen[0].Address)
}

// checkIndexed holds the database against the receipts, one by one and in sum.
func checkIndexed(t *testing.T, w *world, seen []graduated.Receipt, pool graduated.Pool) {
	t.Helper()
	rows, total, err := w.service.Transactions(t.Context(), graduated.Filter{PoolID: w.chain}, graduated.Page{Number: 1, Size: 100})
	w.must(err)
	if int(total) != len(seen) || len(rows) != len(seen) {
		t.Fatalf("%d rows of %d, want %d", len(rows), total, len(seen))
	}
	var volume money.Amount
	for i, receipt := range seen {
		row := rows[len(rows)-1-i] // newest first
		if row.Effect != receipt.Effect || row.Hash != receipt.Hash || row.Height != receipt.Height || row.Seq != int64(i+1) {
			t.Errorf("row %d: %+v, receipt %+v", i, row, receipt)
		}
		if receipt.Kind == graduated.Buy || receipt.Kind == graduated.Sell {
			volume += receipt.CNPY
		}
		if i > 0 && receipt.Before() != seen[i-1].After {
			t.Errorf("receipt %d does not go on where the last one ended: %+v, %+v", i, receipt.Before(), seen[i-1].After)
		}
	}
	last := seen[len(seen)-1]
	if pool.State != last.After || pool.Volume != volume || pool.Day.Volume != volume || pool.UniqueTraders != 1 {
		t.Errorf("the pool's numbers: %+v", pool)
	}
	opening := seen[0].Before().Price()
	if want := last.After.Price().Sub(opening).Div(opening).Percent(); pool.Day.ChangePercent != want {
		t.Errorf("changed by %s %%, want %s", pool.Day.ChangePercent, want)
	}
	// The opening was the highest price: all that followed were sells and less.
	if string(pool.Day.High.Decimal(12)) != opening.String() || pool.Day.Low.Cmp(pool.Day.High) >= 0 {
		t.Errorf("high %s, low %s, opening %s", pool.Day.High, pool.Day.Low, opening)
	}
	pools, total, err := w.service.Pools(t.Context(), graduated.Page{Number: 1, Size: 10})
	if err != nil || total != 1 || len(pools) != 1 || pools[0].State != pool.State {
		t.Errorf("the list: %v %d %v", pools, total, err)
	}
}

func checkFilters(t *testing.T, w *world, address string) {
	t.Helper()
	for _, c := range []struct {
		filter graduated.Filter
		want   int64
		reason string
	}{
		{graduated.Filter{PoolID: w.chain, Kind: graduated.Deposit}, 2, "one kind"},
		{graduated.Filter{PoolID: graduated.PoolID(w.chain), Address: address}, 6, "one address, by the pool's own id"},
		{graduated.Filter{PoolID: w.chain, Address: address, Kind: graduated.Buy}, 1, "both"},
		{graduated.Filter{PoolID: w.chain, Address: livechain.Address{1}.String()}, 0, "an address that did nothing"},
	} {
		rows, total, err := w.service.Transactions(t.Context(), c.filter, graduated.Page{Number: 1, Size: 100})
		if err != nil || total != c.want || int64(len(rows)) != c.want {
			t.Errorf("%s: %d of %d, %v; want %d", c.reason, len(rows), total, err, c.want)
		}
	}
	if rows, total, err := w.service.Transactions(t.Context(), graduated.Filter{PoolID: w.chain}, graduated.Page{Number: 2, Size: 4}); err != nil || total != 6 || len(rows) != 2 || rows[1].Seq != 1 {
		t.Errorf("the second page: %+v of %d, %v", rows, total, err)
	}
	parsed, err := livechain.ParseAddress(address)
	w.must(err)
	account, err := w.service.Account(t.Context(), w.chain, parsed)
	if err != nil || account.Nonce != 6 || account.Network != w.live.ID || account.Shares != 0 || account.CNPY <= 0 || account.MinFee != 1_000 || account.MinFeeCNPY < 1 {
		t.Errorf("account: %+v, %v", account, err)
	}
}

// A user with many windows open: each order gets a nonce of its own.
func TestOrdersOfOneAccountAtOnce(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	const orders = 6
	var wait sync.WaitGroup
	for i := range orders {
		wait.Go(func() {
			if _, err := w.service.Execute(t.Context(), w.sell(money.Amount(i+1)*1_000*unit), w.byWhale()); err != nil {
				t.Errorf("order %d: %v", i, err)
			}
		})
	}
	wait.Wait()
	if pool := w.awaitTransactions(orders); pool.Transactions != orders {
		t.Errorf("%d transactions, want %d", pool.Transactions, orders)
	}
}

// Somebody who sells the same amount again and again means it each time.
func TestTheSameOrderAgain(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	const orders = 5
	var wait sync.WaitGroup
	var hashes sync.Map
	for range orders {
		wait.Go(func() {
			receipt, err := w.service.Execute(t.Context(), w.sell(1_000*unit), w.byWhale())
			if _, again := hashes.LoadOrStore(receipt.Hash, true); err != nil || again {
				t.Errorf("transaction %s, again %t: %v", receipt.Hash, again, err)
			}
		})
	}
	wait.Wait()
	w.awaitTransactions(orders)
}

func TestOwnWallet(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	owner := uuid.New()
	own := newPurse(owner)
	w.service.Wallets = own
	w.give(own.address(), 1_000_000*unit)
	order := w.sell(1_000 * unit)
	by := graduated.Authority{Caller: owner, WalletID: &own.id, Password: own.password}
	receipt, err := w.service.Execute(t.Context(), order, by)
	w.must(err)
	if receipt.Address != own.address().String() || receipt.Kind != graduated.Sell || receipt.Tokens != 1_000*unit || receipt.NetworkFee != (graduated.Fee{Amount: 1_000, Asset: tx.Token}) {
		t.Errorf("receipt: %+v", receipt)
	}
	by.Password = "guess"
	_, err = w.service.Execute(t.Context(), order, by)
	w.refused("a wrong password is the wallet's to refuse", err, fault.Unauthenticated, "Invalid password")
	by.Caller, by.Password = w.whale, own.password
	_, err = w.service.Execute(t.Context(), order, by)
	w.refused("somebody else's wallet", err, fault.NotFound, "Wallet not found")
	_, err = w.service.Simulate(t.Context(), graduated.Order{PoolID: w.chain, Message: tx.Withdrawal{Percent: 1}}, by)
	w.refused("nor may its shares be looked at", err, fault.NotFound, "Wallet not found")
	w.service.Wallets = nil
	_, err = w.service.Execute(t.Context(), order, by)
	w.refused("a process without wallets", err, fault.NotFound, "Wallet not found")
}

func TestSignedElsewhere(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	own := newPurse(uuid.New())
	w.give(own.address(), 1_000_000*unit)
	swap := tx.Swap{Sell: tx.Token, AmountIn: 1_000 * unit, MinOut: 1}
	order := graduated.Order{PoolID: w.chain, Message: swap}
	send := func(o graduated.Order, raw []byte) (graduated.Receipt, error) {
		return w.service.Execute(t.Context(), o, graduated.Authority{Caller: uuid.New(), Signed: raw})
	}
	raw := w.sign(own.key, swap, nil)
	first, err := send(order, raw)
	w.must(err)
	again, err := send(order, raw)
	if err != nil || again != first {
		t.Errorf("a transaction that comes again is answered again: %+v, %v", again, err)
	}
	const field = "signed_transaction"
	other := swap
	other.AmountIn++
	forged := append([]byte(nil), w.sign(own.key, swap, nil)...)
	forged[len(forged)-1] ^= 1
	late := graduated.Order{PoolID: w.chain, Message: swap, Deadline: time.Now().Add(time.Hour)}
	for _, c := range []struct {
		order  graduated.Order
		raw    []byte
		want   string
		reason string
	}{
		{order, []byte("hello"), "is not the canonical encoding of a transaction", "not a transaction"},
		{order, forged, "has a signature that does not fit", "one bit of the signature"},
		{order, w.sign(own.key, other, nil), "says something else than the body", "one unit more than the user sees"},
		{order, w.sign(own.key, tx.Transfer{To: livechain.Address{1}, Asset: tx.Token, Amount: 1}, nil), "says something else than the body", "a transfer"},
		{order, w.sign(own.key, swap, func(b *tx.Body) { b.ChainID = "other-1" }), "is for another chain", "another chain"},
		{order, w.sign(own.key, swap, func(b *tx.Body) { b.Fee = 1 }), "pays less than the chain's least fee", "too cheap"},
		{late, w.sign(own.key, swap, nil), "has another deadline than the body", "no deadline where there should be one"},
	} {
		_, err := send(c.order, c.raw)
		f, ok := fault.As(err)
		if !ok || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Name != field || f.Fields[0].Reason != c.want {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
	_, err = send(order, w.sign(own.key, swap, func(b *tx.Body) { b.Nonce-- }))
	if err != nil {
		t.Errorf("the same order with the same nonce is the same transaction: %v", err)
	}
	_, err = send(order, w.sign(own.key, swap, func(b *tx.Body) { b.Nonce, b.Expires = b.Nonce-1, time.Now().Add(time.Hour).Unix() }))
	w.refused("another one with a used nonce", err, fault.Conflict, "The nonce of the transaction has been used")
	_, err = send(order, w.sign(own.key, swap, func(b *tx.Body) { b.Nonce += 5 }))
	w.refused("an earlier one is missing", err, fault.Conflict, "")
	_, err = send(order, w.sign(own.key, swap, func(b *tx.Body) { b.Expires = 1 }))
	w.refused("long expired", err, fault.Unprocessable, "The deadline of the order has passed")
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	few := func(m tx.Message) graduated.Order { return graduated.Order{PoolID: w.chain, Message: m} }
	for _, c := range []struct {
		order   graduated.Order
		kind    fault.Kind
		message string
		reason  string
		both    bool // refused in a simulation too
	}{
		{few(tx.Swap{Sell: tx.Token, AmountIn: unit, MinOut: 1_000 * unit}), fault.Unprocessable, "The order would give less than its minimum", "below the minimum", true},
		{few(tx.Swap{Sell: tx.CNPY, AmountIn: 1_000 * unit}), fault.Unprocessable, "The account's balance on the chain is too low for the order and its network fee", "no CNPY on the chain", false},
		{few(tx.Swap{Sell: tx.Token, AmountIn: 1}), fault.Unprocessable, "The pool can't take the order: the amount is too small, or larger than it can count", "worth nothing", true},
		{few(tx.Withdrawal{Percent: 10}), fault.Unprocessable, "The account has no liquidity in the pool to withdraw", "no liquidity", true},
		{few(tx.Deposit{Tokens: unit, MinShares: 1_000 * unit}), fault.Unprocessable, "The order would give less than its minimum", "fewer shares than wanted", true},
		{graduated.Order{PoolID: w.chain, Message: tx.Swap{Sell: tx.Token, AmountIn: unit}, Deadline: time.Now().Add(-time.Second)},
			fault.Unprocessable, "The deadline of the order has passed", "too late", true},
		{graduated.Order{PoolID: uuid.New(), Message: tx.Swap{Sell: tx.Token, AmountIn: unit}}, fault.NotFound, "Graduated pool not found", "no such pool", true},
		{few(tx.Swap{Sell: tx.Token}), fault.Invalid, "Validation failed", "nothing to sell", true},
	} {
		_, err := w.service.Execute(t.Context(), c.order, w.byWhale())
		w.refused(c.reason, err, c.kind, c.message)
		_, err = w.service.Simulate(t.Context(), c.order, w.byWhale())
		if c.both {
			w.refused("simulated: "+c.reason, err, c.kind, c.message)
		} else if err != nil {
			t.Errorf("simulated: %s: %v", c.reason, err)
		}
	}
	stranger := graduated.Authority{Caller: uuid.New()}
	_, err := w.service.Execute(t.Context(), w.sell(unit), stranger)
	w.refused("a user for whom the platform keeps nothing", err, fault.Unprocessable, "")
	_, err = w.service.Simulate(t.Context(), few(tx.Withdrawal{Percent: 10}), stranger)
	w.refused("nor in a simulation", err, fault.Unprocessable, "")
	w.service.Custody = nil
	_, err = w.service.Execute(t.Context(), w.sell(unit), w.byWhale())
	w.refused("a process without the platform key", err, fault.Unprocessable, "")
}

func TestValidateReportsEverything(t *testing.T) {
	for _, c := range []struct {
		order  graduated.Order
		want   []string
		reason string
	}{
		{graduated.Order{Message: tx.Swap{Sell: tx.CNPY, MinOut: -1}}, []string{"cnpy_amount", "min_out"}, "a buy brings CNPY"},
		{graduated.Order{Message: tx.Swap{Sell: tx.Token, AmountIn: -1}, Deadline: time.Unix(-1, 0)}, []string{"token_amount", "deadline"}, "a sell brings tokens"},
		{graduated.Order{Message: tx.Deposit{MinShares: -1}}, []string{"cnpy_amount", "token_amount", "min_shares"}, "one of the amounts is needed"},
		{graduated.Order{Message: tx.Deposit{CNPY: -1, Tokens: 1}}, []string{"cnpy_amount"}, "none may be negative"},
		{graduated.Order{Message: tx.Withdrawal{Percent: 101, MinCNPY: -1, MinTokens: -1}}, []string{"percent", "min_cnpy", "min_tokens"}, "all of them"},
		{graduated.Order{Message: tx.Withdrawal{Percent: 100}}, nil, "everything may be withdrawn"},
	} {
		f, _ := fault.As(c.order.Validate())
		var got []string
		if f != nil {
			for _, field := range f.Fields {
				got = append(got, field.Name)
			}
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s: %v, want %v", c.reason, got, c.want)
		}
	}
}
