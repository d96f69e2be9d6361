package lucidgateway

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
)

// children applies what needs neither database nor secrets and removes what the
// spec no longer asks for.
func (r *Reconciler) children(ctx context.Context, s *scope) error {
	objects := []client.Object{
		resources.ServiceAccount(s.input),
		resources.Role(s.input),
		resources.RoleBinding(s.input),
		resources.PodDisruptionBudget(s.input),
	}
	for _, service := range resources.Services(s.input) {
		objects = append(objects, service)
	}
	if ingress := resources.Ingress(s.input); ingress != nil {
		objects = append(objects, ingress)
	}
	var errs []error
	for _, object := range objects {
		errs = append(errs, r.Applier.Apply(ctx, s.gateway, object))
	}
	errs = append(errs, r.prune(ctx, s, objects))
	s.childrenErr = errors.Join(errs...)
	return s.childrenErr
}

// applyNetworkPolicy comes after secrets, which tell the database's port.
func (r *Reconciler) applyNetworkPolicy(ctx context.Context, s *scope) error {
	err := r.Applier.Apply(ctx, s.gateway, resources.NetworkPolicy(s.input))
	s.childrenErr = errors.Join(s.childrenErr, err)
	return err
}

// prune deletes our Services and Ingresses that are no longer wanted: those of a
// disabled surface.
func (r *Reconciler) prune(ctx context.Context, s *scope, wanted []client.Object) error {
	keep := map[string]bool{}
	for _, object := range wanted {
		keep[fmt.Sprintf("%T/%s", object, object.GetName())] = true
	}
	var services corev1.ServiceList
	var ingresses networkingv1.IngressList
	scope := []client.ListOption{
		client.InNamespace(s.gateway.Namespace),
		client.MatchingLabels(resources.Selector(s.gateway.Name)),
	}
	if err := errors.Join(r.Client.List(ctx, &services, scope...), r.Client.List(ctx, &ingresses, scope...)); err != nil {
		return fmt.Errorf("listing children: %w", err)
	}
	var errs []error
	for i := range services.Items {
		errs = append(errs, r.deleteUnless(ctx, s, keep, &services.Items[i]))
	}
	for i := range ingresses.Items {
		errs = append(errs, r.deleteUnless(ctx, s, keep, &ingresses.Items[i]))
	}
	return errors.Join(errs...)
}

func (r *Reconciler) deleteUnless(ctx context.Context, s *scope, keep map[string]bool, object client.Object) error {
	if keep[fmt.Sprintf("%T/%s", object, object.GetName())] || !metav1.IsControlledBy(object, s.gateway) {
		return nil
	}
	if err := client.IgnoreNotFound(r.Client.Delete(ctx, object)); err != nil {
		return fmt.Errorf("deleting a child that is no longer wanted: %w", err)
	}
	return nil
}
