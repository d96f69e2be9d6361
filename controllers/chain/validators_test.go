package chain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// starts declares a chain and trades it over its threshold.
func (o *operator) starts(t *testing.T, name string, change func(*lucidv1.ChainSpec)) *lucidv1.Chain {
	t.Helper()
	c := o.declare(t, name, func(spec *lucidv1.ChainSpec) {
		immediate(spec)
		if change != nil {
			change(spec)
		}
	})
	o.waitCondition(t, c, lucidv1.ConditionLaunched, metav1.ConditionTrue, lucidv1.ReasonLaunched)
	o.buy(t, c, 50_000*money.Unit)
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionFalse, lucidv1.ReasonNetworkStarting)
	return c
}

// lives is starts, and the chain produces blocks.
func (o *operator) lives(t *testing.T, name string, change func(*lucidv1.ChainSpec)) *lucidv1.Chain {
	t.Helper()
	c := o.starts(t, name, change)
	o.network.boot(3, c.Status.Network.GenesisHash)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	// Events follow the status that remembers them.
	for !slices.Contains(o.told(), lucidv1.ReasonGraduated) {
		time.Sleep(10 * time.Millisecond)
	}
	return c
}

// edit changes a chain's spec as a user does.
func (o *operator) edit(t *testing.T, c *lucidv1.Chain, change func(*lucidv1.ChainSpec)) {
	t.Helper()
	before := c.DeepCopy()
	change(&c.Spec)
	if err := o.Client.Patch(t.Context(), c, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// pods plays the StatefulSet's controller, which no test API server has.
func (o *operator) pods(t *testing.T, c *lucidv1.Chain, there, ready int32) {
	t.Helper()
	set := &appsv1.StatefulSet{ObjectMeta: o.meta(c.Name)}
	if err := o.Client.Get(t.Context(), client.ObjectKeyFromObject(set), set); err != nil {
		t.Fatal(err)
	}
	set.Status.Replicas, set.Status.ReadyReplicas = there, ready
	if err := o.Client.Status().Update(t.Context(), set); err != nil {
		t.Fatal(err)
	}
}

func fourValidators(spec *lucidv1.ChainSpec) { spec.Network.Validators = 4 }

func TestFourValidatorsAreBorn(t *testing.T) {
	o := start(t)
	c := o.starts(t, "four", fourValidators)
	set := &appsv1.StatefulSet{ObjectMeta: o.meta("four")}
	o.wait(t, set, "four nodes", func() error { return wantReplicas(set, 4) })
	keys := map[string]bool{}
	var want strings.Builder
	for i := range 4 {
		secret := &corev1.Secret{ObjectMeta: o.meta(fmt.Sprintf("four-keys-%d", i))}
		o.wait(t, secret, "keys", func() error { return nil })
		keys[string(secret.Data["priv_validator_key.json"])] = true
		fmt.Fprintf(&want, "id-of-%s@four-%d.four-node.%s.svc:26656\n", secret.Data["node_key.json"], i, o.Namespace)
	}
	if len(keys) != 4 || o.network.generated() != 4 {
		t.Errorf("%d keys, generated %d times, want 4 of each", len(keys), o.network.generated())
	}
	peers := &corev1.ConfigMap{ObjectMeta: o.meta("four-peers")}
	o.wait(t, peers, "the list of peers", func() error { return nil })
	if peers.Data["peers"] != want.String() {
		t.Errorf("peers\n%swant\n%s", peers.Data["peers"], want.String())
	}
	o.wait(t, &policyv1.PodDisruptionBudget{ObjectMeta: o.meta("four")}, "a budget", func() error { return nil })
	o.wait(t, &networkingv1.NetworkPolicy{ObjectMeta: o.meta("four")}, "a policy", func() error { return nil })
	o.wantGenesis(t, c, 4)
	o.rebuild(t, c)
}

func wantReplicas(set *appsv1.StatefulSet, want int32) error {
	if *set.Spec.Replicas != want {
		return fmt.Errorf("%d replicas, want %d", *set.Spec.Replicas, want)
	}
	return nil
}

func (o *operator) wantGenesis(t *testing.T, c *lucidv1.Chain, validators int) {
	t.Helper()
	object := &corev1.ConfigMap{ObjectMeta: o.meta(c.Name + "-genesis")}
	o.wait(t, object, "a genesis", func() error { return nil })
	document, hash, err := genesis.Parse([]byte(object.Data["genesis.json"]))
	if err != nil {
		t.Fatal(err)
	}
	if len(document.Validators) != validators || hash != c.Status.Network.GenesisHash {
		t.Errorf("genesis %s with %d validators, want %s with %d", hash, len(document.Validators), c.Status.Network.GenesisHash, validators)
	}
	for _, v := range document.Validators {
		if v.Power != document.Validators[0].Power {
			t.Errorf("%s has another power than %s", v.Name, document.Validators[0].Name)
		}
	}
}

func TestValidatorsAreCounted(t *testing.T) {
	o := start(t)
	c := o.lives(t, "counted", fourValidators)
	endpoints := c.Status.Network.NodeEndpoints
	if len(endpoints) != 4 || endpoints[3] != "http://counted-3.counted-node."+o.Namespace+".svc:26657" {
		t.Errorf("endpoints %v", endpoints)
	}
	o.network.set(func(n *fakeNetwork) { n.seen.Signing, n.behind = 3, map[string]bool{endpoints[2]: true} })
	o.pods(t, c, 4, 3)
	want := lucidv1.ValidatorsStatus{Wanted: 4, Ready: 3, Signing: 3, CatchingUp: 1}
	o.wait(t, c, "the validators are counted", func() error {
		if got := c.Status.Network.Validators; got == nil || *got != want || c.Status.Network.AppVersion != 1 {
			return fmt.Errorf("status is %+v, want %+v", got, want)
		}
		return nil
	})
	o.quiet(t, time.Second)

	o.network.set(func(n *fakeNetwork) { n.stopped = true })
	o.pods(t, c, 4, 2)
	got := o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionFalse, lucidv1.ReasonNoBlocks)
	if !strings.Contains(got.Message, "2 of 4 are ready") {
		t.Errorf("message %q does not count", got.Message)
	}
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonNoBlocks)
	o.network.set(func(n *fakeNetwork) { n.stopped = false })
	o.pods(t, c, 4, 4)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
}

