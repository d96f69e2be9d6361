package relay

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	chaincontroller "github.com/lucid-blockchain/lucid/controllers/chain"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/kubetest"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/outbox"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// newWorker returns a worker over a real database and a fake API server.
func newWorker(t *testing.T) *worker {
	t.Helper()
	scheme, err := kubetest.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithIndex(&lucidv1.Chain{}, LedgerIDIndex, func(obj client.Object) []string {
		return []string{obj.(*lucidv1.Chain).LedgerID()}
	}).Build()
	s := storetest.Open(t)
	return &worker{
		relay: New(c, nil), gateway: types.NamespacedName{Namespace: "lucid", Name: "main"}, store: s,
		chains: &chain.Service{Store: s, Market: market.New(s, market.Options{})},
	}
}

func (w *worker) born(t *testing.T, name string) chain.Chain {
	t.Helper()
	zero := chain.Spec{ChainName: name, TokenSymbol: "T", CreatedBy: uuid.New()}
	row, err := w.chains.Create(t.Context(), zero)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func (w *worker) mustHandle(t *testing.T, kind outbox.Kind, id uuid.UUID) {
	t.Helper()
	if err := w.handle(t.Context(), outbox.Event{ChainID: id, Kind: kind}); err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
}

func TestCreatedIsAppliedOnce(t *testing.T) {
	w := newWorker(t)
	row := w.born(t, "Aurora")
	for range 2 { // at least once
		w.mustHandle(t, outbox.ChainCreated, row.ID)
	}
	object, err := w.object(t.Context(), row.ID)
	if err != nil || object == nil {
		t.Fatalf("object %v, %v", object, err)
	}
	if diff := cmp.Diff(chaincontroller.Declaration(row, "main"), object.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if object.Labels[lucidv1.LabelGateway] != "main" {
		t.Errorf("labels %v", object.Labels)
	}
}

func TestCreatedOfADraftThatIsGone(t *testing.T) {
	w := newWorker(t)
	w.mustHandle(t, outbox.ChainCreated, uuid.New())
	var list lucidv1.ChainList
	if err := w.relay.client.List(t.Context(), &list); err != nil || len(list.Items) != 0 {
		t.Errorf("%d objects, %v: a deleted draft must not come back", len(list.Items), err)
	}
}

func TestDeletedTakesTheObjectAlong(t *testing.T) {
	w := newWorker(t)
	row := w.born(t, "Aurora")
	w.mustHandle(t, outbox.ChainCreated, row.ID)
	w.mustHandle(t, outbox.ChainDeleted, row.ID)
	if object, err := w.object(t.Context(), row.ID); err != nil || object == nil {
		t.Fatalf("the row is still there, so the object stays: %v, %v", object, err)
	}
	if err := w.chains.Delete(t.Context(), row.ID, row.CreatedBy); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.mustHandle(t, outbox.ChainDeleted, row.ID)
	}
	if object, err := w.object(t.Context(), row.ID); err != nil || object != nil {
		t.Errorf("object %v, %v: it must be gone", object, err)
	}
}

func TestOtherEventsWakeBothControllers(t *testing.T) {
	w := newWorker(t)
	row := w.born(t, "Aurora")
	w.mustHandle(t, outbox.PoolClosed, row.ID)
	if len(w.relay.Chains)+len(w.relay.Pools) != 0 {
		t.Error("there is no object to wake yet")
	}
	w.mustHandle(t, outbox.ChainCreated, row.ID)
	w.mustHandle(t, outbox.PoolClosed, row.ID)
	name := chaincontroller.ObjectName("Aurora", row.ID)
	if got := (<-w.relay.Chains).Object.GetName(); got != name {
		t.Errorf("chain %s woken, want %s", got, name)
	}
	if got := (<-w.relay.Pools).Object.GetName(); got != name {
		t.Errorf("pool %s woken, want %s", got, name)
	}
}

func TestObjectsOfAnotherGatewayAreNotOurs(t *testing.T) {
	w := newWorker(t)
	id := uuid.New()
	stranger := &lucidv1.Chain{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lucid", Name: "stranger"},
		Spec:       lucidv1.ChainSpec{ID: id.String(), GatewayRef: lucidv1.LocalObjectReference{Name: "other"}},
	}
	if err := w.relay.client.Create(t.Context(), stranger); err != nil {
		t.Fatal(err)
	}
	w.mustHandle(t, outbox.ChainDeleted, id)
	if err := w.relay.client.Get(t.Context(), client.ObjectKeyFromObject(stranger), stranger); apierrors.IsNotFound(err) {
		t.Error("another gateway's chain was deleted")
	}
}

func TestSendGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := send(ctx, nil, &lucidv1.Chain{}); err == nil {
		t.Error("a controller that takes nothing must not hold the relay for ever")
	}
}

func TestProjectionSeesEachChangeOnce(t *testing.T) {
	p := newProjection(nil)
	id, other := uuid.New(), uuid.New()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	row := func(id uuid.UUID, version int64, trading string, after time.Duration) db.PoolsChangedSinceRow {
		return db.PoolsChangedSinceRow{ID: id, Version: version, Trading: trading, UpdatedAt: at.Add(after)}
	}
	steps := []struct {
		reason string
		rows   []db.PoolsChangedSinceRow
		want   int
	}{
		{"a pool that was not seen", []db.PoolsChangedSinceRow{row(id, 1, "enabled", 0)}, 1},
		{"the overlap shows it again", []db.PoolsChangedSinceRow{row(id, 1, "enabled", 0)}, 0},
		{"a trade", []db.PoolsChangedSinceRow{row(id, 2, "enabled", time.Second)}, 1},
		{"a late commit with an early stamp", []db.PoolsChangedSinceRow{row(id, 2, "enabled", time.Second), row(other, 1, "enabled", 0)}, 1},
		{"trading alone", []db.PoolsChangedSinceRow{row(id, 2, "paused", 2*time.Second)}, 1},
		{"nothing", nil, 0},
	}
	for _, step := range steps {
		if got := len(p.fresh(step.rows)); got != step.want {
			t.Errorf("%s: %d fresh, want %d", step.reason, got, step.want)
		}
	}
	if want := at.Add(2*time.Second - overlap); !p.since.Equal(want) {
		t.Errorf("since %s, want %s", p.since, want)
	}
}

func TestRepeatKeepsGoingAfterAFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	repeat(ctx, time.Millisecond, "test", func(context.Context) error {
		if calls++; calls == 3 {
			cancel()
		}
		return fmt.Errorf("failure %d", calls)
	})
	if calls != 3 {
		t.Errorf("%d calls, want 3", calls)
	}
}
