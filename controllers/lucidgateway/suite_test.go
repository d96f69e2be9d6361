package lucidgateway_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/ledgers"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/controllers/ratelimitpolicy"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/controllers/reconcile/reconciletest"
	"github.com/lucid-blockchain/lucid/internal/kubetest"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

const soon = 15 * time.Second

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// world is one namespace with the gateway's and the policies' controllers
// running over it. What a cluster would do, the test does: run the migration,
// report pods, grant Leases.
type world struct {
	*kubetest.Cluster
	t        *testing.T
	writes   *reconciletest.Writes
	database atomic.Bool // whether the database answers
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Cluster: kubetest.Open(t), t: t}
	w.database.Store(true)
	w.writes = reconciletest.Count(w.Config)
	cacheOptions, err := reconcile.CacheOptions([]string{w.Namespace})
	require.NoError(t, err)
	mgr, err := ctrl.NewManager(w.Config, ctrl.Options{
		Scheme: w.Scheme, Cache: cacheOptions, Client: reconcile.ClientOptions(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	require.NoError(t, err)
	r := lucidgateway.New(mgr, ledgers.New(), "lucid:test", 6443)
	r.Ping = w.ping
	require.NoError(t, r.SetupWithManager(mgr))
	require.NoError(t, (&lucidgateway.SnapshotReconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader()}).SetupWithManager(mgr))
	require.NoError(t, (&ratelimitpolicy.Reconciler{Client: mgr.GetClient()}).SetupWithManager(mgr))

	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return w
}

func (w *world) ping(context.Context, *lucidv1.LucidGateway) error {
	if w.database.Load() {
		return nil
	}
	return reconcile.Waiting(200*time.Millisecond, lucidv1.ReasonDatabaseUnreachable, "the database does not answer")
}

func (w *world) eventually(what string, check func(context.Context) error) {
	w.t.Helper()
	kubetest.Eventually(w.t, soon, what, check)
}

func (w *world) secret() {
	w.t.Helper()
	require.NoError(w.t, w.Client.Create(w.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "lucid-database"},
		StringData: map[string]string{"url": "postgres://u:p@db.example:26257/lucid"},
	}))
}

func (w *world) gateway() *lucidv1.LucidGateway {
	w.t.Helper()
	gateway := &lucidv1.LucidGateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "lucid"},
		Spec: lucidv1.LucidGatewaySpec{
			Database: lucidv1.Database{SecretRef: lucidv1.SecretKeyReference{Name: "lucid-database"}},
			Replicas: ptr.To[int32](2),
		},
	}
	require.NoError(w.t, w.Client.Create(w.t.Context(), gateway))
	return gateway
}

// running brings a gateway to Ready with the given pods, all of them current.
func (w *world) running(pods ...string) {
	w.t.Helper()
	w.finishMigration(batchv1.JobComplete)
	w.deploymentReady(len(pods))
	for _, name := range pods {
		w.pod(name)
	}
	w.eventually("a snapshot", func(ctx context.Context) error {
		_, err := w.snapshot(ctx)
		return err
	})
	for _, name := range pods {
		w.report(name)
	}
	w.condition(lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonReady)
}

func (w *world) finishMigration(how batchv1.JobConditionType) *batchv1.Job {
	w.t.Helper()
	var job *batchv1.Job
	w.eventually("a migration Job", func(ctx context.Context) error {
		var jobs batchv1.JobList
		if err := w.Client.List(ctx, &jobs, client.InNamespace(w.Namespace)); err != nil {
			return err
		}
		for i := range jobs.Items {
			if len(jobs.Items[i].Status.Conditions) == 0 {
				job = &jobs.Items[i]
				return finishJob(ctx, w.Client, job, how)
			}
		}
		return fmt.Errorf("%d jobs, none unfinished", len(jobs.Items))
	})
	return job
}

