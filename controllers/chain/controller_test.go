package chain_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/kubetest"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

func immediate(spec *lucidv1.ChainSpec) { spec.Launch.Mode = lucidv1.LaunchImmediate }

// buy funds a new user and places one order.
func (o *operator) buy(t *testing.T, c *lucidv1.Chain, cnpy money.Amount) {
	t.Helper()
	user := uuid.Must(uuid.NewV7())
	if _, err := ledger.Faucet(t.Context(), o.store, user, cnpy); err != nil {
		t.Fatal(err)
	}
	_, err := o.market.Trade(t.Context(), market.Order{
		ID: uuid.Must(uuid.NewV7()), PoolID: uuid.MustParse(c.LedgerID()), UserID: user, Side: market.Buy, CNPY: &cnpy,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStory(t *testing.T) {
	o := start(t)
	c := o.declare(t, "story", immediate)
	o.waitCondition(t, c, lucidv1.ConditionLaunched, metav1.ConditionTrue, lucidv1.ReasonLaunched)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonTrading)
	if row := o.row(t, c); row.Status != chain.VirtualActive || row.Origin != chain.FromKubernetes || row.ID.String() != string(c.UID) {
		t.Fatalf("row = %+v, want a launched chain known by the object's uid", row)
	}
	pool := &lucidv1.VirtualPool{ObjectMeta: o.meta("story")}
	o.wait(t, pool, "the pool is projected", func() error { return wantState(pool, lucidv1.PoolEnabled) })
	if !metav1.IsControlledBy(pool, c) {
		t.Error("the pool's object is not the chain's")
	}
	o.quiet(t, 2*time.Second)

	o.buy(t, c, 50_000*money.Unit)
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionFalse, lucidv1.ReasonNetworkStarting)
	if o.row(t, c).IsGraduated {
		t.Fatal("graduated before the chain produced a block")
	}
	o.wait(t, pool, "the pool shows that it is closed", func() error { return wantState(pool, lucidv1.PoolClosed) })
	set := &appsv1.StatefulSet{ObjectMeta: o.meta("story")}
	o.wait(t, set, "the node is there", func() error { return nil })
	if image := set.Spec.Template.Spec.Containers[0].Image; image != "lucid:test" {
		t.Errorf("the node runs %s, want the gateway's image", image)
	}

	o.network.boot(0, c.Status.Network.GenesisHash)
	time.Sleep(1500 * time.Millisecond)
	if o.row(t, c).IsGraduated {
		t.Fatal("graduated at height 0")
	}
	o.network.boot(3, c.Status.Network.GenesisHash)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	row := o.row(t, c)
	if row.Status != chain.Graduated || row.GenesisHash == nil || *row.GenesisHash != c.Status.Network.GenesisHash {
		t.Errorf("row = %+v, want graduated with the object's genesis hash %s", row, c.Status.Network.GenesisHash)
	}
	if c.Status.Network.Height != 3 || c.Status.Status != lucidv1.ChainGraduated {
		t.Errorf("status = %+v, want height 3 and graduated", c.Status)
	}
	o.quiet(t, 2*time.Second)
	want := []string{"Recorded", "Launched", "ThresholdCrossed", "NetworkStarting", "Graduated"}
	if got := o.told(); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v, each once", got, want)
	}
	if o.network.generated() != 1 {
		t.Errorf("keys were generated %d times, want once", o.network.generated())
	}
	o.rebuild(t, c)
}

// rebuild loses the genesis and wants the same one again.
func (o *operator) rebuild(t *testing.T, c *lucidv1.Chain) {
	document := &corev1.ConfigMap{ObjectMeta: o.meta(c.Name + "-genesis")}
	if err := o.Client.Get(t.Context(), client.ObjectKeyFromObject(document), document); err != nil {
		t.Fatal(err)
	}
	before := document.Data["genesis.json"]
	if err := o.Client.Delete(t.Context(), document); err != nil {
		t.Fatal(err)
	}
	again := &corev1.ConfigMap{ObjectMeta: o.meta(c.Name + "-genesis")}
	o.wait(t, again, "the genesis comes back", func() error { return nil })
	if again.Data["genesis.json"] != before {
		t.Error("the genesis was rebuilt differently")
	}
}

