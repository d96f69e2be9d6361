package chain

import (
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
)

// disruptionBudget lets so many validators be away at a time that more than two
// thirds of the power stays. Up to three validators can spare none: these may
// still be drained one at a time, with a halt of seconds, because a budget of
// none would block drains for ever.
func disruptionBudget(chain *lucidv1.Chain, validators int) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: childMeta(chain, chain.Name),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: ptr.To(intstr.FromInt(max((validators-1)/3, 1))),
			Selector:       &metav1.LabelSelector{MatchLabels: nodeSelector(chain)},
		},
	}
}

// networkPolicy lets the nodes reach each other and names, the gateway's API
// pods and the operator ask the RPC, and any pod read metrics. Kubelet's probes
// come from the machine and are always let through.
func networkPolicy(chain *lucidv1.Chain) *networkingv1.NetworkPolicy {
	own := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: nodeSelector(chain)}}
	api := networkingv1.NetworkPolicyPeer{
		PodSelector: &metav1.LabelSelector{MatchLabels: resources.Selector(chain.Spec.GatewayRef.Name)},
	}
	operator := networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{},
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
				{Ports: resources.TCP(portRPC), From: []networkingv1.NetworkPolicyPeer{api, operator}},
				{Ports: resources.TCP(portMetrics), From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}},
			},
			Egress: []networkingv1.NetworkPolicyEgressRule{
				resources.Names(),
				{Ports: resources.TCP(portP2P), To: []networkingv1.NetworkPolicyPeer{own}},
			},
		},
	}
}
