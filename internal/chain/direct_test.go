package chain_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func directSpec(by uuid.UUID) chain.Spec {
	return chain.Spec{ChainName: "Blocks", TokenSymbol: "BLK", CreatedBy: by, Direct: true}
}

// A chain without a pool goes from its draft to a live chain, with its whole
// supply in its treasury.
func TestDirectLife(t *testing.T) {
	each(t, func(w *world) {
		id := uuid.New()
		draft, err := w.chains.Declare(w.t.Context(), id, directSpec(uuid.Nil))
		if err != nil || draft.Status != chain.Draft || draft.Launched() {
			w.t.Fatalf("declared: %+v, %v", draft, err)
		}
		w.refused("a draft has no genesis", w.chains.MarkGraduated(w.t.Context(), id, alive), fault.Unprocessable, "The chain's supply has not been issued")
		for range 2 {
			c, err := w.chains.LaunchDeclared(w.t.Context(), id, nil)
			if err != nil || c.Status != chain.PendingLaunch || !c.Launched() || c.ActualLaunchTime == nil {
				w.t.Fatalf("launching again changes nothing: %+v, %v", c, err)
			}
		}
		w.clean()
		launched := w.get(id)
		in, err := w.chains.GenesisInput(w.t.Context(), id)
		supply := 1_000_000_000 * money.Unit
		if err != nil || in.Treasury != supply || in.TotalSupply != supply || in.Raised != 0 || len(in.Holders) != 0 || in.PoolID != uuid.Nil {
			w.t.Errorf("the genesis: %+v, %v", in, err)
		}
		if !in.Chain.ActualLaunchTime.Equal(*launched.ActualLaunchTime) {
			w.t.Errorf("the genesis is of %s, the launch was at %s", in.Chain.ActualLaunchTime, launched.ActualLaunchTime)
		}
		if err := w.chains.MarkGraduated(w.t.Context(), id, alive); err != nil {
			w.t.Fatal(err)
		}
		if got := w.get(id); got.Status != chain.Graduated || !got.IsGraduated {
			w.t.Errorf("graduated: %+v", got)
		}
		if events := w.events(id); !slices.Equal(events, []string{"chain.launched", "chain.graduated"}) {
			w.t.Errorf("events: %v", events)
		}
		if due, err := w.chains.LaunchDue(w.t.Context()); due != 0 || err != nil {
			w.t.Errorf("%d due launches, %v: it was launched", due, err)
		}
		w.clean()
	})
}

func TestDirectRefusals(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	poor := uuid.New()
	if _, err := w.chains.Declare(t.Context(), poor, directSpec(poor)); err != nil {
		t.Fatal(err)
	}
	_, err := w.chains.LaunchDeclared(t.Context(), poor, nil)
	w.refused("a creator pays for a chain of any kind", err, fault.Unprocessable, "Insufficient CNPY balance for the creation fee of 100")
	_, err = w.chains.Launch(t.Context(), poor, poor, nil)
	w.refused("there is no pool to open", err, fault.Unprocessable, "The chain has no virtual pool to open: its live chain is started by its declaration")

	if _, err := ledger.Faucet(t.Context(), w.store, poor, 100*money.Unit); err != nil {
		t.Fatal(err)
	}
	if _, err := w.chains.LaunchDeclared(t.Context(), poor, nil); err != nil {
		t.Fatal(err)
	}
	if left := w.balance(poor, ledger.CNPY); left != 0 {
		t.Errorf("%s CNPY left of the fee", left)
	}
	changed := directSpec(poor)
	changed.TokenSymbol = "OTHER"
	_, err = w.chains.Declare(t.Context(), poor, changed)
	w.refused("its supply is issued", err, fault.Unprocessable, "The chain has launched: TokenSymbol can no longer be changed")
	changed = directSpec(poor)
	changed.Direct = false
	_, err = w.chains.Declare(t.Context(), poor, changed)
	w.refused("it never gets a pool", err, fault.Unprocessable, "")
	_, err = w.chains.Launch(t.Context(), poor, poor, nil)
	w.refused("once is enough", err, fault.Unprocessable, "The chain can't be launched: its status is pending_launch")
	w.refused("its ledger stays", w.chains.Remove(t.Context(), poor), fault.Unprocessable, "")
	w.clean()
}
