// Package lucidgateway turns a LucidGateway into running API pods. Two
// controllers share the work: Reconciler owns the children and the status, and
// SnapshotReconciler owns the one object that configures the pods.
package lucidgateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/ledgers"
	"github.com/lucid-blockchain/lucid/controllers/policy"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// FieldOwner is the field manager of everything these controllers write.
const FieldOwner = client.FieldOwner("lucid-gateway")

const (
	// pollDatabase is how often a gateway whose database did not answer asks again.
	pollDatabase = 5 * time.Second
	// pollSecret is how often a gateway whose mail server's Secret is not there
	// looks for it again.
	pollSecret = 5 * time.Second
	// resync repeats a pass that went well: Secrets are not watched and the
	// database sends no events.
	resync = 60 * time.Second
	// pingTimeout bounds the question to the database within a pass.
	pingTimeout = 2 * time.Second
	// retryMigration is how long a failed migration Job is left for its logs to be
	// read before another is tried.
	retryMigration = 2 * time.Minute
	// retryNotOwned is when a name taken by a stranger is tried again.
	retryNotOwned = 30 * time.Second
)

// Reconciler keeps a gateway's children and its status.
type Reconciler struct {
	Client   client.Client
	Live     client.Reader // past the cache
	Recorder events.EventRecorder
	Applier  *reconcile.Applier
	Ledgers  *ledgers.Ledgers
	// Image runs in the pods of gateways that name none.
	Image string
	// APIServerPort is opened in the pods' egress besides 443 and 6443.
	APIServerPort int32
	// Ping reports whether a gateway's database answers.
	Ping func(ctx context.Context, gateway *lucidv1.LucidGateway) error
}

// New makes a Reconciler that asks the real database.
func New(mgr ctrl.Manager, books *ledgers.Ledgers, image string, apiServerPort int32) *Reconciler {
	recorder := mgr.GetEventRecorder("lucid-gateway")
	r := &Reconciler{
		Client:        mgr.GetClient(),
		Live:          mgr.GetAPIReader(),
		Recorder:      recorder,
		Applier:       reconcile.NewApplier(mgr.GetClient(), mgr.GetAPIReader(), recorder, string(FieldOwner)),
		Ledgers:       books,
		Image:         image,
		APIServerPort: apiServerPort,
	}
	r.Ping = r.pingLedger
	return r
}

// The operator's rights, from which config/rbac is generated. In order, so that
// none is repeated or missed. Leases, ConfigMaps and Pods are read for every
// gateway; Secrets are read by name and never listed or watched.
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=create;delete;get;list;patch;update;watch
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=create;delete;get;list;patch;update;watch
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=create;get;list;patch;update;watch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=create;delete;get;list;patch;update;watch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=create;get
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=create;delete;get;list;patch;update;watch
// +kubebuilder:rbac:groups="",resources=services,verbs=create;delete;get;list;patch;update;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=lucidgateways,verbs=get;list;watch
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=lucidgateways/finalizers,verbs=update
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=lucidgateways/status,verbs=get;patch;update
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses;networkpolicies,verbs=create;delete;get;list;patch;update;watch
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=create;delete;get;list;patch;update;watch
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings;roles,verbs=create;delete;get;list;patch;update;watch

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("lucidgateway").
		For(&lucidv1.LucidGateway{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Owns(&appsv1.Deployment{}).
		Owns(&batchv1.Job{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&networkingv1.Ingress{}).
		Owns(&networkingv1.NetworkPolicy{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		Owns(&rbacv1.Role{}).
		Owns(&rbacv1.RoleBinding{}).
		Watches(&coordinationv1.Lease{}, handler.EnqueueRequestsFromMapFunc(gatewayOfLabel)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(gatewayOfLabel)).
		Watches(&lucidv1.RateLimitPolicy{}, handler.EnqueueRequestsFromMapFunc(policy.GatewaysOf),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("registering the gateway controller: %w", err)
	}
	return nil
}

// Reconcile makes one pass over one gateway.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	gateway := &lucidv1.LucidGateway{}
	if err := r.Client.Get(ctx, req.NamespacedName, gateway); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.Applier.Forget(req.NamespacedName)
			r.Ledgers.Forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	// Children carry an owner reference and go by themselves.
	if !gateway.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	result, err := reconcile.WithStatus(ctx, r.Client, gateway, func(ctx context.Context) error {
		return r.pass(ctx, gateway)
	})
	if err == nil && result.RequeueAfter == 0 && !reconcile.Paused(gateway) {
		result.RequeueAfter = resync
	}
	return result, err
}

func (r *Reconciler) pass(ctx context.Context, gateway *lucidv1.LucidGateway) error {
	s := newScope(gateway, r.Image, r.APIServerPort)
	if reconcile.SetPaused(s.conditions, gateway) {
		return nil
	}
	err := reconcile.Each(
		r.children,
		reconcile.Sequence(r.secrets, r.bridgeSecrets, r.applyNetworkPolicy, r.migrate, r.mailSecret, r.awaitBridge, r.rollOut),
		r.observe,
	)(ctx, s)
	s.report()
	// A database that does not answer fails no phase, but has to be asked again.
	return errors.Join(err, s.pingErr)
}

// gatewayOfLabel maps pods and Leases to the gateway their label names.
func gatewayOfLabel(_ context.Context, obj client.Object) []ctrl.Request {
	name := obj.GetLabels()[snapshot.GatewayLabel]
	if name == "" {
		return nil
	}
	return []ctrl.Request{{NamespacedName: types.NamespacedName{Namespace: obj.GetNamespace(), Name: name}}}
}
