package wallet_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
	"github.com/lucid-blockchain/lucid/internal/wallet"
)

const password = "SecurePass123!"

// world is wallets, chains and the platform's keys over a real database.
type world struct {
	t       *testing.T
	store   *store.Store
	wallets *wallet.Service
	chains  *chain.Service
	keys    *keystore.Keystore
}

// each runs fn in a new world per database that there is.
func each(t *testing.T, fn func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) { fn(newWorld(t, s)) })
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	keys, err := keystore.New(s, make([]byte, keystore.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, store: s, keys: keys, wallets: serviceWith(t, s, 1),
		chains: &chain.Service{Store: s, Market: market.New(s, market.Options{}), Keys: keys},
	}
}

// serviceWith is what one pod has, with few iterations for speed.
func serviceWith(t *testing.T, s *store.Store, iterations int) *wallet.Service {
	t.Helper()
	passwords, err := keystore.NewPasswords(keystore.PasswordOptions{}.Lowered(t, iterations))
	if err != nil {
		t.Fatal(err)
	}
	return wallet.New(s, passwords)
}

// made is a wallet of the caller's.
func (w *world) made(caller uuid.UUID, change ...func(*wallet.Request)) wallet.Wallet {
	w.t.Helper()
	n := wallet.Request{Password: password}
	for _, c := range change {
		c(&n)
	}
	created, err := w.wallets.Create(w.t.Context(), caller, n)
	if err != nil {
		w.t.Fatalf("create a wallet: %v", err)
	}
	return created
}

func (w *world) get(caller, id uuid.UUID) wallet.Wallet {
	w.t.Helper()
	found, err := w.wallets.Get(w.t.Context(), caller, id)
	if err != nil {
		w.t.Fatalf("get a wallet: %v", err)
	}
	return found
}

// draft is a chain of the creator's.
func (w *world) draft(name string, creator uuid.UUID) chain.Chain {
	w.t.Helper()
	c, err := w.chains.Create(w.t.Context(), chain.Spec{ChainName: name, TokenSymbol: "TOK", CreatedBy: creator})
	if err != nil {
		w.t.Fatalf("create a chain: %v", err)
	}
	return c
}

// platformWallet is the id of a user's wallet that the platform keeps.
func (w *world) platformWallet(user uuid.UUID) uuid.UUID {
	w.t.Helper()
	if err := identity.NewUsers(w.store).Ensure(w.t.Context(), user); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.keys.EnsureAddress(w.t.Context(), user); err != nil {
		w.t.Fatal(err)
	}
	row, err := w.store.Queries().GetPlatformWallet(w.t.Context(), &user)
	if err != nil {
		w.t.Fatal(err)
	}
	return row.ID
}

// open tries a password with one pod.
func (w *world) open(by *wallet.Service, caller, id uuid.UUID, guess string) error {
	return by.WithKey(w.t.Context(), caller, id, guess, func(ed25519.PrivateKey) error { return nil })
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if err := w.store.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// failures is how many wrong passwords the database has counted.
func (w *world) failures(id uuid.UUID) int {
	w.t.Helper()
	return one[int](w, "SELECT failed_decrypt_attempts FROM wallets WHERE id = $1", id)
}

func one[T any](w *world, sql string, args ...any) T {
	w.t.Helper()
	rows, err := w.store.Query(w.t.Context(), sql, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	value, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func (w *world) refused(reason string, err error, kind fault.Kind, message string) {
	w.t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Kind != kind || (message != "" && f.Message != message) {
		w.t.Errorf("%s: want %s %q, got %v", reason, kind, message, err)
	}
}

func ptr[T any](v T) *T { return &v }
