package resources

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files")

func input(change func(*lucidv1.LucidGateway)) Input {
	gateway := &lucidv1.LucidGateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "lucid"},
		Spec: lucidv1.LucidGatewaySpec{
			Replicas:        ptr.To[int32](2),
			ImagePullPolicy: corev1.PullIfNotPresent,
			Surfaces: []lucidv1.Surface{
				{Name: lucidv1.SurfaceGateway}, {Name: lucidv1.SurfaceLaunchpad}, {Name: lucidv1.SurfaceDocu},
			},
			Database: lucidv1.Database{SecretRef: lucidv1.SecretKeyReference{Name: "lucid-database"}},
		},
	}
	change(gateway)
	return Input{Gateway: gateway, Image: "lucid:1", Revision: "0123456789abcdef", APIServerPort: 6443, DatabasePort: 26257}
}

// everything renders all children of an input in one document.
func everything(t *testing.T, in Input) []byte {
	t.Helper()
	objects := []any{
		ServiceAccount(in), Role(in), RoleBinding(in), MigrationJob(in), Deployment(in),
		PodDisruptionBudget(in), NetworkPolicy(in),
	}
	for _, service := range Services(in) {
		objects = append(objects, service)
	}
	if ingress := Ingress(in); ingress != nil {
		objects = append(objects, ingress)
	}
	var out bytes.Buffer
	for _, object := range objects {
		raw, err := yaml.Marshal(object)
		require.NoError(t, err)
		out.WriteString("---\n")
		out.Write(raw)
	}
	return out.Bytes()
}

func TestGolden(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*lucidv1.LucidGateway)
	}{
		"plain": {reason: "All surfaces, nothing published.", change: func(*lucidv1.LucidGateway) {}},
		"published": {reason: "Hosts make rules; a disabled surface leaves nothing behind. A private registry's Secret reaches all pods.", change: func(gw *lucidv1.LucidGateway) {
			gw.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
			gw.Spec.Ingress = &lucidv1.Ingress{ClassName: "traefik", TLSSecretName: "tls"}
			gw.Spec.Surfaces = []lucidv1.Surface{
				{Name: lucidv1.SurfaceGateway, Host: "gw.example.org"},
				{Name: lucidv1.SurfaceLaunchpad},
				{Name: lucidv1.SurfaceDocu, State: lucidv1.SurfaceDisabled, Host: "docu.example.org"},
			}
			gw.Spec.Database.SecretRef.Key = "address"
			gw.Spec.Resources = &corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
			}
		}},
		"mailed": {reason: "A mail server opens its port, and its credentials come by reference.", change: func(gw *lucidv1.LucidGateway) {
			gw.Spec.Auth.Mail = &lucidv1.Mail{
				Host: "smtp.example.org", Port: 2525, From: "no-reply@example.org", TLS: lucidv1.MailStartTLS,
				CredentialsSecretRef: &lucidv1.LocalObjectReference{Name: "mail"},
			}
		}},
		"bridged": {reason: "Endpoints of the bridge come by reference, and their ports are opened.", change: func(gw *lucidv1.LucidGateway) {
			gw.Spec.Bridge = &lucidv1.Bridge{Assets: []lucidv1.BridgeAsset{
				{Network: "arbitrum-one", Symbol: "USDT", EndpointSecretRef: lucidv1.LocalObjectReference{Name: "node"}},
			}}
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := input(tc.change)
			if in.Gateway.Spec.Bridge != nil {
				in.BridgeRevision, in.BridgePorts = "76543210fedcba98", []int32{8545}
			}
			if in.Gateway.Spec.Auth.Mail != nil {
				in.MailRevision = "89abcdef01234567"
			}
			got := everything(t, in)
			path := filepath.Join("testdata", name+".yaml")
			if *update {
				require.NoError(t, os.WriteFile(path, got, 0o600))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got), tc.reason+" (run with -update when the change is meant)")
		})
	}
}

func TestMigrationNameFollowsImageAndDatabase(t *testing.T) {
	first := input(func(*lucidv1.LucidGateway) {})
	otherImage, otherDatabase := first, first
	otherImage.Image, otherDatabase.Revision = "lucid:2", "fedcba9876543210"
	assert.Equal(t, first.MigrationName(), first.MigrationName())
	assert.NotEqual(t, first.MigrationName(), otherImage.MigrationName(), "a new image brings new migrations")
	assert.NotEqual(t, first.MigrationName(), otherDatabase.MigrationName(), "a new database has none yet")
}

func TestIngressNeedsAHost(t *testing.T) {
	assert.Nil(t, Ingress(input(func(gw *lucidv1.LucidGateway) { gw.Spec.Ingress = &lucidv1.Ingress{} })),
		"surfaces can be told apart by host only")
}

func TestEndpointURL(t *testing.T) {
	plain := lucidv1.Surface{Name: lucidv1.SurfaceLaunchpad}
	hosted := lucidv1.Surface{Name: lucidv1.SurfaceLaunchpad, Host: "l.example.org"}
	gateway := input(func(*lucidv1.LucidGateway) {}).Gateway
	assert.Equal(t, "http://lucid-launchpad.ns.svc:3001", EndpointURL(gateway, hosted), "without an Ingress the host leads nowhere")
	gateway.Spec.Ingress = &lucidv1.Ingress{}
	assert.Equal(t, "http://l.example.org", EndpointURL(gateway, hosted))
	assert.Equal(t, "http://lucid-launchpad.ns.svc:3001", EndpointURL(gateway, plain))
	gateway.Spec.Ingress.TLSSecretName = "tls"
	assert.Equal(t, "https://l.example.org", EndpointURL(gateway, hosted))
}

func TestSurfacePort(t *testing.T) {
	assert.Equal(t, PortGateway, SurfacePort("gateway"))
	assert.Zero(t, SurfacePort("unknown"))
}
