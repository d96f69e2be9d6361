package wallet_test

import (
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/sha256"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

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
	return wallet.New(s, passwordsWith(t, keystore.PasswordOptions{}.Lowered(t, iterations)))
}

func passwordsWith(t *testing.T, options keystore.PasswordOptions) *keystore.Passwords {
	t.Helper()
	passwords, err := keystore.NewPasswords(options)
	if err != nil {
		t.Fatal(err)
	}
	return passwords
}

// slowIterations take half a second on this machine, with the race detector or not.
var slowIterations = sync.OnceValue(func() int {
	const tried = 20_000
	start := time.Now()
	_, _ = pbkdf2.Key(sha256.New, password, make([]byte, 16), tried, keystore.KeySize)
	return min(keystore.MaxIterations, int(tried*(500*time.Millisecond)/time.Since(start)))
})

// slowPod takes so long for a password that things can happen meanwhile: it has
// more iterations than the wallets were sealed with.
type slowPod struct {
	*wallet.Service
	w        *world
	registry *prometheus.Registry
	room     int // how many passwords it checks and has waiting
}

func newSlowPod(w *world) *slowPod {
	w.t.Helper()
	registry := prometheus.NewRegistry()
	options := keystore.PasswordOptions{Registerer: registry, Waiting: 1}.Lowered(w.t, slowIterations())
	return &slowPod{
		Service: wallet.New(w.store, passwordsWith(w.t, options)), w: w, registry: registry,
		room: max(1, runtime.GOMAXPROCS(0)/2) + 1,
	}
}

// meanwhile has something happen while a password is being checked, and returns
// what came of the password.
func (p *slowPod) meanwhile(ask func() error, happen func()) error {
	p.w.t.Helper()
	outcome := make(chan error, 1)
	go func() { outcome <- ask() }()
	for p.checking() == 0 && len(outcome) == 0 {
		time.Sleep(time.Millisecond)
	}
	happen()
	return <-outcome
}

// checking is how many passwords are being checked.
func (p *slowPod) checking() float64 {
	p.w.t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		p.w.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "lucid_password_derivations_queued" {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	p.w.t.Fatal("no metric tells how many passwords are being checked")
	return 0
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
