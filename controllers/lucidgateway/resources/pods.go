package resources

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/ledgers"
)

// The annotations on the pod template make a changed database URL and changed
// credentials of the mail server roll the pods, which read them at their start.
const (
	RevisionAnnotation     = "lucid-blockchain.org/revision"
	MailRevisionAnnotation = "lucid-blockchain.org/mail-revision"
)

const (
	runAsUser = 65532 // the image's USER
	// graceSeconds covers the drain: the process goes unready, waits for proxies
	// to follow and finishes its trades by itself, so there is no preStop hook.
	graceSeconds = 30
	// startupSeconds is how long a pod may take until it first answers.
	startupSeconds = 120
	// migrateSeconds bounds one migration Job, whatever its retries.
	migrateSeconds = 600
	migrateRetries = 3
	// keepReplicaSets is what a rollback can choose from.
	keepReplicaSets = 3
)

// Deployment builds the API pods' Deployment.
func Deployment(in Input) *appsv1.Deployment {
	gateway := in.Gateway
	return &appsv1.Deployment{
		ObjectMeta: in.meta(gateway.Name, ComponentAPI),
		Spec: appsv1.DeploymentSpec{
			Replicas:             gateway.Spec.Replicas,
			RevisionHistoryLimit: ptr.To[int32](keepReplicaSets),
			Selector:             &metav1.LabelSelector{MatchLabels: Selector(gateway.Name)},
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: ptr.To(intstr.FromInt32(0)),
					MaxSurge:       ptr.To(intstr.FromInt32(1)),
				},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      Labels(gateway.Name, ComponentAPI),
					Annotations: revisions(in),
				},
				Spec: apiPod(in),
			},
		},
	}
}

func revisions(in Input) map[string]string {
	annotations := map[string]string{RevisionAnnotation: in.Revision}
	if in.MailRevision != "" {
		annotations[MailRevisionAnnotation] = in.MailRevision
	}
	if in.BridgeRevision != "" {
		annotations[BridgeRevisionAnnotation] = in.BridgeRevision
	}
	return annotations
}

func apiPod(in Input) corev1.PodSpec {
	return corev1.PodSpec{
		ImagePullSecrets:              in.Gateway.Spec.ImagePullSecrets,
		ServiceAccountName:            in.Gateway.Name,
		AutomountServiceAccountToken:  ptr.To(true), // reads its snapshot, writes its Lease
		EnableServiceLinks:            ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To[int64](graceSeconds),
		SecurityContext:               podSecurity(),
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew:           1,
			TopologyKey:       corev1.LabelHostname,
			WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector:     &metav1.LabelSelector{MatchLabels: Selector(in.Gateway.Name)},
		}},
		Containers: []corev1.Container{{
			Name:            ComponentAPI,
			Image:           in.Image,
			ImagePullPolicy: in.Gateway.Spec.ImagePullPolicy,
			Args:            []string{ComponentAPI},
			Env:             apiEnv(in.Gateway),
			Ports:           apiPorts(in.Gateway),
			Resources:       podResources(in.Gateway),
			SecurityContext: containerSecurity(),
			StartupProbe:    probe("/livez", 1, startupSeconds),
			LivenessProbe:   probe("/livez", 10, 3),
			ReadinessProbe:  probe("/readyz", 2, 2),
		}},
	}
}

// MigrationJob builds the Job that must succeed before this image is rolled
// out. It is kept as the record that it did, until another takes its place.
func MigrationJob(in Input) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: in.meta(in.MigrationName(), ComponentMigrate),
		Spec: batchv1.JobSpec{
			BackoffLimit:          ptr.To[int32](migrateRetries),
			ActiveDeadlineSeconds: ptr.To[int64](migrateSeconds),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: Labels(in.Gateway.Name, ComponentMigrate)},
				Spec: corev1.PodSpec{
					ImagePullSecrets:             in.Gateway.Spec.ImagePullSecrets,
					RestartPolicy:                corev1.RestartPolicyNever, // failed pods keep their logs
					ServiceAccountName:           in.Gateway.Name,
					AutomountServiceAccountToken: ptr.To(false), // it talks to the database only
					EnableServiceLinks:           ptr.To(false),
					SecurityContext:              podSecurity(),
					Containers: []corev1.Container{{
						Name:            ComponentMigrate,
						Image:           in.Image,
						ImagePullPolicy: in.Gateway.Spec.ImagePullPolicy,
						Args:            []string{ComponentMigrate},
						Env:             []corev1.EnvVar{databaseEnv(in.Gateway)},
						Resources:       defaultResources(),
						SecurityContext: containerSecurity(),
					}},
				},
			},
		},
	}
}

