package storetest_test

import (
	"testing"

	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func TestOpenGivesEachTestItsOwnMigratedDatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		if err := s.Exec(t.Context(), "DELETE FROM chain_templates"); err != nil {
			t.Fatalf("the schema is not there: %v", err)
		}
		other := storetest.Open(t)
		total, err := other.Queries().CountTemplates(t.Context(), db.CountTemplatesParams{})
		if err != nil {
			t.Fatalf("count templates: %v", err)
		}
		if total != 5 {
			t.Errorf("a second database holds %d templates, want the 5 of the migration: the two are not apart", total)
		}
	})
}
