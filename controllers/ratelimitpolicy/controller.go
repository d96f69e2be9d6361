// Package ratelimitpolicy reports what became of each RateLimitPolicy: accepted
// or not, and how many pods enforce it. What the policies amount to is decided
// in package policy and published by the gateway's snapshot controller.
package ratelimitpolicy

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/policy"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

// Reconciler keeps the status of RateLimitPolicies.
type Reconciler struct {
	Client client.Client
}

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps;pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=lucidgateways;ratelimitpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=ratelimitpolicies/status,verbs=get;patch;update

// SetupWithManager registers the controller. A policy's standing depends on its
// siblings, on the gateway, on the snapshot and on every pod's report, so all of
// them lead to the policies of the gateway concerned.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	byLabel := handler.EnqueueRequestsFromMapFunc(r.policiesOfLabel)
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	err := ctrl.NewControllerManagedBy(mgr).
		Named("ratelimitpolicy").
		For(&lucidv1.RateLimitPolicy{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&lucidv1.RateLimitPolicy{}, handler.EnqueueRequestsFromMapFunc(r.siblings), changed).
		Watches(&lucidv1.LucidGateway{}, handler.EnqueueRequestsFromMapFunc(r.policiesOfGateway), changed).
		Watches(&corev1.ConfigMap{}, byLabel).
		Watches(&corev1.Pod{}, byLabel).
		Watches(&coordinationv1.Lease{}, byLabel).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("registering the policy controller: %w", err)
	}
	return nil
}

// Reconcile makes one pass over one policy.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	object := &lucidv1.RateLimitPolicy{}
	if err := r.Client.Get(ctx, req.NamespacedName, object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !object.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	return reconcile.WithStatus(ctx, r.Client, object, func(ctx context.Context) error {
		conditions := reconcile.Conditions{List: &object.Status.Conditions, Generation: object.Generation}
		if reconcile.SetPaused(conditions, object) {
			return nil
		}
		targets, err := r.gather(ctx, object)
		if err != nil {
			return err
		}
		report(object, targets)
		return nil
	})
}

// target is one target reference and what the cluster shows of it.
type target struct {
	ref   lucidv1.PolicyTargetReference
	state *policy.State // nil when there is no such gateway
	claim *policy.Claim // this policy's, nil when there is no such gateway
}

func (r *Reconciler) gather(ctx context.Context, object *lucidv1.RateLimitPolicy) ([]target, error) {
	var targets []target
	states := map[string]*policy.State{}
	for _, ref := range object.Spec.TargetRefs {
		state, known := states[ref.Name]
		if !known {
			var err error
			if state, err = r.look(ctx, object.Namespace, ref.Name); err != nil {
				return nil, err
			}
			states[ref.Name] = state
		}
		targets = append(targets, target{ref: ref, state: state, claim: claimOf(state, object, ref)})
	}
	return targets, nil
}

// look returns what is to be seen of a gateway, nil when it does not exist.
func (r *Reconciler) look(ctx context.Context, namespace, name string) (*policy.State, error) {
	gateway := &lucidv1.LucidGateway{}
	switch err := r.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, gateway); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the gateway: %w", err)
	}
	state, err := policy.Look(ctx, r.Client, gateway)
	if err != nil {
		return nil, fmt.Errorf("observing the gateway: %w", err)
	}
	return state, nil
}

func claimOf(state *policy.State, object *lucidv1.RateLimitPolicy, ref lucidv1.PolicyTargetReference) *policy.Claim {
	if state == nil {
		return nil
	}
	for _, claim := range state.Claims {
		if claim.Policy == client.ObjectKeyFromObject(object) && claim.Section == string(ref.SectionName) {
			return claim
		}
	}
	return nil
}

// siblings maps a policy to all policies of the gateways it targets, or did
// before the edit.
func (r *Reconciler) siblings(ctx context.Context, obj client.Object) []ctrl.Request {
	var requests []ctrl.Request
	for _, gateway := range policy.GatewaysOf(ctx, obj) {
		requests = append(requests, r.policiesOn(ctx, gateway.NamespacedName)...)
	}
	return requests
}

func (r *Reconciler) policiesOfGateway(ctx context.Context, obj client.Object) []ctrl.Request {
	return r.policiesOn(ctx, client.ObjectKeyFromObject(obj))
}

func (r *Reconciler) policiesOfLabel(ctx context.Context, obj client.Object) []ctrl.Request {
	name := obj.GetLabels()[lucidv1.LabelGateway]
	if name == "" {
		return nil
	}
	return r.policiesOn(ctx, types.NamespacedName{Namespace: obj.GetNamespace(), Name: name})
}

func (r *Reconciler) policiesOn(ctx context.Context, gateway types.NamespacedName) []ctrl.Request {
	var policies lucidv1.RateLimitPolicyList
	// The cache answers; it fails only while the manager stops.
	if err := r.Client.List(ctx, &policies, client.InNamespace(gateway.Namespace)); err != nil {
		return nil
	}
	var requests []ctrl.Request
	for i := range policies.Items {
		for _, ref := range policies.Items[i].Spec.TargetRefs {
			if policy.Targets(ref, gateway.Name) {
				requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&policies.Items[i])})
				break
			}
		}
	}
	return requests
}
