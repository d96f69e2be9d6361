package resources

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// Ports of the pods' egress besides the database's.
const (
	portDNS      int32 = 53
	portHTTPS    int32 = 443
	portAPI      int32 = 6443  // where most clusters' API servers listen behind 443
	portChainRPC int32 = 26657 // CometBFT's RPC of a live chain
)

// Services builds one Service per enabled surface.
func Services(in Input) []*corev1.Service {
	var services []*corev1.Service
	for _, surface := range EnabledSurfaces(in.Gateway) {
		name := string(surface.Name)
		service := &corev1.Service{
			ObjectMeta: in.meta(ServiceName(in.Gateway.Name, name), ComponentAPI),
			Spec: corev1.ServiceSpec{
				Type:     corev1.ServiceTypeClusterIP,
				Selector: Selector(in.Gateway.Name),
				Ports: []corev1.ServicePort{{
					Name:        "http",
					Protocol:    corev1.ProtocolTCP,
					AppProtocol: ptr.To("http"),
					Port:        SurfacePort(name),
					TargetPort:  intstr.FromString(name),
				}},
			},
		}
		service.Labels[LabelSurface] = name
		services = append(services, service)
	}
	return services
}

// Ingress builds the gateway's Ingress, or nil when it asks for none. Each
// surface is found by its host; a surface without one is not published.
func Ingress(in Input) *networkingv1.Ingress {
	spec := in.Gateway.Spec.Ingress
	if spec == nil {
		return nil
	}
	var rules []networkingv1.IngressRule
	var hosts []string
	for _, surface := range EnabledSurfaces(in.Gateway) {
		if surface.Host != "" {
			hosts = append(hosts, surface.Host)
			rules = append(rules, ingressRule(in.Gateway, surface))
		}
	}
	if len(rules) == 0 {
		return nil
	}
	ingress := &networkingv1.Ingress{
		ObjectMeta: in.meta(in.Gateway.Name, ComponentAPI),
		Spec:       networkingv1.IngressSpec{Rules: rules},
	}
	if spec.ClassName != "" {
		ingress.Spec.IngressClassName = ptr.To(spec.ClassName)
	}
	if spec.TLSSecretName != "" {
		ingress.Spec.TLS = []networkingv1.IngressTLS{{Hosts: hosts, SecretName: spec.TLSSecretName}}
	}
	return ingress
}

func ingressRule(gateway *lucidv1.LucidGateway, surface lucidv1.Surface) networkingv1.IngressRule {
	return networkingv1.IngressRule{
		Host: surface.Host,
		IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{
				Path:     "/",
				PathType: ptr.To(networkingv1.PathTypePrefix),
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
					Name: ServiceName(gateway.Name, string(surface.Name)),
					Port: networkingv1.ServiceBackendPort{Name: "http"},
				}},
			}},
		}},
	}
}

// PodDisruptionBudget builds a budget of one pod at a time. It is counted from
// above, because "at least one" would block the drain of a single replica for ever.
func PodDisruptionBudget(in Input) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: in.meta(in.Gateway.Name, ComponentAPI),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: ptr.To(intstr.FromInt32(1)),
			Selector:       &metav1.LabelSelector{MatchLabels: Selector(in.Gateway.Name)},
		},
	}
}

// NetworkPolicy lets the surfaces be reached from anywhere, the internal port
// from pods only, and the pods reach names, the API server, the database, the
// mail server, live chains and the bridge's counter chains.
func NetworkPolicy(in Input) *networkingv1.NetworkPolicy {
	var surfaces []int32
	for _, surface := range EnabledSurfaces(in.Gateway) {
		surfaces = append(surfaces, SurfacePort(string(surface.Name)))
	}
	ingress := []networkingv1.NetworkPolicyIngressRule{{
		Ports: TCP(PortInternal),
		From:  []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}},
	}}
	// A rule without ports would open all of them.
	if len(surfaces) > 0 {
		ingress = append(ingress, networkingv1.NetworkPolicyIngressRule{Ports: TCP(surfaces...)})
	}
	return &networkingv1.NetworkPolicy{
		ObjectMeta: in.meta(in.Gateway.Name, ComponentAPI),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: Selector(in.Gateway.Name)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     ingress,
			Egress:      egress(in),
		},
	}
}

func egress(in Input) []networkingv1.NetworkPolicyEgressRule {
	ports := []int32{portHTTPS, portAPI, portChainRPC}
	for _, port := range append([]int32{in.APIServerPort, in.DatabasePort, mailPort(in.Gateway)}, in.BridgePorts...) {
		if port != 0 {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	return []networkingv1.NetworkPolicyEgressRule{Names(), {Ports: TCP(slices.Compact(ports)...)}}
}

// Names is the egress to the cluster's name server.
func Names() networkingv1.NetworkPolicyEgressRule {
	return networkingv1.NetworkPolicyEgressRule{
		Ports: append([]networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolUDP, portDNS)}, TCP(portDNS)...),
	}
}

// mailPort is zero where no mail is sent.
func mailPort(gateway *lucidv1.LucidGateway) int32 {
	if mail := gateway.Spec.Auth.Mail; mail != nil {
		return mail.Port
	}
	return 0
}

// TCP lists ports for a rule of a network policy.
func TCP(ports ...int32) []networkingv1.NetworkPolicyPort {
	out := make([]networkingv1.NetworkPolicyPort, len(ports))
	for i, port := range ports {
		out[i] = policyPort(corev1.ProtocolTCP, port)
	}
	return out
}

func policyPort(protocol corev1.Protocol, port int32) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: ptr.To(protocol), Port: ptr.To(intstr.FromInt32(port))}
}
