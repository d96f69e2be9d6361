package chain_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/kubetest"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// One node that is slow to answer for all is not a chain that is silent.
func TestOneSlowNodeIsNoSilentChain(t *testing.T) {
	o := start(t)
	c := o.lives(t, "slow", validators(2))
	endpoints := c.Status.Network.NodeEndpoints
	o.network.set(func(n *fakeNetwork) { n.deaf = map[string]bool{c.Status.Network.RPCEndpoint: true, endpoints[0]: true} })
	o.pods(t, c, 2, 1)
	o.wait(t, c, "a pass has looked", func() error {
		if got := c.Status.Network.Validators; got == nil || got.Ready != 1 {
			return fmt.Errorf("status is %+v", got)
		}
		return nil
	})
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionTrue, lucidv1.ReasonProducingBlocks)
	o.network.set(func(n *fakeNetwork) { n.deaf[endpoints[1]] = true })
	o.pods(t, c, 2, 0)
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionFalse, lucidv1.ReasonUnreachable)
}

// Who has come to vote signs some blocks later, which no event tells of: the status
// does not go on saying for half a minute that one is missing.
func TestLateSignaturesAreSeenSoon(t *testing.T) {
	o := start(t)
	c := o.lives(t, "signs", validators(1))
	o.pods(t, c, 1, 1)
	o.edit(t, c, validators(2))
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonScaling)
	o.pods(t, c, 2, 2)
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	o.quiet(t, 1500*time.Millisecond)
	o.network.set(func(n *fakeNetwork) { n.seen.Signing = 2 })
	kubetest.Eventually(t, 5*time.Second, "both sign", func(ctx context.Context) error {
		if err := o.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		if got := *c.Status.Network.Validators; got != (lucidv1.ValidatorsStatus{Wanted: 2, Ready: 2, Signing: 2}) {
			return fmt.Errorf("validators are %+v", got)
		}
		return nil
	})
}

// pod plays one pod of a chain, in a state.
func (o *operator) pod(t *testing.T, c *lucidv1.Chain, ordinal int, status corev1.PodStatus) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: o.meta(fmt.Sprintf("%s-%d", c.Name, ordinal)), Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "node", Image: "lucid:test"}},
	}}
	pod.Labels = map[string]string{
		"app.kubernetes.io/name": "lucid", "app.kubernetes.io/component": "node",
		lucidv1.LabelChain: c.Name, lucidv1.LabelGateway: "main",
	}
	o.create(t, pod)
	pod.Status = status
	if err := o.Client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

func waitsFor(reason string) corev1.PodStatus {
	return corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "node", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "secret-registry.example"}},
	}}}
}

// Why pods don't run is the first thing that a user wants to know.
func TestPodsThatDoNotStartAreExplained(t *testing.T) {
	o := start(t)
	c := o.starts(t, "pods", fourValidators)
	o.pod(t, c, 0, waitsFor("ImagePullBackOff"))
	o.pod(t, c, 1, waitsFor("ContainerCreating"))
	o.pod(t, c, 2, corev1.PodStatus{Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
	}}})
	want := "no block has been seen yet; pod pods-0: ImagePullBackOff of container node, pod pods-2: Unschedulable"
	o.wait(t, c, "the pods are told of", func() error {
		for _, condition := range c.Status.Conditions {
			if condition.Type == lucidv1.ConditionNetworkReady && strings.HasSuffix(condition.Message, want) {
				return nil
			}
		}
		return fmt.Errorf("conditions %+v", c.Status.Conditions)
	})
}

// A StatefulSet that the API server refuses is the user's to mend, and they are told.
func TestInvalidNodesAreExplained(t *testing.T) {
	o := start(t)
	c := o.declare(t, "invalid", func(spec *lucidv1.ChainSpec) {
		immediate(spec)
		spec.Network.Resources = &corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
		}
	})
	o.waitCondition(t, c, lucidv1.ConditionLaunched, metav1.ConditionTrue, lucidv1.ReasonLaunched)
	o.buy(t, c, 50_000*money.Unit)
	got := o.waitCondition(t, c, lucidv1.ConditionGraduated, metav1.ConditionFalse, lucidv1.ReasonInvalid)
	if !strings.Contains(got.Message, "StatefulSet") || !strings.Contains(got.Message, "must be less than or equal to cpu limit") {
		t.Errorf("message %q, want the API server's reason", got.Message)
	}
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonInvalid)
	o.edit(t, c, func(spec *lucidv1.ChainSpec) { spec.Network.Resources = nil })
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionFalse, lucidv1.ReasonNetworkStarting)
}

// How many pods may be away follows from who votes, not from how many run.
func TestBudgetFollowsTheVoters(t *testing.T) {
	o := start(t)
	c := o.lives(t, "budget", validators(6))
	o.network.set(func(n *fakeNetwork) { n.refuses = true })
	o.edit(t, c, validators(7))
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonScaling)
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: o.meta("budget")}
	o.wait(t, budget, "a budget", func() error { return nil })
	if away := budget.Spec.MaxUnavailable.IntValue(); away != 1 {
		t.Errorf("%d may be away of six who vote", away)
	}
	o.network.set(func(n *fakeNetwork) { n.refuses = false })
	time.Sleep(time.Second)
	o.wait(t, budget, "seven who vote can spare two", func() error {
		if away := budget.Spec.MaxUnavailable.IntValue(); away != 2 {
			return fmt.Errorf("%d may be away", away)
		}
		return nil
	})
}
