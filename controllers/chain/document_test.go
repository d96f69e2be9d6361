package chain_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// parts reads a genesis that lies in several ConfigMaps, and joins it.
func (o *operator) parts(t *testing.T, c *lucidv1.Chain) (whole []byte, names []string) {
	t.Helper()
	index := &corev1.ConfigMap{ObjectMeta: o.meta(c.Name + "-genesis")}
	o.wait(t, index, "the genesis", func() error { return nil })
	count, err := strconv.Atoi(index.Data["parts"])
	if err != nil {
		t.Fatalf("index %v: %v", index.Data, err)
	}
	for i := range count {
		part := &corev1.ConfigMap{ObjectMeta: o.meta(fmt.Sprintf("%s-genesis-%d", c.Name, i))}
		o.wait(t, part, "a part of the genesis", func() error { return nil })
		whole = append(whole, part.Data[fmt.Sprintf("genesis.json.%04d", i)]...)
		names = append(names, part.Name)
		if !*part.Immutable {
			t.Errorf("%s may be changed", part.Name)
		}
	}
	if sum := sha256.Sum256(whole); hex.EncodeToString(sum[:]) != index.Data["genesis.json.sha256"] || index.Data["genesis.json.sha256"] != c.Status.Network.GenesisHash {
		t.Errorf("the parts hash to %x, the index and the status say %s and %s", sum, index.Data["genesis.json.sha256"], c.Status.Network.GenesisHash)
	}
	return whole, names
}

// A document of so many holders is four times what Kubernetes lets one ConfigMap
// hold.
func TestGenesisOf50000Holders(t *testing.T) {
	const crowd = 50_000
	o := start(t)
	o.vouchers.set(func(v *fakeVouchers) { v.crowd = crowd })
	c := o.starts(t, "crowd", nil)
	whole, names := o.parts(t, c)
	document, _, err := genesis.Parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	state, err := genesis.ParseState(document.AppState)
	if err != nil || len(state.Holders) != crowd || len(names) < 5 {
		t.Errorf("%d holders in %d parts, error %v", len(state.Holders), len(names), err)
	}
	set := &appsv1.StatefulSet{ObjectMeta: o.meta("crowd")}
	o.wait(t, set, "the nodes", func() error { return nil })
	for _, volume := range set.Spec.Template.Spec.Volumes {
		if volume.Name == "genesis" && (volume.Projected == nil || len(volume.Projected.Sources) != len(names)+1) {
			t.Errorf("the pods see %+v of the genesis", volume.VolumeSource)
		}
	}

	o.network.boot(3, c.Status.Network.GenesisHash)
	o.waitCondition(t, c, lucidv1.ConditionReady, "True", lucidv1.ReasonGraduated)
	lost := &corev1.ConfigMap{ObjectMeta: o.meta(names[2])}
	if err := o.Client.Delete(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	again, _ := o.parts(t, c)
	if string(again) != string(whole) {
		t.Error("a part that was lost was built differently")
	}
}

// What somebody else has put there is neither taken for a part nor overwritten.
func TestForeignPartOfAGenesis(t *testing.T) {
	o := start(t)
	o.vouchers.set(func(v *fakeVouchers) { v.crowd = 20_000 })
	o.create(t, &corev1.ConfigMap{ObjectMeta: o.meta("taken-genesis-1"), Data: map[string]string{"a": "b"}})
	c := o.declare(t, "taken", immediate)
	o.waitCondition(t, c, lucidv1.ConditionLaunched, "True", lucidv1.ReasonLaunched)
	o.buy(t, c, 50_000*money.Unit)
	got := o.waitCondition(t, c, lucidv1.ConditionGraduated, "False", lucidv1.ReasonNotOwned)
	if !strings.Contains(got.Message, "taken-genesis-1") || !strings.Contains(got.Message, lucidv1.LabelLedger+"="+c.LedgerID()) {
		t.Errorf("message %q says neither which nor what to do", got.Message)
	}
	foreign := &corev1.ConfigMap{ObjectMeta: o.meta("taken-genesis-1")}
	if err := o.Client.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign); err != nil {
		t.Fatal(err)
	}
	before := client.MergeFrom(foreign.DeepCopy())
	foreign.Labels = map[string]string{lucidv1.LabelLedger: c.LedgerID()}
	if err := o.Client.Patch(t.Context(), foreign, before); err != nil {
		t.Fatal(err)
	}
	o.waitCondition(t, c, lucidv1.ConditionGraduated, "False", lucidv1.ReasonGenesisMismatch)
	if err := o.Client.Delete(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, "False", lucidv1.ReasonNetworkStarting)
}
