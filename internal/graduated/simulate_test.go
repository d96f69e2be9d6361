package graduated_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/wallet"
)

const password = "Correct-Horse-9"

// ownWallets puts the real service of wallets behind the pools.
func (w *world) ownWallets() *wallet.Service {
	w.t.Helper()
	passwords, err := keystore.NewPasswords(keystore.PasswordOptions{}.Lowered(w.t, 1))
	w.must(err)
	wallets := wallet.New(w.store, passwords)
	w.service.Wallets = wallets
	return wallets
}

// everyKind is an order of each kind.
func (w *world) everyKind() []graduated.Order {
	messages := []tx.Message{tx.Swap{Sell: tx.Token, AmountIn: unit}, tx.Deposit{Tokens: unit}, tx.Withdrawal{Percent: 50}}
	orders := make([]graduated.Order, len(messages))
	for i, m := range messages {
		orders[i] = graduated.Order{PoolID: w.chain, Message: m}
	}
	return orders
}

// Whoever may sign an order may simulate it, without a password, and nobody else:
// whose a wallet is goes by the same rule.
func TestWhoMaySimulate(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	wallets := w.ownWallets()
	made := func(change func(*wallet.Request)) wallet.Wallet {
		r := wallet.Request{Password: password}
		change(&r)
		one, err := wallets.Create(t.Context(), w.whale, r)
		w.must(err)
		address, err := livechain.ParseAddress(one.Address)
		w.must(err)
		w.give(address, 1_000*unit)
		_, err = w.service.Execute(t.Context(), graduated.Order{PoolID: w.chain, Message: tx.Deposit{Tokens: 100 * unit}},
			graduated.Authority{Caller: w.whale, WalletID: &one.ID, Password: password})
		w.must(err)
		return one
	}
	for reason, change := range map[string]func(*wallet.Request){
		"a user's":                   func(r *wallet.Request) { r.UserID = &w.whale },
		"one of a chain of theirs":   func(r *wallet.Request) { r.ChainID = &w.chain },
		"a user's and a chain's":     func(r *wallet.Request) { r.UserID, r.ChainID = &w.whale, &w.chain },
		"one that stands for itself": func(*wallet.Request) {},
	} {
		own := made(change)
		for _, order := range w.everyKind() {
			foreseen, err := w.service.Simulate(t.Context(), order, graduated.Authority{Caller: w.whale, WalletID: &own.ID})
			if err != nil || foreseen.Address != own.Address {
				t.Errorf("%s, %T: %+v, %v", reason, order.Message, foreseen, err)
			}
			_, err = w.service.Simulate(t.Context(), order, graduated.Authority{Caller: uuid.New(), WalletID: &own.ID})
			w.refused(reason+", for a stranger", err, fault.Forbidden, "Access denied")
		}
	}
	w.refusedAlike(wallets, made(func(*wallet.Request) {}))
}

// refusedAlike: a wallet that can't sign can't simulate either, for the same reason.
func (w *world) refusedAlike(wallets *wallet.Service, own wallet.Wallet) {
	w.t.Helper()
	nowhere := uuid.New()
	platform, err := w.store.Queries().GetPlatformWallet(w.t.Context(), &w.whale)
	w.must(err)
	alike := func(reason string, id uuid.UUID) {
		w.t.Helper()
		for _, order := range w.everyKind() {
			by := graduated.Authority{Caller: w.whale, WalletID: &id}
			_, simulated := w.service.Simulate(w.t.Context(), order, by)
			by.Password = password
			_, executed := w.service.Execute(w.t.Context(), order, by)
			want, ok := fault.As(executed)
			if !ok {
				w.t.Fatalf("%s, %T: executed %v", reason, order.Message, executed)
			}
			w.refused(reason, simulated, want.Kind, want.Message)
		}
	}
	alike("one that there is not", nowhere)
	alike("the platform's own", platform.ID)
	inactive := false
	_, err = wallets.Update(w.t.Context(), w.whale, own.ID, wallet.Change{IsActive: &inactive})
	w.must(err)
	alike("an inactive one", own.ID)
	w.must(w.store.Exec(w.t.Context(), "UPDATE wallets SET locked_until = now() + INTERVAL '1 hour', is_active = true WHERE id = $1", own.ID))
	alike("a locked one", own.ID)
	w.service.Wallets = nil
	alike("where nobody can have one", own.ID)
}

// A transaction that was signed elsewhere is simulated as what it is: it has to be
// one that the chain would take.
func TestSimulateASignedTransaction(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	key := newPurse(uuid.New()).key
	signer := livechain.AddressOf(key.Public().(ed25519.PublicKey))
	w.give(signer, 10_000*unit)
	swap := tx.Swap{Sell: tx.Token, AmountIn: unit}
	for _, c := range []struct {
		reason  string
		message tx.Message // signed, in the place of the order's
		change  func(*tx.Body)
		want    string
	}{
		{"the order itself", swap, func(b *tx.Body) { b.Fee = 5_000 }, ""},
		{"another amount", tx.Swap{Sell: tx.Token, AmountIn: 2 * unit}, nil, "says something else than the body"},
		{"another chain's", swap, func(b *tx.Body) { b.ChainID = "other-1" }, "is for another chain"},
		{"too cheap", swap, func(b *tx.Body) { b.Fee = 1 }, "pays less than the chain's least fee"},
		{"paid in CNPY", swap, func(b *tx.Body) { b.Fee, b.FeeAsset = 5_000, tx.CNPY }, ""},
		{"too cheap in CNPY", swap, func(b *tx.Body) { b.Fee, b.FeeAsset = 0, tx.CNPY }, "pays less than the chain's least fee"},
	} {
		by := graduated.Authority{Caller: uuid.New(), Signed: w.sign(key, c.message, c.change)}
		foreseen, err := w.service.Simulate(t.Context(), graduated.Order{PoolID: w.chain, Message: swap}, by)
		f, _ := fault.As(err)
		switch {
		case c.want == "" && (err != nil || foreseen.Address != signer.String() || foreseen.NetworkFee.Amount != 5_000):
			t.Errorf("%s: %+v, %v", c.reason, foreseen, err)
		case c.want != "" && (f == nil || f.Kind != fault.Invalid || f.Fields[0].Name != "signed_transaction" || f.Fields[0].Reason != c.want):
			t.Errorf("%s: %v", c.reason, err)
		}
	}
	simulate := func(m tx.Message, raw []byte) error {
		_, err := w.service.Simulate(t.Context(), graduated.Order{PoolID: w.chain, Message: m}, graduated.Authority{Signed: raw})
		return err
	}
	w.refused("no transaction", simulate(swap, []byte("hello")), fault.Invalid, "Validation failed")
	expired := w.sign(key, swap, func(b *tx.Body) { b.Expires = time.Now().Add(-time.Minute).Unix() })
	w.refused("over", simulate(swap, expired), fault.Unprocessable, "The deadline of the order has passed")
	withdrawal := tx.Withdrawal{Percent: 1}
	w.refused("the signer has no shares to withdraw", simulate(withdrawal, w.sign(key, withdrawal, nil)),
		fault.Unprocessable, "The account has no liquidity in the pool to withdraw")
}
