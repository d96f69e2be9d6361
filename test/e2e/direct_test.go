//go:build e2e

package e2e

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// TestDirectChain declares a chain that never has a pool, and wants it to make
// blocks with its whole supply in place and no pool.
func TestDirectChain(t *testing.T) {
	p := platform.MustOpen(t)
	ctx := context.Background()
	chain := p.ManualChain("direct")
	chain.Spec.Launch.Mode = lucidv1.LaunchDirect
	chain.Spec.Network.Storage.Size = resource.MustParse("256Mi")
	chain.Spec.DeletionPolicy = lucidv1.DeletionRetain
	if err := p.Create(ctx, chain); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Delete(context.Background(), chain) })
	p.WaitGraduated(t, chain)
	live := p.LiveChain(chain)
	var pool app.Pool
	if err := live.Query(ctx, "/pool", &pool); err != nil || pool.Shares != 0 {
		t.Errorf("pool %+v, error %v, want an empty one", pool, err)
	}
	var supply app.Supply
	if err := live.Query(ctx, "/supply", &supply); err != nil || supply.Tokens.String() != "1000000000" || supply.CNPY != 0 {
		t.Errorf("supply %+v, error %v, want the declared tokens and no CNPY", supply, err)
	}
	row, err := p.NewUser().Chain(ctx, chain.Status.LedgerID)
	if err != nil || row.Status != "graduated" || !row.IsGraduated {
		t.Errorf("chain through REST = %+v, error %v, want graduated", row, err)
	}
}