func apiEnv(gateway *lucidv1.LucidGateway) []corev1.EnvVar {
	env := []corev1.EnvVar{
		databaseEnv(gateway),
		secretEnv("LUCID_KEYSTORE_KEY", KeystoreName(gateway.Name), KeystoreKey),
		{Name: "LUCID_GATEWAY", Value: gateway.Name},
		fieldEnv("POD_NAME", "metadata.name"),
		fieldEnv("POD_NAMESPACE", "metadata.namespace"),
		fieldEnv("POD_UID", "metadata.uid"),
	}
	return append(append(env, mailEnv(gateway)...), bridgeEnv(gateway)...)
}

func mailEnv(gateway *lucidv1.LucidGateway) []corev1.EnvVar {
	mail := gateway.Spec.Auth.Mail
	if mail == nil || mail.CredentialsSecretRef == nil {
		return nil
	}
	return []corev1.EnvVar{
		secretEnv("LUCID_MAIL_USERNAME", mail.CredentialsSecretRef.Name, MailUsernameKey),
		secretEnv("LUCID_MAIL_PASSWORD", mail.CredentialsSecretRef.Name, MailPasswordKey),
	}
}

func databaseEnv(gateway *lucidv1.LucidGateway) corev1.EnvVar {
	name, key := ledgers.SecretRef(gateway)
	return secretEnv("LUCID_DATABASE_URL", name, key)
}

func secretEnv(variable, secret, key string) corev1.EnvVar {
	return corev1.EnvVar{Name: variable, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: secret},
		Key:                  key,
	}}}
}

func fieldEnv(variable, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: variable, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path},
	}}
}

func apiPorts(gateway *lucidv1.LucidGateway) []corev1.ContainerPort {
	ports := []corev1.ContainerPort{{Name: "internal", ContainerPort: PortInternal, Protocol: corev1.ProtocolTCP}}
	for _, surface := range EnabledSurfaces(gateway) {
		name := string(surface.Name)
		ports = append(ports, corev1.ContainerPort{Name: name, ContainerPort: SurfacePort(name), Protocol: corev1.ProtocolTCP})
	}
	return ports
}

func podResources(gateway *lucidv1.LucidGateway) corev1.ResourceRequirements {
	if gateway.Spec.Resources != nil {
		return *gateway.Spec.Resources
	}
	return defaultResources()
}

// defaultResources sets no CPU limit: throttling would show as latency of trades.
func defaultResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:              resource.MustParse("100m"),
			corev1.ResourceMemory:           resource.MustParse("128Mi"),
			corev1.ResourceEphemeralStorage: resource.MustParse("16Mi"),
		},
		Limits: corev1.ResourceList{
			corev1.ResourceMemory:           resource.MustParse("512Mi"),
			corev1.ResourceEphemeralStorage: resource.MustParse("128Mi"),
		},
	}
}

func probe(path string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromString("internal"), Scheme: corev1.URISchemeHTTP,
		}},
		PeriodSeconds:    period,
		TimeoutSeconds:   2,
		SuccessThreshold: 1,
		FailureThreshold: failures,
	}
}

// podSecurity and containerSecurity satisfy the Pod Security Standard "restricted".
func podSecurity() *corev1.PodSecurityContext {
	return &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr.To(true),
		RunAsUser:      ptr.To[int64](runAsUser),
		RunAsGroup:     ptr.To[int64](runAsUser),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

func containerSecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// EndpointURL returns where a surface is reached: under its host when the
// gateway has an Ingress, else by its Service inside the cluster.
func EndpointURL(gateway *lucidv1.LucidGateway, surface lucidv1.Surface) string {
	ingress := gateway.Spec.Ingress
	switch name := string(surface.Name); {
	case ingress == nil || surface.Host == "":
		return fmt.Sprintf("http://%s.%s.svc:%d", ServiceName(gateway.Name, name), gateway.Namespace, SurfacePort(name))
	case ingress.TLSSecretName != "":
		return "https://" + surface.Host
	default:
		return "http://" + surface.Host
	}
}
