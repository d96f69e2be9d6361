//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// TestDatabaseLoss takes the database away: the pods answer 503 in the
// surface's own shape, and serve again when it is back, without a restart.
func TestDatabaseLoss(t *testing.T) {
	p := platform.MustOpen(t)
	ctx := context.Background()
	before, err := p.APIPods(ctx)
	if err != nil {
		t.Fatal(err)
	}
	user := p.NewUser()
	if err := user.Fund(ctx, "1"); err != nil {
		t.Fatal(err)
	}

	scaleDatabase(t, p, 0)
	t.Cleanup(func() { scaleDatabase(t, p, 1) })
	platform.Eventually(t, time.Minute, "503 without a database", func(ctx context.Context) error {
		answer, err := user.Do(ctx, http.MethodGet, "/chains", nil)
		if err == nil && (answer.Status != http.StatusServiceUnavailable || answer.Error.Code == "") {
			err = fmt.Errorf("status %d, code %q", answer.Status, answer.Error.Code)
		}
		return err
	})
	scaleDatabase(t, p, 1)
	platform.Eventually(t, 90*time.Second, "service again", func(ctx context.Context) error {
		return user.Call(ctx, http.MethodGet, "/chains", nil, nil)
	})

	after, err := p.APIPods(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range after {
		if i < len(before) && platform.Restarts(&after[i]) != platform.Restarts(&before[i]) {
			t.Errorf("pod %s restarted; it should have recovered by itself", after[i].Name)
		}
	}
}

func scaleDatabase(t *testing.T, p *platform.Platform, replicas int32) {
	t.Helper()
	database := &appsv1.StatefulSet{}
	if err := p.Get(context.Background(), client.ObjectKey{Namespace: p.Namespace, Name: "postgres"}, database); err != nil {
		t.Fatal(err)
	}
	patch := client.MergeFrom(database.DeepCopy())
	database.Spec.Replicas = &replicas
	if err := p.Patch(context.Background(), database, patch); err != nil {
		t.Fatal(err)
	}
}

// TestMissingSecret: a gateway whose Secret is not there says so in a
// condition, starts no pods, and comes to life when the Secret appears.
func TestMissingSecret(t *testing.T) {
	p := platform.MustOpen(t)
	gateway := &lucidv1.LucidGateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: "e2e-unsecret"},
		Spec: lucidv1.LucidGatewaySpec{
			Database: lucidv1.Database{SecretRef: lucidv1.SecretKeyReference{Name: "e2e-no-such-secret"}},
		},
	}
	create(t, p, gateway)
	t.Cleanup(func() { _ = p.Delete(context.Background(), gateway) })
	platform.Eventually(t, 30*time.Second, "the condition names the Secret", func(ctx context.Context) error {
		if err := p.Get(ctx, client.ObjectKeyFromObject(gateway), gateway); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(gateway.Status.Conditions, lucidv1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionFalse {
			return fmt.Errorf("Ready = %+v, want False", ready)
		}
		t.Logf("Ready=False %s: %s", ready.Reason, ready.Message)
		return nil
	})
}

// TestDriftIsRepaired deletes a child and changes another: both come back.
func TestDriftIsRepaired(t *testing.T) {
	p := platform.MustOpen(t)
	ctx := context.Background()
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: p.Namespace, Name: p.Gateway}
	if err := p.Get(ctx, key, deployment); err != nil {
		t.Fatal(err)
	}
	was := deployment.Spec.Template.Spec.Containers[0].Image
	patch := client.MergeFrom(deployment.DeepCopy())
	deployment.Spec.Paused = false
	deployment.Spec.Template.Spec.Containers[0].ImagePullPolicy = "Never"
	if err := p.Patch(ctx, deployment, patch); err != nil {
		t.Fatal(err)
	}
	platform.Eventually(t, time.Minute, "drift repaired", func(ctx context.Context) error {
		if err := p.Get(ctx, key, deployment); err != nil {
			return err
		}
		container := deployment.Spec.Template.Spec.Containers[0]
		if container.ImagePullPolicy == "Never" || container.Image != was {
			return fmt.Errorf("image %s, pull policy %s", container.Image, container.ImagePullPolicy)
		}
		return nil
	})
}
