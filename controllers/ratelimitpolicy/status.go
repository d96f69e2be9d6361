package ratelimitpolicy

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/policy"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

// ControllerName marks the status entries that this controller writes (GEP-713).
const ControllerName = "lucid-blockchain.org/operator"

// report computes the whole status from what was gathered.
func report(object *lucidv1.RateLimitPolicy, targets []target) {
	before := object.Status.Ancestors
	object.Status.Ancestors = strangers(before)
	for _, t := range targets {
		entry := lucidv1.PolicyAncestorStatus{
			AncestorRef:    t.ref,
			ControllerName: ControllerName,
			Conditions:     conditionsBefore(before, t.ref),
		}
		reportTarget(reconcile.Conditions{List: &entry.Conditions, Generation: object.Generation}, t)
		object.Status.Ancestors = append(object.Status.Ancestors, entry)
	}
	object.Status.ObservedGeneration = object.Generation
	summarise(object)
}

// reportTarget sets Accepted and, once accepted, Programmed.
func reportTarget(conditions reconcile.Conditions, t target) {
	switch {
	case t.claim == nil:
		conditions.False(lucidv1.ConditionAccepted, lucidv1.ReasonTargetNotFound,
			"LucidGateway "+t.ref.Name+" does not exist in this namespace")
	case !t.claim.Accepted():
		conditions.False(lucidv1.ConditionAccepted, t.claim.Refusal.Reason, t.claim.Refusal.Message)
	default:
		conditions.True(lucidv1.ConditionAccepted, lucidv1.ReasonAccepted, acceptedText(t.claim))
		reportProgrammed(conditions, t)
		return
	}
	conditions.Remove(lucidv1.ConditionProgrammed)
}

func reportProgrammed(conditions reconcile.Conditions, t target) {
	const condition = lucidv1.ConditionProgrammed
	progress := t.state.Progress.String()
	switch {
	case len(t.claim.InForce) == 0:
		conditions.False(condition, lucidv1.ReasonOverridden, overriddenText(t.claim))
	case t.state.Invalid != "":
		conditions.False(condition, lucidv1.ReasonInvalid, "the gateway's configuration is not valid: "+t.state.Invalid)
	case t.state.Foreign:
		conditions.False(condition, lucidv1.ReasonNotOwned, "the name of the gateway's snapshot is taken by a ConfigMap of somebody else")
	case !t.state.Published:
		conditions.False(condition, lucidv1.ReasonReconciling, "the snapshot is about to be written")
	case !t.state.Enforced():
		conditions.False(condition, lucidv1.ReasonReconciling, progress)
	case len(t.claim.OverriddenBy) > 0:
		conditions.True(condition, lucidv1.ReasonPartiallyProgrammed, progress+"; "+overriddenText(t.claim))
	default:
		conditions.True(condition, lucidv1.ReasonProgrammed, progress)
	}
}

// acceptedText names what the policy governs and which policies give way to it,
// so that the winner of a conflict can be found from either side.
func acceptedText(claim *policy.Claim) string {
	text := "governs no surface"
	if len(claim.InForce) > 0 {
		text = "governs surface " + strings.Join(claim.InForce, ", ")
	}
	if len(claim.Overrides) > 0 {
		text += "; overrides RateLimitPolicy " + join(claim.Overrides)
	}
	return text
}

func overriddenText(claim *policy.Claim) string {
	var parts []string
	for _, surface := range slices.Sorted(maps.Keys(claim.OverriddenBy)) {
		parts = append(parts, "on surface "+surface+" the more specific RateLimitPolicy "+claim.OverriddenBy[surface].String()+" applies")
	}
	if len(parts) == 0 {
		return "the gateway serves no surface for it to govern"
	}
	return strings.Join(parts, "; ")
}

// summarise sets Ready from all targets: the first that is not programmed says why.
func summarise(object *lucidv1.RateLimitPolicy) {
	summary := reconcile.Conditions{List: &object.Status.Conditions, Generation: object.Generation}
	for i := range object.Status.Ancestors {
		entry := &object.Status.Ancestors[i]
		if entry.ControllerName != ControllerName {
			continue
		}
		conditions := reconcile.Conditions{List: &entry.Conditions}
		for _, part := range []string{lucidv1.ConditionAccepted, lucidv1.ConditionProgrammed} {
			if got := conditions.Get(part); got != nil && got.Status != metav1.ConditionTrue {
				summary.False(lucidv1.ConditionReady, got.Reason, got.Message)
				return
			}
		}
	}
	summary.True(lucidv1.ConditionReady, lucidv1.ReasonReady, "every target enforces the policy")
}

// strangers returns the entries that other controllers wrote; they stay.
func strangers(before []lucidv1.PolicyAncestorStatus) []lucidv1.PolicyAncestorStatus {
	var kept []lucidv1.PolicyAncestorStatus
	for _, entry := range before {
		if entry.ControllerName != ControllerName {
			kept = append(kept, entry)
		}
	}
	return kept
}

// conditionsBefore keeps the transition times of a target's conditions.
func conditionsBefore(before []lucidv1.PolicyAncestorStatus, ref lucidv1.PolicyTargetReference) []metav1.Condition {
	for _, entry := range before {
		if entry.ControllerName == ControllerName && entry.AncestorRef == ref {
			return slices.Clone(entry.Conditions)
		}
	}
	return nil
}

func join(names []types.NamespacedName) string {
	texts := make([]string, 0, len(names))
	for _, name := range names {
		texts = append(texts, name.String())
	}
	return strings.Join(texts, ", ")
}
