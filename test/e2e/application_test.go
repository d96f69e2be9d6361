//go:build e2e

package e2e

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/livechain/registry"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// TestApplicationOfItsOwn declares a chain whose application is the register of
// names, in a container beside the node. It takes a name, loses its pod, and still
// has the name.
func TestApplicationOfItsOwn(t *testing.T) {
	p := platform.MustOpen(t)
	ctx := context.Background()
	chain := p.ManualChain("names")
	chain.Spec.Launch.Mode = lucidv1.LaunchDirect
	chain.Spec.Network.Storage.Size = resource.MustParse("256Mi")
	chain.Spec.Application = &lucidv1.Application{Args: []string{
		"application", "registry", "--address=$(LUCID_APPLICATION_ADDRESS)", "--home=$(LUCID_APPLICATION_HOME)",
	}}
	chain.Spec.DeletionPolicy = lucidv1.DeletionRetain
	if err := p.Create(ctx, chain); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Delete(context.Background(), chain) })
	p.WaitGraduated(t, chain)
	live := p.LiveChain(chain)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := registry.Sign(registry.Body{
		ChainID: chain.Status.Network.ChainID, Op: registry.Register, Name: "aurora", Value: "kept",
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := live.Send(ctx, raw); err != nil {
		t.Fatal(err)
	}
	before, err := live.Height(ctx)
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{lucidv1.LabelChain: chain.Name, "app.kubernetes.io/component": "node"}
	pods, err := p.Pods(ctx, labels)
	if err != nil || len(pods) != 1 {
		t.Fatalf("%d nodes, error %v", len(pods), err)
	}
	if err := p.KillOne(ctx, p.Namespace, labels); err != nil {
		t.Fatal(err)
	}
	platform.Eventually(t, 2*time.Minute, "the name is there after new blocks", func(ctx context.Context) error {
		now, err := p.Pods(ctx, labels)
		if err != nil || len(now) != 1 || now[0].UID == pods[0].UID {
			return errors.Join(err, errors.New("the pod has not been replaced"))
		}
		height, err := live.Height(ctx)
		if err != nil || height < before+2 {
			return errors.Join(err, fmt.Errorf("height %d after %d", height, before))
		}
		var found registry.Name
		if err := live.Query(ctx, "/name/aurora", &found); err != nil || found.Value != "kept" {
			return errors.Join(err, fmt.Errorf("the name has %+v", found))
		}
		return nil
	})
}
