//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// TestPolicyBites applies a narrow limit, wants it enforced with the headers
// and code of the launchpad, and wants it gone once the policy is deleted.
func TestPolicyBites(t *testing.T) {
	p := platform.MustOpen(t)
	policy := p.OpenPolicy("e2e-narrow")
	policy.Spec.Tiers[0].Requests, policy.Spec.Tiers[0].Burst = 6, 3
	create(t, p, policy)
	t.Cleanup(func() { _ = p.Delete(context.Background(), policy) })
	waitCondition(t, p, policy, "Programmed", metav1.ConditionTrue)

	answer := exhaust(t, p.NewUser())
	if answer.Error.Code != "RATE_LIMIT_EXCEEDED" {
		t.Errorf("code = %q, want RATE_LIMIT_EXCEEDED", answer.Error.Code)
	}
	for _, name := range []string{"Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
		if answer.Header.Get(name) == "" {
			t.Errorf("a 429 lacks the header %s", name)
		}
	}

	if err := p.Delete(context.Background(), policy); err != nil {
		t.Fatal(err)
	}
	user := p.NewUser()
	platform.Eventually(t, 20*time.Second, "the limit is gone with the policy", func(ctx context.Context) error {
		answer, err := user.Do(ctx, http.MethodGet, "/templates", nil)
		if err == nil && answer.Header.Get("X-RateLimit-Limit") == "6" {
			err = fmt.Errorf("still limited to 6 requests")
		}
		return err
	})
}

// exhaust sends requests until one is refused with 429. Two pods keep their
// own buckets, so the limit is met after at most both are empty.
func exhaust(t *testing.T, user *platform.User) *platform.Answer {
	t.Helper()
	for range 20 {
		answer, err := user.Do(context.Background(), http.MethodGet, "/templates", nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Status == http.StatusTooManyRequests {
			return answer
		}
	}
	t.Fatal("20 requests against a burst of 3 and none was refused")
	return nil
}

// TestConflictingPolicies: two policies for one surface; the older wins, and
// both say so.
func TestConflictingPolicies(t *testing.T) {
	p := platform.MustOpen(t)
	older, newer := p.OpenPolicy("e2e-older"), p.OpenPolicy("e2e-newer")
	newer.Spec.Tiers[0].Requests = 77
	create(t, p, older)
	t.Cleanup(func() { _ = p.Delete(context.Background(), older) })
	time.Sleep(1100 * time.Millisecond) // creation times have whole seconds
	create(t, p, newer)
	t.Cleanup(func() { _ = p.Delete(context.Background(), newer) })

	lost := waitCondition(t, p, newer, "Accepted", metav1.ConditionFalse)
	if lost.Reason != "Conflicted" || !strings.Contains(lost.Message, older.Name) {
		t.Errorf("the newer says %s: %s, want Conflicted naming %s", lost.Reason, lost.Message, older.Name)
	}
	platform.Eventually(t, 20*time.Second, "the older names the one it overrides", func(ctx context.Context) error {
		if err := p.Get(ctx, client.ObjectKeyFromObject(older), older); err != nil {
			return err
		}
		for _, condition := range policyConditions(older) {
			if strings.Contains(condition.Message, newer.Name) {
				return nil
			}
		}
		return fmt.Errorf("conditions %v do not name %s", policyConditions(older), newer.Name)
	})
	if won := waitCondition(t, p, older, "Accepted", metav1.ConditionTrue); won.Reason == "" {
		t.Error("the older has no reason")
	}

	if err := p.Delete(context.Background(), older); err != nil {
		t.Fatal(err)
	}
	waitCondition(t, p, newer, "Programmed", metav1.ConditionTrue)
}

// policyConditions gathers the conditions of all of a policy's targets.
func policyConditions(policy *lucidv1.RateLimitPolicy) []metav1.Condition {
	conditions := append([]metav1.Condition{}, policy.Status.Conditions...)
	for _, ancestor := range policy.Status.Ancestors {
		conditions = append(conditions, ancestor.Conditions...)
	}
	return conditions
}

func waitCondition(t *testing.T, p *platform.Platform, policy *lucidv1.RateLimitPolicy, conditionType string, want metav1.ConditionStatus) metav1.Condition {
	t.Helper()
	var found metav1.Condition
	platform.Eventually(t, 30*time.Second, policy.Name+" "+conditionType, func(ctx context.Context) error {
		if err := p.Get(ctx, client.ObjectKeyFromObject(policy), policy); err != nil {
			return err
		}
		condition := meta.FindStatusCondition(policyConditions(policy), conditionType)
		if condition == nil || condition.Status != want || condition.ObservedGeneration < policy.Generation {
			return fmt.Errorf("condition is %+v, want %s", condition, want)
		}
		found = *condition
		return nil
	})
	return found
}
