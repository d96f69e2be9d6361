package chain_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

var golang = uuid.MustParse("550e8400-e29b-41d4-a716-446655441002")

func TestCreateTakesTheSeedsDefaults(t *testing.T) {
	each(t, func(w *world) {
		creator := uuid.New()
		c := w.draft("Defaults", creator, func(s *chain.Spec) { s.TemplateID = &golang })
		want := chain.Definition{
			ChainName: "Defaults", TokenSymbol: "TOK", TemplateID: &golang, ConsensusMechanism: "nestbft",
			TokenTotalSupply: 1_000_000_000 * money.Unit, GraduationThreshold: 50_000 * money.Unit,
			CreationFee: 100 * money.Unit, InitialCNPYReserve: 10_000 * money.Unit,
			InitialTokenSupply: 800_000_000 * money.Unit, CurveType: curve.ConstantProduct,
			BondingCurveSlope: 10_000, FeeBasisPoints: 100, ValidatorMinStake: 1_000 * money.Unit,
		}
		got := w.get(c.ID)
		if *got.TemplateID != golang {
			w.t.Errorf("template is %s", got.TemplateID)
		}
		got.TemplateID = want.TemplateID
		if got.Definition != want {
			w.t.Errorf("got %+v, want %+v", got.Definition, want)
		}
		if got.Status != chain.Draft || got.Origin != chain.FromAPI || got.CreatedBy != creator || got.Version != 1 || c.Version != 1 {
			w.t.Errorf("a draft of the creator's with one event: %+v", got)
		}
		if events := w.events(c.ID); !slices.Equal(events, []string{"chain.created"}) {
			w.t.Errorf("events: %v", events)
		}
	})
}

func TestCreateRefusals(t *testing.T) {
	each(t, func(w *world) {
		by := uuid.New()
		w.draft("Taken", by)
		_, err := w.chains.Create(w.t.Context(), chain.Spec{ChainName: "Taken", TokenSymbol: "T", CreatedBy: by})
		w.refused("a name is given once", err, fault.Conflict, "Chain name already exists")
		unknown := uuid.New()
		_, err = w.chains.Create(w.t.Context(), chain.Spec{ChainName: "N", TokenSymbol: "bad", TemplateID: &unknown, CreatedBy: by})
		if fields := fieldsOf(err); len(fields) != 2 || fields[0].Name != "token_symbol" || fields[1].Name != "template_id" {
			w.t.Errorf("an unknown template is reported beside the rest: %v %+v", err, fields)
		}
	})
}

func TestVisibilityAndDelete(t *testing.T) {
	each(t, func(w *world) {
		creator, other := w.user(1000*money.Unit), uuid.New()
		draft := w.draft("Mine", creator)
		declared, err := w.chains.Declare(w.t.Context(), uuid.New(), chain.Spec{ChainName: "Declared", TokenSymbol: "D"})
		if err != nil {
			w.t.Fatal(err)
		}
		live := w.launched("Live", creator)

		_, err = w.chains.GetFor(w.t.Context(), draft.ID, other)
		w.refused("a draft is its creator's own", err, fault.NotFound, "Chain not found")
		for _, id := range []uuid.UUID{declared.ID, live.ID} {
			if _, err := w.chains.GetFor(w.t.Context(), id, other); err != nil {
				w.t.Errorf("declared drafts and launched chains are public: %v", err)
			}
		}
		w.refused("what one can't see is not there to delete", w.chains.Delete(w.t.Context(), draft.ID, other), fault.NotFound, "Chain not found")
		w.refused("only the creator deletes", w.chains.Delete(w.t.Context(), declared.ID, other), fault.Forbidden, "Access denied")
		w.refused("only drafts are deleted", w.chains.Delete(w.t.Context(), live.ID, creator), fault.Unprocessable, "")
		w.refused("the operator neither", w.chains.Remove(w.t.Context(), live.ID), fault.Unprocessable, "")
		if err := w.chains.Delete(w.t.Context(), draft.ID, creator); err != nil {
			w.t.Errorf("the creator deletes a draft: %v", err)
		}
		w.refused("it is gone", w.chains.Delete(w.t.Context(), draft.ID, creator), fault.NotFound, "Chain not found")
		if events := w.events(draft.ID); !slices.Equal(events, []string{"chain.created", "chain.deleted"}) {
			w.t.Errorf("events: %v", events)
		}
		_, err = w.chains.Declare(w.t.Context(), draft.ID, chain.Spec{ChainName: "Mine", TokenSymbol: "TOK"})
		w.refused("its object, which knows of nothing yet, can't bring it back", err, fault.Conflict, "The chain has been deleted")
		for range 2 {
			if err := w.chains.Remove(w.t.Context(), declared.ID); err != nil {
				w.t.Errorf("the operator removes a draft, and again is fine: %v", err)
			}
		}
	})
}

