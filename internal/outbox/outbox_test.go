package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/outbox"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

var platform = uuid.MustParse("00000000-0000-7000-8000-000000000001")

func insertChain(t *testing.T, s *store.Store, id uuid.UUID) {
	t.Helper()
	_, err := s.Queries().InsertChain(t.Context(), db.InsertChainParams{
		ID: id, ChainName: id.String(), TokenSymbol: "T", ConsensusMechanism: "nestbft",
		TokenTotalSupply: 1, GraduationThreshold: 2, InitialCnpyReserve: 1, InitialTokenSupply: 1,
		CurveType: "ConstantProduct", BondingCurveSlope: 1, Status: "draft", CreatedBy: platform, Origin: "api",
	})
	if err != nil {
		t.Fatal(err)
	}
}

func newChain(t *testing.T, s *store.Store) uuid.UUID {
	t.Helper()
	id := uuid.New()
	insertChain(t, s, id)
	return id
}

func appendEvent(ctx context.Context, s *store.Store, chain uuid.UUID, kind outbox.Kind, payload any) error {
	return s.InTx(ctx, func(ctx context.Context, q *db.Queries) error { return outbox.Append(ctx, q, chain, kind, payload) })
}

// recorder collects what it is handed and refuses what it is told to.
type recorder struct {
	mu     sync.Mutex
	events []outbox.Event
	refuse func(outbox.Event) error
}

func (r *recorder) handle(_ context.Context, e outbox.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		if err := r.refuse(e); err != nil {
			return err
		}
	}
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) of(chain uuid.UUID) []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var seqs []int64
	for _, e := range r.events {
		if e.ChainID == chain {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

func relay(t *testing.T, s *store.Store, handle func(context.Context, outbox.Event) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	r := &outbox.Relay{Store: s, Handle: handle, Every: 10 * time.Millisecond}
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the relay ends without an error when it is told to: %v", err)
		}
	})
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAppendNumbersPerChain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a, b := newChain(t, s), newChain(t, s)
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if err := appendEvent(t.Context(), s, a, outbox.ChainLaunched, map[string]int{"n": 1}); err != nil {
					t.Errorf("append: %v", err)
				}
			})
		}
		group.Wait()
		if err := appendEvent(t.Context(), s, b, outbox.ChainFailed, nil); err != nil {
			t.Fatal(err)
		}
		var r recorder
		relay(t, s, r.handle)
		eventually(t, "all events are handed on, per chain in order and without a gap", func() bool {
			return slices.Equal(r.of(a), []int64{1, 2, 3, 4, 5}) && slices.Equal(r.of(b), []int64{1})
		})
		row, err := s.Queries().GetChain(t.Context(), a)
		if err != nil || row.Version != 5 {
			t.Errorf("the chain counts its events: %d, %v", row.Version, err)
		}
	})
}

func TestAppendIsPartOfItsTransaction(t *testing.T) {
	s := storetest.Open(t)
	chain, undone := newChain(t, s), errors.New("undone")
	err := s.InTx(t.Context(), func(ctx context.Context, q *db.Queries) error {
		if err := outbox.Append(ctx, q, chain, outbox.ChainLaunched, nil); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	if n, _, err := outbox.Backlog(t.Context(), s); n != 0 || err != nil {
		t.Errorf("what was undone is not told: %d, %v", n, err)
	}
	if err := appendEvent(t.Context(), s, uuid.New(), outbox.ChainLaunched, nil); !store.NotFound(err) {
		t.Errorf("a chain that there is not has no events: %v", err)
	}
	if err := appendEvent(t.Context(), s, chain, outbox.ChainLaunched, func() {}); err == nil {
		t.Error("a payload that is no JSON must be refused")
	}
}

func TestPayloadComesThrough(t *testing.T) {
	s := storetest.Open(t)
	chain := newChain(t, s)
	if err := appendEvent(t.Context(), s, chain, outbox.PoolClosed, map[string]string{"reserve": "50000.000001"}); err != nil {
		t.Fatal(err)
	}
	if n, age, err := outbox.Backlog(t.Context(), s); n != 1 || age < 0 || age > time.Minute || err != nil {
		t.Errorf("the backlog counts what waits: %d, %s, %v", n, age, err)
	}
	var r recorder
	relay(t, s, r.handle)
	eventually(t, "the event is handed on", func() bool { return len(r.of(chain)) == 1 })
	var payload map[string]string
	if err := json.Unmarshal(r.events[0].Payload, &payload); err != nil || payload["reserve"] != "50000.000001" || r.events[0].Kind != outbox.PoolClosed {
		t.Errorf("got %+v, %v", r.events[0], err)
	}
	eventually(t, "a handled event is deleted", func() bool {
		n, _, err := outbox.Backlog(t.Context(), s)
		return n == 0 && err == nil
	})
}

// One chain whose event can't be handled holds up nobody but itself, and is
// tried again from where it was.
func TestFailingChainBlocksOnlyItself(t *testing.T) {
	s := storetest.Open(t)
	bad, good := newChain(t, s), newChain(t, s)
	for range 3 {
		for _, chain := range []uuid.UUID{bad, good} {
			if err := appendEvent(t.Context(), s, chain, outbox.ChainLaunched, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	failures := 0
	r := recorder{}
	r.refuse = func(e outbox.Event) error {
		if e.ChainID == bad && failures < 2 {
			failures++
			return fmt.Errorf("refusal %d", failures)
		}
		return nil
	}
	relay(t, s, r.handle)
	eventually(t, "the other chain goes on", func() bool { return slices.Equal(r.of(good), []int64{1, 2, 3}) })
	eventually(t, "the failing chain follows in order", func() bool { return slices.Equal(r.of(bad), []int64{1, 2, 3}) })
	if failures != 2 {
		t.Errorf("it was refused %d times", failures)
	}
}

// After a crash between handling and deleting, the event comes again.
func TestDeliveryIsAtLeastOnce(t *testing.T) {
	s := storetest.Open(t)
	chain := newChain(t, s)
	if err := appendEvent(t.Context(), s, chain, outbox.ChainLaunched, nil); err != nil {
		t.Fatal(err)
	}
	ctx, crash := context.WithCancel(t.Context())
	first := recorder{}
	r := &outbox.Relay{Store: s, Every: time.Millisecond, Handle: func(c context.Context, e outbox.Event) error {
		defer crash()
		return first.handle(c, e)
	}}
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	second := recorder{}
	relay(t, s, second.handle)
	eventually(t, "the event comes again", func() bool { return slices.Equal(second.of(chain), []int64{1}) })
	if !slices.Equal(first.of(chain), []int64{1}) {
		t.Errorf("the first relay handled %v", first.of(chain))
	}
}

// A chain that was deleted and declared again under its old id goes on with its
// numbers after what has not been read yet.
func TestNumbersGoOnAfterDeletion(t *testing.T) {
	s := storetest.Open(t)
	chain := newChain(t, s)
	for range 2 {
		if err := appendEvent(t.Context(), s, chain, outbox.ChainDeleted, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Exec(t.Context(), "DELETE FROM chains WHERE id = $1", chain); err != nil {
		t.Fatal(err)
	}
	insertChain(t, s, chain)
	if err := appendEvent(t.Context(), s, chain, outbox.ChainLaunched, nil); err != nil {
		t.Fatalf("the number was taken: %v", err)
	}
	var r recorder
	relay(t, s, r.handle)
	eventually(t, "all three come in order", func() bool { return slices.Equal(r.of(chain), []int64{1, 2, 3}) })
}
