package wallet_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
	"github.com/lucid-blockchain/lucid/internal/wallet"
)

func TestCreate(t *testing.T) {
	each(t, func(w *world) {
		caller := uuid.New()
		chainID := w.draft("Mine", caller).ID
		got := w.made(caller, func(n *wallet.Request) {
			n.UserID, n.ChainID, n.Name, n.Description = &caller, &chainID, ptr("Main"), ptr("For\ntrading")
		})
		if *got.UserID != caller || *got.ChainID != chainID || *got.CreatedBy != caller || *got.Name != "Main" || *got.Description != "For\ntrading" {
			w.t.Errorf("it is not what was asked for: %+v", got)
		}
		if !got.IsActive || got.IsLocked || got.LockedUntil != nil || got.LastUsedAt != nil {
			w.t.Errorf("a new wallet is active, open and unused: %+v", got)
		}
		if got.PasswordChangedAt == nil || !got.PasswordChangedAt.Equal(got.CreatedAt) || !got.UpdatedAt.Equal(got.CreatedAt) {
			w.t.Errorf("the password is as old as the wallet: %+v", got)
		}
		if got.Address != livechain.AddressOf(got.PublicKey).String() {
			w.t.Errorf("address %s is not that of the public key", got.Address)
		}
		if other := w.made(caller); other.Address == got.Address || other.UserID != nil || other.ChainID != nil || other.Name != nil {
			w.t.Errorf("a wallet of nobody's but its creator's: %+v", other)
		}
	})
}

func TestCreateRefusals(t *testing.T) {
	each(t, func(w *world) {
		caller, other := uuid.New(), uuid.New()
		theirs := w.draft("Theirs", other).ID
		for _, test := range []struct {
			reason  string
			change  func(*wallet.Request)
			kind    fault.Kind
			message string
		}{
			{"for another user", func(n *wallet.Request) { n.UserID = &other }, fault.Forbidden, "Access denied"},
			{"for another's chain", func(n *wallet.Request) { n.ChainID = &theirs }, fault.Forbidden, "Access denied"},
			{"for a chain that there is not", func(n *wallet.Request) { n.ChainID = ptr(uuid.New()) }, fault.NotFound, "Chain not found"},
			{"without a password", func(n *wallet.Request) { n.Password = "" }, fault.Invalid, "Validation failed"},
		} {
			n := wallet.Request{Password: password}
			test.change(&n)
			_, err := w.wallets.Create(w.t.Context(), caller, n)
			w.refused(test.reason, err, test.kind, test.message)
		}
		if _, total, err := w.wallets.List(w.t.Context(), caller, wallet.Filter{}, firstPage); err != nil || total != 0 {
			w.t.Errorf("what was refused left %d wallets, %v", total, err)
		}
	})
}

// A chain that is deleted while the password of its new wallet is being derived
// from leaves no wallet of no chain.
func TestChainGoesWhileItsWalletIsMade(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	owner := uuid.New()
	doomed := w.draft("Doomed", owner).ID
	slow := newSlowPod(w)
	err := slow.meanwhile(func() error {
		_, err := slow.Create(t.Context(), owner, wallet.Request{Password: password, ChainID: &doomed})
		return err
	}, func() {
		if err := w.chains.Delete(t.Context(), doomed, owner); err != nil {
			t.Error(err)
		}
	})
	w.refused("its chain is gone", err, fault.NotFound, "Chain not found")
	if _, total, err := w.wallets.List(t.Context(), owner, wallet.Filter{}, firstPage); err != nil || total != 0 {
		t.Errorf("%d wallets are left, %v", total, err)
	}
}

