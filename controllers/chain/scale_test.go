package chain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/money"
)

func validators(n int32) func(*lucidv1.ChainSpec) {
	return func(spec *lucidv1.ChainSpec) { spec.Network.Validators = n }
}

// A validator votes once it has caught up, is stopped once it votes no more, and
// the genesis stays that of birth.
func TestScaleUpAndDown(t *testing.T) {
	o := start(t)
	c := o.lives(t, "scales", validators(2))
	late := "http://scales-2.scales-node." + o.Namespace + ".svc:26657"
	o.network.set(func(n *fakeNetwork) { n.behind = map[string]bool{late: true} })
	o.edit(t, c, validators(3))
	got := o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonScaling)
	if !strings.Contains(got.Message, "validator 2 fetches") || o.network.voting() != 2 {
		t.Errorf("%d vote and %q, want two until the third has all blocks", o.network.voting(), got.Message)
	}
	set := &appsv1.StatefulSet{ObjectMeta: o.meta("scales")}
	o.wait(t, set, "a third node", func() error { return wantReplicas(set, 3) })
	o.network.set(func(n *fakeNetwork) { n.behind = nil })
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	if o.network.voting() != 3 {
		t.Errorf("%d vote, want 3", o.network.voting())
	}

	o.network.set(func(n *fakeNetwork) { n.refuses = true })
	o.edit(t, c, validators(1))
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonScaling)
	o.wait(t, set, "all nodes stay while they vote", func() error { return wantReplicas(set, 3) })
	o.network.set(func(n *fakeNetwork) { n.refuses = false })
	o.pods(t, c, 3, 3)
	o.wait(t, set, "one node is left", func() error {
		if err := wantReplicas(set, 1); err != nil {
			return err
		}
		if o.network.voting() != 1 {
			t.Errorf("nodes were stopped while %d voted", o.network.voting())
		}
		return nil
	})
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	if len(c.Status.Network.NodeEndpoints) != 1 || c.Status.Network.Validators.Wanted != 1 {
		t.Errorf("status %+v, want one node", c.Status.Network)
	}
	peers := &corev1.ConfigMap{ObjectMeta: o.meta("scales-peers")}
	o.wait(t, peers, "one peer is left", func() error {
		if n := len(strings.Fields(peers.Data["peers"])); n != 1 {
			return fmt.Errorf("%d peers", n)
		}
		return nil
	})
	if got := o.told(); !slices.Equal(got, []string{"Scaled", "Scaled"}) {
		t.Errorf("events %v, want each change told once", got)
	}
	o.wantGenesis(t, c, 2)
	o.rebuild(t, c)

	o.edit(t, c, validators(2))
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	o.wait(t, set, "who left comes back", func() error { return wantReplicas(set, 2) })
	if o.network.generated() != 3 {
		t.Errorf("keys were made %d times, want one for each validator there ever was", o.network.generated())
	}
}

// The number of validators at birth is settled with the keys: what the spec says
// later, even before the first block, scales.
func TestAuthorityCannotBeMadeAgain(t *testing.T) {
	o := start(t)
	c := o.starts(t, "ruled", validators(2))
	secret := &corev1.Secret{ObjectMeta: o.meta("ruled-authority")}
	o.wait(t, secret, "an authority", func() error { return nil })
	if len(secret.Data["seed"]) != 32 || string(secret.Data["validators"]) != "2" || !*secret.Immutable {
		t.Errorf("authority of %d bytes for %q validators", len(secret.Data["seed"]), secret.Data["validators"])
	}
	if err := o.Client.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	got := o.waitCondition(t, c, lucidv1.ConditionGraduated, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	if !strings.Contains(got.Message, "ruled-authority") {
		t.Errorf("message %q does not name the Secret", got.Message)
	}
}

func TestSpoiledAuthorityIsRefused(t *testing.T) {
	o := start(t)
	c := o.declare(t, "spoiled", immediate)
	o.waitCondition(t, c, lucidv1.ConditionLaunched, metav1.ConditionTrue, lucidv1.ReasonLaunched)
	own := &corev1.Secret{ObjectMeta: o.meta("spoiled-authority"), Data: map[string][]byte{"seed": []byte("short"), "validators": []byte("1")}}
	own.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(c, lucidv1.GroupVersion.WithKind("Chain"))}
	o.create(t, own)
	o.buy(t, c, 50_000*money.Unit)
	got := o.waitCondition(t, c, lucidv1.ConditionGraduated, metav1.ConditionFalse, lucidv1.ReasonInvalid)
	if strings.Contains(got.Message, "short") || !strings.Contains(got.Message, "32 bytes") {
		t.Errorf("message %q, want what is wrong and not the key", got.Message)
	}
}

// guarded holds at all times that no node is stopped that votes or is about to.
func (o *operator) guarded(t *testing.T, set *appsv1.StatefulSet, what string, done func() error) {
	t.Helper()
	o.wait(t, set, what, func() error {
		// In this order: what is sent after it was counted does not matter.
		if voters := o.network.underway(); int(*set.Spec.Replicas) < voters {
			t.Fatalf("%d nodes are to run, %d vote or are about to", *set.Spec.Replicas, voters)
		}
		return done()
	})
}

