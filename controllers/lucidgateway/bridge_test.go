package lucidgateway_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
)

func withBridge(gateway *lucidv1.LucidGateway) {
	gateway.Spec.Bridge = &lucidv1.Bridge{Assets: []lucidv1.BridgeAsset{{
		Network: "ethereum", Symbol: "USDT", Kind: lucidv1.CounterChainEVM, ChainID: 1,
		Contract:          "0xdAC17F958D2ee523a2206206994597C13D831ec7",
		EndpointSecretRef: lucidv1.LocalObjectReference{Name: "node"},
	}}}
}

func (w *world) endpointSecret(address string) *corev1.Secret {
	w.t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "node"}, StringData: map[string]string{"url": address},
	}
	require.NoError(w.t, w.Client.Create(w.t.Context(), secret))
	return secret
}

func TestBridgeIsCompiledWithoutItsEndpoints(t *testing.T) {
	w := newWorld(t)
	w.secret()
	w.endpointSecret("https://node.example.com:8545/open-sesame")
	w.gateway()
	w.edit(withBridge)
	w.running("pod-a")
	w.condition(lucidv1.ConditionBridgeReady, metav1.ConditionTrue, lucidv1.ReasonEndpointsKnown)
	want := counterchain.Settings{
		PaymentDeadlineSeconds: 3600, MinOrderCNPY: counterchain.DefaultMinOrder,
		Assets: []counterchain.Asset{{
			Network: "ethereum", Symbol: "USDT", Kind: counterchain.EVM, ChainID: 1, Decimals: 6,
			Contract: "0xdAC17F958D2ee523a2206206994597C13D831ec7",
			Finality: counterchain.ByConfirmations, Confirmations: counterchain.DefaultConfirmations,
		}},
	}
	w.eventually("the bridge in the snapshot", func(ctx context.Context) error {
		doc, err := w.snapshot(ctx)
		if err != nil {
			return err
		}
		if doc.Bridge == nil || !assert.ObjectsAreEqual(want, *doc.Bridge) {
			return fmt.Errorf("bridge is %+v", doc.Bridge)
		}
		return nil
	})
	object := &corev1.ConfigMap{}
	require.NoError(t, w.get(t.Context(), "lucid-snapshot", object))
	assert.NotContains(t, fmt.Sprint(object.Data), "sesame")

	w.edit(func(gateway *lucidv1.LucidGateway) { gateway.Spec.Bridge = nil })
	w.eventually("no bridge, no condition", func(ctx context.Context) error {
		gateway, err := w.current(ctx)
		if err != nil {
			return err
		}
		for _, c := range gateway.Status.Conditions {
			if c.Type == lucidv1.ConditionBridgeReady {
				return fmt.Errorf("still %s", c.Status)
			}
		}
		return nil
	})
}

func TestMissingEndpointHoldsTheRollout(t *testing.T) {
	w := newWorld(t)
	w.secret()
	gateway := w.gateway()
	w.edit(withBridge)
	w.finishMigration(batchv1.JobComplete)
	missing := w.condition(lucidv1.ConditionBridgeReady, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	for _, word := range []string{`"node"`, `"url"`} {
		assert.Contains(t, missing.Message, word, "the message says what to create")
	}
	w.condition(lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	assert.True(t, apierrors.IsNotFound(w.get(t.Context(), gateway.Name, &appsv1.Deployment{})), "no pod starts without its environment")

	secret := w.endpointSecret("ftp://open-sesame")
	invalid := w.condition(lucidv1.ConditionBridgeReady, metav1.ConditionFalse, lucidv1.ReasonSecretInvalid)
	assert.NotContains(t, invalid.Message, "sesame")
	secret.StringData = map[string]string{"url": "http://node:8545"}
	require.NoError(t, w.Client.Update(t.Context(), secret))
	w.condition(lucidv1.ConditionBridgeReady, metav1.ConditionTrue, lucidv1.ReasonEndpointsKnown)
	first := w.bridgeRevision("")
	secret.StringData = map[string]string{"apiKey": "another"}
	require.NoError(t, w.Client.Update(t.Context(), secret))
	w.edit(func(gateway *lucidv1.LucidGateway) { gateway.Spec.Bridge.PaymentDeadlineSeconds = 600 }) // Secrets are not watched
	w.bridgeRevision(first)
}

// bridgeRevision waits until the pods' template carries another revision than the
// one before.
func (w *world) bridgeRevision(before string) string {
	w.t.Helper()
	var revision string
	w.eventually("another revision of the endpoints", func(ctx context.Context) error {
		deployment := &appsv1.Deployment{}
		if err := w.get(ctx, "lucid", deployment); err != nil {
			return err
		}
		revision = deployment.Spec.Template.Annotations[resources.BridgeRevisionAnnotation]
		if revision == before {
			return fmt.Errorf("revision is %q", revision)
		}
		return nil
	})
	return revision
}
