package keystore_test

import (
	"context"
	"crypto/ed25519"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// More than one statement's worth, asked for twice at once: everybody has one
// address, which is the one that they had, and whose key opens.
func TestEnsureAddressesOfMany(t *testing.T) {
	ctx, s := context.Background(), storetest.Open(t)
	users := make([]uuid.UUID, 2_345)
	for i := range users {
		users[i] = uuid.New()
	}
	err := s.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		for _, user := range users {
			if err := q.EnsureUser(ctx, user); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := newKeystore(t, s, platformKey)
	had, err := keys.EnsureAddress(ctx, users[1_500])
	if err != nil {
		t.Fatal(err)
	}
	var told [2]map[uuid.UUID]livechain.Address
	var wait sync.WaitGroup
	for i := range told {
		wait.Go(func() {
			var err error
			if told[i], err = newKeystore(t, s, platformKey).EnsureAddresses(ctx, users); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	seen := map[livechain.Address]bool{}
	for _, user := range users {
		address, found := told[0][user]
		if !found || told[1][user] != address || seen[address] {
			t.Fatalf("user %s is told %s and %s", user, address, told[1][user])
		}
		seen[address] = true
	}
	if told[0][users[1_500]] != had {
		t.Errorf("a wallet that was there gave way: %s, then %s", had, told[0][users[1_500]])
	}
	key, err := keys.UserKey(ctx, users[0])
	if err != nil || livechain.AddressOf(key.Public().(ed25519.PublicKey)) != told[0][users[0]] {
		t.Errorf("the key does not open the address: %v", err)
	}
}

func TestEnsureAddressesOfNobody(t *testing.T) {
	s := storetest.Open(t)
	keys := newKeystore(t, s, platformKey)
	if all, err := keys.EnsureAddresses(context.Background(), nil); err != nil || len(all) != 0 {
		t.Errorf("%d addresses, error %v", len(all), err)
	}
	known := uuid.New()
	if err := identity.NewUsers(s).Ensure(context.Background(), known); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.EnsureAddresses(context.Background(), []uuid.UUID{known, uuid.New()}); err == nil {
		t.Error("a user who does not exist has got a wallet")
	}
}
