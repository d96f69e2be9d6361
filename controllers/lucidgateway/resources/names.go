// Package resources builds the children of a LucidGateway. The builders are
// pure: from an Input to objects, with no reads and no clock, so that golden
// files show every byte that reaches the API server.
package resources

import (
	"crypto/sha256"
	"encoding/hex"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// The labels of every child.
const (
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelComponent = "app.kubernetes.io/component"
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelGateway   = snapshot.GatewayLabel
	LabelSurface   = "lucid-blockchain.org/surface"

	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "lucid-operator"
	// ComponentAPI and ComponentMigrate tell API pods from migration pods.
	ComponentAPI     = "apiserver"
	ComponentMigrate = "migrate"
)

// The ports an API pod listens on (seeds gateway, launchpad and docu).
const (
	PortGateway   int32 = 8080
	PortLaunchpad int32 = 3001
	PortDocu      int32 = 8090
	// PortInternal serves metrics, probes and the running snapshot.
	PortInternal int32 = 9090
)

// KeystoreKey is the key of the keystore Secret's data that holds the platform
// key, 32 random bytes in base64.
const KeystoreKey = "key"

// The keys of a mail server's Secret, as in the type kubernetes.io/basic-auth.
const (
	MailUsernameKey = "username"
	MailPasswordKey = "password"
)

// SurfacePort returns the port of a surface; zero for an unknown name.
func SurfacePort(surface string) int32 {
	switch surface {
	case ratelimit.SurfaceGateway:
		return PortGateway
	case ratelimit.SurfaceLaunchpad:
		return PortLaunchpad
	case ratelimit.SurfaceDocu:
		return PortDocu
	default:
		return 0
	}
}

// KeystoreName returns the name of the Secret that holds the platform key.
func KeystoreName(gateway string) string { return gateway + "-keystore" }

// ServiceName returns the name of a surface's Service.
func ServiceName(gateway, surface string) string { return gateway + "-" + surface }

// Selector selects a gateway's API pods.
func Selector(gateway string) map[string]string {
	return map[string]string{LabelName: "lucid", LabelComponent: ComponentAPI, LabelGateway: gateway}
}

// SelectorString is Selector as the scale subresource reports it.
func SelectorString(gateway string) string { return labels.SelectorFromSet(Selector(gateway)).String() }

// Labels returns the labels of a gateway's child of the given component.
func Labels(gateway, component string) map[string]string {
	return map[string]string{
		LabelName:      "lucid",
		LabelInstance:  gateway,
		LabelComponent: component,
		LabelManagedBy: ManagedBy,
		LabelGateway:   gateway,
	}
}

// Input is all that the builders need to know.
type Input struct {
	Gateway *lucidv1.LucidGateway
	// Image runs in every pod: the gateway's own or the operator's.
	Image string
	// Revision changes with whatever a running pod can't pick up by itself: the
	// database URL and the platform key. It reveals neither.
	Revision string
	// MailRevision does so for the credentials of the mail server; empty where
	// there are none.
	MailRevision string
	// BridgeRevision does so for the endpoints of the bridge, and BridgePorts are
	// where those listen.
	BridgeRevision string
	BridgePorts    []int32
	// APIServerPort and DatabasePort are opened for the pods' egress.
	APIServerPort int32
	DatabasePort  int32
}

// MigrationName returns the name of the Job that brings the database to what
// this image and this database need: another image or database is another Job.
func (in Input) MigrationName() string {
	sum := sha256.Sum256([]byte(in.Image + "\x00" + in.Revision))
	return in.Gateway.Name + "-migrate-" + hex.EncodeToString(sum[:4])
}

func (in Input) meta(name, component string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:      name,
		Namespace: in.Gateway.Namespace,
		Labels:    Labels(in.Gateway.Name, component),
	}
}

// EnabledSurfaces returns the surfaces that the gateway serves, in the order of
// its spec.
func EnabledSurfaces(gateway *lucidv1.LucidGateway) []lucidv1.Surface {
	var enabled []lucidv1.Surface
	for _, surface := range gateway.Spec.Surfaces {
		if surface.State != lucidv1.SurfaceDisabled {
			enabled = append(enabled, surface)
		}
	}
	return enabled
}