// finishJob sets the status that the Job controller would, in the order that the
// API server insists on.
func finishJob(ctx context.Context, c client.Client, job *batchv1.Job, how batchv1.JobConditionType) error {
	now := metav1.Now()
	before := batchv1.JobSuccessCriteriaMet
	if how == batchv1.JobFailed {
		before = batchv1.JobFailureTarget
	} else {
		job.Status.CompletionTime, job.Status.Succeeded = &now, 1
	}
	job.Status.StartTime = &now
	for _, condition := range []batchv1.JobConditionType{before, how} {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
			Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: now, LastProbeTime: now,
		})
	}
	return c.Status().Update(ctx, job)
}

func (w *world) deploymentReady(ready int) {
	w.t.Helper()
	w.eventually("the Deployment", func(ctx context.Context) error {
		deployment := &appsv1.Deployment{}
		if err := w.get(ctx, "lucid", deployment); err != nil {
			return err
		}
		deployment.Status.Replicas = int32(ready)
		deployment.Status.ReadyReplicas = int32(ready)
		deployment.Status.AvailableReplicas = int32(ready)
		deployment.Status.ObservedGeneration = deployment.Generation
		deployment.Status.Conditions = []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable",
		}}
		return w.Client.Status().Update(ctx, deployment)
	})
}

func (w *world) pod(name string) {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name, Labels: resources.Labels("lucid", resources.ComponentAPI)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "lucid:test"}}},
	}
	require.NoError(w.t, w.Client.Create(w.t.Context(), pod))
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	require.NoError(w.t, w.Client.Status().Update(w.t.Context(), pod))
}

// report does what a pod does after it took the snapshot.
func (w *world) report(pod string) int64 {
	w.t.Helper()
	var generation int64
	w.eventually("reporting", func(ctx context.Context) error {
		doc, err := w.snapshot(ctx)
		if err != nil {
			return err
		}
		generation = doc.Generation
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Namespace: w.Namespace, Name: pod,
			Labels:      map[string]string{snapshot.GatewayLabel: "lucid"},
			Annotations: map[string]string{snapshot.GenerationAnnotation: strconv.FormatInt(generation, 10)},
		}}
		existing := &coordinationv1.Lease{}
		if err := w.get(ctx, pod, existing); err != nil {
			return w.Client.Create(ctx, lease)
		}
		existing.Annotations = lease.Annotations
		return w.Client.Update(ctx, existing)
	})
	return generation
}

func (w *world) snapshot(ctx context.Context) (*snapshot.Snapshot, error) {
	object := &corev1.ConfigMap{}
	if err := w.get(ctx, "lucid-snapshot", object); err != nil {
		return nil, err
	}
	return snapshot.Parse([]byte(object.Data[snapshot.Key]))
}

func (w *world) get(ctx context.Context, name string, into client.Object) error {
	return w.Client.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: name}, into)
}

func (w *world) current(ctx context.Context) (*lucidv1.LucidGateway, error) {
	gateway := &lucidv1.LucidGateway{}
	return gateway, w.get(ctx, "lucid", gateway)
}

// edit changes the gateway, again if somebody else was faster.
func (w *world) edit(change func(*lucidv1.LucidGateway)) {
	w.t.Helper()
	w.eventually("an edit", func(ctx context.Context) error {
		gateway, err := w.current(ctx)
		if err != nil {
			return err
		}
		change(gateway)
		return w.Client.Update(ctx, gateway)
	})
}

// condition waits for a condition of the gateway and returns it.
func (w *world) condition(conditionType string, status metav1.ConditionStatus, reason string) metav1.Condition {
	w.t.Helper()
	var found metav1.Condition
	w.eventually(conditionType+" to be "+string(status)+"/"+reason, func(ctx context.Context) error {
		gateway, err := w.current(ctx)
		if err != nil {
			return err
		}
		for _, c := range gateway.Status.Conditions {
			if c.Type == conditionType {
				found = c
				if c.Status == status && c.Reason == reason {
					return nil
				}
				return fmt.Errorf("is %s/%s: %s", c.Status, c.Reason, c.Message)
			}
		}
		return errors.New("not set")
	})
	return found
}

// quiet lets what is under way settle and then counts the writes of a span.
func (w *world) quiet(span time.Duration) int {
	time.Sleep(time.Second)
	w.writes.Reset()
	time.Sleep(span)
	return w.writes.Total()
}
