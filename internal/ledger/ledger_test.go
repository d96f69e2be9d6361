package ledger_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func id(t testing.TB) uuid.UUID {
	t.Helper()
	v7, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return v7
}

func cnpyOf(user uuid.UUID) ledger.Account {
	return ledger.Account{Type: ledger.User, Owner: user, Asset: ledger.CNPY}
}

func transfer(journal, from, to uuid.UUID, amount money.Amount) ledger.Journal {
	return ledger.Journal{ID: journal, Kind: "transfer", Legs: []ledger.Leg{
		{Account: cnpyOf(from), Amount: -amount}, {Account: cnpyOf(to), Amount: amount},
	}}
}

func post(ctx context.Context, s *store.Store, j ledger.Journal) error {
	return s.InTx(ctx, func(ctx context.Context, q *db.Queries) error { return ledger.Post(ctx, q, j) })
}

func balance(t testing.TB, s *store.Store, account ledger.Account) money.Amount {
	t.Helper()
	amount, err := ledger.BalanceOf(context.Background(), s.Queries(), account)
	if err != nil {
		t.Fatalf("read a balance: %v", err)
	}
	return amount
}

func mustBeClean(t testing.TB, s *store.Store) ledger.Report {
	t.Helper()
	report, err := ledger.Verify(context.Background(), s)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	for _, p := range report.Problems {
		t.Errorf("the book is broken: %s: %s: %s", p.Check, p.Subject, p.Detail)
	}
	return report
}

func TestAccountIDIsDerivedFromEveryPart(t *testing.T) {
	owner, asset := uuid.MustParse("11111111-1111-7111-8111-111111111111"), uuid.MustParse("22222222-2222-7222-8222-222222222222")
	known := ledger.AccountID(ledger.User, owner, asset)
	cases := []struct {
		reason string
		id     uuid.UUID
		same   bool
	}{
		{"the same owner and asset name the same row, whoever computes it", ledger.Account{Type: ledger.User, Owner: owner, Asset: asset}.ID(), true},
		{"another type is another account of the same owner", ledger.AccountID(ledger.Treasury, owner, asset), false},
		{"another asset is another account", ledger.AccountID(ledger.User, owner, ledger.CNPY), false},
		{"owner and asset are not interchangeable", ledger.AccountID(ledger.User, asset, owner), false},
	}
	for _, c := range cases {
		if (c.id == known) != c.same {
			t.Errorf("%s: got %s beside %s", c.reason, c.id, known)
		}
	}
	if got, want := known.String(), ledger.AccountID(ledger.User, owner, asset).String(); got != want || known.Version() != 5 {
		t.Errorf("the id is not a stable UUIDv5: %s, %s", got, want)
	}
}

func TestPostRefusesBeforeItWrites(t *testing.T) {
	s := storetest.Open(t)
	alice, bob := id(t), id(t)
	leg := func(user uuid.UUID, amount money.Amount) ledger.Leg {
		return ledger.Leg{Account: cnpyOf(user), Amount: amount}
	}
	cases := []struct {
		reason  string
		journal ledger.Journal
		want    error
	}{
		{"a sum above zero would make value", ledger.Journal{ID: id(t), Kind: "x", Legs: []ledger.Leg{leg(alice, 1)}}, ledger.ErrUnbalanced},
		{"a sum of two assets is no sum", ledger.Journal{ID: id(t), Kind: "x", Legs: []ledger.Leg{
			leg(alice, -1), {Account: ledger.Account{Type: ledger.User, Owner: bob, Asset: id(t)}, Amount: 1}}}, ledger.ErrUnbalanced},
		{"a sum that overflows is not zero", ledger.Journal{ID: id(t), Kind: "x", Legs: []ledger.Leg{
			leg(alice, money.Max), leg(alice, money.Max), leg(bob, 2)}}, money.ErrRange},
	}
	for _, c := range cases {
		if err := post(t.Context(), s, c.journal); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.reason, err, c.want)
		}
	}
	for _, j := range []ledger.Journal{{}, {ID: id(t), Kind: "x"}, {ID: id(t), Legs: []ledger.Leg{leg(alice, 0)}}} {
		if err := post(t.Context(), s, j); err == nil {
			t.Errorf("a journal without an id, a kind or legs was taken: %+v", j)
		}
	}
	if report := mustBeClean(t, s); report.Entries != 0 {
		t.Errorf("refused journals left %d entries", report.Entries)
	}
}

func TestPostTakesNoMoreThanThereIs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		alice, bob := id(t), id(t)
		if _, err := ledger.Faucet(t.Context(), s, alice, 10*money.Unit); err != nil {
			t.Fatal(err)
		}
		if err := post(t.Context(), s, transfer(id(t), alice, bob, 10*money.Unit+1)); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("one millionth too much must be refused as Unprocessable, got %v", err)
		}
		if err := post(t.Context(), s, transfer(id(t), bob, alice, 1)); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("an account that was never used holds nothing, got %v", err)
		}
		if err := post(t.Context(), s, transfer(id(t), alice, bob, 10*money.Unit)); err != nil {
			t.Errorf("the last millionth can be spent: %v", err)
		}
		if got := balance(t, s, cnpyOf(bob)); got != 10*money.Unit {
			t.Errorf("bob holds %s, want 10", got)
		}
		mustBeClean(t, s)
	})
}

