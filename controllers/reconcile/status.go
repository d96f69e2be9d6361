package reconcile

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// Paused reports whether the object's annotation keeps the operator off it:
// nothing it owns is created, changed or removed then.
func Paused(obj client.Object) bool {
	return obj.GetAnnotations()[lucidv1.AnnotationPaused] == "true"
}

// SetPaused keeps ConditionPaused in step with the annotation and reports
// whether the object is paused.
func SetPaused(conditions Conditions, obj client.Object) bool {
	if Paused(obj) {
		conditions.True(ConditionPaused, lucidv1.ReasonPaused,
			"the operator leaves this object alone while the annotation "+lucidv1.AnnotationPaused+" is true")
		return true
	}
	conditions.Remove(ConditionPaused)
	return false
}

// WithStatus runs body, which may change obj's status and nothing else of it,
// and then patches the status once if it differs from what was read. An object
// deleted meanwhile is no error. The result is that of Result.
func WithStatus(ctx context.Context, c client.Client, obj client.Object, body func(context.Context) error) (ctrl.Result, error) {
	before, ok := obj.DeepCopyObject().(client.Object)
	if !ok {
		return ctrl.Result{}, fmt.Errorf("%T is not a Kubernetes object", obj)
	}
	err := body(ctx)
	if patchErr := patchStatus(ctx, c, before, obj); patchErr != nil {
		err = errors.Join(err, patchErr)
	}
	return Result(err)
}

// patchStatus sends the difference in status under the resourceVersion that was
// read: lists of conditions are replaced whole, so a pass that started from a
// stale cache must lose rather than undo a newer one.
func patchStatus(ctx context.Context, c client.Client, before, after client.Object) error {
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	// The response is decoded into a copy so that obj keeps what the caller set.
	target, ok := after.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is not a Kubernetes object", after)
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Status().Patch(ctx, target, patch); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("patching the status: %w", err)
	}
	return nil
}
