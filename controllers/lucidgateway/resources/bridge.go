package resources

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
)

// The keys of an endpoint's Secret. The second may be left out.
const (
	EndpointURLKey    = "url"
	EndpointAPIKeyKey = "apiKey"
)

// BridgeRevisionAnnotation on the pod template makes changed endpoints of the
// bridge roll the pods.
const BridgeRevisionAnnotation = "lucid-blockchain.org/bridge-revision"

// bridgeEnv gives each asset's endpoint to the pods under the names that
// counterchain.Asset.Variable makes.
func bridgeEnv(gateway *lucidv1.LucidGateway) []corev1.EnvVar {
	if gateway.Spec.Bridge == nil {
		return nil
	}
	var env []corev1.EnvVar
	for _, asset := range gateway.Spec.Bridge.Assets {
		named := counterchain.Asset{Network: asset.Network, Symbol: asset.Symbol}
		address := secretEnv(named.Variable(counterchain.EndpointURL), asset.EndpointSecretRef.Name, EndpointURLKey)
		key := secretEnv(named.Variable(counterchain.EndpointAPIKey), asset.EndpointSecretRef.Name, EndpointAPIKeyKey)
		key.ValueFrom.SecretKeyRef.Optional = ptr.To(true)
		env = append(env, address, key)
	}
	return env
}
