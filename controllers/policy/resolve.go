// Package policy decides what a gateway's RateLimitPolicies amount to. It is
// pure: the snapshot controller writes its result, the policy controller
// reports it, and both come to the same answer because they ask the same code.
//
// The rules are those of GEP-713 with the merge strategy "atomic defaults":
// policies on the same target and section conflict, and the older one (then the
// first by namespace/name) is accepted; of a policy on the whole gateway and one
// on a surface of it, the more specific one wins that surface whole.
package policy

import (
	"cmp"
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
)

// Claim is one target of one policy: what it wants to govern and what became of it.
type Claim struct {
	Policy  types.NamespacedName
	Section string // surface; empty for the whole gateway

	// Refusal is why the claim is not accepted; nil when it is.
	Refusal *Refusal
	// InForce lists the surfaces that run this policy's tiers, sorted.
	InForce []string
	// OverriddenBy names, per surface, the more specific policy that runs there.
	OverriddenBy map[string]types.NamespacedName
	// Overrides lists the policies that give way to this one, sorted.
	Overrides []types.NamespacedName

	tiers []ratelimit.Tier
}

// Refusal says why a claim is not accepted.
type Refusal struct {
	Reason  string // a reason of the Accepted condition
	Message string
}

// Accepted reports whether the claim counts.
func (c *Claim) Accepted() bool { return c.Refusal == nil }

// Resolve returns the claims that policies make on gateway, oldest policy first
// and in the order of their target references. Policies of other namespaces make
// none: a target reference is local.
func Resolve(gateway *lucidv1.LucidGateway, policies []lucidv1.RateLimitPolicy) []*Claim {
	surfaces := enabled(gateway)
	var claims []*Claim
	for _, policy := range byAge(policies) {
		if policy.Namespace == gateway.Namespace && policy.DeletionTimestamp.IsZero() {
			claims = append(claims, claimsOf(policy, gateway.Name, surfaces)...)
		}
	}
	winners := settleConflicts(claims)
	spread(winners, surfaces)
	for _, claim := range claims {
		slices.SortFunc(claim.Overrides, compareNames)
		claim.Overrides = slices.Compact(claim.Overrides)
	}
	return claims
}

// Limits returns the tiers of each surface that some policy governs.
func Limits(claims []*Claim) map[string][]ratelimit.Tier {
	limits := map[string][]ratelimit.Tier{}
	for _, claim := range claims {
		for _, surface := range claim.InForce {
			limits[surface] = claim.tiers
		}
	}
	return limits
}

// byAge sorts as GEP-713 settles conflicts.
func byAge(policies []lucidv1.RateLimitPolicy) []*lucidv1.RateLimitPolicy {
	sorted := make([]*lucidv1.RateLimitPolicy, len(policies))
	for i := range policies {
		sorted[i] = &policies[i]
	}
	slices.SortFunc(sorted, func(a, b *lucidv1.RateLimitPolicy) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), compareNames(nameOf(a), nameOf(b)))
	})
	return sorted
}

func claimsOf(policy *lucidv1.RateLimitPolicy, gateway string, surfaces []string) []*Claim {
	var claims []*Claim
	tiers, invalid := Tiers(policy)
	for _, ref := range policy.Spec.TargetRefs {
		if !Targets(ref, gateway) {
			continue
		}
		claim := &Claim{Policy: nameOf(policy), Section: string(ref.SectionName), tiers: tiers, Refusal: invalid}
		if invalid == nil && claim.Section != "" && !slices.Contains(surfaces, claim.Section) {
			claim.Refusal = &Refusal{
				Reason:  lucidv1.ReasonTargetNotFound,
				Message: "LucidGateway " + gateway + " has no enabled surface " + claim.Section,
			}
		}
		claims = append(claims, claim)
	}
	return claims
}

// settleConflicts accepts the first claim of each section and refuses the
// others; claims come oldest first.
func settleConflicts(claims []*Claim) map[string]*Claim {
	winners := map[string]*Claim{}
	for _, claim := range claims {
		if !claim.Accepted() {
			continue
		}
		winner, taken := winners[claim.Section]
		if !taken {
			winners[claim.Section] = claim
			continue
		}
		claim.Refusal = &Refusal{
			Reason:  lucidv1.ReasonConflicted,
			Message: "RateLimitPolicy " + winner.Policy.String() + " already governs " + sectionText(claim.Section) + "; the older policy wins",
		}
		if winner.Policy == claim.Policy {
			claim.Refusal.Message = "the policy names " + sectionText(claim.Section) + " twice"
			continue
		}
		winner.Overrides = append(winner.Overrides, claim.Policy)
	}
	return winners
}

// spread gives each surface to its own policy, else to the whole gateway's.
func spread(winners map[string]*Claim, surfaces []string) {
	whole := winners[""]
	for _, surface := range surfaces {
		own := winners[surface]
		switch {
		case own == nil && whole == nil:
		case own == nil:
			whole.InForce = append(whole.InForce, surface)
		default:
			own.InForce = append(own.InForce, surface)
			if whole != nil && whole.Policy != own.Policy {
				own.Overrides = append(own.Overrides, whole.Policy)
				whole.override(surface, own.Policy)
			}
		}
	}
}

func (c *Claim) override(surface string, by types.NamespacedName) {
	if c.OverriddenBy == nil {
		c.OverriddenBy = map[string]types.NamespacedName{}
	}
	c.OverriddenBy[surface] = by
}

// Targets reports whether a reference is to the named LucidGateway.
func Targets(ref lucidv1.PolicyTargetReference, gateway string) bool {
	return ref.Group == lucidv1.GroupVersion.Group && ref.Kind == "LucidGateway" && ref.Name == gateway
}

func enabled(gateway *lucidv1.LucidGateway) []string {
	var names []string
	for _, surface := range gateway.Spec.Surfaces {
		if surface.State != lucidv1.SurfaceDisabled {
			names = append(names, string(surface.Name))
		}
	}
	slices.Sort(names)
	return names
}

func sectionText(section string) string {
	if section == "" {
		return "the whole gateway"
	}
	return "surface " + section
}

func nameOf(policy *lucidv1.RateLimitPolicy) types.NamespacedName {
	return types.NamespacedName{Namespace: policy.Namespace, Name: policy.Name}
}

func compareNames(a, b types.NamespacedName) int { return cmp.Compare(a.String(), b.String()) }

// GatewaysOf lists the gateways a policy targets; it maps the policy's events to
// the controllers of gateways.
func GatewaysOf(_ context.Context, obj client.Object) []reconcile.Request {
	policy, ok := obj.(*lucidv1.RateLimitPolicy)
	if !ok {
		return nil
	}
	var requests []reconcile.Request
	for _, ref := range policy.Spec.TargetRefs {
		request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: policy.Namespace, Name: ref.Name}}
		if Targets(ref, ref.Name) && !slices.Contains(requests, request) {
			requests = append(requests, request)
		}
	}
	return requests
}