func wantState(pool *lucidv1.VirtualPool, state lucidv1.PoolState) error {
	if pool.Status.State != state {
		return fmt.Errorf("status is %+v, want %s", pool.Status, state)
	}
	return nil
}

func TestBornThroughTheAPI(t *testing.T) {
	o := start(t)
	creator := uuid.Must(uuid.NewV7())
	fee := money.Amount(0)
	row, err := o.chains.Create(t.Context(), chain.Spec{ChainName: "Über Chain! 1", TokenSymbol: "UBER", CreatedBy: creator, CreationFee: &fee})
	if err != nil {
		t.Fatal(err)
	}
	var object *lucidv1.Chain
	kubetest.Eventually(t, 10*time.Second, "the chain shows as an object", func(ctx context.Context) error {
		object, err = o.withID(ctx, row.ID)
		return err
	})
	if want := "ber-chain-1-" + row.ID.String()[28:]; object.Name != want {
		t.Errorf("name %s, want %s", object.Name, want)
	}
	o.waitCondition(t, object, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonManual)
	if now := o.row(t, object); !now.UpdatedAt.Equal(row.UpdatedAt) || now.Origin != chain.FromAPI {
		t.Errorf("declaring the object back rewrote the row: %+v", now)
	}
	o.quiet(t, time.Second)
	if _, err := o.chains.Launch(t.Context(), row.ID, creator, nil); err != nil {
		t.Fatal(err)
	}
	o.waitCondition(t, object, lucidv1.ConditionLaunched, metav1.ConditionTrue, lucidv1.ReasonLaunched)
}

func (o *operator) withID(ctx context.Context, id uuid.UUID) (*lucidv1.Chain, error) {
	var list lucidv1.ChainList
	if err := o.Client.List(ctx, &list, client.InNamespace(o.Namespace)); err != nil {
		return nil, err
	}
	for i := range list.Items {
		if list.Items[i].Spec.ID == id.String() {
			return &list.Items[i], nil
		}
	}
	return nil, fmt.Errorf("none of %d objects", len(list.Items))
}

func TestDraftDeletedThroughTheAPI(t *testing.T) {
	o := start(t)
	creator := uuid.Must(uuid.NewV7())
	row, err := o.chains.Create(t.Context(), chain.Spec{ChainName: "Gone", TokenSymbol: "GONE", CreatedBy: creator})
	if err != nil {
		t.Fatal(err)
	}
	var object *lucidv1.Chain
	kubetest.Eventually(t, 10*time.Second, "the chain shows as an object", func(ctx context.Context) error {
		object, err = o.withID(ctx, row.ID)
		return err
	})
	if err := o.chains.Delete(t.Context(), row.ID, creator); err != nil {
		t.Fatal(err)
	}
	o.waitGone(t, object)
}

func (o *operator) waitGone(t *testing.T, obj client.Object) {
	t.Helper()
	kubetest.Eventually(t, 10*time.Second, "the object goes", func(ctx context.Context) error {
		err := o.Client.Get(ctx, client.ObjectKeyFromObject(obj), obj)
		if err == nil {
			return fmt.Errorf("it is still there: %+v", obj)
		}
		return client.IgnoreNotFound(err)
	})
}