// Without its database every operation says that it can't be done now, and never
// that there is no such wallet.
func TestLostDatabase(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	ctx, owner := t.Context(), uuid.New()
	id, chainID := w.made(owner).ID, w.draft("Lost", owner).ID
	w.store.Close()
	_, _, listing := w.wallets.List(ctx, owner, wallet.Filter{}, firstPage)
	_, getting := w.wallets.Get(ctx, owner, id)
	_, creating := w.wallets.Create(ctx, owner, wallet.Request{Password: password})
	_, creatingForChain := w.wallets.Create(ctx, owner, wallet.Request{Password: password, ChainID: &chainID})
	_, updating := w.wallets.Update(ctx, owner, id, wallet.Change{Name: ptr("New")})
	for operation, err := range map[string]error{
		"list": listing, "get": getting, "create": creating, "create for a chain": creatingForChain, "update": updating,
		"delete": w.wallets.Delete(ctx, owner, id), "unlock": w.wallets.Unlock(ctx, owner, id),
		"decrypt": w.open(w.wallets, owner, id, password),
	} {
		if _, refused := fault.As(err); refused || !store.IsUnavailable(err) {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		reason string
		make   wallet.Request
		want   map[string]string
	}{
		{"eight characters are enough, of any script", wallet.Request{Password: "пароль12"}, nil},
		{"seven are not, however many bytes", wallet.Request{Password: "пароль1"}, map[string]string{"password": "must be at least 8 characters"}},
		{"everything at once", wallet.Request{Name: ptr(""), Description: ptr(strings.Repeat("d", 501))}, map[string]string{
			"password": "is required", "wallet_name": "must be between 1 and 100 characters",
			"wallet_description": "must be at most 500 characters",
		}},
		{"the longest", wallet.Request{Password: password, Name: ptr(strings.Repeat("ü", 100)), Description: ptr(strings.Repeat("ü", 500))}, nil},
		{"one character more", wallet.Request{Password: password, Name: ptr(strings.Repeat("n", 101))},
			map[string]string{"wallet_name": "must be between 1 and 100 characters"}},
		{"what no database stores", wallet.Request{Password: password, Name: ptr("a\x00"), Description: ptr("a\x00")}, map[string]string{
			"wallet_name": "must not contain control characters", "wallet_description": "must not contain control characters",
		}},
		{"an empty description clears it", wallet.Request{Password: password, Description: ptr("")}, nil},
	} {
		got := map[string]string{}
		if refusal, ok := fault.As(test.make.Validate()); ok {
			for _, field := range refusal.Fields {
				got[field.Name] = field.Reason
				if field.Value != nil {
					t.Errorf("%s: %s is echoed", test.reason, field.Name)
				}
			}
		}
		if !maps.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.reason, got, test.want)
		}
	}
}

var firstPage = wallet.Page{Number: 1, Size: 20}

// Everybody sees their own wallets: by user, by chain and by creation; nobody
// else does.
func TestListShowsWhatIsTheCallers(t *testing.T) {
	each(t, func(w *world) {
		alice, bob := uuid.New(), uuid.New()
		chainID := w.draft("Of Alice", alice).ID
		plain := w.made(alice)
		named := w.made(alice, func(n *wallet.Request) { n.UserID = &alice })
		ofChain := w.made(alice, func(n *wallet.Request) { n.ChainID = &chainID })
		platform := w.platformWallet(alice)
		treasury := one[uuid.UUID](w, "SELECT id FROM wallets WHERE chain_id = $1 AND custody = 'platform'", chainID)
		w.made(bob)
		w.exec("UPDATE wallets SET locked_until = now() + INTERVAL '1 hour' WHERE id = $1", plain.ID)
		w.exec("UPDATE wallets SET locked_until = now() - INTERVAL '1 hour', is_active = false WHERE id = $1", named.ID)
		for _, test := range []struct {
			reason string
			caller uuid.UUID
			filter wallet.Filter
			want   []uuid.UUID
		}{
			{"all of hers", alice, wallet.Filter{}, []uuid.UUID{plain.ID, named.ID, ofChain.ID, platform, treasury}},
			{"those in her name", alice, wallet.Filter{UserID: &alice}, []uuid.UUID{named.ID, platform}},
			{"her chain's, the one it was born with included", alice, wallet.Filter{ChainID: &chainID}, []uuid.UUID{ofChain.ID, treasury}},
			{"those she made herself", alice, wallet.Filter{CreatedBy: &alice}, []uuid.UUID{plain.ID, named.ID, ofChain.ID}},
			{"locked", alice, wallet.Filter{IsLocked: ptr(true)}, []uuid.UUID{plain.ID}},
			{"a lock that has run out is none", alice, wallet.Filter{IsLocked: ptr(false)}, []uuid.UUID{named.ID, ofChain.ID, platform, treasury}},
			{"inactive", alice, wallet.Filter{IsActive: ptr(false)}, []uuid.UUID{named.ID}},
			{"several filters narrow each other", alice, wallet.Filter{UserID: &alice, IsActive: ptr(true)}, []uuid.UUID{platform}},
			{"nobody sees another's", bob, wallet.Filter{UserID: &alice}, nil},
			{"nor another's chain's", bob, wallet.Filter{ChainID: &chainID}, nil},
			{"nor what another made", bob, wallet.Filter{CreatedBy: &alice}, nil},
		} {
			got, total, err := w.wallets.List(w.t.Context(), test.caller, test.filter, firstPage)
			if err != nil || total != int64(len(test.want)) || !sameSet(ids(got), test.want) {
				w.t.Errorf("%s: got %v of %d (%v), want %v", test.reason, ids(got), total, err, test.want)
			}
		}
	})
}

