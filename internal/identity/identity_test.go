package identity_test

import (
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func TestEnsureMakesAUserOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		users, id := identity.NewUsers(s), uuid.New()
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if err := users.Ensure(t.Context(), id); err != nil {
					t.Errorf("many first uses at once: %v", err)
				}
			})
		}
		group.Wait()
		if _, err := s.Queries().GetUser(t.Context(), id); err != nil {
			t.Errorf("the user is not there: %v", err)
		}
		if err := identity.NewUsers(s).Ensure(t.Context(), id); err != nil {
			t.Errorf("a user that another pod made: %v", err)
		}
	})
}

func TestEnsureRemembers(t *testing.T) {
	s := storetest.Open(t)
	users, id := identity.NewUsers(s), uuid.New()
	if err := users.Ensure(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := users.Ensure(t.Context(), id); err != nil {
		t.Errorf("a known user costs no query: %v", err)
	}
	if err := users.Ensure(t.Context(), uuid.New()); !store.IsUnavailable(err) {
		t.Errorf("a new one does: %v", err)
	}
}

func TestPlatformUserComesWithTheSchema(t *testing.T) {
	s := storetest.Open(t)
	if _, err := s.Queries().GetUser(t.Context(), identity.PlatformUserID); err != nil {
		t.Errorf("the platform's user: %v", err)
	}
}
