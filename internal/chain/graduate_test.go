package chain_test

import (
	"bytes"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

var alive = chain.Live{ChainID: "rocket-1", GenesisHash: "ab12", RPCEndpoint: "http://rocket:26657"}

func TestMarkGraduatedExactlyOnce(t *testing.T) {
	each(t, func(w *world) {
		c, _ := w.closed("Rocket")
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if err := w.chains.MarkGraduated(w.t.Context(), c.ID, alive); err != nil {
					w.t.Errorf("graduation is idempotent: %v", err)
				}
			})
		}
		group.Wait()
		got := w.get(c.ID)
		if got.Status != chain.Graduated || !got.IsGraduated || got.GraduationTime == nil ||
			*got.ChainID != alive.ChainID || *got.GenesisHash != alive.GenesisHash || *got.RPCEndpoint != alive.RPCEndpoint {
			w.t.Errorf("graduated: %+v", got)
		}
		want := []string{"chain.created", "chain.launched", "pool.closed", "chain.graduated"}
		if events := w.events(c.ID); !slices.Equal(events, want) {
			w.t.Errorf("events: %v, want %v", events, want)
		}
		moved := alive
		moved.RPCEndpoint = "http://elsewhere:26657"
		if err := w.chains.MarkGraduated(w.t.Context(), c.ID, moved); err != nil || *w.get(c.ID).RPCEndpoint != moved.RPCEndpoint {
			w.t.Errorf("an endpoint may move: %v", err)
		}
		other := alive
		other.GenesisHash = "cd34"
		w.refused("a chain has one genesis", w.chains.MarkGraduated(w.t.Context(), c.ID, other), fault.Conflict, "")
		if err := w.chains.Fail(w.t.Context(), c.ID, "too late"); err != nil || w.get(c.ID).Status != chain.Graduated {
			w.t.Errorf("a graduated chain can't fail any more: %v", err)
		}
		w.clean()
	})
}

func TestMarkGraduatedRefusals(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	open := w.launched("Open", w.user(1000*money.Unit))
	w.refused("the pool is still open", w.chains.MarkGraduated(t.Context(), open.ID, alive), fault.Unprocessable, "")
	w.refused("no such chain", w.chains.MarkGraduated(t.Context(), uuid.New(), alive), fault.NotFound, "Chain not found")
	if err := w.chains.MarkGraduated(t.Context(), open.ID, chain.Live{ChainID: "x"}); err == nil {
		t.Error("a live chain without a genesis hash is none")
	}
	if got := w.get(open.ID); got.Status != chain.VirtualActive {
		t.Errorf("status: %s", got.Status)
	}
}

func TestFailIsToldOnce(t *testing.T) {
	each(t, func(w *world) {
		c := w.draft("Doomed", uuid.New())
		for range 2 {
			if err := w.chains.Fail(w.t.Context(), c.ID, "no validators"); err != nil {
				w.t.Fatal(err)
			}
		}
		if got := w.get(c.ID); got.Status != chain.Failed || got.FailureReason != "no validators" {
			w.t.Errorf("failed: %+v", got)
		}
		if events := w.events(c.ID); !slices.Equal(events, []string{"chain.created", "chain.failed"}) {
			w.t.Errorf("events: %v", events)
		}
		_, err := w.chains.Launch(w.t.Context(), c.ID, c.CreatedBy, nil)
		w.refused("a failed chain launches no more", err, fault.Unprocessable, "")
	})
}

func TestGenesisInputAddsUp(t *testing.T) {
	each(t, func(w *world) {
		c, whale := w.closed("Rocket")
		in, err := w.chains.GenesisInput(w.t.Context(), c.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		// 500 and 59 000 less 1 % went into the pool.
		if want := money.Amount(58_905_000_000); in.Raised != want || in.CNPYReserve != want+c.InitialCNPYReserve {
			w.t.Errorf("raised %s, reserve %s", in.Raised, in.CNPYReserve)
		}
		if in.Unsold != in.TokenReserve || in.Treasury != 200_000_000*money.Unit || in.TotalSupply != c.TokenTotalSupply {
			w.t.Errorf("unsold %s of reserve %s, treasury %s, supply %s", in.Unsold, in.TokenReserve, in.Treasury, in.TotalSupply)
		}
		if len(in.Holders) != 2 || !slices.IsSortedFunc(in.Holders, func(a, b chain.Holder) int { return bytes.Compare(a.UserID[:], b.UserID[:]) }) {
			w.t.Errorf("the creator and the whale, in the order of their ids: %+v", in.Holders)
		}
		sum := in.Unsold + in.Treasury
		for _, h := range in.Holders {
			sum += h.Amount
			if want := w.balance(h.UserID, c.ID); h.Amount != want || h.Amount <= 0 {
				w.t.Errorf("holder %s has %s, not %s", h.UserID, want, h.Amount)
			}
		}
		if sum != in.TotalSupply || w.balance(whale, c.ID) == 0 {
			w.t.Errorf("holders, pool and treasury hold %s of %s", sum, in.TotalSupply)
		}
		again, err := w.chains.GenesisInput(w.t.Context(), c.ID)
		if err != nil || !reflect.DeepEqual(in, again) {
			w.t.Errorf("asking again must yield the same: %v", err)
		}
	})
}

func TestGenesisInputRefusals(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	open := w.launched("Open", w.user(1000*money.Unit))
	_, err := w.chains.GenesisInput(t.Context(), open.ID)
	w.refused("an open pool has no genesis yet", err, fault.Unprocessable, "")
	_, err = w.chains.GenesisInput(t.Context(), uuid.New())
	w.refused("no such chain", err, fault.NotFound, "Chain not found")

	c, whale := w.closed("Robbed")
	if err := w.store.Exec(t.Context(), "UPDATE accounts SET balance = balance - 1 WHERE owner_id = $1 AND asset = $2", whale, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.chains.GenesisInput(t.Context(), c.ID); err == nil {
		t.Error("a chain must not start on a ledger that lost value")
	}
}
