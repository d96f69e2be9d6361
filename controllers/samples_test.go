package controllers

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lucid-blockchain/lucid/internal/kubetest"
)

// Whatever config/samples holds has to pass the schemas and their rules, with no
// field that the API server would drop.
func TestSamplesAreAccepted(t *testing.T) {
	cluster := kubetest.Open(t)
	files, err := filepath.Glob("../config/samples/*.yaml")
	require.NoError(t, err)
	accepted := 0
	strict := client.WithFieldValidation(cluster.Client, "Strict")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		object := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal(raw, &object.Object), file)
		if object.GetKind() == "Kustomization" || object.GetKind() == "Namespace" {
			continue
		}
		object.SetNamespace(cluster.Namespace)
		assert.NoError(t, strict.Create(t.Context(), object, client.DryRunAll), file)
		accepted++
	}
	assert.GreaterOrEqual(t, accepted, 5, "a gateway, a policy and three chains")
}
