// Package identity knows the platform's users.
package identity

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/store"
)

// PlatformUserID owns the chains that are declared in Kubernetes and name no
// creator. Its row comes with the migrations.
var PlatformUserID = uuid.MustParse("00000000-0000-7000-8000-000000000001")

// rememberedUsers bounds the memory of Ensure to a few megabytes.
const rememberedUsers = 100_000

// Users makes users on their first use. It is safe for concurrent use.
type Users struct {
	store *store.Store

	mu    sync.Mutex
	known map[uuid.UUID]struct{}
}

// NewUsers returns the users kept in s.
func NewUsers(s *store.Store) *Users {
	return &Users{store: s, known: map[uuid.UUID]struct{}{}}
}

// Ensure makes sure that the user exists. Users are never deleted, so a user
// seen once costs no query again.
func (u *Users) Ensure(ctx context.Context, id uuid.UUID) error {
	u.mu.Lock()
	_, seen := u.known[id]
	u.mu.Unlock()
	if seen {
		return nil
	}
	if err := u.store.Queries().EnsureUser(ctx, id); err != nil {
		return fmt.Errorf("ensure the user: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.known) >= rememberedUsers {
		// Forgetting all is rare and costs one cheap query per user.
		clear(u.known)
	}
	u.known[id] = struct{}{}
	return nil
}
