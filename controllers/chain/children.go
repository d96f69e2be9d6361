package chain

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// The ports of a live chain's node.
const (
	portP2P     int32 = 26656
	portRPC     int32 = 26657
	portMetrics int32 = 26660
	portReady   int32 = 26661
)

// Where `lucid node` finds its files.
const (
	genesisKey   = "genesis.json"
	nodeKey      = "node_key.json"
	validatorKey = "priv_validator_key.json"
	peersKey     = "peers"

	authoritySeed = "seed"       // 32 bytes, of an Ed25519 key
	authorityBorn = "validators" // how many

	homeFolder    = "/var/lib/lucid"
	genesisFolder = "/etc/lucid/genesis"
	keysFolder    = "/etc/lucid/keys"
	peersFolder   = "/etc/lucid/peers"
)

// runAsUser is the image's user; the volume is made writable for its group.
const runAsUser = 65532

// labels of a chain's children; nodes are found by nodeSelector.
func labels(chain *lucidv1.Chain) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       "lucid",
		"app.kubernetes.io/instance":   chain.Name,
		"app.kubernetes.io/component":  "node",
		"app.kubernetes.io/managed-by": "lucid-operator",
		lucidv1.LabelGateway:           chain.Spec.GatewayRef.Name,
		lucidv1.LabelChain:             chain.Name,
	}
}

func nodeSelector(chain *lucidv1.Chain) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name": "lucid", "app.kubernetes.io/component": "node", lucidv1.LabelChain: chain.Name,
	}
}

func childMeta(chain *lucidv1.Chain, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: chain.Namespace, Labels: labels(chain)}
}

// virtualPool builds the pool's object. Trading, fee and limits are left out:
// they are the user's, and applying them would undo an edit.
func virtualPool(chain *lucidv1.Chain) *lucidv1.VirtualPool {
	pool := &lucidv1.VirtualPool{
		ObjectMeta: childMeta(chain, chain.Name),
		Spec:       lucidv1.VirtualPoolSpec{ChainRef: lucidv1.LocalObjectReference{Name: chain.Name}},
	}
	pool.Labels["app.kubernetes.io/component"] = "pool"
	return pool
}

// keysSecret builds the Secret of one validator's keys, which nobody may change.
func keysSecret(chain *lucidv1.Chain, ordinal int, node, validator []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: keptMeta(chain, keysName(chain.Name, ordinal)),
		Immutable:  ptr.To(true),
		Data:       map[string][]byte{nodeKey: node, validatorKey: validator},
	}
}

// authoritySecret builds the Secret of the key that changes the validators,
// which nobody may change, with how many there are at birth: a genesis that is
// lost is built again with as many.
func authoritySecret(chain *lucidv1.Chain, seed []byte, born int) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: keptMeta(chain, authorityName(chain.Name)),
		Immutable:  ptr.To(true),
		Data:       map[string][]byte{authoritySeed: seed, authorityBorn: []byte(strconv.Itoa(born))},
	}
}

// headless builds the Service that gives each node its name among nodes.
func headless(chain *lucidv1.Chain) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: childMeta(chain, nodeName(chain.Name)),
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Selector:  nodeSelector(chain),
			// Nodes find each other before they are ready.
			PublishNotReadyAddresses: true,
			Ports: []corev1.ServicePort{
				{Name: "p2p", Port: portP2P, TargetPort: intstr.FromString("p2p"), Protocol: corev1.ProtocolTCP},
				{Name: "metrics", Port: portMetrics, TargetPort: intstr.FromString("metrics"), Protocol: corev1.ProtocolTCP},
			},
		},
	}
}

// rpc builds the Service under which the chain is asked: nodes that are ready.
func rpc(chain *lucidv1.Chain) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: childMeta(chain, rpcName(chain.Name)),
		Spec: corev1.ServiceSpec{
			Selector: nodeSelector(chain),
			Ports:    []corev1.ServicePort{{Name: "rpc", Port: portRPC, TargetPort: intstr.FromString("rpc"), Protocol: corev1.ProtocolTCP}},
		},
	}
}
