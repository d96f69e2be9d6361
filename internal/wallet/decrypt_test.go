package wallet_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/keystore/keystoretest"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
	"github.com/lucid-blockchain/lucid/internal/wallet"
)

const (
	wrong  = "Invalid password"
	locked = "Wallet is locked due to too many failed attempts"
)

func TestDecryptLendsTheKey(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		made := w.made(owner)
		message := []byte("sign me")
		var signature []byte
		err := w.wallets.Decrypt(w.t.Context(), owner, made.ID, password, func(used wallet.Wallet, key ed25519.PrivateKey) error {
			signature = ed25519.Sign(key, message)
			if used.LastUsedAt == nil || !used.UpdatedAt.Equal(*used.LastUsedAt) || !used.UpdatedAt.After(made.UpdatedAt) {
				w.t.Errorf("the use is noted: %+v", used)
			}
			return nil
		})
		if err != nil || !ed25519.Verify(made.PublicKey, message, signature) {
			w.t.Errorf("the key does not sign for its wallet: %v", err)
		}
		failure := errors.New("no chain to send it to")
		err = w.wallets.WithKey(w.t.Context(), owner, made.ID, password, func(ed25519.PrivateKey) error { return failure })
		if !errors.Is(err, failure) {
			w.t.Errorf("the borrower's error is %v", err)
		}
	})
}

// Whoever keeps the slice has nothing, however the loan ended.
func TestLentKeyIsWiped(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	owner := uuid.New()
	id := w.made(owner).ID
	zero := make([]byte, ed25519.PrivateKeySize)
	for _, end := range []error{nil, errors.New("failed")} {
		var kept ed25519.PrivateKey
		_ = w.wallets.WithKey(t.Context(), owner, id, password, func(key ed25519.PrivateKey) error {
			kept = key
			if bytes.Equal(key, zero) {
				t.Error("the key was wiped too early")
			}
			return end
		})
		if !bytes.Equal(kept, zero) {
			t.Errorf("the key is still in memory after %v", end)
		}
	}
	var kept ed25519.PrivateKey
	func() {
		defer func() { _ = recover() }()
		_ = w.wallets.WithKey(t.Context(), owner, id, password, func(key ed25519.PrivateKey) error {
			kept = key
			panic("in the borrower")
		})
	}()
	if !bytes.Equal(kept, zero) {
		t.Error("the key is still in memory after a panic")
	}
}

