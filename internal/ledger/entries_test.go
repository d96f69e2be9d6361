package ledger_test

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// byTime is how entries come whose clocks never went back.
func byTime(a, b db.LedgerEntry) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), bytes.Compare(b.JournalID[:], a.JournalID[:]),
		bytes.Compare(a.AccountID[:], b.AccountID[:]), cmp.Compare(b.Seq, a.Seq))
}

// merged takes the latest of the accounts' last entries time and again.
func merged(accounts [][]db.LedgerEntry) (all []db.LedgerEntry) {
	for {
		accounts = slices.DeleteFunc(accounts, func(entries []db.LedgerEntry) bool { return len(entries) == 0 })
		if len(accounts) == 0 {
			return all
		}
		slices.SortFunc(accounts, func(a, b []db.LedgerEntry) int { return byTime(a[len(a)-1], b[len(b)-1]) })
		last := len(accounts[0]) - 1
		all = append(all, accounts[0][last])
		accounts[0] = accounts[0][:last]
	}
}

// scatter writes journals over some of a user's accounts. An entry's amount is its own
// among all of them. Sometimes several are of one moment, as those of a batch are.
func scatter(t *testing.T, s *store.Store, r *rand.Rand, user uuid.UUID, when func(time.Time) time.Time, journal func() uuid.UUID) [][]db.LedgerEntry {
	t.Helper()
	const journals = 60
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	accounts := make([][]db.LedgerEntry, 4)
	ids := make([]uuid.UUID, len(accounts))
	for i := range ids {
		ids[i] = uuid.New()
		err := s.Exec(t.Context(), "INSERT INTO accounts (id, owner_type, owner_id, asset) VALUES ($1, 'user', $2, $1)", ids[i], user)
		if err != nil {
			t.Fatal(err)
		}
	}
	amount := int64(0)
	for range journals {
		now = now.Add(time.Duration(r.IntN(2)) * time.Second)
		id, at := journal(), when(now)
		for _, i := range r.Perm(len(accounts))[:1+r.IntN(3)] {
			amount++
			entry := db.LedgerEntry{
				AccountID: ids[i], Seq: int64(len(accounts[i]) + 1), JournalID: id, Kind: ledger.KindTrade, Amount: amount, CreatedAt: at,
			}
			accounts[i] = append(accounts[i], entry)
			if err := s.Queries().InsertLedgerEntry(t.Context(), db.InsertLedgerEntryParams(entry)); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := s.Exec(t.Context(), "UPDATE accounts SET version = (SELECT count(*) FROM ledger_entries e WHERE e.account_id = accounts.id) WHERE owner_id = $1", user)
	if err != nil {
		t.Fatal(err)
	}
	return accounts
}

// Pages of any size show every entry once and in one order: by time, and those of one
// account by their numbers even where clocks have gone back.
func TestEntriesInPages(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, tc := range []struct {
		name    string
		when    func(time.Time) time.Time
		journal func() uuid.UUID
		reason  string
	}{
		{"in order", func(at time.Time) time.Time { return at }, func() uuid.UUID { return id(t) }, "one clock"},
		{"clocks differ", func(at time.Time) time.Time { return at.Add(-time.Duration(r.IntN(3)) * time.Second) }, uuid.New, "and journals have any id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				user, stranger := uuid.New(), uuid.New()
				scatter(t, s, r, stranger, tc.when, tc.journal)
				accounts := scatter(t, s, r, user, tc.when, tc.journal)
				all := slices.Concat(accounts...)
				want := merged(accounts)
				if slices.SortFunc(all, byTime); tc.name == "in order" && !slices.EqualFunc(all, want, func(a, b db.LedgerEntry) bool { return a == b }) {
					t.Fatalf("%s: the merge is no other order than that of time", tc.reason)
				}
				for _, size := range []int{1, 7, 20, 1000} {
					var got []money.Amount
					for number := 1; ; number++ {
						page, total, err := ledger.Entries(t.Context(), s, user, ledger.Page{Number: number, Size: size})
						if err != nil || total != int64(len(want)) {
							t.Fatalf("%d of %d entries: %v", len(want), total, err)
						}
						if len(page) == 0 {
							break
						}
						for _, entry := range page {
							got = append(got, entry.Amount)
						}
					}
					if !slices.EqualFunc(want, got, func(w db.LedgerEntry, g money.Amount) bool { return money.Amount(w.Amount) == g }) {
						t.Fatalf("%s: in pages of %d they come as %v", tc.reason, size, got)
					}
				}
			})
		})
	}
}
