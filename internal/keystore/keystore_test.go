package keystore_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

var platformKey = bytes.Repeat([]byte{7}, keystore.KeySize)

func TestSealOpens(t *testing.T) {
	sealer := newSealer(t, platformKey)
	secret, owner := []byte("a private key"), []byte("owner")
	sealed, err := sealer.Seal(secret, owner)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, secret) {
		t.Error("the sealed key holds the secret in the clear")
	}
	if opened, err := sealer.Open(sealed, owner); err != nil || !bytes.Equal(opened, secret) {
		t.Errorf("opened %q, %v", opened, err)
	}
	again, err := sealer.Seal(secret, owner)
	if err != nil || bytes.Equal(again, sealed) {
		t.Error("sealing twice gives the same bytes: the nonce is not random")
	}
}

func TestOpenRefuses(t *testing.T) {
	sealer := newSealer(t, platformKey)
	sealed, err := sealer.Seal([]byte("a private key"), []byte("owner"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(i int) []byte {
		out := bytes.Clone(sealed)
		out[i] ^= 1
		return out
	}
	other := newSealer(t, bytes.Repeat([]byte{8}, keystore.KeySize))
	for _, test := range []struct {
		reason string
		by     *keystore.Sealer
		sealed []byte
		owner  string
	}{
		{"another platform key", other, sealed, "owner"},
		{"another owner's", sealer, sealed, "other"},
		{"an unknown version", sealer, flipped(0), "owner"},
		{"a version that makes it a password's", sealer, append([]byte{2}, sealed[1:]...), "owner"},
		{"a changed nonce", sealer, flipped(1), "owner"},
		{"a changed ciphertext", sealer, flipped(14), "owner"},
		{"a changed tag", sealer, flipped(len(sealed) - 1), "owner"},
		{"a truncated one", sealer, sealed[:10], "owner"},
		{"a byte too few", sealer, sealed[:len(sealed)-1], "owner"},
		{"a byte too many", sealer, append(bytes.Clone(sealed), 0), "owner"},
		{"nothing", sealer, nil, "owner"},
	} {
		if _, err := test.by.Open(test.sealed, []byte(test.owner)); !errors.Is(err, keystore.ErrSealed) {
			t.Errorf("%s: got %v, want ErrSealed", test.reason, err)
		}
	}
}

func TestParseKey(t *testing.T) {
	for _, test := range []struct {
		reason, text string
		ok           bool
	}{
		{"32 bytes in base64", base64.StdEncoding.EncodeToString(platformKey), true},
		{"too short", base64.StdEncoding.EncodeToString(platformKey[:16]), false},
		{"not base64", "!!", false},
		{"nothing", "", false},
	} {
		key, err := keystore.ParseKey(test.text)
		if (err == nil) != test.ok || (test.ok && !bytes.Equal(key, platformKey)) {
			t.Errorf("%s: %v", test.reason, err)
		}
		if err != nil && test.text != "" && bytes.Contains([]byte(err.Error()), []byte(test.text)) {
			t.Errorf("%s: the error shows the key", test.reason)
		}
	}
}

// Many ask at once, from two keystores as two operators would have: all are
// told the same address, and its key opens.
func TestEnsureAddressOnce(t *testing.T) {
	ctx, s := context.Background(), storetest.Open(t)
	user := uuid.New()
	if err := identity.NewUsers(s).Ensure(ctx, user); err != nil {
		t.Fatal(err)
	}
	keystores := []*keystore.Keystore{newKeystore(t, s, platformKey), newKeystore(t, s, platformKey)}
	addresses := make([]livechain.Address, 16)
	var wait sync.WaitGroup
	for i := range addresses {
		wait.Go(func() {
			var err error
			if addresses[i], err = keystores[i%2].EnsureAddress(ctx, user); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, address := range addresses {
		if address != addresses[0] {
			t.Fatalf("told %s and %s", address, addresses[0])
		}
	}
	key, err := keystores[0].UserKey(ctx, user)
	if err != nil {
		t.Fatal(err)
	}
	if got := livechain.AddressOf(key.Public().(ed25519.PublicKey)); got != addresses[0] {
		t.Errorf("the key opens %s, the address is %s", got, addresses[0])
	}
}

func TestUserKeyNeedsThePlatformKey(t *testing.T) {
	ctx, s := context.Background(), storetest.Open(t)
	user := uuid.New()
	if err := identity.NewUsers(s).Ensure(ctx, user); err != nil {
		t.Fatal(err)
	}
	if _, err := newKeystore(t, s, platformKey).EnsureAddress(ctx, user); err != nil {
		t.Fatal(err)
	}
	wrong := newKeystore(t, s, bytes.Repeat([]byte{9}, keystore.KeySize))
	if _, err := wrong.UserKey(ctx, user); !errors.Is(err, keystore.ErrSealed) {
		t.Errorf("another platform key: %v, want ErrSealed", err)
	}
	if _, err := wrong.UserKey(ctx, uuid.New()); !store.NotFound(err) {
		t.Errorf("a user without a wallet: %v, want not found", err)
	}
}

// The platform's own keys, changed in the database behind its back: none is used
// that does not belong to the row's address.
func TestUserKeyOfATamperedRow(t *testing.T) {
	ctx, s := context.Background(), storetest.Open(t)
	k, user, other := newKeystore(t, s, platformKey), uuid.New(), uuid.New()
	for _, one := range []uuid.UUID{user, other} {
		if err := identity.NewUsers(s).Ensure(ctx, one); err != nil {
			t.Fatal(err)
		}
		if _, err := k.EnsureAddress(ctx, one); err != nil {
			t.Fatal(err)
		}
	}
	before, err := s.Queries().GetPlatformWallet(ctx, &user)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if err := s.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	for reason, change := range map[string]string{
		"the sealed key of another user":     "sealed_key = (SELECT w.sealed_key FROM wallets w WHERE w.user_id <> $1)",
		"another address":                    "address = '0x0000000000000000000000000000000000000001'",
		"no address":                         "address = 'nowhere'",
		"no sealed key":                      "sealed_key = ''::bytea",
		"a sealed key of a version to come":  "sealed_key = '\\x03'::bytea || substr(sealed_key, 2)",
		"a sealed key without its last byte": "sealed_key = substr(sealed_key, 1, length(sealed_key) - 1)",
	} {
		exec("UPDATE wallets SET "+change+" WHERE user_id = $1", user)
		if key, err := k.UserKey(ctx, user); err == nil || key != nil {
			t.Errorf("%s: a key comes out", reason)
		}
		exec("UPDATE wallets SET sealed_key = $2, address = $3 WHERE id = $1", before.ID, before.SealedKey, before.Address)
	}
	if _, err := k.UserKey(ctx, user); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

// A chain has one treasury: the one that it was born with, or, where it was born
// without, the one that whoever asks first makes.
func TestTreasuries(t *testing.T) {
	ctx, s := context.Background(), storetest.Open(t)
	k, creator := newKeystore(t, s, platformKey), uuid.New()
	for _, test := range []struct {
		reason string
		keys   chain.Keys
	}{{"born with a treasury", k}, {"born without", nil}} {
		chains := &chain.Service{Store: s, Market: market.New(s, market.Options{}), Keys: test.keys}
		made, err := chains.Create(ctx, chain.Spec{ChainName: test.reason, TokenSymbol: "TOK", CreatedBy: creator})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Queries().GetTreasuryWallet(ctx, &made.ID); (err == nil) != (test.keys != nil) {
			t.Errorf("%s: %v", test.reason, err)
		}
		addresses := make([]livechain.Address, 8)
		var wait sync.WaitGroup
		for i := range addresses {
			wait.Go(func() {
				var err error
				if addresses[i], err = newKeystore(t, s, platformKey).EnsureTreasury(ctx, made.ID); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		kept, err := s.Queries().GetTreasuryWallet(ctx, &made.ID)
		if err != nil || kept.UserID != nil || kept.Custody != keystore.CustodyPlatform {
			t.Errorf("%s: the treasury's wallet is %+v, %v", test.reason, kept, err)
		}
		for _, address := range addresses {
			if address.String() != kept.Address {
				t.Errorf("%s: told %s, kept is %s", test.reason, address, kept.Address)
			}
		}
	}
}

// Without its database the keystore has no keys, and makes none up.
func TestNoKeysWithoutADatabase(t *testing.T) {
	ctx, s := context.Background(), storetest.Open(t)
	k := newKeystore(t, s, platformKey)
	s.Close()
	_, user := k.EnsureAddress(ctx, uuid.New())
	_, treasury := k.EnsureTreasury(ctx, uuid.New())
	_, key := k.UserKey(ctx, uuid.New())
	for what, err := range map[string]error{"the user's address": user, "the treasury's address": treasury, "the user's key": key} {
		if !store.IsUnavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Somebody who is no user, and a chain that is none, get no wallet.
func TestNoWalletForNobody(t *testing.T) {
	ctx, s := context.Background(), storetest.Open(t)
	k := newKeystore(t, s, platformKey)
	_, user := k.EnsureAddress(ctx, uuid.New())
	_, treasury := k.EnsureTreasury(ctx, uuid.New())
	for what, err := range map[string]error{"user": user, "chain": treasury} {
		if !store.ForeignKeyViolation(err, "") {
			t.Errorf("a wallet of no %s: %v", what, err)
		}
	}
}

func TestNewRefusesAShortKey(t *testing.T) {
	if _, err := keystore.New(nil, platformKey[:8]); err == nil {
		t.Error("a platform key of 8 bytes was taken")
	}
}

func newSealer(t testing.TB, key []byte) *keystore.Sealer {
	t.Helper()
	sealer, err := keystore.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func newKeystore(t *testing.T, s *store.Store, key []byte) *keystore.Keystore {
	t.Helper()
	k, err := keystore.New(s, key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