func ids(wallets []wallet.Wallet) []uuid.UUID {
	found := make([]uuid.UUID, len(wallets))
	for i, one := range wallets {
		found[i] = one.ID
	}
	return found
}

func sameSet(a, b []uuid.UUID) bool {
	order := func(x, y uuid.UUID) int { return strings.Compare(x.String(), y.String()) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), order), slices.SortedFunc(slices.Values(b), order))
}

func TestListOrderAndPages(t *testing.T) {
	each(t, func(w *world) {
		caller := uuid.New()
		first, second, third := w.made(caller), w.made(caller), w.made(caller)
		if _, err := w.wallets.Update(w.t.Context(), caller, first.ID, wallet.Change{Name: ptr("Touched")}); err != nil {
			w.t.Fatal(err)
		}
		for _, test := range []struct {
			page wallet.Page
			want []uuid.UUID
		}{
			{wallet.Page{Number: 1, Size: 2}, []uuid.UUID{first.ID, third.ID}}, // most recently updated first
			{wallet.Page{Number: 2, Size: 2}, []uuid.UUID{second.ID}},
			{wallet.Page{Number: 3, Size: 2}, []uuid.UUID{}},
		} {
			got, total, err := w.wallets.List(w.t.Context(), caller, wallet.Filter{}, test.page)
			if err != nil || total != 3 || !slices.Equal(ids(got), test.want) {
				w.t.Errorf("page %d: got %v of %d (%v), want %v", test.page.Number, ids(got), total, err, test.want)
			}
		}
	})
}

func TestUpdateLeavesWhatIsNotGiven(t *testing.T) {
	each(t, func(w *world) {
		caller := uuid.New()
		before := w.made(caller, func(n *wallet.Request) { n.Name, n.Description = ptr("Name"), ptr("Description") })
		after, err := w.wallets.Update(w.t.Context(), caller, before.ID, wallet.Change{IsActive: ptr(false)})
		if err != nil || *after.Name != "Name" || *after.Description != "Description" || after.IsActive {
			w.t.Errorf("only the activity changes: %+v, %v", after, err)
		}
		after, err = w.wallets.Update(w.t.Context(), caller, before.ID, wallet.Change{Name: ptr("New"), Description: ptr("")})
		if err != nil || *after.Name != "New" || *after.Description != "" || after.IsActive || !after.UpdatedAt.After(before.UpdatedAt) {
			w.t.Errorf("name and description change, and the time: %+v, %v", after, err)
		}
		_, err = w.wallets.Update(w.t.Context(), caller, before.ID, wallet.Change{Name: ptr("")})
		w.refused("a name is not taken away", err, fault.Invalid, "Validation failed")
		if got := w.get(caller, before.ID); *got.Name != "New" {
			w.t.Errorf("what was refused changed nothing: %+v", got)
		}
	})
}

