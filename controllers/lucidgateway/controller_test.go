package lucidgateway_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

func TestGatewayBecomesReady(t *testing.T) {
	w := newWorld(t)
	w.secret()
	gateway := w.gateway()

	w.condition(lucidv1.ConditionMigrated, metav1.ConditionFalse, lucidv1.ReasonMigrating)
	err := w.get(t.Context(), "lucid", &appsv1.Deployment{})
	assert.True(t, apierrors.IsNotFound(err), "no pod starts before the database fits its image")

	w.running("pod-a", "pod-b")
	for name, child := range map[string]client.Object{
		"lucid":           &corev1.ServiceAccount{},
		"lucid-gateway":   &corev1.Service{},
		"lucid-launchpad": &corev1.Service{},
		"lucid-docu":      &corev1.Service{},
		"lucid-snapshot":  &corev1.ConfigMap{},
	} {
		require.NoError(t, w.get(t.Context(), name, child), name)
		assert.True(t, metav1.IsControlledBy(child, gateway), "%s goes with its gateway", name)
	}
	for _, child := range []client.Object{&rbacv1.Role{}, &rbacv1.RoleBinding{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{}, &appsv1.Deployment{}} {
		require.NoError(t, w.get(t.Context(), "lucid", child), "%T", child)
		assert.True(t, metav1.IsControlledBy(child, gateway), "%T goes with its gateway", child)
	}
	keystore := &corev1.Secret{}
	require.NoError(t, w.get(t.Context(), "lucid-keystore", keystore))
	assert.Empty(t, keystore.OwnerReferences, "the platform key outlives the gateway, as the wallets do")

	ready, err := w.current(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 2, ready.Status.Replicas)
	assert.NotEmpty(t, ready.Status.Selector)
	assert.EqualValues(t, 1, ready.Status.SnapshotGeneration)
	assert.Len(t, ready.Status.Endpoints, 3)
	assert.Equal(t, ready.Generation, ready.Status.ObservedGeneration)
}

func TestSteadyStateSendsNoWrites(t *testing.T) {
	w := newWorld(t)
	w.secret()
	w.gateway()
	w.running("pod-a", "pod-b")
	assert.Zero(t, w.quiet(3*time.Second), "writes in steady state:\n%s", w.writes)
}

func TestMissingSecretIsACondition(t *testing.T) {
	w := newWorld(t)
	w.gateway()
	missing := w.condition(lucidv1.ConditionDatabaseReady, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	assert.Contains(t, missing.Message, `"lucid-database"`, "the message says what to create")
	assert.Contains(t, missing.Message, `"url"`)
	w.condition(lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	w.secret()
	w.condition(lucidv1.ConditionDatabaseReady, metav1.ConditionTrue, lucidv1.ReasonReachable)
	w.running("pod-a")
}

func TestLostDatabaseIsToldAndRecovers(t *testing.T) {
	w := newWorld(t)
	w.database.Store(false)
	w.secret()
	w.gateway()
	w.condition(lucidv1.ConditionDatabaseReady, metav1.ConditionFalse, lucidv1.ReasonDatabaseUnreachable)
	var jobs batchv1.JobList
	require.NoError(t, w.Client.List(t.Context(), &jobs, client.InNamespace(w.Namespace)))
	assert.Empty(t, jobs.Items, "no Job uses up its retries on a database that is not there")
	w.database.Store(true)
	w.running("pod-a")
}

func TestDriftIsRepaired(t *testing.T) {
	w := newWorld(t)
	w.secret()
	w.gateway()
	w.running("pod-a")

	service := &corev1.Service{}
	require.NoError(t, w.get(t.Context(), "lucid-gateway", service))
	service.Spec.Selector["app.kubernetes.io/component"] = "elsewhere"
	require.NoError(t, w.Client.Update(t.Context(), service))
	w.eventually("the Service's selector", func(ctx context.Context) error {
		if err := w.get(ctx, "lucid-gateway", service); err != nil {
			return err
		}
		if got := service.Spec.Selector["app.kubernetes.io/component"]; got != "apiserver" {
			return fmt.Errorf("selector is %q", got)
		}
		return nil
	})
	require.NoError(t, w.Client.Delete(t.Context(), service))
	w.eventually("the deleted Service", func(ctx context.Context) error { return w.get(ctx, "lucid-gateway", service) })

	object := &corev1.ConfigMap{}
	require.NoError(t, w.get(t.Context(), "lucid-snapshot", object))
	object.Data = map[string]string{"snapshot.json": "{"}
	require.NoError(t, w.Client.Update(t.Context(), object))
	w.eventually("the broken snapshot", func(ctx context.Context) error {
		doc, err := w.snapshot(ctx)
		if err == nil && doc.Generation < 2 {
			err = fmt.Errorf("generation %d was given out before", doc.Generation)
		}
		return err
	})
}

func TestForeignObjectsAreNotAdopted(t *testing.T) {
	w := newWorld(t)
	w.secret()
	foreign := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "lucid-gateway"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1234}}},
	}
	require.NoError(t, w.Client.Create(t.Context(), foreign))
	snapshot := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "lucid-snapshot"}, Data: map[string]string{"mine": "yes"}}
	require.NoError(t, w.Client.Create(t.Context(), snapshot))
	w.gateway()
	told := w.condition(lucidv1.ConditionAvailable, metav1.ConditionFalse, lucidv1.ReasonNotOwned)
	assert.Contains(t, told.Message, `Service "lucid-gateway"`)

	require.NoError(t, w.get(t.Context(), "lucid-gateway", foreign))
	assert.EqualValues(t, 1234, foreign.Spec.Ports[0].Port)
	assert.Empty(t, foreign.OwnerReferences)
	require.NoError(t, w.get(t.Context(), "lucid-snapshot", snapshot))
	assert.Equal(t, map[string]string{"mine": "yes"}, snapshot.Data)
}

