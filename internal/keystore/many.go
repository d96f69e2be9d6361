package keystore

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// batch is how many wallets one statement reads or writes.
const batch = 1_000

// EnsureAddresses is EnsureAddress for many users, in a few statements a thousand:
// the holders of a chain may be very many. All users must exist.
func (k *Keystore) EnsureAddresses(ctx context.Context, users []uuid.UUID) (map[uuid.UUID]livechain.Address, error) {
	all := make(map[uuid.UUID]livechain.Address, len(users))
	for some := range slices.Chunk(users, batch) {
		if err := k.ensureSome(ctx, some, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (k *Keystore) ensureSome(ctx context.Context, users []uuid.UUID, into map[uuid.UUID]livechain.Address) error {
	if err := k.findSome(ctx, users, into); err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(users), func(user uuid.UUID) bool {
		_, found := into[user]
		return found
	})
	if len(missing) == 0 {
		return nil
	}
	if err := k.createSome(ctx, missing); err != nil {
		return err
	}
	// Of two who make them at once one has won: what is there is what counts.
	return k.findSome(ctx, missing, into)
}

func (k *Keystore) findSome(ctx context.Context, users []uuid.UUID, into map[uuid.UUID]livechain.Address) error {
	rows, err := k.store.Queries().ListPlatformAddresses(ctx, users)
	if err != nil {
		return fmt.Errorf("find platform wallets: %w", err)
	}
	for _, row := range rows {
		if into[row.UserID], err = livechain.ParseAddress(row.Address); err != nil {
			return fmt.Errorf("read the platform wallet of user %s: %w", row.UserID, err)
		}
	}
	return nil
}

func (k *Keystore) createSome(ctx context.Context, users []uuid.UUID) error {
	var fresh db.InsertPlatformWalletsParams
	for _, user := range users {
		wallet, err := k.generate(owner{user: &user})
		if err != nil {
			return err
		}
		fresh.Ids, fresh.Users = append(fresh.Ids, wallet.ID), append(fresh.Users, user)
		fresh.Addresses = append(fresh.Addresses, wallet.Address)
		fresh.PublicKeys, fresh.SealedKeys = append(fresh.PublicKeys, wallet.PublicKey), append(fresh.SealedKeys, wallet.SealedKey)
	}
	err := k.store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		return q.InsertPlatformWallets(ctx, fresh)
	})
	if err != nil {
		return fmt.Errorf("make %d platform wallets: %w", len(users), err)
	}
	return nil
}
