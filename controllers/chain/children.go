package chain

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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
)

// Where `lucid node` finds its files.
const (
	genesisKey   = "genesis.json"
	nodeKey      = "node_key.json"
	validatorKey = "priv_validator_key.json"

	homeFolder    = "/var/lib/lucid"
	genesisFolder = "/etc/lucid/genesis"
	keysFolder    = "/etc/lucid/keys"
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

// virtualPool builds the pool's object. Trading and fee are left out: they are
// the user's, and applying them would undo an edit.
func virtualPool(chain *lucidv1.Chain) *lucidv1.VirtualPool {
	pool := &lucidv1.VirtualPool{
		ObjectMeta: childMeta(chain, chain.Name),
		Spec:       lucidv1.VirtualPoolSpec{ChainRef: lucidv1.LocalObjectReference{Name: chain.Name}},
	}
	pool.Labels["app.kubernetes.io/component"] = "pool"
	return pool
}

// keysSecret builds the Secret of the node's keys, which nobody may change.
func keysSecret(chain *lucidv1.Chain, node, validator []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: childMeta(chain, keysName(chain.Name)),
		Immutable:  ptr.To(true),
		Data:       map[string][]byte{nodeKey: node, validatorKey: validator},
	}
}

// genesisMap builds the ConfigMap of the genesis document, which nobody may change.
func genesisMap(chain *lucidv1.Chain, doc []byte) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: childMeta(chain, genesisName(chain.Name)),
		Immutable:  ptr.To(true),
		Data:       map[string]string{genesisKey: string(doc)},
	}
}

// headless builds the Service that gives the node its name among nodes.
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

// rpc builds the Service under which the chain is asked.
func rpc(chain *lucidv1.Chain) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: childMeta(chain, rpcName(chain.Name)),
		Spec: corev1.ServiceSpec{
			Selector: nodeSelector(chain),
			Ports:    []corev1.ServicePort{{Name: "rpc", Port: portRPC, TargetPort: intstr.FromString("rpc"), Protocol: corev1.ProtocolTCP}},
		},
	}
}

// statefulSet builds the node: one validator that keeps its blocks on a volume.
func statefulSet(chain *lucidv1.Chain, image string, pullPolicy corev1.PullPolicy, genesisHash string) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: childMeta(chain, nodeName(chain.Name)),
		Spec: appsv1.StatefulSetSpec{
			Replicas:            ptr.To[int32](1),
			ServiceName:         nodeName(chain.Name),
			PodManagementPolicy: appsv1.ParallelPodManagement,
			Selector:            &metav1.LabelSelector{MatchLabels: nodeSelector(chain)},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      labels(chain),
					Annotations: map[string]string{"lucid-blockchain.org/genesis-hash": genesisHash},
				},
				Spec: podSpec(chain, image, pullPolicy),
			},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{claim(chain)},
		},
	}
}

func podSpec(chain *lucidv1.Chain, image string, pullPolicy corev1.PullPolicy) corev1.PodSpec {
	return corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(false), // it talks to nobody in the cluster
		EnableServiceLinks:           ptr.To(false),
		// Time for the last block to reach the disk.
		TerminationGracePeriodSeconds: ptr.To[int64](30),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](runAsUser), RunAsGroup: ptr.To[int64](runAsUser),
			FSGroup:        ptr.To[int64](runAsUser),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{container(chain, image, pullPolicy)},
		Volumes: []corev1.Volume{
			{Name: "genesis", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: genesisName(chain.Name)},
			}}},
			{Name: "keys", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
				SecretName: keysName(chain.Name), DefaultMode: ptr.To[int32](0o440),
			}}},
		},
	}
}

func container(chain *lucidv1.Chain, image string, pullPolicy corev1.PullPolicy) corev1.Container {
	return corev1.Container{
		Name:            "node",
		Image:           image,
		ImagePullPolicy: pullPolicy,
		Args:            []string{"node", "--home", homeFolder},
		Ports: []corev1.ContainerPort{
			{Name: "p2p", ContainerPort: portP2P, Protocol: corev1.ProtocolTCP},
			{Name: "rpc", ContainerPort: portRPC, Protocol: corev1.ProtocolTCP},
			{Name: "metrics", ContainerPort: portMetrics, Protocol: corev1.ProtocolTCP},
		},
		Resources: nodeResources(chain),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "data", MountPath: homeFolder},
			{Name: "genesis", MountPath: genesisFolder, ReadOnly: true},
			{Name: "keys", MountPath: keysFolder, ReadOnly: true},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			ReadOnlyRootFilesystem:   ptr.To(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		StartupProbe:   probe(1, 120),
		LivenessProbe:  probe(10, 6),
		ReadinessProbe: probe(2, 3),
	}
}

// probe asks CometBFT's /health, which answers while the node works, whether or
// not there is anything to put into blocks.
func probe(period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: "/health", Port: intstr.FromString("rpc"), Scheme: corev1.URISchemeHTTP,
		}},
		PeriodSeconds: period, TimeoutSeconds: 2, SuccessThreshold: 1, FailureThreshold: failures,
	}
}

func nodeResources(chain *lucidv1.Chain) corev1.ResourceRequirements {
	if chain.Spec.Network.Resources != nil {
		return *chain.Spec.Network.Resources
	}
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("50m"),
			corev1.ResourceMemory: resource.MustParse("128Mi"),
		},
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
	}
}

func claim(chain *lucidv1.Chain) corev1.PersistentVolumeClaim {
	storage := chain.Spec.Network.Storage
	size := storage.Size
	if size.IsZero() {
		size = resource.MustParse("1Gi")
	}
	pvc := corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data", Labels: labels(chain)},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
		},
	}
	if storage.ClassName != "" {
		pvc.Spec.StorageClassName = ptr.To(storage.ClassName)
	}
	return pvc
}
