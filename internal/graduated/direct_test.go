package graduated_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/graduated/graduatedtest"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

const noLiquidity = "Graduated pool not found: the chain never had a virtual pool, and nobody has given liquidity on it yet"

// treasury is the key of the treasury of the chains that newDirectWorld starts.
func treasury() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, ed25519.SeedSize))
}

// newDirectWorld is a world whose chain never had a virtual pool. The whale has
// CNPY in the ledger and nothing on the chain.
func newDirectWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: storetest.Open(t), chain: uuid.New(), whale: uuid.New()}
	keys, err := keystore.New(w.store, bytes.Repeat([]byte{7}, keystore.KeySize))
	w.must(err)
	chains := &chain.Service{Store: w.store, Market: market.New(w.store, market.Options{})}
	_, err = chains.Declare(t.Context(), w.chain, chain.Spec{ChainName: "Blocks", TokenSymbol: "BLK", Direct: true})
	w.must(err)
	_, err = chains.LaunchDeclared(t.Context(), w.chain, nil)
	w.must(err)
	w.must(w.store.Queries().EnsureUser(t.Context(), w.whale))
	_, err = ledger.Faucet(t.Context(), w.store, w.whale, 10_000*unit)
	w.must(err)
	w.live = graduatedtest.Graduate(t, w.store, keys, w.chain, func(in *genesis.Input) {
		in.Treasury = livechain.AddressOf(treasury().Public().(ed25519.PublicKey))
	})
	w.service = &graduated.Service{Store: w.store, Custody: keys}
	return w
}

// submit has somebody's transaction carried out on the chain, past the service.
func (w *world) submit(key ed25519.PrivateKey, message tx.Message) client.Included {
	w.t.Helper()
	hash, err := w.live.Submit(w.t.Context(), w.sign(key, message, nil))
	w.must(err)
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	included, err := w.live.Await(ctx, client.Sent{Hash: hash})
	w.must(err)
	return included
}

// A live chain that never had a virtual pool is no graduated pool, and whoever
// asks is told why.
func TestDirectChainHasNoPool(t *testing.T) {
	w := newDirectWorld(t)
	stop := w.index()
	time.Sleep(time.Second) // many rounds of the indexer
	stop()

	_, total, err := w.service.Pools(t.Context(), graduated.Page{Number: 1, Size: 10})
	w.must(err)
	if total != 0 {
		t.Errorf("%d pools are listed, want none", total)
	}
	for reason, message := range map[string]tx.Message{
		"a swap": tx.Swap{Sell: tx.CNPY, AmountIn: unit}, "a withdrawal": tx.Withdrawal{Percent: 1},
	} {
		order := graduated.Order{PoolID: w.chain, Message: message}
		_, err = w.service.Simulate(t.Context(), order, w.byWhale())
		w.refused(reason+" that is simulated", err, fault.NotFound, noLiquidity)
		_, err = w.service.Execute(t.Context(), order, w.byWhale())
		w.refused(reason, err, fault.NotFound, noLiquidity)
	}
	for _, id := range []uuid.UUID{w.chain, graduated.PoolID(w.chain)} {
		_, err = w.service.Pool(t.Context(), id)
		w.refused("the pool", err, fault.NotFound, noLiquidity)
		_, _, err = w.service.Transactions(t.Context(), graduated.Filter{PoolID: id}, graduated.Page{Number: 1, Size: 10})
		w.refused("its transactions", err, fault.NotFound, noLiquidity)
	}
	_, err = w.service.Pool(t.Context(), uuid.New())
	w.refused("a stranger's id", err, fault.NotFound, "Graduated pool not found")
}

// CNPY comes to a chain without a pool, and leaves it: by an order, and by a
// transaction that nobody but the chain was told of.
func TestDirectChainsVouchers(t *testing.T) {
	w := newDirectWorld(t)
	defer w.index()()
	whale, err := w.service.Custody.EnsureAddress(t.Context(), w.whale)
	w.must(err)
	w.bringIn(100 * unit)
	if left := w.carry(); left != 0 {
		t.Fatalf("%d vouchers are left", left)
	}
	account, err := w.service.Account(t.Context(), w.chain, whale)
	w.must(err)
	if account.CNPY != 100*unit || account.PoolID != graduated.PoolID(w.chain) || account.ChainID != w.chain || account.MinFee == 0 {
		t.Errorf("the account of what came: %+v", account)
	}
	w.submit(treasury(), tx.Transfer{To: whale, Asset: tx.Token, Amount: 10 * unit})
	before := w.holds(w.whale)
	out := w.takeOut(40 * unit)
	w.awaitStatus(w.whale, out.ID, graduated.VoucherSettled)

	key, err := w.service.Custody.UserKey(t.Context(), w.whale)
	w.must(err)
	raw := uuid.New()
	w.submit(key, tx.VoucherOut{ID: raw, LedgerAccount: ledger.Account{Type: ledger.User, Owner: w.whale, Asset: ledger.CNPY}.ID(), Amount: 25 * unit})
	w.awaitStatus(w.whale, raw, graduated.VoucherSettled)
	if held := w.holds(w.whale); held != before+65*unit {
		t.Errorf("the ledger has %s of what left, want 65", held-before)
	}
	w.proveLedger(0)
	if _, total, err := w.service.Pools(t.Context(), graduated.Page{Number: 1, Size: 10}); err != nil || total != 0 {
		t.Errorf("vouchers make no pool: %d, %v", total, err)
	}
}

