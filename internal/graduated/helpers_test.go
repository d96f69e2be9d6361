package graduated_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
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
	"github.com/lucid-blockchain/lucid/internal/livechain/node/nodetest"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

const (
	unit     = money.Unit
	patience = 30 * time.Second
)

// world is a graduated chain with a real node, a database and the service over
// both.
type world struct {
	t       *testing.T
	store   *store.Store
	service *graduated.Service
	live    *nodetest.Chain
	chain   uuid.UUID // its row
	whale   uuid.UUID // holds tokens at a platform wallet
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: storetest.Open(t), whale: uuid.New()}
	keys, err := keystore.New(w.store, bytes.Repeat([]byte{7}, keystore.KeySize))
	w.must(err)
	w.chain = w.closedChain()
	w.live = graduatedtest.Graduate(t, w.store, keys, w.chain)
	w.service = &graduated.Service{Store: w.store, Custody: keys}
	return w
}

// closedChain is a chain that the whale has bought over its threshold.
func (w *world) closedChain() uuid.UUID {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	m := market.New(w.store, market.Options{})
	go func() { _ = m.Run(ctx) }()
	chains := &chain.Service{Store: w.store, Market: m}
	for range 2 {
		_, err := ledger.Faucet(w.t.Context(), w.store, w.whale, 50_000*unit)
		w.must(err)
	}
	made, err := chains.Create(w.t.Context(), chain.Spec{ChainName: "Aurora", TokenSymbol: "AURO", CreatedBy: w.whale})
	w.must(err)
	_, err = chains.Launch(w.t.Context(), made.ID, w.whale, nil)
	w.must(err)
	spend := 60_000 * unit
	_, err = m.Trade(w.t.Context(), market.Order{PoolID: made.ID, UserID: w.whale, Side: market.Buy, CNPY: &spend})
	w.must(err)
	return made.ID
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// index runs an indexer until the returned function is called.
func (w *world) index(change ...func(*graduated.Indexer)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	x := &graduated.Indexer{Store: w.store, Log: testr.New(w.t), Every: 20 * time.Millisecond}
	for _, c := range change {
		c(x)
	}
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the indexer: %v", err)
		}
	}
}

// eventually waits until the condition holds.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// listed waits until the database knows the chain's pool.
func (w *world) listed() graduated.Pool {
	w.t.Helper()
	var pool graduated.Pool
	w.eventually("the pool is listed", func() bool {
		var err error
		pool, err = w.service.Pool(w.t.Context(), w.chain)
		return err == nil
	})
	return pool
}

func (w *world) awaitTransactions(n int64) graduated.Pool {
	w.t.Helper()
	var pool graduated.Pool
	w.eventually("the transactions are indexed", func() bool {
		var err error
		pool, err = w.service.Pool(w.t.Context(), w.chain)
		return err == nil && pool.Transactions >= n
	})
	return pool
}

func (w *world) sell(amount money.Amount) graduated.Order {
	return graduated.Order{PoolID: w.chain, Message: tx.Swap{Sell: tx.Token, AmountIn: amount}}
}

func (w *world) byWhale() graduated.Authority { return graduated.Authority{Caller: w.whale} }

func (w *world) do(o graduated.Order) graduated.Receipt {
	w.t.Helper()
	receipt, err := w.service.Execute(w.t.Context(), o, w.byWhale())
	w.must(err)
	return receipt
}

func (w *world) refused(reason string, err error, kind fault.Kind, message string) {
	w.t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Kind != kind || (message != "" && f.Message != message) {
		w.t.Errorf("%s: want %s %q, got %v", reason, kind, message, err)
	}
}

// purse is somebody's own wallets, with a key and a password each.
type purse struct {
	owner, id uuid.UUID
	password  string
	key       ed25519.PrivateKey
}

func newPurse(owner uuid.UUID) *purse {
	return &purse{owner: owner, id: uuid.New(), password: "Correct-Horse-9", key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize))}
}

func (p *purse) address() livechain.Address {
	return livechain.AddressOf(p.key.Public().(ed25519.PublicKey))
}

func (p *purse) WithKey(_ context.Context, caller, id uuid.UUID, password string, use func(ed25519.PrivateKey) error) error {
	switch {
	case id != p.id || caller != p.owner:
		return fault.New(fault.NotFound, "Wallet not found")
	case password != p.password:
		return fault.New(fault.Unauthenticated, "Invalid password")
	}
	return use(p.key)
}

// give sends tokens from the whale to an address by a plain transfer.
func (w *world) give(to livechain.Address, amount money.Amount) {
	w.t.Helper()
	key, err := w.service.Custody.UserKey(w.t.Context(), w.whale)
	w.must(err)
	raw := w.sign(key, tx.Transfer{To: to, Asset: tx.Token, Amount: amount}, nil)
	hash, err := w.live.Submit(w.t.Context(), raw)
	w.must(err)
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	_, err = w.live.Client.Await(ctx, client.Sent{Hash: hash})
	w.must(err)
}

// sign makes a transaction with the account's next nonce, changed by change.
func (w *world) sign(key ed25519.PrivateKey, message tx.Message, change func(*tx.Body)) []byte {
	w.t.Helper()
	account, err := w.live.Account(w.t.Context(), livechain.AddressOf(key.Public().(ed25519.PublicKey)))
	w.must(err)
	body := tx.Body{ChainID: w.live.ID, Nonce: account.Nonce, Fee: genesis.DefaultMinFee, Message: message}
	if change != nil {
		change(&body)
	}
	raw, err := tx.Sign(body, key)
	w.must(err)
	return raw
}
