package lucidgateway

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

// bridgeSecrets looks for the endpoints of the bridge's assets. What is missing is
// kept for awaitBridge: the database is brought up to date all the same.
func (r *Reconciler) bridgeSecrets(ctx context.Context, s *scope) error {
	if s.gateway.Spec.Bridge == nil {
		return nil
	}
	var secrets strings.Builder
	var errs []error
	for _, asset := range s.gateway.Spec.Bridge.Assets {
		secret, port, err := r.endpoint(ctx, s.gateway.Namespace, asset.EndpointSecretRef.Name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(&secrets, "%s %s %q\n", asset.Network, asset.Symbol, secret)
		if !slices.Contains(s.input.BridgePorts, port) {
			s.input.BridgePorts = append(s.input.BridgePorts, port)
		}
	}
	if len(errs) > 0 {
		s.bridgeErr = errs[0] // one at a time is enough to act on, always the same one
		return nil
	}
	slices.Sort(s.input.BridgePorts)
	s.input.BridgeRevision = revision(s.key, secrets.String())
	return nil
}

// awaitBridge holds the rollout while an endpoint is missing; pods that run keep
// those they have.
func (r *Reconciler) awaitBridge(_ context.Context, s *scope) error { return s.bridgeErr }

// endpoint reads a node's Secret: all that a pod takes from it, and the port that
// the pod has to reach. Messages repeat nothing of the URL.
func (r *Reconciler) endpoint(ctx context.Context, namespace, name string) (string, int32, error) {
	secret := &corev1.Secret{}
	switch err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret); {
	case apierrors.IsNotFound(err):
		return "", 0, reconcile.Waiting(pollSecret, lucidv1.ReasonSecretNotFound,
			"Secret %q does not exist in this namespace; create it with the node's address under the key %q", name, resources.EndpointURLKey)
	case err != nil:
		return "", 0, fmt.Errorf("reading the Secret of a bridge endpoint: %w", err)
	}
	address := string(secret.Data[resources.EndpointURLKey])
	port, ok := endpointPort(address)
	if !ok {
		return "", 0, reconcile.Waiting(pollSecret, lucidv1.ReasonSecretInvalid,
			"Secret %q must hold the node's address, an http or https URL, under the key %q", name, resources.EndpointURLKey)
	}
	return address + "\x00" + string(secret.Data[resources.EndpointAPIKeyKey]), port, nil
}

// endpointPort returns the port of an http or https URL.
func endpointPort(address string) (int32, bool) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Hostname() == "" {
		return 0, false
	}
	standard := map[string]int32{"http": 80, "https": 443}[parsed.Scheme]
	if standard == 0 || parsed.Port() == "" {
		return standard, standard != 0
	}
	port, err := strconv.ParseUint(parsed.Port(), 10, 16)
	return int32(port), err == nil && port > 0
}

// reportBridge tells whether every asset has a node to be watched through.
func (s *scope) reportBridge() {
	const condition = lucidv1.ConditionBridgeReady
	switch {
	case s.gateway.Spec.Bridge == nil:
		s.conditions.Remove(condition)
	case s.bridgeErr != nil:
		s.conditions.FromError(condition, s.bridgeErr, "", "")
	case s.input.BridgeRevision == "":
		s.conditions.Unknown(condition, lucidv1.ReasonWaitingForDatabase, "the endpoints of the bridge have not been looked for yet")
	default:
		s.conditions.True(condition, lucidv1.ReasonEndpointsKnown, "every asset has an endpoint")
	}
}
