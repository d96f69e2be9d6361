package chain

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// claimed is the size that the StatefulSet's claims were first made with. It
// can't be changed there: volumes grow claim by claim.
func (r *Reconciler) claimed(ctx context.Context, s *scope) (resource.Quantity, error) {
	set := &appsv1.StatefulSet{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(s.object), set)
	if client.IgnoreNotFound(err) != nil {
		return resource.Quantity{}, fmt.Errorf("reading the StatefulSet: %w", err)
	}
	for i := range set.Spec.VolumeClaimTemplates {
		if size, ok := requested(&set.Spec.VolumeClaimTemplates[i]); ok {
			return size, nil
		}
	}
	return volumeSize(s.object), nil
}

func requested(claim *corev1.PersistentVolumeClaim) (resource.Quantity, bool) {
	size, ok := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	return size, ok
}

// volumes has each node's volume grow to what the spec asks for. One that can't
// is no reason to keep from the chain what else it needs.
func (r *Reconciler) volumes(ctx context.Context, s *scope) error {
	wanted := volumeSize(s.object)
	growing, asked := 0, false
	for i := range s.size {
		claim := &corev1.PersistentVolumeClaim{}
		key := types.NamespacedName{Namespace: s.object.Namespace, Name: claimName(s.object.Name, i)}
		err := r.Client.Get(ctx, key, claim)
		if apierrors.IsNotFound(err) {
			// A claim that was restored without labels is not in the cache.
			err = r.Live.Get(ctx, key, claim)
		}
		if apierrors.IsNotFound(err) {
			continue // its pod comes first
		}
		if err != nil {
			return fmt.Errorf("reading a volume's claim: %w", err)
		}
		grown, err := r.grow(ctx, claim, wanted)
		switch {
		case apierrors.IsForbidden(err) || apierrors.IsInvalid(err):
			s.conditions.False(lucidv1.ConditionVolumesReady, lucidv1.ReasonResizeRefused,
				fmt.Sprintf("PersistentVolumeClaim %q may not grow to %s: its volume must be bound, its storage class must have allowVolumeExpansion, and quotas must leave room", key.Name, &wanted))
			return nil
		case err != nil:
			return fmt.Errorf("growing a volume's claim: %w", err)
		}
		asked = asked || grown
		if grown || smaller(claim, wanted) {
			growing++
		}
	}
	s.sized(wanted, growing, asked)
	return nil
}

// grow asks for more, if less was asked for so far.
func (r *Reconciler) grow(ctx context.Context, claim *corev1.PersistentVolumeClaim, wanted resource.Quantity) (bool, error) {
	if size, _ := requested(claim); size.Cmp(wanted) >= 0 {
		return false, nil
	}
	before := claim.DeepCopy()
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: wanted}
	return true, r.Client.Patch(ctx, claim, client.MergeFrom(before), FieldOwner)
}

// smaller reports whether a bound volume has yet to grow.
func smaller(claim *corev1.PersistentVolumeClaim, wanted resource.Quantity) bool {
	capacity, bound := claim.Status.Capacity[corev1.ResourceStorage]
	return bound && capacity.Cmp(wanted) < 0
}

func (s *scope) sized(wanted resource.Quantity, growing int, asked bool) {
	if growing == 0 {
		s.conditions.True(lucidv1.ConditionVolumesReady, lucidv1.ReasonSized, "no volume is smaller than "+wanted.String())
		return
	}
	text := fmt.Sprintf("%d of %d volumes are growing to %s", growing, s.size, &wanted)
	s.conditions.False(lucidv1.ConditionVolumesReady, lucidv1.ReasonResizing, text)
	if asked {
		s.tell(lucidv1.ReasonResizing, "Resize", text)
	}
}
