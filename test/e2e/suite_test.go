//go:build e2e

// Package e2e drives a running platform as its users do: through the
// Kubernetes API and the REST surfaces, and nothing else.
package e2e

import (
	"context"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lucid-blockchain/lucid/test/platform"
)

func create(t *testing.T, p *platform.Platform, object client.Object) {
	t.Helper()
	if err := p.Create(context.Background(), object); err != nil {
		t.Fatal(err)
	}
}
