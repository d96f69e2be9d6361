package lucidgateway

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/controllers/policy"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// SnapshotReconciler keeps a gateway's snapshot object in step with the gateway
// and its policies. It is apart from the gateway's own controller, with a queue
// of its own, so that an edited limit waits for no rollout and no database: from
// the event to the write there is one read of the cache and one request.
type SnapshotReconciler struct {
	Client client.Client
	Live   client.Reader // past the cache, for objects without our label
}

// SetupWithManager registers the controller.
func (r *SnapshotReconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("lucidgateway-snapshot").
		For(&lucidv1.LucidGateway{}).
		Owns(&corev1.ConfigMap{}).
		Watches(&lucidv1.RateLimitPolicy{}, handler.EnqueueRequestsFromMapFunc(policy.GatewaysOf)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("registering the snapshot controller: %w", err)
	}
	return nil
}

// Reconcile writes the snapshot if its content changed.
func (r *SnapshotReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	gateway := &lucidv1.LucidGateway{}
	if err := r.Client.Get(ctx, req.NamespacedName, gateway); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !gateway.DeletionTimestamp.IsZero() || reconcile.Paused(gateway) {
		return ctrl.Result{}, nil
	}
	return reconcile.Result(r.publish(ctx, gateway))
}

func (r *SnapshotReconciler) publish(ctx context.Context, gateway *lucidv1.LucidGateway) error {
	var policies lucidv1.RateLimitPolicyList
	if err := r.Client.List(ctx, &policies, client.InNamespace(gateway.Namespace)); err != nil {
		return fmt.Errorf("listing policies: %w", err)
	}
	doc, _ := policy.Compile(gateway, policies.Items)
	if err := doc.Validate(); err != nil {
		// The gateway's own controller says so in its condition.
		return reconcile.Stalled(lucidv1.ReasonInvalid, "the gateway's configuration is not valid")
	}
	reported, err := r.highestReported(ctx, gateway)
	if err != nil {
		return err
	}
	live, err := r.current(ctx, r.Client, gateway)
	if err != nil {
		return err
	}
	if live == nil {
		return r.create(ctx, gateway, doc, reported)
	}
	return r.update(ctx, gateway, doc, live, reported)
}

// create makes the first snapshot. Its generation is past whatever a pod runs,
// so that pods which outlived a deleted snapshot take the new one.
func (r *SnapshotReconciler) create(ctx context.Context, gateway *lucidv1.LucidGateway, doc *snapshot.Snapshot, reported int64) error {
	doc.Generation = reported + 1
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name:      snapshot.ConfigMapName(gateway.Name),
		Namespace: gateway.Namespace,
		Labels:    resources.Labels(gateway.Name, resources.ComponentAPI),
	}}
	if err := fill(object, doc); err != nil {
		return err
	}
	if err := reconcile.SetOwner(gateway, object, r.Client.Scheme()); err != nil {
		return err
	}
	err := r.Client.Create(ctx, object, FieldOwner)
	if !apierrors.IsAlreadyExists(err) {
		return wrap(err, "creating the snapshot")
	}
	// Either a stranger's object, which a cache limited by labels does not hold,
	// or our own, which the cache does not hold yet.
	live, err := r.current(ctx, r.Live, gateway)
	if err != nil || live == nil {
		return err
	}
	return r.update(ctx, gateway, doc, live, reported)
}

// update replaces a snapshot whose content differs. It goes out under the
// resourceVersion that was read: a generation must never stand for two contents,
// so a write from a stale cache has to fail.
func (r *SnapshotReconciler) update(ctx context.Context, gateway *lucidv1.LucidGateway, doc *snapshot.Snapshot, live *corev1.ConfigMap, reported int64) error {
	if !metav1.IsControlledBy(live, gateway) {
		return errForeignSnapshot(live.Name)
	}
	published, err := snapshot.Parse([]byte(live.Data[snapshot.Key]))
	generation := int64(0)
	if err == nil {
		if published.Hash() == doc.Hash() && published.Generation >= reported {
			return nil
		}
		generation = published.Generation
	}
	doc.Generation = max(generation, reported) + 1
	next := live.DeepCopy()
	if err := fill(next, doc); err != nil {
		return err
	}
	if err := r.Client.Update(ctx, next, FieldOwner); err != nil {
		return wrap(err, "updating the snapshot")
	}
	log.FromContext(ctx).Info("snapshot written", "generation", doc.Generation)
	return nil
}

// current returns the gateway's snapshot object, or nil when there is none.
func (r *SnapshotReconciler) current(ctx context.Context, from client.Reader, gateway *lucidv1.LucidGateway) (*corev1.ConfigMap, error) {
	object := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: gateway.Namespace, Name: snapshot.ConfigMapName(gateway.Name)}
	switch err := from.Get(ctx, key, object); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the snapshot: %w", err)
	}
	return object, nil
}

func (r *SnapshotReconciler) highestReported(ctx context.Context, gateway *lucidv1.LucidGateway) (int64, error) {
	var leases coordinationv1.LeaseList
	err := r.Client.List(ctx, &leases, client.InNamespace(gateway.Namespace),
		client.MatchingLabels{snapshot.GatewayLabel: gateway.Name})
	if err != nil {
		return 0, fmt.Errorf("listing leases: %w", err)
	}
	return policy.Observe(0, nil, leases.Items).Highest, nil
}

func errForeignSnapshot(name string) error {
	return reconcile.Waiting(retryNotOwned, reconcile.ReasonNotOwned,
		"ConfigMap %q exists and is not owned by this gateway; rename or delete it", name)
}

func fill(object *corev1.ConfigMap, doc *snapshot.Snapshot) error {
	raw, err := doc.Encode()
	if err != nil {
		return wrap(err, "encoding the snapshot")
	}
	object.Data = map[string]string{snapshot.Key: string(raw)}
	return nil
}

func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