// Nothing that is in memory after a loan has the key in it, garbage included: none
// is collected before the dump. A canary shows that what there is would be found.
func TestNoKeyStaysOnTheHeap(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	owner := uuid.New()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	id := w.made(owner).ID
	var masked [ed25519.SeedSize]byte // the key itself must not be kept
	err := w.wallets.WithKey(t.Context(), owner, id, password, func(key ed25519.PrivateKey) error {
		for i := range masked {
			masked[i] = ^key[i]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	canary := bytes.Clone(masked[:])
	canary[0] ^= 1
	dump := keystoretest.HeapDump(t)
	if !slices.Contains(keystoretest.Traces(dump, canary), "raw") {
		t.Fatal("the canary is not found: the dump shows nothing")
	}
	for i := range masked {
		masked[i] = ^masked[i]
	}
	if found := keystoretest.Traces(dump, masked[:]); found != nil {
		t.Errorf("the private key is still in memory: %q", found)
	}
	runtime.KeepAlive(canary)
}

func TestFiveFailuresLock(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		id := w.made(owner).ID
		for range 4 {
			w.refused("a wrong password", w.open(w.wallets, owner, id, "guess"), fault.Unauthenticated, wrong)
		}
		if got := w.get(owner, id); got.IsLocked || w.failures(id) != 4 {
			w.t.Errorf("four are not enough: %+v", got)
		}
		if err := w.open(w.wallets, owner, id, password); err != nil || w.failures(id) != 0 {
			w.t.Errorf("the right one begins a new count: %v, %d", err, w.failures(id))
		}
		for range 5 {
			w.refused("a wrong password", w.open(w.wallets, owner, id, "guess"), fault.Unauthenticated, wrong)
		}
		got := w.get(owner, id)
		if minutes := got.LockedUntil.Sub(got.UpdatedAt).Minutes(); !got.IsLocked || minutes != 15 {
			w.t.Errorf("the fifth locks for 15 minutes, not %g: %+v", minutes, got)
		}
		w.refused("a wrong one when locked", w.open(w.wallets, owner, id, "guess"), fault.Forbidden, locked)
		w.refused("and the right one", w.open(w.wallets, owner, id, password), fault.Forbidden, locked)
		if again := w.get(owner, id); w.failures(id) != 5 || !again.LockedUntil.Equal(*got.LockedUntil) {
			w.t.Errorf("trying does not lengthen the lock: %+v", again)
		}
	})
}

func TestUnlock(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		id := w.made(owner).ID
		for range 5 {
			_ = w.open(w.wallets, owner, id, "guess")
		}
		w.refused("not by a stranger", w.wallets.Unlock(w.t.Context(), uuid.New(), id), fault.Forbidden, "Access denied")
		if err := w.wallets.Unlock(w.t.Context(), owner, id); err != nil {
			w.t.Fatalf("by the owner: %v", err)
		}
		if got := w.get(owner, id); got.IsLocked || got.LockedUntil != nil || w.failures(id) != 0 {
			w.t.Errorf("it is open with a new count: %+v", got)
		}
		if err := w.open(w.wallets, owner, id, password); err != nil {
			w.t.Errorf("and opens: %v", err)
		}
		if err := w.wallets.Unlock(w.t.Context(), owner, id); err != nil {
			w.t.Errorf("unlocking what is open is fine: %v", err)
		}
	})
}

// A lock lasts fifteen minutes by the database's clock, to the second: setting the
// row back is how a test lets that clock go on.
func TestLockLastsFifteenMinutes(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		id := w.made(owner).ID
		passes := func(seconds int) {
			w.exec("UPDATE wallets SET locked_until = locked_until - $2::int4 * INTERVAL '1 second' WHERE id = $1", id, seconds)
		}
		for range 5 {
			_ = w.open(w.wallets, owner, id, "guess")
		}
		const tolerance = 30 // seconds that this test may take meanwhile
		if left := one[float64](w, "SELECT extract(epoch FROM locked_until - now())::float8 FROM wallets WHERE id = $1", id); left > 900 || left < 900-tolerance {
			w.t.Errorf("the database has %g seconds left of 900", left)
		}
		passes(900 - tolerance)
		w.refused("shortly before", w.open(w.wallets, owner, id, password), fault.Forbidden, locked)
		passes(tolerance)
		if got := w.get(owner, id); got.IsLocked || got.LockedUntil != nil {
			w.t.Errorf("after fifteen minutes it is open: %+v", got)
		}
		if err := w.open(w.wallets, owner, id, password); err != nil || w.failures(id) != 0 {
			w.t.Errorf("the right password opens it and ends the count: %v, %d", err, w.failures(id))
		}
	})
}

func TestLockRunsOut(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		id := w.made(owner).ID
		for range 5 {
			_ = w.open(w.wallets, owner, id, "guess")
		}
		w.exec("UPDATE wallets SET locked_until = now() - INTERVAL '1 second' WHERE id = $1", id)
		if got := w.get(owner, id); got.IsLocked || got.LockedUntil != nil {
			w.t.Errorf("it is open again by itself: %+v", got)
		}
		w.refused("the next wrong one is the first", w.open(w.wallets, owner, id, "guess"), fault.Unauthenticated, wrong)
		if got := w.get(owner, id); got.IsLocked || w.failures(id) != 1 {
			w.t.Errorf("it does not lock at once: %+v, %d", got, w.failures(id))
		}
		if err := w.open(w.wallets, owner, id, password); err != nil {
			w.t.Errorf("the right one opens: %v", err)
		}
	})
}