func TestSingleValidatorSaysItselfThatItCatchesUp(t *testing.T) {
	o := start(t)
	c := o.lives(t, "single", nil)
	o.network.set(func(n *fakeNetwork) { n.behind = map[string]bool{c.Status.Network.RPCEndpoint: true} })
	o.pods(t, c, 1, 0)
	o.wait(t, c, "one node catches up", func() error {
		if got := c.Status.Network.Validators; got == nil || got.CatchingUp != 1 || got.Wanted != 1 {
			return fmt.Errorf("status is %+v", got)
		}
		return nil
	})
}

func TestHaltAndResume(t *testing.T) {
	o := start(t)
	c := o.lives(t, "halted", fourValidators)
	o.pods(t, c, 4, 4)
	o.edit(t, c, func(spec *lucidv1.ChainSpec) { spec.Network.State = lucidv1.NetworkHalted })
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionFalse, lucidv1.ReasonHalting)
	set := &appsv1.StatefulSet{ObjectMeta: o.meta("halted")}
	o.wait(t, set, "no node is to run", func() error { return wantReplicas(set, 0) })
	o.pods(t, c, 0, 0)
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionFalse, lucidv1.ReasonHalted)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonHalted)
	if got := *c.Status.Network.Validators; got != (lucidv1.ValidatorsStatus{Wanted: 4}) {
		t.Errorf("validators %+v, want none at work", got)
	}
	o.quiet(t, time.Second)

	o.network.set(func(n *fakeNetwork) { n.running = false })
	o.edit(t, c, func(spec *lucidv1.ChainSpec) { spec.Network.State = lucidv1.NetworkRunning })
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionFalse, lucidv1.ReasonUnreachable)
	o.wait(t, set, "all nodes are to run", func() error { return wantReplicas(set, 4) })
	o.network.set(func(n *fakeNetwork) { n.running = true })
	o.pods(t, c, 4, 4)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	if got := o.told(); !slices.Equal(got, []string{"Halted", "Resumed"}) {
		t.Errorf("events %v, want one halt and one resumption", got)
	}
	if o.network.generated() != 4 {
		t.Errorf("keys were generated %d times, want those of birth", o.network.generated())
	}
}

// Keys that the genesis names can't be made again.
func TestLostKeysAreAskedFor(t *testing.T) {
	o := start(t)
	c := o.starts(t, "lost", fourValidators)
	secret := &corev1.Secret{ObjectMeta: o.meta("lost-keys-2")}
	if err := o.Client.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	got := o.waitCondition(t, c, lucidv1.ConditionGraduated, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	if !strings.Contains(got.Message, "lost-keys-2") || o.network.generated() != 4 {
		t.Errorf("%d keys and %q, want four and the Secret's name", o.network.generated(), got.Message)
	}
}

func TestForeignKeysAreRefused(t *testing.T) {
	o := start(t)
	spoiled := map[string][]byte{"node_key.json": []byte("none"), "priv_validator_key.json": []byte(strings.Repeat("k", 32))}
	o.create(t, &corev1.Secret{ObjectMeta: o.meta("foreign-keys-1"), Data: spoiled})
	c := o.declare(t, "foreign", func(spec *lucidv1.ChainSpec) { immediate(spec); fourValidators(spec) })
	o.waitCondition(t, c, lucidv1.ConditionLaunched, metav1.ConditionTrue, lucidv1.ReasonLaunched)
	o.buy(t, c, 50_000*money.Unit)
	o.waitCondition(t, c, lucidv1.ConditionGraduated, metav1.ConditionFalse, lucidv1.ReasonNotOwned)

	// In place: while there is none, the controller makes one of its own.
	own := &corev1.Secret{}
	if err := o.Client.Get(t.Context(), types.NamespacedName{Namespace: o.Namespace, Name: "foreign-keys-1"}, own); err != nil {
		t.Fatal(err)
	}
	own.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(c, lucidv1.GroupVersion.WithKind("Chain"))}
	if err := o.Client.Update(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	o.edit(t, c, func(spec *lucidv1.ChainSpec) { spec.DeletionPolicy = lucidv1.DeletionRetain })
	got := o.waitCondition(t, c, lucidv1.ConditionGraduated, metav1.ConditionFalse, lucidv1.ReasonInvalid)
	if !strings.Contains(got.Message, "node_key.json") || strings.Contains(got.Message, "none") {
		t.Errorf("message %q, want the key's name and not the key", got.Message)
	}
}
