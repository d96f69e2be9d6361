package lucidgateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

func (w *world) policy(name string, requests int64, section lucidv1.SurfaceName) *lucidv1.RateLimitPolicy {
	w.t.Helper()
	policy := &lucidv1.RateLimitPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name},
		Spec: lucidv1.RateLimitPolicySpec{
			TargetRefs: []lucidv1.PolicyTargetReference{{Name: "lucid", SectionName: section}},
			Tiers:      []lucidv1.Tier{{Name: "all", Requests: requests, Window: "1m"}},
		},
	}
	require.NoError(w.t, w.Client.Create(w.t.Context(), policy))
	return policy
}

// policyCondition waits for a condition of the policy's only target.
func (w *world) policyCondition(name, conditionType string, status metav1.ConditionStatus, reason string) metav1.Condition {
	w.t.Helper()
	var found metav1.Condition
	w.eventually(name+" "+conditionType+" to be "+string(status)+"/"+reason, func(ctx context.Context) error {
		policy := &lucidv1.RateLimitPolicy{}
		if err := w.get(ctx, name, policy); err != nil {
			return err
		}
		if len(policy.Status.Ancestors) != 1 {
			return fmt.Errorf("%d targets in the status", len(policy.Status.Ancestors))
		}
		for _, c := range policy.Status.Ancestors[0].Conditions {
			if c.Type != conditionType {
				continue
			}
			found = c
			if c.Status == status && c.Reason == reason {
				return nil
			}
			return fmt.Errorf("is %s/%s: %s", c.Status, c.Reason, c.Message)
		}
		return errors.New("not set")
	})
	return found
}

func TestPolicyIsProgrammedOnlyWhenEveryPodReports(t *testing.T) {
	w := newWorld(t)
	w.secret()
	w.gateway()
	w.running("pod-a", "pod-b")

	w.policy("narrow", 7, lucidv1.SurfaceGateway)
	w.policyCondition("narrow", lucidv1.ConditionAccepted, metav1.ConditionTrue, lucidv1.ReasonAccepted)
	behind := w.policyCondition("narrow", lucidv1.ConditionProgrammed, metav1.ConditionFalse, lucidv1.ReasonReconciling)
	for behind.Message != "0 of 2 pods at generation 2" {
		behind = w.policyCondition("narrow", lucidv1.ConditionProgrammed, metav1.ConditionFalse, lucidv1.ReasonReconciling)
	}
	assert.EqualValues(t, 2, w.report("pod-a"))
	w.eventually("one pod's report", func(ctx context.Context) error {
		got := w.policyCondition("narrow", lucidv1.ConditionProgrammed, metav1.ConditionFalse, lucidv1.ReasonReconciling)
		if got.Message != "1 of 2 pods at generation 2" {
			return errors.New(got.Message)
		}
		return nil
	})
	w.report("pod-b")
	done := w.policyCondition("narrow", lucidv1.ConditionProgrammed, metav1.ConditionTrue, lucidv1.ReasonProgrammed)
	assert.Equal(t, "2 of 2 pods at generation 2", done.Message)
	affected := w.condition(lucidv1.ConditionRateLimitPolicyAffected, metav1.ConditionTrue, lucidv1.ReasonAccepted)
	assert.Contains(t, affected.Message, "narrow")
	assert.Zero(t, w.quiet(2*time.Second), "writes in steady state:\n%s", w.writes)
}

func TestConflictIsToldByBothPolicies(t *testing.T) {
	w := newWorld(t)
	w.secret()
	w.gateway()
	w.running("pod-a")

	older := w.policy("older", 7, "")
	time.Sleep(1100 * time.Millisecond) // creation times have whole seconds
	w.policy("newer", 8, "")
	loser := w.policyCondition("newer", lucidv1.ConditionAccepted, metav1.ConditionFalse, lucidv1.ReasonConflicted)
	assert.Contains(t, loser.Message, w.Namespace+"/older")
	w.eventually("the winner to name the loser", func(ctx context.Context) error {
		won := w.policyCondition("older", lucidv1.ConditionAccepted, metav1.ConditionTrue, lucidv1.ReasonAccepted)
		if want := "overrides RateLimitPolicy " + w.Namespace + "/newer"; !strings.Contains(won.Message, want) {
			return errors.New(won.Message)
		}
		return nil
	})

	require.NoError(t, w.Client.Delete(t.Context(), older))
	w.policyCondition("newer", lucidv1.ConditionAccepted, metav1.ConditionTrue, lucidv1.ReasonAccepted)
	w.report("pod-a")
	w.policyCondition("newer", lucidv1.ConditionProgrammed, metav1.ConditionTrue, lucidv1.ReasonProgrammed)
}

func TestPolicyWithoutGateway(t *testing.T) {
	w := newWorld(t)
	w.policy("lost", 7, "")
	missing := w.policyCondition("lost", lucidv1.ConditionAccepted, metav1.ConditionFalse, lucidv1.ReasonTargetNotFound)
	assert.Contains(t, missing.Message, "lucid")
	w.secret()
	w.gateway()
	w.policyCondition("lost", lucidv1.ConditionAccepted, metav1.ConditionTrue, lucidv1.ReasonAccepted)
}

// An edit has to bite within a second on every pod; the operator's share, from
// the edit to the written snapshot, is held to a fraction of that.
func TestPolicyEditsReachTheSnapshotAtOnce(t *testing.T) {
	w := newWorld(t)
	w.database.Store(false) // a gateway in trouble must not hold the limits up
	w.secret()
	w.gateway()
	policy := w.policy("edited", 1, "")
	const edits = 20
	var slowest time.Duration
	for i := range int64(edits) {
		require.NoError(t, w.get(t.Context(), "edited", policy))
		policy.Spec.Tiers[0].Requests = 100 + i
		w.eventually("the edit", func(ctx context.Context) error {
			if err := w.get(ctx, "edited", policy); err != nil {
				return err
			}
			policy.Spec.Tiers[0].Requests = 100 + i
			return w.Client.Update(ctx, policy)
		})
		start := time.Now()
		w.eventually("the edit in the snapshot", func(ctx context.Context) error {
			doc, err := w.snapshot(ctx)
			if err != nil {
				return err
			}
			if tiers := doc.RateLimits["docu"]; len(tiers) != 1 || tiers[0].Requests != 100+i {
				return errors.New("not there yet")
			}
			return nil
		})
		slowest = max(slowest, time.Since(start))
	}
	t.Logf("slowest of %d edits: %s", edits, slowest)
	assert.Less(t, slowest, 700*time.Millisecond)
}