// Twenty guesses at once, on two pods: five are answered, however they interleave.
func TestParallelGuessesCountOnce(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		id := w.made(owner).ID
		pods := []*wallet.Service{w.wallets, serviceWith(w.t, w.store, 1)}
		var mu sync.Mutex
		outcomes := map[string]int{}
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				err := w.open(pods[i%2], owner, id, "guess")
				mu.Lock()
				defer mu.Unlock()
				outcomes[err.Error()]++
			})
		}
		group.Wait()
		if outcomes[wrong] != 5 || outcomes[locked] != 15 || w.failures(id) != 5 {
			w.t.Errorf("%v, %d counted; want 5 answers and 15 refusals", outcomes, w.failures(id))
		}
	})
}

// The same on pods that share nothing but the database.
func TestPodsThatShareOnlyTheDatabase(t *testing.T) {
	url := storetest.URL(t)
	pods := make([]*wallet.Service, 3)
	var w *world
	for i := range pods {
		s, err := store.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		w, pods[i] = newWorld(t, s), serviceWith(t, s, 1)
	}
	owner := uuid.New()
	id := w.made(owner).ID
	outcomes := make([]string, 40)
	var group sync.WaitGroup
	for i := range outcomes {
		group.Go(func() { outcomes[i] = w.open(pods[i%len(pods)], owner, id, "guess").Error() })
	}
	group.Wait()
	count := map[string]int{}
	for _, outcome := range outcomes {
		count[outcome]++
	}
	if count[wrong] != 5 || count[locked] != len(outcomes)-5 || w.failures(id) != 5 {
		t.Errorf("%v, %d counted; want 5 answers and refusals for the others", count, w.failures(id))
	}
	for _, pod := range pods {
		w.refused("every pod knows of the lock", w.open(pod, owner, id, password), fault.Forbidden, locked)
	}
}

// A password that is being checked while the wallet is locked is answered no
// more, not even the right one: otherwise guesses under way would be free.
func TestLockedWhileThePasswordIsChecked(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	owner := uuid.New()
	slow := newSlowPod(w)
	id := w.made(owner).ID
	err := slow.meanwhile(func() error { return w.open(slow.Service, owner, id, password) }, func() {
		w.exec("UPDATE wallets SET locked_until = now() + INTERVAL '1 hour' WHERE id = $1", id)
	})
	w.refused("the right password of a wallet that is locked by now", err, fault.Forbidden, locked)
	if got := w.get(owner, id); !got.IsLocked || got.LastUsedAt != nil {
		t.Errorf("it stays locked and unused: %+v", got)
	}
}

// What changes while a password is checked counts, for the right one and a wrong
// one alike.
func TestChangesWhileThePasswordIsChecked(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	owner, stranger := uuid.New(), uuid.New()
	slow := newSlowPod(w)
	if err := identity.NewUsers(w.store).Ensure(t.Context(), stranger); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		reason, change string
		kind           fault.Kind
		message        string
	}{
		{"deleted", "DELETE FROM wallets WHERE id = $1", fault.NotFound, "Wallet not found"},
		{"somebody else's by now", "UPDATE wallets SET user_id = '" + stranger.String() + "' WHERE id = $1", fault.Forbidden, "Access denied"},
	} {
		for _, guess := range []string{password, "a guess"} {
			id := w.made(owner).ID
			err := slow.meanwhile(func() error { return w.open(slow.Service, owner, id, guess) }, func() { w.exec(test.change, id) })
			w.refused(test.reason+", "+guess, err, test.kind, test.message)
		}
	}
	id := w.made(owner).ID
	err := slow.meanwhile(func() error { return w.open(slow.Service, owner, id, password) }, func() {
		w.exec("UPDATE wallets SET is_active = false WHERE id = $1", id)
	})
	w.refused("deactivated", err, fault.Unprocessable, "Wallet is not active")
}

