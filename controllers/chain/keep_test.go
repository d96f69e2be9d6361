package chain_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// backup is what a user has of a Secret: as it was, without what the server adds.
func (o *operator) backup(t *testing.T, name string) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: o.meta(name)}
	o.wait(t, secret, "a Secret to back up", func() error { return nil })
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: secret.Name, Labels: secret.Labels, OwnerReferences: secret.OwnerReferences},
		Immutable:  secret.Immutable, Data: secret.Data,
	}
}

func (o *operator) remove(t *testing.T, obj client.Object) {
	t.Helper()
	if err := o.Client.Delete(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

// kept lists what must outlive a chain's object.
func (o *operator) kept(name string) []client.Object {
	return []client.Object{
		&corev1.Secret{ObjectMeta: o.meta(name + "-authority")}, &corev1.Secret{ObjectMeta: o.meta(name + "-keys-0")},
		&corev1.ConfigMap{ObjectMeta: o.meta(name + "-genesis")},
	}
}

// An object that goes by the policy Retain leaves what its chain can't be run without,
// and one that is declared again for the same row of the ledger runs the same chain.
func TestRetainedChainIsDeclaredAgain(t *testing.T) {
	o := start(t)
	c := o.lives(t, "retained", func(spec *lucidv1.ChainSpec) { spec.DeletionPolicy = lucidv1.DeletionRetain })
	id, network := c.LedgerID(), *c.Status.Network.DeepCopy()
	o.remove(t, c)
	o.waitGone(t, c)
	for _, object := range o.kept("retained") {
		if err := o.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			t.Fatal(err)
		}
		if len(object.GetOwnerReferences()) > 0 || object.GetLabels()[lucidv1.LabelLedger] != id {
			t.Errorf("%s has owners %v and labels %v: it would go with the object", object.GetName(), object.GetOwnerReferences(), object.GetLabels())
		}
	}
	// No test API server collects what is owned.
	for _, owned := range []client.Object{
		&appsv1.StatefulSet{ObjectMeta: o.meta("retained")}, &corev1.Service{ObjectMeta: o.meta("retained-node")},
		&corev1.Service{ObjectMeta: o.meta("retained-rpc")}, &corev1.ConfigMap{ObjectMeta: o.meta("retained-peers")},
		&networkingv1.NetworkPolicy{ObjectMeta: o.meta("retained")}, &policyv1.PodDisruptionBudget{ObjectMeta: o.meta("retained")},
		&lucidv1.VirtualPool{ObjectMeta: o.meta("retained")},
	} {
		o.remove(t, owned)
	}

	again := o.declare(t, "retained", func(spec *lucidv1.ChainSpec) {
		spec.ID, spec.ChainName, spec.Launch.Mode = id, "Chain retained", lucidv1.LaunchImmediate
	})
	o.waitCondition(t, again, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	if got := again.Status.Network; got.ChainID != network.ChainID || got.GenesisHash != network.GenesisHash {
		t.Errorf("it runs %s with genesis %s, want %s with %s", got.ChainID, got.GenesisHash, network.ChainID, network.GenesisHash)
	}
	if o.network.generated() != 1 {
		t.Errorf("keys were made %d times, want those that were kept", o.network.generated())
	}
}

// The same where the gateway went first, which leaves no ledger to ask.
func TestChainThatOutlivesItsGateway(t *testing.T) {
	o := start(t)
	c := o.lives(t, "orphan", nil)
	o.own(t, c, "orphan-authority")
	o.edit(t, c, func(*lucidv1.ChainSpec) { c.Annotations = map[string]string{lucidv1.AnnotationPaused: "true"} })
	o.remove(t, &lucidv1.LucidGateway{ObjectMeta: o.meta("main")})
	o.edit(t, c, func(*lucidv1.ChainSpec) { c.Annotations = nil })
	o.remove(t, c)
	o.waitGone(t, c)
	for _, object := range o.kept("orphan") {
		if err := o.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil || len(object.GetOwnerReferences()) > 0 {
			t.Errorf("%s goes with the object: %v, owners %v", object.GetName(), err, object.GetOwnerReferences())
		}
	}
}

// own makes a Secret as an earlier version did: the object's, without an id.
func (o *operator) own(t *testing.T, c *lucidv1.Chain, name string) {
	t.Helper()
	secret := o.backup(t, name)
	before := client.MergeFrom(secret.DeepCopy())
	secret.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(c, lucidv1.GroupVersion.WithKind("Chain"))}
	delete(secret.Labels, lucidv1.LabelLedger)
	if err := o.Client.Patch(t.Context(), secret, before); err != nil {
		t.Fatal(err)
	}
}

func TestSecretsOfEarlierVersionsAreKept(t *testing.T) {
	o := start(t)
	c := o.lives(t, "earlier", nil)
	o.own(t, c, "earlier-keys-0")
	o.edit(t, c, func(spec *lucidv1.ChainSpec) { spec.Network.Resources = &corev1.ResourceRequirements{} })
	secret := &corev1.Secret{ObjectMeta: o.meta("earlier-keys-0")}
	o.wait(t, secret, "it outlives the object", func() error {
		if len(secret.OwnerReferences) > 0 || secret.Labels[lucidv1.LabelLedger] != c.LedgerID() {
			return fmt.Errorf("owners %v, labels %v", secret.OwnerReferences, secret.Labels)
		}
		return nil
	})
}

// A Secret that is gone is asked for, while the chain runs on, and one that comes back
// from a backup is noticed, whoever owned it.
func TestRestoredSecrets(t *testing.T) {
	o := start(t)
	c := o.lives(t, "restored", validators(2))
	authority, keys := o.backup(t, "restored-authority"), o.backup(t, "restored-keys-1")
	o.remove(t, authority.DeepCopy())
	o.edit(t, c, validators(3))
	got := o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	if !strings.Contains(got.Message, "restored-authority") {
		t.Errorf("message %q does not name it", got.Message)
	}
	set := &appsv1.StatefulSet{ObjectMeta: o.meta("restored")}
	o.wait(t, set, "the nodes are looked after all the same", func() error { return wantReplicas(set, 3) })
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionTrue, lucidv1.ReasonProducingBlocks)
	o.network.set(func(n *fakeNetwork) { n.running = false })
	o.pods(t, c, 3, 1)
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionFalse, lucidv1.ReasonUnreachable)
	o.network.set(func(n *fakeNetwork) { n.running = true })

	wrong := authority.DeepCopy()
	wrong.Data = map[string][]byte{"seed": []byte(strings.Repeat("w", 32)), "validators": []byte("2")}
	o.create(t, wrong)
	got = o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonInvalid)
	if !strings.Contains(got.Message, "another key than the genesis names") {
		t.Errorf("message %q", got.Message)
	}
	o.remove(t, wrong)
	authority.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "lucid-blockchain.org/v1alpha1", Kind: "Chain", Name: "restored", UID: "550e8400-e29b-41d4-a716-446655440000",
	}}
	o.create(t, authority)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	if o.network.voting() != 3 {
		t.Errorf("%d vote, want the change that waited for the Secret", o.network.voting())
	}

	o.remove(t, keys.DeepCopy())
	o.pods(t, c, 3, 3)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	o.create(t, keys)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
}

