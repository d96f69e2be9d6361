package virtualpool

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/kubetest"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const chainID = "550e8400-e29b-41d4-a716-446655441002"

// fakeBook is a ledger with one pool.
type fakeBook struct {
	book.Book
	pool    book.Pool
	failure error
	writes  []string
}

// fakeBooks is every gateway's ledger.
type fakeBooks struct{ book *fakeBook }

func (f fakeBooks) Book(context.Context, types.NamespacedName) (book.Book, error) { return f.book, nil }

func (f *fakeBook) Pool(context.Context, uuid.UUID) (book.Pool, error) { return f.pool, f.failure }

func (f *fakeBook) SetTrading(_ context.Context, _ uuid.UUID, trading market.Trading) error {
	f.pool.Trading, f.writes = trading, append(f.writes, "trading "+string(trading))
	return nil
}

func (f *fakeBook) SetFee(_ context.Context, _ uuid.UUID, fee int32) error {
	f.pool.FeeBasisPoints, f.writes = fee, append(f.writes, "fee")
	return nil
}

func (f *fakeBook) SetLimits(_ context.Context, _ uuid.UUID, limits chain.Limits) error {
	f.pool.Limits, f.writes = limits, append(f.writes, "limits "+limits.MaxBuy.String())
	return nil
}

// bench is a Reconciler over fakes, with a clock and a count of status writes.
type bench struct {
	*Reconciler
	book    *fakeBook
	patches int
	now     time.Time
}

func newBench(t *testing.T, objects ...client.Object) *bench {
	t.Helper()
	scheme, err := kubetest.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), book: &fakeBook{pool: book.Pool{
		Trading: market.Enabled, FeeBasisPoints: 100, Price: money.NewRatio(1, 80_000), Progress: "20.00",
		State: curve.State{CNPY: 10_000 * money.Unit, Tokens: 800_000_000 * money.Unit},
	}}}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&lucidv1.VirtualPool{}).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			b.patches++
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		}}).Build()
	b.Reconciler = &Reconciler{Client: c, Books: fakeBooks{b.book}, Recorder: events.NewFakeRecorder(100), Now: func() time.Time { return b.now }}
	return b
}

func testObjects() (*lucidv1.Chain, *lucidv1.VirtualPool) {
	at := metav1.ObjectMeta{Namespace: "lucid", Name: "aurora", Generation: 1}
	return &lucidv1.Chain{ObjectMeta: at, Spec: lucidv1.ChainSpec{ID: chainID, Curve: lucidv1.Curve{FeeBasisPoints: ptr.To[int32](100)}}},
		&lucidv1.VirtualPool{ObjectMeta: at, Spec: lucidv1.VirtualPoolSpec{ChainRef: lucidv1.LocalObjectReference{Name: "aurora"}, Trading: lucidv1.TradingEnabled}}
}

func (b *bench) pass(t *testing.T) (ctrl.Result, *lucidv1.VirtualPool) {
	t.Helper()
	key := types.NamespacedName{Namespace: "lucid", Name: "aurora"}
	result, err := b.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
	if err != nil {
		t.Fatal(err)
	}
	got := &lucidv1.VirtualPool{}
	if err := b.Client.Get(t.Context(), key, got); err != nil {
		t.Fatal(err)
	}
	return result, got
}

func TestNumbersAreWrittenAtTheirPace(t *testing.T) {
	chain, pool := testObjects()
	b := newBench(t, chain, pool)
	b.pass(t)
	b.pass(t)
	if b.patches != 1 {
		t.Fatalf("%d writes, want one for two passes over the same pool", b.patches)
	}
	b.now = b.now.Add(time.Second)
	b.book.pool.Trades, b.book.pool.Volume = 1, 10*money.Unit
	result, got := b.pass(t)
	if b.patches != 1 || got.Status.Transactions != 0 || result.RequeueAfter != writeEvery-time.Second {
		t.Errorf("%d writes, requeue %s: the numbers wait until the last are %s old", b.patches, result.RequeueAfter, writeEvery)
	}
	b.now = b.now.Add(result.RequeueAfter)
	if _, got = b.pass(t); b.patches != 2 || got.Status.Transactions != 1 || got.Status.VolumeCNPY != "10" {
		t.Errorf("%d writes, status %+v: now they are due", b.patches, got.Status)
	}
	b.book.pool.Trading = market.Closed
	if _, got = b.pass(t); got.Status.State != lucidv1.PoolClosed {
		t.Error("a closed pool is shown at once")
	}
}