func TestDeletion(t *testing.T) {
	o := start(t)
	draft := o.declare(t, "draft", nil)
	o.waitCondition(t, draft, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonManual)
	launched := o.declare(t, "launched", immediate)
	o.waitCondition(t, launched, lucidv1.ConditionLaunched, metav1.ConditionTrue, lucidv1.ReasonLaunched)

	if err := o.Client.Delete(t.Context(), draft); err != nil {
		t.Fatal(err)
	}
	o.waitGone(t, draft)
	if _, err := o.chains.Get(t.Context(), uuid.MustParse(draft.LedgerID())); err == nil {
		t.Error("the draft is still in the ledger")
	}

	if err := o.Client.Delete(t.Context(), launched); err != nil {
		t.Fatal(err)
	}
	held := o.waitCondition(t, launched, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonHeldByLedger)
	if !strings.Contains(held.Message, "deletionPolicy to Retain") {
		t.Errorf("message %q does not say what to do", held.Message)
	}
	o.quiet(t, time.Second)
	patch := client.MergeFrom(launched.DeepCopy())
	launched.Spec.DeletionPolicy = lucidv1.DeletionRetain
	if err := o.Client.Patch(t.Context(), launched, patch); err != nil {
		t.Fatal(err)
	}
	id := uuid.MustParse(launched.LedgerID())
	o.waitGone(t, launched)
	if row, err := o.chains.Get(t.Context(), id); err != nil || row.Status != chain.VirtualActive {
		t.Errorf("row %+v, %v: the ledger must stay", row, err)
	}
}

func TestRefusals(t *testing.T) {
	o := start(t)
	first := o.declare(t, "first", func(s *lucidv1.ChainSpec) { s.ChainName = "Taken" })
	o.waitCondition(t, first, lucidv1.ConditionRecorded, metav1.ConditionTrue, lucidv1.ReasonRecorded)

	creator := uuid.Must(uuid.NewV7())
	cases := []struct {
		reason    string
		change    func(*lucidv1.ChainSpec)
		condition string
		why       string
		says      string
	}{
		{"two chains can't bear one name", func(s *lucidv1.ChainSpec) { s.ChainName = "Taken" },
			lucidv1.ConditionRecorded, lucidv1.ReasonNameTaken, "already exists"},
		{"a template that there is not", func(s *lucidv1.ChainSpec) { s.TemplateID = uuid.NewString() },
			lucidv1.ConditionRecorded, lucidv1.ReasonInvalid, "template_id must be the id of an active template"},
		{"a gateway that there is not", func(s *lucidv1.ChainSpec) { s.GatewayRef.Name = "other" },
			lucidv1.ConditionRecorded, lucidv1.ReasonGatewayNotFound, `LucidGateway "other" does not exist`},
		{"an id that the API never gave", func(s *lucidv1.ChainSpec) { s.ID = uuid.NewString() },
			lucidv1.ConditionRecorded, lucidv1.ReasonChainNotFound, "leave spec.id out"},
		{"a creator without money", func(s *lucidv1.ChainSpec) {
			s.Launch.Mode, s.CreatorID, s.Launch.CreatorInitialPurchaseCNPY = lucidv1.LaunchImmediate, creator.String(), "50"
		}, lucidv1.ConditionLaunched, lucidv1.ReasonInsufficientFunds, "user " + creator.String() + " needs 150 CNPY"},
	}
	for i, tc := range cases {
		c := o.declare(t, fmt.Sprintf("refused-%d", i), tc.change)
		got := o.waitCondition(t, c, tc.condition, metav1.ConditionFalse, tc.why)
		if !strings.Contains(got.Message, tc.says) {
			t.Errorf("message %q, want %q\nbecause: %s", got.Message, tc.says, tc.reason)
		}
		o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, tc.why)
	}
	o.quiet(t, 2*time.Second)
}

func TestScheduledLaunch(t *testing.T) {
	o := start(t)
	at := metav1.NewTime(time.Now().Add(3 * time.Second).Truncate(time.Second))
	c := o.declare(t, "later", func(s *lucidv1.ChainSpec) { s.Launch.Mode, s.Launch.Time = lucidv1.LaunchScheduled, &at })
	o.waitCondition(t, c, lucidv1.ConditionLaunched, metav1.ConditionFalse, lucidv1.ReasonScheduled)
	if row := o.row(t, c); row.Status != chain.PendingLaunch {
		t.Errorf("status %s, want pending_launch", row.Status)
	}
	o.waitCondition(t, c, lucidv1.ConditionLaunched, metav1.ConditionTrue, lucidv1.ReasonLaunched)
	if time.Now().Before(at.Time) {
		t.Error("launched before its time")
	}
}