// The keys of a node that joined later are no less its own: its pod goes on with what
// it has, so new ones would be given a vote that nobody uses.
func TestKeysOfARunningNodeAreNotMadeAgain(t *testing.T) {
	o := start(t)
	c := o.lives(t, "later", validators(1))
	o.edit(t, c, validators(2))
	o.wait(t, c, "the second votes", func() error {
		if o.network.voting() != 2 {
			return errors.New("it does not yet")
		}
		return nil
	})
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	o.remove(t, &corev1.Secret{ObjectMeta: o.meta("later-keys-1")})
	o.pods(t, c, 2, 1)
	got := o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	if !strings.Contains(got.Message, "spec.network.validators to 1") || o.network.generated() != 2 || o.network.voting() != 2 {
		t.Errorf("%d keys, %d vote, %q", o.network.generated(), o.network.voting(), got.Message)
	}
	peers := &corev1.ConfigMap{ObjectMeta: o.meta("later-peers")}
	o.wait(t, peers, "the others still find it", func() error {
		if n := len(strings.Fields(peers.Data["peers"])); n != 2 {
			return fmt.Errorf("%d peers", n)
		}
		return nil
	})
	o.edit(t, c, validators(1))
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	o.edit(t, c, validators(2))
	o.wait(t, c, "another takes its place", func() error {
		if o.network.voting() != 2 || o.network.generated() != 3 {
			return fmt.Errorf("%d vote, %d keys", o.network.voting(), o.network.generated())
		}
		return nil
	})
}
