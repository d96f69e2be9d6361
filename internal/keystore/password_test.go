package keystore_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lucid-blockchain/lucid/internal/keystore"
)

const password = "correct horse battery"

// What an earlier program stored, computed with another implementation (Python's
// hashlib and cryptography): the platform key is 32 times 7, the password's key
// took 1000 iterations.
const (
	storedPlatform = "016465666768696a6b6c6d6e6f90a1817f2da16de3ff552ed79216103430eb59db7c286f0370d6550163c282c2ed9d7bec16" +
		"6db02cdec649713261e0adfd"
	storedPassword = "02000003e8000102030405060708090a0b0c0d0e0f6465666768696a6b6c6d6e6fd607ce29a2eeeb784535751ca1bfcbf979" +
		"5ee89e6180c9f1a8e367c50e9bf2c6d6c870bb93e5d22a5a5b20c00061ce6211"
)

var (
	secret   = []byte("thirty-two bytes of a private key")
	walletID = []byte("sixteen byte id.")
)

// newPasswords derives with so few iterations that a test may do it often.
func newPasswords(t testing.TB, iterations int) *keystore.Passwords {
	t.Helper()
	p, err := keystore.NewPasswords(keystore.PasswordOptions{}.Lowered(t, iterations))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sealWith(t testing.TB, p *keystore.Passwords) []byte {
	t.Helper()
	sealed, err := p.Seal(t.Context(), password, secret, walletID)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestPasswordOpens(t *testing.T) {
	p := newPasswords(t, 2)
	sealed := sealWith(t, p)
	if bytes.Contains(sealed, secret) || bytes.Contains(sealed, []byte(password)) {
		t.Error("what is sealed shows the secret or the password")
	}
	opened, renewed, err := p.Open(t.Context(), password, sealed, walletID)
	if err != nil || !bytes.Equal(opened, secret) || renewed != nil {
		t.Errorf("opened %q, renewed %x, %v", opened, renewed, err)
	}
	// Version, iterations and 16 bytes of salt come first, then the nonce.
	again := sealWith(t, p)
	if bytes.Equal(again[5:21], sealed[5:21]) || bytes.Equal(again[21:33], sealed[21:33]) {
		t.Error("salt and nonce are not random")
	}
	if got := binary.BigEndian.Uint32(sealed[1:]); sealed[0] != 2 || got != 2 {
		t.Errorf("the header says version %d, %d iterations", sealed[0], got)
	}
}

// A database outlives the programs that wrote it.
func TestStoredFormStaysReadable(t *testing.T) {
	for _, test := range []struct {
		reason, sealed string
		open           func(sealed []byte) ([]byte, error)
	}{
		{"version 1, under the platform key", storedPlatform, func(sealed []byte) ([]byte, error) {
			return newSealer(t, platformKey).Open(sealed, walletID)
		}},
		{"version 2, under a password", storedPassword, func(sealed []byte) ([]byte, error) {
			opened, _, err := newPasswords(t, 1000).Open(t.Context(), password, sealed, walletID)
			return opened, err
		}},
	} {
		raw, err := hex.DecodeString(test.sealed)
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := test.open(raw); err != nil || !bytes.Equal(opened, secret) {
			t.Errorf("%s: %q, %v", test.reason, opened, err)
		}
	}
}

func TestPasswordRefuses(t *testing.T) {
	p := newPasswords(t, 2)
	sealed := sealWith(t, p)
	flipped := func(i int) []byte {
		out := bytes.Clone(sealed)
		out[i] ^= 1
		return out
	}
	platform, err := newSealer(t, platformKey).Seal(secret, walletID)
	if err != nil {
		t.Fatal(err)
	}
	excessive := bytes.Clone(sealed)
	binary.BigEndian.PutUint32(excessive[1:], keystore.MaxIterations+1)
	none := bytes.Clone(sealed)
	binary.BigEndian.PutUint32(none[1:], 0)
	fewer := bytes.Clone(sealed)
	binary.BigEndian.PutUint32(fewer[1:], 1)
	for _, test := range []struct {
		reason   string
		password string
		sealed   []byte
		owner    string
		want     error
	}{
		{"another password", "correct horse batterx", sealed, string(walletID), keystore.ErrPassword},
		{"no password", "", sealed, string(walletID), keystore.ErrPassword},
		{"another wallet's", password, sealed, "another byte id.", keystore.ErrPassword},
		{"no wallet's", password, sealed, "", keystore.ErrPassword},
		{"a changed version, which makes it the platform's", password, append([]byte{1}, sealed[1:]...), string(walletID), keystore.ErrSealed},
		{"an unknown version", password, flipped(0), string(walletID), keystore.ErrSealed},
		{"more iterations than were used", password, flipped(4), string(walletID), keystore.ErrPassword},
		{"fewer iterations than were used, which would make guessing cheap", password, fewer, string(walletID), keystore.ErrPassword},
		{"iterations that would take hours", password, excessive, string(walletID), keystore.ErrSealed},
		{"no iterations at all", password, none, string(walletID), keystore.ErrSealed},
		{"the first byte of the salt", password, flipped(5), string(walletID), keystore.ErrPassword},
		{"the last byte of the salt", password, flipped(20), string(walletID), keystore.ErrPassword},
		{"the nonce", password, flipped(21), string(walletID), keystore.ErrPassword},
		{"the ciphertext", password, flipped(33), string(walletID), keystore.ErrPassword},
		{"the tag", password, flipped(len(sealed) - 1), string(walletID), keystore.ErrPassword},
		{"a byte too few", password, sealed[:len(sealed)-1], string(walletID), keystore.ErrPassword},
		{"a byte too many", password, append(bytes.Clone(sealed), 0), string(walletID), keystore.ErrPassword},
		{"cut off in the header", password, sealed[:20], string(walletID), keystore.ErrSealed},
		{"cut off before the tag", password, sealed[:33+15], string(walletID), keystore.ErrSealed},
		{"nothing", password, nil, string(walletID), keystore.ErrSealed},
		{"what the platform sealed", password, platform, string(walletID), keystore.ErrSealed},
	} {
		opened, renewed, err := p.Open(t.Context(), test.password, test.sealed, []byte(test.owner))
		if !errors.Is(err, test.want) || opened != nil || renewed != nil {
			t.Errorf("%s: got %q, %v, want %v", test.reason, opened, err, test.want)
		}
	}
	if _, err := newSealer(t, platformKey).Open(sealed, walletID); !errors.Is(err, keystore.ErrSealed) {
		t.Errorf("the platform key opens what a password sealed: %v", err)
	}
}

// There is no bit in what is sealed that can be changed, under the platform key or
// under a password, and still a key comes out.
func TestEveryBitIsAuthenticated(t *testing.T) {
	passwords, sealer := newPasswords(t, 2), newSealer(t, platformKey)
	platform, err := sealer.Seal(secret, walletID)
	if err != nil {
		t.Fatal(err)
	}
	opens := func(raw []byte) bool {
		_, renewed, byPassword := passwords.Open(t.Context(), password, raw, walletID)
		_, byPlatform := sealer.Open(raw, walletID)
		return byPassword == nil || renewed != nil || byPlatform == nil
	}
	for name, sealed := range map[string][]byte{"password": sealWith(t, passwords), "platform": platform} {
		if !opens(sealed) {
			t.Fatalf("%s: it does not open as it is", name)
		}
		for bit := range 8 * len(sealed) {
			if name == "password" && (bit/8 == 2 || bit/8 == 3 && bit%8 > 3) {
				continue // counts that are allowed and take seconds each
			}
			sealed[bit/8] ^= 1 << (bit % 8)
			if opens(sealed) {
				t.Errorf("%s: it opens with bit %d of byte %d changed", name, bit%8, bit/8)
			}
			sealed[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// Sealing anew takes a second derivation. A wrong password must take as long, or
// whoever is told nothing, because the wallet is locked, would still learn which
// guess was right.
func TestTimeDoesNotTellTheRightPassword(t *testing.T) {
	old := sealWith(t, newPasswords(t, 1))
	risen := newPasswords(t, 100_000)
	right, wrong := time.Hour, time.Hour // the least of several, which noise can't lower
	took := func(guess string, want error) time.Duration {
		start := time.Now()
		if _, _, err := risen.Open(t.Context(), guess, old, walletID); !errors.Is(err, want) {
			t.Fatalf("%q: %v", guess, err)
		}
		return time.Since(start)
	}
	for range 5 {
		right = min(right, took(password, nil))
		wrong = min(wrong, took("a guess", keystore.ErrPassword))
	}
	if wrong < right/3 {
		t.Errorf("the right password takes %s, a wrong one %s", right, wrong)
	}
}

func TestSealedAnewWhenIterationsRise(t *testing.T) {
	old := sealWith(t, newPasswords(t, 2))
	risen := newPasswords(t, 3)
	opened, renewed, err := risen.Open(t.Context(), password, old, walletID)
	if err != nil || !bytes.Equal(opened, secret) || binary.BigEndian.Uint32(renewed[1:]) != 3 {
		t.Fatalf("opened %q, renewed %x, %v", opened, renewed, err)
	}
	if bytes.Equal(renewed[5:33], old[5:33]) {
		t.Error("salt and nonce were used again")
	}
	opened, again, err := risen.Open(t.Context(), password, renewed, walletID)
	if err != nil || !bytes.Equal(opened, secret) || again != nil {
		t.Errorf("what was sealed anew: %q, sealed again %t, %v", opened, again != nil, err)
	}
	if _, kept, err := newPasswords(t, 2).Open(t.Context(), password, renewed, walletID); err != nil || kept != nil {
		t.Errorf("iterations never fall: %x, %v", kept, err)
	}
	if _, none, err := risen.Open(t.Context(), "wrong", old, walletID); !errors.Is(err, keystore.ErrPassword) || none != nil {
		t.Errorf("a wrong password renews nothing: %x, %v", none, err)
	}
}

func TestIterationsAreBounded(t *testing.T) {
	for _, test := range []struct {
		reason     string
		iterations int
		ok         bool
	}{
		{"the default", 0, true},
		{"the least", keystore.MinIterations, true},
		{"more is fine", 2 * keystore.MinIterations, true},
		{"too few for production, where nobody has a test at hand", keystore.MinIterations - 1, false},
		{"a negative number", -1, false},
		{"more than a header may ask for", keystore.MaxIterations + 1, false},
	} {
		_, err := keystore.NewPasswords(keystore.PasswordOptions{Iterations: test.iterations})
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.reason, err)
		}
	}
}

func TestPasswordMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	options := keystore.PasswordOptions{Registerer: registry}.Lowered(t, 1)
	p, err := keystore.NewPasswords(options)
	if err != nil {
		t.Fatal(err)
	}
	sealWith(t, p)
	if n, err := testutil.GatherAndCount(registry, "lucid_password_derivations_total", "lucid_password_derivations_queued"); err != nil || n != 2 {
		t.Errorf("%d metrics, %v", n, err)
	}
}

// FuzzOpen hands the reader of stored keys whatever there may be: it must refuse
// all of it without a panic, and without working for longer than it is told to.
func FuzzOpen(f *testing.F) {
	passwords, sealer := newPasswords(f, 1), newSealer(f, platformKey)
	f.Add(sealWith(f, passwords))
	for _, stored := range []string{storedPlatform, storedPassword} {
		raw, err := hex.DecodeString(stored)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte{})
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 5 && raw[0] == 2 {
			// Fewer bits of the count, or the fuzzer waits for PBKDF2 alone.
			raw = bytes.Clone(raw)
			raw[2], raw[3] = 0, raw[3]&3
		}
		if opened, _, err := passwords.Open(t.Context(), "a guess", raw, walletID); err == nil {
			t.Errorf("a guess opened %x: %x", raw, opened)
		}
		if opened, err := sealer.Open(raw, []byte("somebody else")); err == nil {
			t.Errorf("the platform key opened %x: %x", raw, opened)
		}
	})
}