func TestListFiltersAndPages(t *testing.T) {
	each(t, func(w *world) {
		alice, bob := w.user(10_000*money.Unit), uuid.New()
		for i := range 5 {
			w.launched(fmt.Sprintf("Live %d", i), alice)
		}
		w.draft("Of Alice", alice, func(s *chain.Spec) { s.TemplateID = &golang })
		w.draft("Of Bob", bob)
		cases := []struct {
			reason string
			filter chain.Filter
			page   chain.Page
			total  int64
			names  []string
		}{
			{"the platform sees all, newest first", chain.Filter{}, chain.Page{Number: 1, Size: 3}, 7, []string{"Of Bob", "Of Alice", "Live 4"}},
			{"the last page is what is left", chain.Filter{}, chain.Page{Number: 3, Size: 3}, 7, []string{"Live 0"}},
			{"a page beyond the end is empty", chain.Filter{}, chain.Page{Number: 9, Size: 3}, 7, []string{}},
			{"a user sees no other's draft", chain.Filter{Viewer: &bob}, chain.Page{Number: 1, Size: 2}, 6, []string{"Of Bob", "Live 4"}},
			{"by status", chain.Filter{Status: chain.Draft, Viewer: &alice}, chain.Page{Number: 1, Size: 5}, 1, []string{"Of Alice"}},
			{"by creator", chain.Filter{CreatedBy: &bob}, chain.Page{Number: 1, Size: 5}, 1, []string{"Of Bob"}},
			{"by creator, seen by another", chain.Filter{CreatedBy: &bob, Viewer: &alice}, chain.Page{Number: 1, Size: 5}, 0, []string{}},
			{"by template", chain.Filter{TemplateID: &golang}, chain.Page{Number: 1, Size: 5}, 1, []string{"Of Alice"}},
		}
		for _, c := range cases {
			got, total, err := w.chains.List(w.t.Context(), c.filter, c.page)
			names := []string{}
			for _, found := range got {
				names = append(names, found.ChainName)
			}
			if err != nil || total != c.total || !slices.Equal(names, c.names) {
				w.t.Errorf("%s: got %v of %d (%v), want %v of %d", c.reason, names, total, err, c.names, c.total)
			}
		}
	})
}

func TestDeclare(t *testing.T) {
	each(t, func(w *world) {
		id := uuid.New()
		spec := chain.Spec{ChainName: "Declared", TokenSymbol: "DCL"}
		first, err := w.chains.Declare(w.t.Context(), id, spec)
		if err != nil || first.ID != id || first.CreatedBy != identity.PlatformUserID || first.Origin != chain.FromKubernetes {
			w.t.Fatalf("a declaration makes the platform's draft under the object's id: %+v, %v", first, err)
		}
		if events := w.events(id); len(events) != 0 {
			w.t.Errorf("the object is there already, nobody needs to be told: %v", events)
		}
		before := w.store.Stats().Attempts
		again, err := w.chains.Declare(w.t.Context(), id, spec)
		if err != nil || !again.UpdatedAt.Equal(first.UpdatedAt) || w.store.Stats().Attempts != before {
			w.t.Errorf("the same declaration again writes nothing: %v", err)
		}
		spec.Description, spec.GraduationThreshold = "Now with words", units(60_000)
		changed, err := w.chains.Declare(w.t.Context(), id, spec)
		if err != nil || changed.Description != spec.Description || changed.GraduationThreshold != *units(60_000) {
			w.t.Errorf("a draft follows its declaration: %+v, %v", changed, err)
		}
		w.draft("Other", uuid.New())
		spec.ChainName = "Other"
		_, err = w.chains.Declare(w.t.Context(), id, spec)
		w.refused("a name of another chain's", err, fault.Conflict, "Chain name already exists")
		_, err = w.chains.Declare(w.t.Context(), uuid.New(), chain.Spec{ChainName: "X", TokenSymbol: "x"})
		w.refused("a declaration is validated like a request", err, fault.Invalid, "")

		spec.ChainName = "Declared"
		if _, err := w.chains.LaunchDeclared(w.t.Context(), id, nil); err != nil {
			w.t.Fatalf("launch: %v", err)
		}
		if same, err := w.chains.Declare(w.t.Context(), id, spec); err != nil || same.Status != chain.VirtualActive {
			w.t.Errorf("a launched chain declared as it is: %v", err)
		}
		spec.TokenSymbol, spec.FeeBasisPoints = "NEW", ptr(int32(5))
		kept, err := w.chains.Declare(w.t.Context(), id, spec)
		w.refused("a launched chain is fixed", err, fault.Unprocessable, "The chain has launched: TokenSymbol, FeeBasisPoints can no longer be changed")
		if kept.TokenSymbol != "DCL" || w.get(id).TokenSymbol != "DCL" {
			w.t.Errorf("it stays as it was: %+v", kept)
		}
		spec.TokenSymbol, spec.FeeBasisPoints, spec.TemplateID = "lower case", nil, ptr(uuid.New())
		kept, err = w.chains.Declare(w.t.Context(), id, spec)
		w.refused("and no longer judged, which would stop it", err, fault.Unprocessable,
			"The chain has launched: TokenSymbol, TemplateID can no longer be changed")
		if kept.ID != id {
			w.t.Errorf("it is still shown: %+v", kept)
		}
	})
}