// A guess that can't be counted is not answered: with the database gone, neither
// the right password nor a wrong one is told from the other.
func TestNoAnswerThatIsNotCounted(t *testing.T) {
	for _, guess := range []string{password, "a guess"} {
		w := newWorld(t, storetest.Open(t))
		owner := uuid.New()
		slow := newSlowPod(w)
		id := w.made(owner).ID
		err := slow.meanwhile(func() error { return w.open(slow.Service, owner, id, guess) }, w.store.Close)
		if _, refused := fault.As(err); refused || !store.IsUnavailable(err) {
			t.Errorf("%s: %v", guess, err)
		}
	}
}

// Who finds the queue full is sent away with a time to come back, and no try is
// counted against them.
func TestFullQueueOfPasswords(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	owner := uuid.New()
	slow := newSlowPod(w)
	id := w.made(owner).ID
	var group sync.WaitGroup
	for range slow.room {
		group.Go(func() { _ = w.open(slow.Service, owner, id, password) })
	}
	for slow.checking() < float64(slow.room) {
		time.Sleep(time.Millisecond)
	}
	_, creating := slow.Create(t.Context(), owner, wallet.Request{Password: password})
	for reason, err := range map[string]error{"to create": creating, "to open": w.open(slow.Service, owner, id, "a guess")} {
		busy, ok := fault.As(err)
		if !ok || busy.Kind != fault.Unavailable || busy.RetryAfter <= 0 {
			t.Errorf("%s: %v, want Unavailable with a time to come back", reason, err)
		}
	}
	if w.failures(id) != 0 {
		t.Errorf("%d tries are counted", w.failures(id))
	}
	group.Wait()
}

func TestWhatCanNotBeDecrypted(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		id := w.made(owner).ID
		if _, err := w.wallets.Update(w.t.Context(), owner, id, wallet.Change{IsActive: ptr(false)}); err != nil {
			w.t.Fatal(err)
		}
		w.refused("an inactive wallet is not used", w.open(w.wallets, owner, id, password), fault.Unprocessable, "Wallet is not active")
		platform := w.platformWallet(owner)
		for range 6 {
			w.refused("the platform's has no password", w.open(w.wallets, owner, platform, password),
				fault.Unprocessable, "The platform keeps this wallet's key: no password decrypts it")
		}
		if got := w.get(owner, platform); got.IsLocked || got.PasswordChangedAt != nil {
			w.t.Errorf("nor can it be locked by trying: %+v", got)
		}
		if _, err := w.wallets.Update(w.t.Context(), owner, platform, wallet.Change{IsActive: ptr(false)}); err != nil {
			w.t.Fatal(err)
		}
		_, err := w.keys.UserKey(w.t.Context(), owner)
		w.refused("the platform itself does not use an inactive one", err, fault.Unprocessable, "Wallet is not active")
	})
}

