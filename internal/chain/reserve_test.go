package chain_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
)

// Of all who want one id one has it, as often as it asks, and gives it back when it
// is deleted.
func TestReserveLiveID(t *testing.T) {
	each(t, func(w *world) {
		first, second := w.draft("First", uuid.New()), w.draft("Second", uuid.New())
		for range 2 {
			if err := w.chains.ReserveLiveID(w.t.Context(), first.ID, "lucid_blocks"); err != nil {
				w.t.Fatal(err)
			}
		}
		w.refused("what is signed for one would hold on the other",
			w.chains.ReserveLiveID(w.t.Context(), second.ID, "lucid_blocks"), fault.Conflict, `The live chain's id "lucid_blocks" is that of another chain`)
		if err := w.chains.ReserveLiveID(w.t.Context(), second.ID, "other"); err != nil {
			w.t.Errorf("another id: %v", err)
		}
		if err := w.chains.Remove(w.t.Context(), first.ID); err != nil {
			w.t.Fatal(err)
		}
		if err := w.chains.ReserveLiveID(w.t.Context(), second.ID, "lucid_blocks"); err != nil {
			w.t.Errorf("the id of a draft that is gone: %v", err)
		}
		if err := w.chains.ReserveLiveID(w.t.Context(), uuid.New(), "third"); err == nil {
			w.t.Error("a chain that there is not has got an id")
		}

		var won atomic.Int64
		var group sync.WaitGroup
		for _, id := range []uuid.UUID{second.ID, w.draft("Third", uuid.New()).ID, w.draft("Fourth", uuid.New()).ID} {
			group.Go(func() {
				switch err := w.chains.ReserveLiveID(w.t.Context(), id, "wanted"); {
				case err == nil:
					won.Add(1)
				case !fault.Is(err, fault.Conflict):
					w.t.Errorf("want Conflict, got %v", err)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 {
			w.t.Errorf("%d have one id", won.Load())
		}
	})
}