func TestPoolFollowsItsSpec(t *testing.T) {
	o := start(t)
	c := o.declare(t, "pool", func(s *lucidv1.ChainSpec) {
		immediate(s)
		s.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "5000"}
	})
	pool := &lucidv1.VirtualPool{ObjectMeta: o.meta("pool")}
	o.wait(t, pool, "the pool trades", func() error { return wantState(pool, lucidv1.PoolEnabled) })
	fee := int32(250)
	if pool.Status.Limits == nil || pool.Status.Limits.MaxBuyCNPY != "5000" {
		t.Errorf("limits in force %+v, want those that the chain launched with", pool.Status.Limits)
	}
	patch := client.MergeFrom(pool.DeepCopy())
	pool.Spec.Limits = &lucidv1.TradeLimits{AntiSnipe: &lucidv1.AntiSnipe{Seconds: 3600, MaxBuyCNPY: "200"}}
	pool.Spec.Trading, pool.Spec.FeeBasisPoints = lucidv1.TradingPaused, &fee
	if err := o.Client.Patch(t.Context(), pool, patch); err != nil {
		t.Fatal(err)
	}
	o.wait(t, pool, "the pool is paused", func() error { return wantState(pool, lucidv1.PoolPaused) })
	if row, err := o.market.Pool(t.Context(), uuid.MustParse(c.LedgerID())); err != nil || row.Trading != market.Paused || row.Curve.FeeBasisPoints != fee {
		t.Errorf("ledger: %+v, %v, want paused with fee %d", row, err, fee)
	}
	want := chain.Limits{AntiSnipe: chain.AntiSnipe{Seconds: 3600, MaxBuy: 200 * money.Unit}}
	o.wait(t, pool, "the limits are in the ledger", func() error {
		row, err := o.market.Pool(t.Context(), uuid.MustParse(c.LedgerID()))
		if err == nil && row.Limits != want {
			return fmt.Errorf("limits are %+v", row.Limits)
		}
		return err
	})
	patch = client.MergeFrom(pool.DeepCopy())
	pool.Spec.Trading = lucidv1.TradingEnabled
	if err := o.Client.Patch(t.Context(), pool, patch); err != nil {
		t.Fatal(err)
	}
	o.wait(t, pool, "the pool trades again", func() error { return wantState(pool, lucidv1.PoolEnabled) })

	o.writes.Reset()
	begin := time.Now()
	for range 20 {
		o.buy(t, c, 10*money.Unit)
		time.Sleep(100 * time.Millisecond)
	}
	o.wait(t, pool, "the trades are projected", func() error {
		if pool.Status.Transactions != 20 {
			return fmt.Errorf("%d transactions", pool.Status.Transactions)
		}
		return nil
	})
	if most := int(time.Since(begin)/(5*time.Second)) + 1; o.writes.Total() > most {
		t.Errorf("more than %d writes for 20 trades:\n%s", most, o.writes)
	}
}

func TestPausedObjectIsLeftAlone(t *testing.T) {
	o := start(t)
	c := &lucidv1.Chain{ObjectMeta: o.meta("paused"), Spec: lucidv1.ChainSpec{
		GatewayRef: lucidv1.LocalObjectReference{Name: "main"}, ChainName: "Paused", Token: lucidv1.Token{Symbol: "P"},
	}}
	c.Annotations = map[string]string{lucidv1.AnnotationPaused: "true"}
	o.create(t, c)
	o.waitCondition(t, c, "Paused", metav1.ConditionTrue, lucidv1.ReasonPaused)
	if _, err := o.chains.Get(t.Context(), uuid.MustParse(c.LedgerID())); err == nil {
		t.Error("a paused object was recorded")
	}
	if err := o.Client.Delete(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := o.Client.Get(t.Context(), client.ObjectKeyFromObject(c), c); !apierrors.IsNotFound(err) {
		t.Errorf("an object that was never touched is held: %v", err)
	}
}