// Whoever changes their mind while a change is on its way must not lose the chain: a
// node that is stopped when it begins to vote takes the majority with it.
func TestQuickChangesOfTheValidators(t *testing.T) {
	for _, tc := range []struct{ before, between int32 }{{1, 2}, {2, 3}} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			o := start(t)
			o.network.delay = 6
			c := o.lives(t, "quick", validators(tc.before))
			o.pods(t, c, tc.before, tc.before)
			sent := o.network.taken()
			o.edit(t, c, validators(tc.between))
			set := &appsv1.StatefulSet{ObjectMeta: o.meta("quick")}
			o.wait(t, set, "a change is on its way", func() error {
				if o.network.taken() == sent {
					return fmt.Errorf("none was sent")
				}
				return nil
			})
			if err := o.Client.Get(t.Context(), client.ObjectKeyFromObject(c), c); err != nil {
				t.Fatal(err)
			}
			o.edit(t, c, validators(tc.before))
			o.guarded(t, set, "all is as before", func() error {
				if o.network.taken() != sent+2 || o.network.underway() != int(tc.before) {
					return fmt.Errorf("%d changes, %d vote", o.network.taken(), o.network.underway())
				}
				return wantReplicas(set, tc.before)
			})
			o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
		})
	}
}

// scaling asks for a second validator whose change is lost, and waits until it is noted.
func (o *operator) scaling(t *testing.T, c *lucidv1.Chain) (peers *corev1.ConfigMap) {
	t.Helper()
	o.network.set(func(n *fakeNetwork) { n.loses = true })
	o.edit(t, c, validators(2))
	peers = &corev1.ConfigMap{ObjectMeta: o.meta(c.Name + "-peers")}
	o.wait(t, peers, "the change is noted", func() error {
		if !strings.Contains(peers.Data["change"], `"power":10`) || !strings.Contains(peers.Data["state-sync"], c.Name+"-1."+c.Name+"-node") {
			return fmt.Errorf("it holds %v", peers.Data)
		}
		return nil
	})
	return peers
}

// A change that is lost before a block takes it is sent again as it was, so that nobody
// has to wait until it has expired.
func TestLostChangeIsSentAgainAsItWas(t *testing.T) {
	o := start(t)
	c := o.lives(t, "again", validators(1))
	peers := o.scaling(t, c)
	if n := o.network.taken(); n != 1 {
		t.Errorf("%d changes were sent before one may be lost", n)
	}
	noted := peers.Data["change"]
	o.network.set(func(n *fakeNetwork) { n.busy = true })
	o.wait(t, peers, "it is sent again", func() error {
		if o.network.taken() < 2 {
			return fmt.Errorf("it was sent once")
		}
		if peers.Data["change"] != noted {
			t.Errorf("%s became %s", noted, peers.Data["change"])
		}
		return nil
	})
	o.network.set(func(n *fakeNetwork) {
		for _, change := range n.pending {
			if change.until.Unix() != n.pending[0].until.Unix() {
				t.Errorf("one that was sent expires at %s and one at %s", n.pending[0].until, change.until)
			}
		}
		n.loses = false
	})
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
}

// A change that is lost and not wanted any more is not sent again.
func TestUnwantedChangeIsLeftLost(t *testing.T) {
	o := start(t)
	c := o.lives(t, "unwanted", validators(1))
	o.scaling(t, c)
	if err := o.Client.Get(t.Context(), client.ObjectKeyFromObject(c), c); err != nil {
		t.Fatal(err)
	}
	o.edit(t, c, validators(1))
	o.wait(t, c, "the edit is seen", func() error {
		if c.Status.Network.Validators.Wanted != 1 {
			return fmt.Errorf("%+v", c.Status.Network.Validators)
		}
		return nil
	})
	sent := o.network.taken()
	o.network.set(func(n *fakeNetwork) { n.busy, n.seen.Height = true, n.seen.Height+100 })
	time.Sleep(2500 * time.Millisecond)
	if n := o.network.taken(); n != sent {
		t.Errorf("%d changes were sent, want %d", n, sent)
	}
}

// A change that no block took is made anew, once none can take it any more, and by an
// operator that knows of it from the cluster alone.
func TestExpiredChangeIsMadeAnew(t *testing.T) {
	o := start(t)
	c := o.lives(t, "anew", validators(1))
	noted := o.scaling(t, c).Data["change"]
	o.network.set(func(n *fakeNetwork) { n.busy, n.skew, n.pending = true, time.Minute, nil })
	peers := &corev1.ConfigMap{ObjectMeta: o.meta("anew-peers")}
	o.wait(t, peers, "another is noted", func() error {
		if now := peers.Data["change"]; now == noted || !strings.Contains(now, `"power":10`) || strings.Contains(now, "over") {
			return fmt.Errorf("it is %s", now)
		}
		return nil
	})
	o.network.set(func(n *fakeNetwork) { n.loses = false })
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	if o.network.voting() != 2 {
		t.Errorf("%d vote", o.network.voting())
	}
}

// A scaling that does not come about keeps nobody's money waiting.
func TestStuckScalingCarriesVouchers(t *testing.T) {
	o := start(t)
	c := o.lives(t, "stuck", validators(1))
	o.network.set(func(n *fakeNetwork) { n.refuses = true })
	o.edit(t, c, validators(2))
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonScaling)
	o.vouchers.set(func(v *fakeVouchers) { v.pending = 3 })
	o.wait(t, c, "all are carried", func() error {
		if pending, _, _ := o.vouchers.get(); pending > 0 {
			return fmt.Errorf("%d are pending", pending)
		}
		return nil
	})
}
