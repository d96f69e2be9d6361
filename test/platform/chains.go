package platform

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// LaunchedChain applies a chain that launches at once with the seed's default
// curve and the threshold, and waits until it trades.
func (p *Platform) LaunchedChain(t testing.TB, prefix, threshold string) *lucidv1.Chain {
	t.Helper()
	chain := p.ManualChain(prefix)
	chain.Spec.Launch.Mode = lucidv1.LaunchImmediate
	chain.Spec.Graduation.ThresholdCNPY = threshold
	// A test's chain lives for minutes: it asks for little.
	chain.Spec.Network.Storage.Size = resource.MustParse("256Mi")
	chain.Spec.DeletionPolicy = lucidv1.DeletionRetain
	if err := p.Create(context.Background(), chain); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Delete(context.Background(), chain) })
	Eventually(t, time.Minute, "chain launched", func(ctx context.Context) error {
		return p.Ready(ctx, chain, lucidv1.ConditionLaunched)
	})
	return chain
}

// WaitGraduated waits until the chain is a blockchain of its own.
func (p *Platform) WaitGraduated(t testing.TB, chain *lucidv1.Chain) {
	t.Helper()
	from := time.Now()
	Eventually(t, 4*time.Minute, "chain graduated", func(ctx context.Context) error {
		return p.Ready(ctx, chain, lucidv1.ConditionGraduated)
	})
	t.Logf("chain %s graduated; waited %s", chain.Name, time.Since(from).Round(time.Millisecond))
}

// GraduatedChain launches a chain and buys it over its threshold.
func (p *Platform) GraduatedChain(t testing.TB, prefix string) *lucidv1.Chain {
	t.Helper()
	chain := p.LaunchedChain(t, prefix, "11000")
	buyer := p.NewUser()
	if err := buyer.Fund(context.Background(), "5000"); err != nil {
		t.Fatal(err)
	}
	answer, err := buyer.Trade(context.Background(), chain.Status.LedgerID, uuid.NewString(), Order{Side: "buy", CNPYAmount: "2000"})
	if err == nil {
		err = answer.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.WaitGraduated(t, chain)
	return chain
}

// KillOne deletes one random pod with those labels, without grace.
func (p *Platform) KillOne(ctx context.Context, namespace string, labels client.MatchingLabels) error {
	list := &corev1.PodList{}
	if err := p.List(ctx, list, client.InNamespace(namespace), labels); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return errors.New("no such pod")
	}
	return p.Delete(ctx, &list.Items[rand.IntN(len(list.Items))], client.GracePeriodSeconds(0))
}

// OperatorLeads reports whether an operator's pod that is there holds the lease by
// which one of them works at a time. Its holder is named after its pod.
func (p *Platform) OperatorLeads(ctx context.Context) bool {
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: "lucid-system", Name: "lucid-operator"}
	if p.Get(ctx, key, lease) != nil || lease.Spec.HolderIdentity == nil {
		return false
	}
	pod, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return pod != "" && p.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: pod}, &corev1.Pod{}) == nil
}
