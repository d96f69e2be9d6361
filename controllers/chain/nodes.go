package chain

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// nodes is what the StatefulSet of a chain's validators is built from.
type nodes struct {
	chain       *lucidv1.Chain
	image       string
	pullPolicy  corev1.PullPolicy
	pullSecrets []corev1.LocalObjectReference // the gateway's
	genesisHash string
	// genesisParts are the ConfigMaps of a genesis that is too large for one; 0 where
	// it is not.
	genesisParts int
	validators   int
	volume       resource.Quantity // of the claims' template, which can't be changed
}

// statefulSet builds the validators, which keep their blocks on volumes. They
// start side by side, because none makes a block alone, and are rolled one by
// one: the next is touched when the one before has caught up and is ready.
func (n nodes) statefulSet() *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: childMeta(n.chain, n.chain.Name),
		Spec: appsv1.StatefulSetSpec{
			Replicas:            ptr.To(n.replicas()),
			ServiceName:         nodeName(n.chain.Name),
			PodManagementPolicy: appsv1.ParallelPodManagement,
			UpdateStrategy:      appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
			Selector:            &metav1.LabelSelector{MatchLabels: nodeSelector(n.chain)},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      labels(n.chain),
					Annotations: map[string]string{"lucid-blockchain.org/genesis-hash": n.genesisHash},
				},
				Spec: n.podSpec(),
			},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{n.claim()},
		},
	}
}

// replicas is how many validators are to run.
func (n nodes) replicas() int32 {
	if halted(n.chain) {
		return 0
	}
	return int32(n.validators)
}

func halted(chain *lucidv1.Chain) bool { return chain.Spec.Network.State == lucidv1.NetworkHalted }

func (n nodes) podSpec() corev1.PodSpec {
	return corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(false), // it talks to nobody in the cluster
		EnableServiceLinks:           ptr.To(false),
		ImagePullSecrets:             n.imagePullSecrets(),
		// Time for the last block to reach the disk.
		TerminationGracePeriodSeconds: ptr.To[int64](30),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](runAsUser), RunAsGroup: ptr.To[int64](runAsUser),
			FSGroup:        ptr.To[int64](runAsUser),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Affinity:                  apart(n.chain),
		TopologySpreadConstraints: spread(n.chain),
		Containers:                n.containers(),
		Volumes: append([]corev1.Volume{
			genesisVolume(n.chain.Name, n.genesisParts),
			configVolume("peers", peersName(n.chain.Name)),
			n.keysVolume(),
		}, n.applicationVolumes()...),
	}
}

// imagePullSecrets are the gateway's, and those of the chain's own application.
func (n nodes) imagePullSecrets() []corev1.LocalObjectReference {
	secrets := slices.Clone(n.pullSecrets)
	if own := n.chain.Spec.Application; own != nil {
		for _, secret := range own.ImagePullSecrets {
			if !slices.Contains(secrets, secret) {
				secrets = append(secrets, secret)
			}
		}
	}
	return secrets
}

func configVolume(name, configMap string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: configMap},
	}}}
}

// keysVolume holds every validator's keys in a folder named after its pod, of
// which a container mounts its own alone (docs/decisions/0005): one template
// can't name another Secret for each pod. One that is lost keeps its own validator
// from starting, and no other.
func (n nodes) keysVolume() corev1.Volume {
	var sources []corev1.VolumeProjection
	for i := range n.validators {
		folder := podName(n.chain.Name, i) + "/"
		sources = append(sources, corev1.VolumeProjection{Secret: &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: keysName(n.chain.Name, i)},
			Items:                []corev1.KeyToPath{{Key: nodeKey, Path: folder + nodeKey}, {Key: validatorKey, Path: folder + validatorKey}},
			Optional:             ptr.To(true),
		}})
	}
	return corev1.Volume{Name: "keys", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: sources, DefaultMode: ptr.To[int32](0o440),
	}}}
}

// node is the container of CometBFT and, unless the chain has one of its own, of
// Lucid's application.
func (n nodes) node() corev1.Container {
	return corev1.Container{
		Name:            "node",
		Image:           n.image,
		ImagePullPolicy: n.pullPolicy,
		Args:            []string{"node", "--home", homeFolder, "--peers-file", peersFolder + "/" + peersKey},
		Env: []corev1.EnvVar{{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"},
		}}},
		Ports: []corev1.ContainerPort{
			{Name: "p2p", ContainerPort: portP2P, Protocol: corev1.ProtocolTCP},
			{Name: "rpc", ContainerPort: portRPC, Protocol: corev1.ProtocolTCP},
			{Name: "metrics", ContainerPort: portMetrics, Protocol: corev1.ProtocolTCP},
			{Name: "ready", ContainerPort: portReady, Protocol: corev1.ProtocolTCP},
		},
		Resources: nodeResources(n.chain.Spec.Network.Resources),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "data", MountPath: homeFolder},
			{Name: "genesis", MountPath: genesisFolder, ReadOnly: true},
			{Name: "peers", MountPath: peersFolder, ReadOnly: true},
			{Name: "keys", MountPath: keysFolder, ReadOnly: true, SubPathExpr: "$(POD_NAME)"},
		},
		SecurityContext: confined(),
		// CometBFT's /health answers while the node works, whether or not there is
		// anything to put into blocks, and while it catches up.
		StartupProbe:   probe("/health", "rpc", 1, 120),
		LivenessProbe:  probe("/health", "rpc", 10, 6),
		ReadinessProbe: probe("/ready", "ready", 2, 3),
	}
}

func probe(path, port string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromString(port), Scheme: corev1.URISchemeHTTP,
		}},
		PeriodSeconds: period, TimeoutSeconds: 2, SuccessThreshold: 1, FailureThreshold: failures,
	}
}

// apart asks for a machine of its own for each validator, where there are enough.
func apart(chain *lucidv1.Chain) *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{
				LabelSelector: &metav1.LabelSelector{MatchLabels: nodeSelector(chain)}, TopologyKey: corev1.LabelHostname,
			},
		}},
	}}
}

// spread asks for validators in all zones alike, where there are zones.
func spread(chain *lucidv1.Chain) []corev1.TopologySpreadConstraint {
	return []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: &metav1.LabelSelector{MatchLabels: nodeSelector(chain)},
	}}
}

func nodeResources(given *corev1.ResourceRequirements) corev1.ResourceRequirements {
	if given != nil {
		return *given
	}
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("50m"),
			corev1.ResourceMemory: resource.MustParse("128Mi"),
		},
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
	}
}

// volumeSize is what the spec asks for each node.
func volumeSize(chain *lucidv1.Chain) resource.Quantity {
	if size := chain.Spec.Network.Storage.Size; !size.IsZero() {
		return size
	}
	return resource.MustParse("1Gi")
}

func (n nodes) claim() corev1.PersistentVolumeClaim {
	claim := corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data", Labels: labels(n.chain)},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: n.volume}},
		},
	}
	if class := n.chain.Spec.Network.Storage.ClassName; class != "" {
		claim.Spec.StorageClassName = ptr.To(class)
	}
	return claim
}