// A stranger is refused by every operation, whichever way the wallet came to its
// owner.
func TestStrangers(t *testing.T) {
	each(t, func(w *world) {
		owner, stranger := uuid.New(), uuid.New()
		chainID := w.draft("Of the owner", owner).ID
		for name, id := range map[string]uuid.UUID{
			"standalone":     w.made(owner).ID,
			"the user's":     w.made(owner, func(n *wallet.Request) { n.UserID = &owner }).ID,
			"the chain's":    w.made(owner, func(n *wallet.Request) { n.ChainID = &chainID }).ID,
			"the platform's": w.platformWallet(owner),
			"the treasury's": one[uuid.UUID](w, "SELECT id FROM wallets WHERE chain_id = $1 AND custody = 'platform'", chainID),
		} {
			ctx := w.t.Context()
			_, err := w.wallets.Get(ctx, stranger, id)
			w.refused(name+": get", err, fault.NotFound, "Wallet not found")
			_, err = w.wallets.Update(ctx, stranger, id, wallet.Change{Name: ptr("Mine now")})
			w.refused(name+": update", err, fault.Forbidden, "Access denied")
			w.refused(name+": unlock", w.wallets.Unlock(ctx, stranger, id), fault.Forbidden, "Access denied")
			w.refused(name+": delete", w.wallets.Delete(ctx, stranger, id), fault.Forbidden, "Access denied")
			w.refused(name+": decrypt, with the right password", w.open(w.wallets, stranger, id, password), fault.Forbidden, "Access denied")
			if got := w.get(owner, id); got.Name != nil || w.failures(id) != 0 {
				w.t.Errorf("%s: a stranger changed it: %+v", name, got)
			}
		}
	})
}

func TestWhatIsNotThere(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	caller, id := uuid.New(), uuid.New()
	_, err := w.wallets.Get(t.Context(), caller, id)
	w.refused("get", err, fault.NotFound, "Wallet not found")
	_, err = w.wallets.Update(t.Context(), caller, id, wallet.Change{})
	w.refused("update", err, fault.NotFound, "Wallet not found")
	w.refused("delete", w.wallets.Delete(t.Context(), caller, id), fault.NotFound, "Wallet not found")
	w.refused("unlock", w.wallets.Unlock(t.Context(), caller, id), fault.NotFound, "Wallet not found")
	w.refused("decrypt", w.open(w.wallets, caller, id, password), fault.NotFound, "Wallet not found")
}

func TestDelete(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		id, kept := w.made(owner).ID, w.made(owner).ID
		if err := w.wallets.Delete(w.t.Context(), owner, id); err != nil {
			w.t.Fatal(err)
		}
		w.refused("it is gone", w.wallets.Delete(w.t.Context(), owner, id), fault.NotFound, "Wallet not found")
		w.get(owner, kept)
		platform := w.platformWallet(owner)
		w.refused("value is paid out to the platform's", w.wallets.Delete(w.t.Context(), owner, platform),
			fault.Unprocessable, "A wallet that the platform keeps can't be deleted")
		w.get(owner, platform)
	})
}

// A draft takes the wallet that it was born with along when it goes, and leaves
// its creator the one that only a password opens.
func TestWalletsOfAChainThatGoes(t *testing.T) {
	each(t, func(w *world) {
		owner := uuid.New()
		c := w.draft("Short-lived", owner)
		mine := w.made(owner, func(n *wallet.Request) { n.ChainID = &c.ID })
		if err := w.chains.Delete(w.t.Context(), c.ID, owner); err != nil {
			w.t.Fatal(err)
		}
		left, total, err := w.wallets.List(w.t.Context(), owner, wallet.Filter{}, firstPage)
		if err != nil || total != 1 || left[0].ID != mine.ID || left[0].ChainID != nil {
			w.t.Errorf("left are %+v, %v", left, err)
		}
		if err := w.open(w.wallets, owner, mine.ID, password); err != nil {
			w.t.Errorf("it opens as before: %v", err)
		}
	})
}