func TestEditsRollOut(t *testing.T) {
	w := newWorld(t)
	w.secret()
	w.gateway()
	w.running("pod-a")

	w.edit(func(gateway *lucidv1.LucidGateway) {
		gateway.Spec.Replicas = ptr.To[int32](5)
		gateway.Spec.Surfaces = []lucidv1.Surface{{Name: lucidv1.SurfaceGateway}, {Name: lucidv1.SurfaceDocu, State: lucidv1.SurfaceDisabled}}
	})
	w.eventually("five replicas and one Service", func(ctx context.Context) error {
		deployment := &appsv1.Deployment{}
		if err := w.get(ctx, "lucid", deployment); err != nil {
			return err
		}
		var services corev1.ServiceList
		if err := w.Client.List(ctx, &services, client.InNamespace(w.Namespace)); err != nil {
			return err
		}
		if *deployment.Spec.Replicas != 5 || len(services.Items) != 1 {
			return fmt.Errorf("%d replicas, %d Services", *deployment.Spec.Replicas, len(services.Items))
		}
		return nil
	})

	w.edit(func(gateway *lucidv1.LucidGateway) { gateway.Spec.Image = "lucid:next" })
	w.condition(lucidv1.ConditionMigrated, metav1.ConditionFalse, lucidv1.ReasonMigrating)
	deployment := &appsv1.Deployment{}
	require.NoError(t, w.get(t.Context(), "lucid", deployment))
	assert.Equal(t, "lucid:test", deployment.Spec.Template.Spec.Containers[0].Image, "the new image waits for its migration")
	w.finishMigration(batchv1.JobFailed)
	w.condition(lucidv1.ConditionMigrated, metav1.ConditionFalse, lucidv1.ReasonMigrationFailed)
}

func TestPauseKeepsHandsOff(t *testing.T) {
	w := newWorld(t)
	w.secret()
	w.gateway()
	w.running("pod-a")
	w.edit(func(gateway *lucidv1.LucidGateway) {
		gateway.Annotations = map[string]string{lucidv1.AnnotationPaused: "true"}
	})
	w.condition("Paused", metav1.ConditionTrue, lucidv1.ReasonPaused)
	service := &corev1.Service{}
	require.NoError(t, w.get(t.Context(), "lucid-docu", service))
	require.NoError(t, w.Client.Delete(t.Context(), service))
	time.Sleep(300 * time.Millisecond)
	assert.True(t, apierrors.IsNotFound(w.get(t.Context(), "lucid-docu", service)), "a paused gateway's children are left alone")
	w.edit(func(gateway *lucidv1.LucidGateway) { gateway.Annotations = nil })
	w.eventually("the Service after the pause", func(ctx context.Context) error { return w.get(ctx, "lucid-docu", service) })
}