func TestFaucet(t *testing.T) {
	s := storetest.Open(t)
	cases := []struct {
		reason string
		amount money.Amount
		ok     bool
	}{
		{"nothing is no gift", 0, false},
		{"a negative gift would take", -1, false},
		{"the limit itself is allowed", ledger.FaucetLimit, true},
		{"above the limit is refused", ledger.FaucetLimit + 1, false},
		{"the smallest amount counts", 1, true},
	}
	for _, c := range cases {
		got, err := ledger.Faucet(t.Context(), s, id(t), c.amount)
		if c.ok && (err != nil || got.Amount != c.amount || got.Asset != ledger.CNPY) {
			t.Errorf("%s: got %+v, %v", c.reason, got, err)
		}
		if !c.ok && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want an Invalid fault", c.reason, err)
		}
	}
	mustBeClean(t, s)
}

func TestBalancesAndEntries(t *testing.T) {
	s := storetest.Open(t)
	user, chain := id(t), id(t)
	fresh, err := ledger.Balances(t.Context(), s, user)
	if err != nil || len(fresh) != 1 || fresh[0].Asset != ledger.CNPY || fresh[0].Amount != 0 {
		t.Errorf("a user without entries holds zero CNPY and nothing else: %+v, %v", fresh, err)
	}
	token := ledger.Account{Type: ledger.User, Owner: user, Asset: ledger.Token(chain)}
	mint := ledger.Journal{ID: id(t), Kind: ledger.KindMint, Legs: []ledger.Leg{
		{Account: ledger.Account{Type: ledger.Mint, Owner: chain, Asset: ledger.Token(chain)}, Amount: -7}, {Account: token, Amount: 7}}}
	if err := post(t.Context(), s, mint); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := ledger.Faucet(t.Context(), s, user, 5*money.Unit); err != nil {
			t.Fatal(err)
		}
	}
	held, err := ledger.Balances(t.Context(), s, user)
	if err != nil || len(held) != 2 || held[0].Amount != 15*money.Unit || held[0].Entries != 3 || held[1].Amount != 7 {
		t.Errorf("CNPY comes first, then tokens: %+v, %v", held, err)
	}
	page, total, err := ledger.Entries(t.Context(), s, user, ledger.Page{Number: 1, Size: 3})
	if err != nil || total != 4 || len(page) != 3 {
		t.Fatalf("first page: %d of %d, %v", len(page), total, err)
	}
	if page[0].BalanceAfter != 15*money.Unit || page[0].Kind != ledger.KindFaucet || page[0].Amount != 5*money.Unit {
		t.Errorf("the newest entry comes first: %+v", page[0])
	}
	page, _, err = ledger.Entries(t.Context(), s, user, ledger.Page{Number: 2, Size: 3})
	if err != nil || len(page) != 1 || page[0].Asset != chain || page[0].JournalID != mint.ID {
		t.Errorf("the last page holds the oldest entry: %+v, %v", page, err)
	}
}

// Random transfers, refused ones included, never make, lose or overdraw value.
func TestTransfersKeepTheBook(t *testing.T) {
	s := storetest.Open(t)
	rapid.Check(t, func(r *rapid.T) {
		users := make([]uuid.UUID, rapid.IntRange(2, 5).Draw(r, "users"))
		model := map[uuid.UUID]money.Amount{}
		for i := range users {
			users[i] = id(t)
			given := money.Amount(rapid.Int64Range(1, 1000).Draw(r, "given"))
			if _, err := ledger.Faucet(t.Context(), s, users[i], given); err != nil {
				r.Fatal(err)
			}
			model[users[i]] = given
		}
		for range rapid.IntRange(1, 8).Draw(r, "transfers") {
			from, to := rapid.SampledFrom(users).Draw(r, "from"), rapid.SampledFrom(users).Draw(r, "to")
			amount := money.Amount(rapid.Int64Range(1, 1500).Draw(r, "amount"))
			err := post(t.Context(), s, transfer(id(t), from, to, amount))
			switch {
			case err == nil && (model[from] >= amount || from == to):
				model[from] -= amount
				model[to] += amount
			case fault.Is(err, fault.Unprocessable) && model[from] < amount:
			default:
				r.Fatalf("moving %s of %s: %v", amount, model[from], err)
			}
		}
		for user, want := range model {
			if got := balance(t, s, cnpyOf(user)); got != want || got < 0 {
				r.Fatalf("a user holds %s, want %s", got, want)
			}
		}
	})
	mustBeClean(t, s)
}

// Many writers over few accounts, in both directions: nobody deadlocks for good
// and every acknowledged transfer is in the book once.
func TestConcurrentTransfers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		users := []uuid.UUID{id(t), id(t), id(t)}
		for _, user := range users {
			if _, err := ledger.Faucet(t.Context(), s, user, 1000); err != nil {
				t.Fatal(err)
			}
		}
		const writers, each = 8, 10
		errs := make(chan error, writers*each)
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				for i := range each {
					from, to := users[(w+i)%3], users[(w+i+1+w%2)%3]
					errs <- post(t.Context(), s, transfer(uuid.New(), from, to, 1))
				}
			})
		}
		group.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Errorf("a transfer failed: %v", err)
			}
		}
		report := mustBeClean(t, s)
		if want := int64(2*writers*each + 2*len(users)); report.Entries != want {
			t.Errorf("the book has %d entries, want %d", report.Entries, want)
		}
	})
}
