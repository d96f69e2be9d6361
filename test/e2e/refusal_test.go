//go:build e2e

package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// TestObjectsAreRefused: the API server itself refuses what can't be right,
// with a sentence that says what is allowed.
func TestObjectsAreRefused(t *testing.T) {
	p := platform.MustOpen(t)
	for _, test := range []struct {
		reason string
		spoil  func(*lucidv1.Chain)
		says   string
	}{
		{"a symbol is upper case", func(c *lucidv1.Chain) { c.Spec.Token.Symbol = "low" }, "symbol"},
		{"a threshold under the seed's minimum", func(c *lucidv1.Chain) { c.Spec.Graduation.ThresholdCNPY = "5" }, "threshold"},
		{"a threshold that the pool opens above", func(c *lucidv1.Chain) {
			c.Spec.Graduation.ThresholdCNPY, c.Spec.Curve.InitialCNPYReserve = "2000", "3000"
		}, "threshold"},
		{"a launch mode that does not exist", func(c *lucidv1.Chain) { c.Spec.Launch.Mode = "Someday" }, "mode"},
		{"a scheduled launch without a time", func(c *lucidv1.Chain) { c.Spec.Launch.Mode = lucidv1.LaunchScheduled }, "time"},
	} {
		chain := p.ManualChain("refused")
		test.spoil(chain)
		err := p.Create(context.Background(), chain, client.DryRunAll)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, want a refusal about %s", test.reason, err, test.says)
		}
	}
}

// TestIdentityIsImmutable: what names a chain in the ledger can't be edited.
func TestIdentityIsImmutable(t *testing.T) {
	p := platform.MustOpen(t)
	chain := p.ManualChain("immutable")
	create(t, p, chain)
	t.Cleanup(func() { _ = p.Delete(context.Background(), chain) })
	patch := client.MergeFrom(chain.DeepCopy())
	chain.Spec.Token.Symbol = "OTHER"
	if err := p.Patch(context.Background(), chain, patch); !apierrors.IsInvalid(err) {
		t.Errorf("token symbol edited: %v, want a refusal", err)
	}
}

// TestBodiesAreRefused: every wrong field of a REST body is reported at once.
func TestBodiesAreRefused(t *testing.T) {
	p := platform.MustOpen(t)
	answer, err := p.NewUser().Do(context.Background(), http.MethodPost, "/chains", map[string]any{
		"chain_name": "", "token_symbol": "lower", "graduation_threshold": 1, "no_such_field": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != http.StatusBadRequest || answer.Error.Code != "VALIDATION_ERROR" {
		t.Fatalf("status %d, code %s, want 400 VALIDATION_ERROR", answer.Status, answer.Error.Code)
	}
	for _, field := range []string{"chain_name", "token_symbol", "graduation_threshold", "no_such_field"} {
		if !strings.Contains(string(answer.Error.Details), `"`+field+`"`) {
			t.Errorf("details %s do not name %s", answer.Error.Details, field)
		}
	}
}

// TestBothBirths: a chain made on either side shows on the other.
func TestBothBirths(t *testing.T) {
	p := platform.MustOpen(t)
	user := p.NewUser()

	declared := p.ManualChain("declared")
	create(t, p, declared)
	t.Cleanup(func() { _ = p.Delete(context.Background(), declared) })
	platform.Eventually(t, 10*time.Second, "a declared chain shows through REST", func(ctx context.Context) error {
		_, err := user.Chain(ctx, string(declared.UID))
		return err
	})

	posted, err := user.CreateChain(context.Background(), map[string]any{"chain_name": "Posted " + declared.Name, "token_symbol": "POST"})
	if err != nil {
		t.Fatal(err)
	}
	var object *lucidv1.Chain
	platform.Eventually(t, 10*time.Second, "a posted chain shows as an object", func(ctx context.Context) (err error) {
		object, err = p.ChainWithID(ctx, posted.ID.String())
		return err
	})
	if err := user.Call(context.Background(), http.MethodDelete, "/chains/"+posted.ID.String(), nil, nil); err != nil {
		t.Fatal(err)
	}
	platform.Eventually(t, 10*time.Second, "a deleted draft's object goes too", func(ctx context.Context) error {
		err := p.Get(ctx, client.ObjectKeyFromObject(object), object)
		if err == nil {
			return errors.New("the object is still there")
		}
		return client.IgnoreNotFound(err)
	})
}
