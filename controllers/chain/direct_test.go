package chain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// A chain without a pool starts its live chain as soon as it is recorded.
func TestDirect(t *testing.T) {
	o := start(t)
	c := o.declare(t, "direct", func(s *lucidv1.ChainSpec) {
		s.Launch.Mode, s.Network.ChainID = lucidv1.LaunchDirect, "lucid_blocks"
	})
	o.waitCondition(t, c, lucidv1.ConditionLaunched, metav1.ConditionTrue, lucidv1.ReasonLaunched)
	o.waitCondition(t, c, lucidv1.ConditionGraduated, metav1.ConditionFalse, lucidv1.ReasonNetworkStarting)
	if row := o.row(t, c); row.Status != chain.PendingLaunch || c.Status.Status != lucidv1.ChainPendingLaunch {
		t.Errorf("row %s, status %s, want pending_launch until there are blocks", row.Status, c.Status.Status)
	}
	pool := &lucidv1.VirtualPool{ObjectMeta: o.meta("direct")}
	if err := o.Client.Get(t.Context(), client.ObjectKeyFromObject(pool), pool); !apierrors.IsNotFound(err) {
		t.Errorf("a pool %+v, error %v, want none", pool, err)
	}
	document := &corev1.ConfigMap{ObjectMeta: o.meta("direct-genesis")}
	o.wait(t, document, "the genesis is there", func() error { return nil })
	parsed, _, err := genesis.Parse([]byte(document.Data["genesis.json"]))
	if err != nil {
		t.Fatal(err)
	}
	state, err := genesis.ParseState(parsed.AppState)
	if err != nil || parsed.ChainID != "lucid_blocks" || state.Treasury.Amount != 1_000_000_000*money.Unit || state.Pool != (genesis.Pool{}) {
		t.Errorf("genesis %s with %+v, error %v", parsed.ChainID, state, err)
	}

	same := o.declare(t, "same", func(s *lucidv1.ChainSpec) { s.Launch.Mode, s.Network.ChainID = lucidv1.LaunchDirect, "lucid_blocks" })
	got := o.waitCondition(t, same, lucidv1.ConditionRecorded, metav1.ConditionFalse, lucidv1.ReasonNameTaken)
	if !strings.Contains(got.Message, `"lucid_blocks" is that of another chain`) {
		t.Errorf("message %q", got.Message)
	}
	if row := o.row(t, same); row.Launched() {
		t.Errorf("row %+v, want nothing launched that could not go on", row)
	}
	o.remove(t, same)
	o.waitGone(t, same)
	o.told()

	o.network.boot(3, c.Status.Network.GenesisHash)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	row := o.row(t, c)
	if row.Status != chain.Graduated || row.ChainID == nil || *row.ChainID != "lucid_blocks" || c.Status.Network.ChainID != "lucid_blocks" {
		t.Errorf("row %+v, want a live chain called lucid_blocks", row)
	}
	if c.Status.Pool != nil {
		t.Errorf("the status shows a pool: %+v", c.Status.Pool)
	}
	o.quiet(t, 2*time.Second)
	if got, want := o.told(), []string{"Graduated"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v, each once", got, want)
	}
	o.rebuild(t, c)
}

// A chain with an application of its own: a second container, a height that is
// observed, and validators that only that application may change.
func TestApplicationOfItsOwn(t *testing.T) {
	o := start(t)
	c := o.declare(t, "own", func(s *lucidv1.ChainSpec) {
		s.Launch.Mode, s.Application = lucidv1.LaunchDirect, &lucidv1.Application{Image: "names:1"}
	})
	o.waitCondition(t, c, lucidv1.ConditionGraduated, metav1.ConditionFalse, lucidv1.ReasonNetworkStarting)
	set := &appsv1.StatefulSet{ObjectMeta: o.meta("own")}
	o.wait(t, set, "the nodes are there", func() error { return nil })
	containers := set.Spec.Template.Spec.Containers
	if len(containers) != 2 || containers[0].Image != "lucid:test" || containers[1].Image != "names:1" {
		t.Fatalf("containers %+v, want CometBFT of the gateway's image and the chain's own", containers)
	}
	o.network.boot(3, c.Status.Network.GenesisHash)
	o.network.set(func(n *fakeNetwork) { n.seen.Application = "names" })
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	o.edit(t, c, validators(2))
	got := o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonApplicationScales)
	if !strings.Contains(got.Message, "1 validators vote and 2 are to") || o.network.voting() != 1 {
		t.Errorf("%d vote and %q, want nothing done to the chain", o.network.voting(), got.Message)
	}
	if c.Status.Network.Application != "names" || c.Status.Network.Height != 3 {
		t.Errorf("status %+v, want the application's name and a height", c.Status.Network)
	}
}