// Each part of what the database holds, changed behind our back: never is a key
// handed out, and never another one.
func TestTampering(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		w.wallets = serviceWith(w.t, w.store, 2)
		mine, other := w.made(owner), w.made(owner)
		passwords := passwordsWith(w.t, keystore.PasswordOptions{}.Lowered(w.t, 2))
		short, err := passwords.Seal(w.t.Context(), password, []byte("no seed"), mine.ID[:])
		if err != nil {
			w.t.Fatal(err)
		}
		platform := w.platformWallet(owner)
		flip := func(at int) func() {
			return func() {
				sealed := one[[]byte](w, "SELECT sealed_key FROM wallets WHERE id = $1", mine.ID)
				sealed[at] ^= 1
				w.exec("UPDATE wallets SET sealed_key = $2 WHERE id = $1", mine.ID, sealed)
			}
		}
		iterations := func(n uint32) func() {
			return func() {
				sealed := one[[]byte](w, "SELECT sealed_key FROM wallets WHERE id = $1", mine.ID)
				binary.BigEndian.PutUint32(sealed[1:], n)
				w.exec("UPDATE wallets SET sealed_key = $2 WHERE id = $1", mine.ID, sealed)
			}
		}
		length := len(one[[]byte](w, "SELECT sealed_key FROM wallets WHERE id = $1", mine.ID))
		for _, test := range []struct {
			reason string
			change func()
			wrong  bool // told as a wrong password; else as a failure of ours
		}{
			{"the version", flip(0), false},
			{"more iterations", flip(3), true},
			{"fewer iterations, which would make guessing cheap", iterations(1), true},
			{"no iterations", iterations(0), false},
			{"iterations that would take hours", iterations(keystore.MaxIterations + 1), false},
			{"the salt", flip(5), true},
			{"the last byte of the salt", flip(20), true},
			{"the nonce", flip(21), true},
			{"the ciphertext", flip(33), true},
			{"the tag", flip(length - 1), true},
			{"cut off", func() { w.exec("UPDATE wallets SET sealed_key = 'x'::bytea WHERE id = $1", mine.ID) }, false},
			{"the sealed key of another wallet, same password", func() {
				w.exec("UPDATE wallets SET sealed_key = (SELECT sealed_key FROM wallets WHERE id = $2) WHERE id = $1", mine.ID, other.ID)
			}, true},
			{"the sealed key of the platform's wallet", func() {
				w.exec("UPDATE wallets SET sealed_key = (SELECT sealed_key FROM wallets WHERE id = $2) WHERE id = $1", mine.ID, platform)
			}, false},
			{"what is no key, sealed under the right password", func() { w.exec("UPDATE wallets SET sealed_key = $2 WHERE id = $1", mine.ID, short) }, false},
			{"another public key", func() { w.exec("UPDATE wallets SET public_key = $2 WHERE id = $1", mine.ID, []byte(other.PublicKey)) }, false},
			{"another address", func() {
				w.exec("UPDATE wallets SET address = $2 WHERE id = $1", mine.ID, livechain.AddressOf(make([]byte, 32)).String())
			}, false},
		} {
			before := one[[]byte](w, "SELECT sealed_key FROM wallets WHERE id = $1", mine.ID)
			test.change()
			err := w.open(w.wallets, owner, mine.ID, password)
			_, refused := fault.As(err)
			if err == nil || refused != test.wrong || (refused && err.Error() != wrong) {
				w.t.Errorf("%s: %v", test.reason, err)
			}
			w.exec("UPDATE wallets SET sealed_key = $2, public_key = $3, address = $4, failed_decrypt_attempts = 0 WHERE id = $1",
				mine.ID, before, []byte(mine.PublicKey), mine.Address)
		}
		// The ids of two rows exchanged: each sealed key now stands under the other's.
		third := uuid.New()
		for _, swap := range [][2]uuid.UUID{{mine.ID, third}, {other.ID, mine.ID}, {third, other.ID}} {
			w.exec("UPDATE wallets SET id = $2 WHERE id = $1", swap[0], swap[1])
		}
		for _, id := range []uuid.UUID{mine.ID, other.ID} {
			w.refused("the ids of two rows exchanged", w.open(w.wallets, owner, id, password), fault.Unauthenticated, wrong)
		}
	})
}

// When more iterations are asked for, the right password seals its key anew.
func TestIterationsRise(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		id := w.made(owner).ID
		sealed := func() []byte { return one[[]byte](w, "SELECT sealed_key FROM wallets WHERE id = $1", id) }
		before, risen := sealed(), serviceWith(w.t, w.store, 3)
		w.refused("a wrong password renews nothing", w.open(risen, owner, id, "guess"), fault.Unauthenticated, wrong)
		if !bytes.Equal(sealed(), before) {
			w.t.Error("a wrong password changed the sealed key")
		}
		if err := w.open(risen, owner, id, password); err != nil {
			w.t.Fatal(err)
		}
		after := sealed()
		if bytes.Equal(after, before) || after[4] != 3 {
			w.t.Errorf("sealed with %d iterations, want 3", after[4])
		}
		for reason, pod := range map[string]*wallet.Service{"the pod that renewed it": risen, "one that has not risen yet": w.wallets} {
			if err := w.open(pod, owner, id, password); err != nil || !bytes.Equal(sealed(), after) {
				w.t.Errorf("%s opens it and leaves it as it is: %v", reason, err)
			}
		}
	})
}