func TestDeclareKeepsCreatorAndSchedule(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	creator, at := w.user(1000*money.Unit), w.clock.Add(time.Hour)
	made := w.draft("Scheduled", creator)
	if _, err := w.chains.Launch(t.Context(), made.ID, creator, &at); err != nil {
		t.Fatal(err)
	}
	got, err := w.chains.Declare(t.Context(), made.ID, chain.Spec{ChainName: "Scheduled", TokenSymbol: "NEW"})
	if err != nil || got.CreatedBy != creator || got.Status != chain.PendingLaunch || got.TokenSymbol != "NEW" {
		t.Errorf("an object without a creator takes nobody's chain: %+v, %v", got, err)
	}
	if got.ScheduledLaunchTime == nil || !got.ScheduledLaunchTime.Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("nor does one without a time cancel the launch: %v", got.ScheduledLaunchTime)
	}
}

// Of many who want one name, one gets it.
func TestConcurrentCreateOfOneName(t *testing.T) {
	each(t, func(w *world) {
		var made, refused atomic.Int64
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				_, err := w.chains.Create(w.t.Context(), chain.Spec{ChainName: "One", TokenSymbol: "ONE", CreatedBy: uuid.New()})
				switch {
				case err == nil:
					made.Add(1)
				case fault.Is(err, fault.Conflict):
					refused.Add(1)
				default:
					w.t.Errorf("want Conflict, got %v", err)
				}
			})
		}
		group.Wait()
		if made.Load() != 1 || refused.Load() != 7 {
			w.t.Errorf("%d made, %d refused", made.Load(), refused.Load())
		}
	})
}

func TestTemplates(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	all, total, err := w.chains.Templates(t.Context(), chain.TemplateFilter{}, chain.Page{Number: 1, Size: 20})
	if err != nil || total != 5 || len(all) != 5 || all[0].Language != "python" || all[1].ID != golang {
		t.Errorf("the seed's five, in its order: %+v, %v", all, err)
	}
	if all[1].DefaultTokenSupply != 1_000_000_000*money.Unit || len(all[1].ExampleChains) != 2 || all[1].Version != "1.2.0" {
		t.Errorf("the Go template as in the seed: %+v", all[1])
	}
	some, total, err := w.chains.Templates(t.Context(), chain.TemplateFilter{Category: "defi", IsActive: ptr(true)}, chain.Page{Number: 1, Size: 20})
	if err != nil || total != 1 || len(some) != 1 || some[0].ID != golang {
		t.Errorf("filtered: %+v, %v", some, err)
	}
	if _, err := w.chains.Template(t.Context(), golang); err != nil {
		t.Error(err)
	}
	_, err = w.chains.Template(t.Context(), uuid.New())
	w.refused("a template that there is not", err, fault.NotFound, "Template not found")
}