// The first deposit opens the pool, and from then on it is one as any other.
func TestFirstDepositOpensThePool(t *testing.T) {
	w := newDirectWorld(t)
	defer w.index()()
	whale, err := w.service.Custody.EnsureAddress(t.Context(), w.whale)
	w.must(err)
	w.bringIn(1_000 * unit)
	w.carry()
	w.submit(treasury(), tx.Transfer{To: whale, Asset: tx.Token, Amount: 100_000 * unit})

	_, err = w.service.Simulate(t.Context(), graduated.Order{PoolID: w.chain, Message: tx.Deposit{CNPY: unit}}, w.byWhale())
	w.refused("a first deposit of one asset", err, fault.Unprocessable, "")
	first := graduated.Order{PoolID: w.chain, Message: tx.Deposit{CNPY: 500 * unit, Tokens: 50_000 * unit}}
	foreseen, err := w.service.Simulate(t.Context(), first, w.byWhale())
	w.must(err)
	done := w.do(first)
	if done.Shares != foreseen.Shares || done.After != foreseen.After || done.Shares != 5_000*unit-1_000 {
		t.Errorf("foreseen %+v, done %+v: isqrt(x·y) less what stays locked", foreseen, done)
	}
	// The chain is asked while the block is not read.
	w.do(graduated.Order{PoolID: w.chain, Message: tx.Swap{Sell: tx.CNPY, AmountIn: 10 * unit}})
	pool := w.awaitTransactions(2)
	if pool.ID != graduated.PoolID(w.chain) || pool.State.CNPY != 510*unit || pool.State.Shares != 5_000*unit || !pool.Active() {
		t.Errorf("the pool: %+v", pool)
	}
	rows, _, err := w.service.Transactions(t.Context(), graduated.Filter{PoolID: pool.ID}, graduated.Page{Number: 1, Size: 10})
	w.must(err)
	if len(rows) != 2 || rows[1].Kind != graduated.Deposit || !pool.CreatedAt.Equal(rows[1].At) {
		t.Errorf("the pool begins with its first deposit: %v, %+v", pool.CreatedAt, rows)
	}
	if _, total, err := w.service.Pools(t.Context(), graduated.Page{Number: 1, Size: 10}); err != nil || total != 1 {
		t.Errorf("listed: %d, %v", total, err)
	}
	w.proveLedger(0)
}

// A chain's creator, and nobody else, orders from its treasury: so a chain without a
// virtual pool gets one, with nothing but CNPY brought there from the ledger.
func TestCreatorOpensThePoolFromTheTreasury(t *testing.T) {
	w := &world{t: t, store: storetest.Open(t), chain: uuid.New(), whale: uuid.New()}
	keys, err := keystore.New(w.store, bytes.Repeat([]byte{7}, keystore.KeySize))
	w.must(err)
	chains := &chain.Service{Store: w.store, Market: market.New(w.store, market.Options{})}
	w.must(w.store.Queries().EnsureUser(t.Context(), w.whale))
	_, err = chains.Declare(t.Context(), w.chain, chain.Spec{ChainName: "Blocks", TokenSymbol: "BLK", Direct: true, CreatedBy: w.whale})
	w.must(err)
	_, err = ledger.Faucet(t.Context(), w.store, w.whale, 10_000*unit)
	w.must(err)
	_, err = chains.LaunchDeclared(t.Context(), w.chain, nil)
	w.must(err)
	home, err := keys.EnsureTreasury(t.Context(), w.chain)
	w.must(err)
	w.live = graduatedtest.Graduate(t, w.store, keys, w.chain, func(in *genesis.Input) { in.Treasury = home })
	w.service = &graduated.Service{Store: w.store, Custody: keys}
	defer w.index()()

	_, err = w.service.VoucherIn(t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: 600 * unit, To: &home})
	w.must(err)
	if left := w.carry(); left != 0 {
		t.Fatalf("%d vouchers are left", left)
	}
	treasury := graduated.Authority{Caller: w.whale, Treasury: true}
	first := graduated.Order{PoolID: w.chain, Message: tx.Deposit{CNPY: 500 * unit, Tokens: 50_000 * unit}}
	for what, do := range map[string]func(context.Context, graduated.Order, graduated.Authority) (graduated.Receipt, error){
		"simulated": w.service.Simulate, "executed": w.service.Execute,
	} {
		_, err := do(t.Context(), first, graduated.Authority{Caller: uuid.New(), Treasury: true})
		w.refused("a stranger's order, "+what, err, fault.Forbidden, "Access denied")
	}
	foreseen, err := w.service.Simulate(t.Context(), first, treasury)
	w.must(err)
	done, err := w.service.Execute(t.Context(), first, treasury)
	w.must(err)
	if done.Shares != foreseen.Shares || foreseen.Address != home.String() || done.Address != home.String() {
		t.Errorf("foreseen %+v, done %+v", foreseen, done)
	}
	out, err := w.service.VoucherOut(t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: 100 * unit}, treasury)
	w.must(err)
	w.awaitStatus(w.whale, out.ID, graduated.VoucherSettled)
	w.proveLedger(0)
}

// Of a chain with another genesis than the recorded one nothing is told.
func TestAnotherChainAtTheEndpoint(t *testing.T) {
	w := newDirectWorld(t)
	w.must(w.store.Exec(t.Context(), "UPDATE chains SET genesis_hash = 'another'"))
	_, err := w.service.Account(t.Context(), w.chain, livechain.Address{1})
	w.refused("an account", err, fault.Unavailable, "The chain does not answer at present")
	_, err = w.service.VoucherIn(t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: unit, To: &livechain.Address{1}})
	w.refused("a voucher", err, fault.Unavailable, "The chain does not answer at present")
	if w.escrow() != 0 {
		t.Errorf("the escrow has %s of a voucher that was refused", w.escrow())
	}
}
