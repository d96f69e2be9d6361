package ratelimitpolicy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/policy"
)

func TestReportTarget(t *testing.T) {
	own := types.NamespacedName{Namespace: "ns", Name: "own"}
	inForce := &policy.Claim{InForce: []string{"docu", "gateway"}}
	current := policy.Progress{Generation: 4, Ready: 2, Current: 2}
	behind := policy.Progress{Generation: 4, Ready: 2, Current: 1}
	cases := map[string]struct {
		reason     string
		claim      *policy.Claim
		state      *policy.State
		accepted   string // reason
		programmed string // reason; empty when there is no such condition
		status     metav1.ConditionStatus
		message    string // part of the Programmed message
	}{
		"no gateway": {reason: "Without a target nothing is programmed.", accepted: lucidv1.ReasonTargetNotFound},
		"refused": {reason: "A policy that is not accepted has no Programmed (GEP-713).",
			claim: &policy.Claim{Refusal: &policy.Refusal{Reason: lucidv1.ReasonConflicted, Message: "x"}}, state: &policy.State{}, accepted: lucidv1.ReasonConflicted},
		"overridden": {reason: "Where others govern every surface, the condition names them.",
			claim: &policy.Claim{OverriddenBy: map[string]types.NamespacedName{"gateway": own}}, state: &policy.State{Published: true, Progress: current},
			accepted: lucidv1.ReasonAccepted, programmed: lucidv1.ReasonOverridden, status: metav1.ConditionFalse, message: "ns/own"},
		"unwritten": {reason: "The snapshot does not hold it yet.", claim: inForce, state: &policy.State{Progress: current},
			accepted: lucidv1.ReasonAccepted, programmed: lucidv1.ReasonReconciling, status: metav1.ConditionFalse, message: "about to be written"},
		"behind": {reason: "One pod has not taken it.", claim: inForce, state: &policy.State{Published: true, Progress: behind},
			accepted: lucidv1.ReasonAccepted, programmed: lucidv1.ReasonReconciling, status: metav1.ConditionFalse, message: "1 of 2 pods at generation 4"},
		"taken": {reason: "Somebody else's ConfigMap has the snapshot's name.", claim: inForce, state: &policy.State{Foreign: true},
			accepted: lucidv1.ReasonAccepted, programmed: lucidv1.ReasonNotOwned, status: metav1.ConditionFalse},
		"invalid gateway": {reason: "The gateway's own mistake keeps the policy from the pods.", claim: inForce, state: &policy.State{Invalid: "cnpyUSDRate must be above 0"},
			accepted: lucidv1.ReasonAccepted, programmed: lucidv1.ReasonInvalid, status: metav1.ConditionFalse, message: "cnpyUSDRate"},
		"partly": {reason: "It bites where it governs, and says where it does not.",
			claim:    &policy.Claim{InForce: []string{"docu"}, OverriddenBy: map[string]types.NamespacedName{"gateway": own}},
			state:    &policy.State{Published: true, Progress: current},
			accepted: lucidv1.ReasonAccepted, programmed: lucidv1.ReasonPartiallyProgrammed, status: metav1.ConditionTrue, message: "on surface gateway"},
		"programmed": {reason: "Every ready pod enforces it.", claim: inForce, state: &policy.State{Published: true, Progress: current},
			accepted: lucidv1.ReasonAccepted, programmed: lucidv1.ReasonProgrammed, status: metav1.ConditionTrue, message: "2 of 2 pods"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			object := &lucidv1.RateLimitPolicy{ObjectMeta: metav1.ObjectMeta{Generation: 3}}
			report(object, []target{{ref: lucidv1.PolicyTargetReference{Name: "lucid"}, state: tc.state, claim: tc.claim}})
			require.Len(t, object.Status.Ancestors, 1)
			conditions := object.Status.Ancestors[0].Conditions
			assert.Equal(t, tc.accepted, meta.FindStatusCondition(conditions, lucidv1.ConditionAccepted).Reason, tc.reason)
			programmed := meta.FindStatusCondition(conditions, lucidv1.ConditionProgrammed)
			if tc.programmed == "" {
				assert.Nil(t, programmed, tc.reason)
				return
			}
			assert.Equal(t, tc.programmed, programmed.Reason, tc.reason)
			assert.Equal(t, tc.status, programmed.Status, tc.reason)
			assert.Contains(t, programmed.Message, tc.message, tc.reason)
			assert.EqualValues(t, 3, programmed.ObservedGeneration)
			ready := meta.FindStatusCondition(object.Status.Conditions, lucidv1.ConditionReady)
			assert.Equal(t, tc.status, ready.Status, "Ready sums up")
		})
	}
}

func TestReportKeepsStrangersAndTimes(t *testing.T) {
	ref := lucidv1.PolicyTargetReference{Name: "lucid"}
	object := &lucidv1.RateLimitPolicy{}
	object.Status.Ancestors = []lucidv1.PolicyAncestorStatus{{AncestorRef: ref, ControllerName: "example.org/other"}}
	targets := []target{{ref: ref}}
	report(object, targets)
	first := object.Status.DeepCopy()
	report(object, targets)
	assert.Equal(t, first, &object.Status, "a second pass over the same facts changes nothing")
	require.Len(t, object.Status.Ancestors, 2)
	assert.Equal(t, "example.org/other", object.Status.Ancestors[0].ControllerName, "what others wrote stays")
	report(object, nil)
	assert.Len(t, object.Status.Ancestors, 1, "a target that is no longer named goes")
}
