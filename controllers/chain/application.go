package chain

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

// Where an application of a chain's own finds its socket and keeps its state.
const (
	socketFolder      = "/run/lucid"
	socketAddress     = "unix://" + socketFolder + "/application.sock"
	applicationFolder = "/var/lib/application"
	// applicationPath is that folder's place on the node's volume.
	applicationPath = "application-of-its-own"
)

// containers of a pod: the node, and beside it the chain's own application.
func (n nodes) containers() []corev1.Container {
	node := n.node()
	if n.chain.Spec.Application == nil {
		return []corev1.Container{node}
	}
	node.Args = append(node.Args, "--application", socketAddress)
	node.VolumeMounts = append(node.VolumeMounts, corev1.VolumeMount{Name: "socket", MountPath: socketFolder})
	return []corev1.Container{node, n.application()}
}

// application sees the socket and its own folder: neither the validator's keys nor
// what the validator has signed.
func (n nodes) application() corev1.Container {
	spec, image := n.chain.Spec.Application, n.image
	if spec.Image != "" {
		image = spec.Image
	}
	return corev1.Container{
		Name:            "application",
		Image:           image,
		ImagePullPolicy: spec.ImagePullPolicy,
		Command:         spec.Command,
		Args:            spec.Args,
		Env: []corev1.EnvVar{
			{Name: "LUCID_APPLICATION_ADDRESS", Value: socketAddress},
			{Name: "LUCID_APPLICATION_HOME", Value: applicationFolder},
		},
		Resources: nodeResources(spec.Resources),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "data", MountPath: applicationFolder, SubPath: applicationPath},
			{Name: "socket", MountPath: socketFolder},
			{Name: "tmp", MountPath: "/tmp"},
		},
		SecurityContext: confined(),
	}
}

// applicationVolumes are what an application of the chain's own needs besides the
// node's volume.
func (n nodes) applicationVolumes() []corev1.Volume {
	if n.chain.Spec.Application == nil {
		return nil
	}
	limit := resource.MustParse("64Mi")
	return []corev1.Volume{
		{Name: "socket", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &limit}}},
	}
}

// confined is what a container that talks to its own pod and peers alone may do.
func confined() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}
