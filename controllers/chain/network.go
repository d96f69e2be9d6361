package chain

import (
	"math/big"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
)

// disruptionBudget lets so many pods be away at a time that more than two thirds of
// the voters' power stays, whoever they are. Up to three voters can spare none: these
// may still be drained one at a time, with a halt of seconds, because a budget of
// none would block drains for ever. Pods that don't vote yet count as if they did.
func disruptionBudget(chain *lucidv1.Chain, powers []int64) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: childMeta(chain, chain.Name),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: ptr.To(intstr.FromInt(max(spare(powers), 1))),
			Selector:       &metav1.LabelSelector{MatchLabels: nodeSelector(chain)},
		},
	}
}

// spare is how many voters may be away, be it those who weigh most.
func spare(powers []int64) int {
	// Exact, for the powers of a chain may add up to more than an integer's third.
	total, left := new(big.Int), new(big.Int)
	for _, power := range powers {
		total.Add(total, big.NewInt(power))
	}
	left.Set(total)
	away := 0
	for _, power := range slices.Backward(slices.Sorted(slices.Values(powers))) {
		left.Sub(left, big.NewInt(power))
		if new(big.Int).Mul(left, big.NewInt(3)).Cmp(new(big.Int).Mul(total, big.NewInt(2))) <= 0 {
			break
		}
		away++
	}
	return away
}

// equalPowers are those of birth.
func equalPowers(validators int) []int64 {
	return slices.Repeat([]int64{validatorPower}, validators)
}

func powersOf(members []Member) []int64 {
	powers := make([]int64, len(members))
	for i, m := range members {
		powers[i] = m.Power
	}
	return powers
}

// networkPolicy lets the nodes reach each other and names, the gateway's API
// pods and the operator ask the RPC, and any pod read metrics. Kubelet's probes
// come from the machine and are always let through.
func networkPolicy(chain *lucidv1.Chain, operatorNamespace string) *networkingv1.NetworkPolicy {
	own := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: nodeSelector(chain)}}
	api := networkingv1.NetworkPolicyPeer{
		PodSelector: &metav1.LabelSelector{MatchLabels: resources.Selector(chain.Spec.GatewayRef.Name)},
	}
	// An operator outside a cluster knows no namespace of its own.
	namespace := &metav1.LabelSelector{}
	if operatorNamespace != "" {
		namespace.MatchLabels = map[string]string{corev1.LabelMetadataName: operatorNamespace}
	}
	operator := networkingv1.NetworkPolicyPeer{
		NamespaceSelector: namespace,
		PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{
			resources.LabelName: "lucid", resources.LabelComponent: "operator",
		}},
	}
	return &networkingv1.NetworkPolicy{
		ObjectMeta: childMeta(chain, chain.Name),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: nodeSelector(chain)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{
				{Ports: resources.TCP(portP2P), From: []networkingv1.NetworkPolicyPeer{own}},
				{Ports: resources.TCP(portRPC), From: []networkingv1.NetworkPolicyPeer{own, api, operator}},
				{Ports: resources.TCP(portMetrics), From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}},
			},
			Egress: []networkingv1.NetworkPolicyEgressRule{
				resources.Names(),
				{Ports: resources.TCP(portP2P, portRPC), To: []networkingv1.NetworkPolicyPeer{own}},
			},
		},
	}
}