func TestSpecGoesDown(t *testing.T) {
	cases := []struct {
		reason string
		change func(*lucidv1.VirtualPool, *book.Pool)
		want   []string
	}{
		{"the ledger says the same", func(*lucidv1.VirtualPool, *book.Pool) {}, nil},
		{"a pause", func(p *lucidv1.VirtualPool, _ *book.Pool) { p.Spec.Trading = lucidv1.TradingPaused }, []string{"trading paused"}},
		{"the end of a pause", func(_ *lucidv1.VirtualPool, l *book.Pool) { l.Trading = market.Paused }, []string{"trading enabled"}},
		{"a fee of its own", func(p *lucidv1.VirtualPool, _ *book.Pool) { p.Spec.FeeBasisPoints = ptr.To[int32](0) }, []string{"fee"}},
		{"back to the chain's fee", func(_ *lucidv1.VirtualPool, l *book.Pool) { l.FeeBasisPoints = 5 }, []string{"fee"}},
		{"a limit", func(p *lucidv1.VirtualPool, _ *book.Pool) {
			p.Spec.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "12.5", AntiSnipe: &lucidv1.AntiSnipe{Seconds: 9, MaxBuyCNPY: "1"}}
		}, []string{"limits 12.5"}},
		{"the chain's limits, which the pool opened with", func(_ *lucidv1.VirtualPool, l *book.Pool) {
			l.OpeningLimits.MaxBuy = money.Unit
			l.Limits = l.OpeningLimits
		}, nil},
		{"no limits in place of the chain's", func(p *lucidv1.VirtualPool, l *book.Pool) {
			p.Spec.Limits = &lucidv1.TradeLimits{}
			l.OpeningLimits.MaxBuy, l.Limits.MaxBuy = money.Unit, money.Unit
		}, []string{"limits 0"}},
		{"back to the chain's limits", func(_ *lucidv1.VirtualPool, l *book.Pool) {
			l.OpeningLimits.MaxBuy = 7 * money.Unit
		}, []string{"limits 7"}},
		{"limits that can't be read go nowhere", func(p *lucidv1.VirtualPool, _ *book.Pool) {
			p.Spec.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "plenty"}
		}, nil},
		{"a closed pool takes nothing", func(p *lucidv1.VirtualPool, l *book.Pool) {
			p.Spec.Trading, l.Trading = lucidv1.TradingPaused, market.Closed
		}, nil},
	}
	for _, tc := range cases {
		chain, pool := testObjects()
		b := newBench(t, chain, pool)
		tc.change(pool, &b.book.pool)
		if err := b.Client.Update(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
		b.pass(t)
		b.pass(t)
		if len(b.book.writes) != len(tc.want) || (len(tc.want) > 0 && b.book.writes[0] != tc.want[0]) {
			t.Errorf("%s: the ledger got %v, want %v", tc.reason, b.book.writes, tc.want)
		}
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	chain, pool := testObjects()
	badID := chain.DeepCopy()
	badID.Spec.ID = "x"
	cases := []struct {
		reason  string
		objects []client.Object
		failure error
		why     string
		again   time.Duration
	}{
		{"no chain", []client.Object{pool}, nil, lucidv1.ReasonChainNotFound, lookAgain},
		{"no pool yet", []client.Object{chain, pool}, fault.New(fault.NotFound, "none"), lucidv1.ReasonNoPool, lookAgain},
		{"no database", []client.Object{chain, pool}, fault.New(fault.Unavailable, "away"), lucidv1.ReasonLedgerUnavailable, ledgerRetry},
		{"an id that is none", []client.Object{badID, pool}, nil, lucidv1.ReasonInvalid, 0},
	}
	for _, tc := range cases {
		b := newBench(t, tc.objects...)
		b.book.failure = tc.failure
		result, got := b.pass(t)
		b.pass(t)
		ready := meta.FindStatusCondition(got.Status.Conditions, lucidv1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != tc.why || result.RequeueAfter != tc.again {
			t.Errorf("%s: Ready %+v, again after %s; want %s after %s", tc.reason, ready, result.RequeueAfter, tc.why, tc.again)
		}
		if b.patches != 1 {
			t.Errorf("%s: %d writes for two passes", tc.reason, b.patches)
		}
	}
}

func TestUnknownFailuresAreBackedOff(t *testing.T) {
	chain, pool := testObjects()
	b := newBench(t, chain, pool)
	b.book.failure = errors.New("password hunter2 refused")
	_, err := b.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(pool)})
	if err == nil {
		t.Error("an unknown failure goes back to the queue")
	}
	if why, text := reconcile.Explain(err); why != reconcile.ReasonRetrying || text == "" {
		t.Errorf("explained as %s %q", why, text)
	}
}

func TestPausedPoolIsLeftAlone(t *testing.T) {
	chain, pool := testObjects()
	pool.Annotations = map[string]string{lucidv1.AnnotationPaused: "true"}
	pool.Spec.Trading = lucidv1.TradingPaused
	b := newBench(t, chain, pool)
	if _, got := b.pass(t); len(b.book.writes) > 0 || !meta.IsStatusConditionTrue(got.Status.Conditions, reconcile.ConditionPaused) {
		t.Errorf("ledger got %v, conditions %v", b.book.writes, got.Status.Conditions)
	}
}
