package chain_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// volume plays what makes the volume of a chain's first pod, in a class that can
// grow volumes or can't.
func (o *operator) volume(t *testing.T, c *lucidv1.Chain, size string, expandable bool) *corev1.PersistentVolumeClaim {
	t.Helper()
	class := &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{Name: o.Namespace + "-" + c.Name},
		Provisioner: "example.org/none", AllowVolumeExpansion: &expandable,
	}
	o.create(t, class)
	t.Cleanup(func() { _ = o.Client.Delete(context.WithoutCancel(t.Context()), class) })
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: o.meta("data-" + c.Name + "-0"), Spec: corev1.PersistentVolumeClaimSpec{
		StorageClassName: ptr.To(class.Name), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, VolumeName: "some",
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}},
	}}
	o.create(t, claim)
	o.bind(t, claim, size)
	return claim
}

// bind says how large a claim's volume is.
func (o *operator) bind(t *testing.T, claim *corev1.PersistentVolumeClaim, size string) {
	t.Helper()
	claim.Status.Phase = corev1.ClaimBound
	claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
	if err := o.Client.Status().Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
}

func TestVolumesGrow(t *testing.T) {
	o := start(t)
	c := o.lives(t, "grows", func(spec *lucidv1.ChainSpec) { spec.Network.Validators = 2 })
	o.waitCondition(t, c, lucidv1.ConditionVolumesReady, metav1.ConditionTrue, lucidv1.ReasonSized)
	claim := o.volume(t, c, "1Gi", true)
	o.edit(t, c, func(spec *lucidv1.ChainSpec) { spec.Network.Storage.Size = resource.MustParse("2Gi") })
	got := o.waitCondition(t, c, lucidv1.ConditionVolumesReady, metav1.ConditionFalse, lucidv1.ReasonResizing)
	if got.Message != "1 of 2 volumes are growing to 2Gi" {
		t.Errorf("message %q", got.Message)
	}
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonResizing)
	o.wait(t, claim, "the claim asks for more", func() error {
		if size := claim.Spec.Resources.Requests.Storage(); size.String() != "2Gi" {
			return fmt.Errorf("it asks for %s", size)
		}
		return nil
	})
	set := &appsv1.StatefulSet{ObjectMeta: o.meta("grows")}
	if err := o.Client.Get(t.Context(), client.ObjectKeyFromObject(set), set); err != nil {
		t.Fatal(err)
	}
	if size := set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests.Storage(); size.String() != "1Gi" {
		t.Errorf("the template asks for %s, which can't be changed", size)
	}

	o.bind(t, claim, "2Gi")
	o.pods(t, c, 2, 2) // a claim's change wakes nobody
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	o.waitCondition(t, c, lucidv1.ConditionVolumesReady, metav1.ConditionTrue, lucidv1.ReasonSized)
	if got := o.told(); !slices.Equal(got, []string{"Resizing"}) {
		t.Errorf("events %v, want the resizing told once", got)
	}
}

func TestVolumesOfAClassThatCannotGrow(t *testing.T) {
	o := start(t)
	c := o.lives(t, "fixed", nil)
	o.volume(t, c, "1Gi", false)
	o.edit(t, c, func(spec *lucidv1.ChainSpec) { spec.Network.Storage.Size = resource.MustParse("2Gi") })
	got := o.waitCondition(t, c, lucidv1.ConditionVolumesReady, metav1.ConditionFalse, lucidv1.ReasonResizeRefused)
	if !strings.Contains(got.Message, "data-fixed-0") || !strings.Contains(got.Message, "allowVolumeExpansion") {
		t.Errorf("message %q says neither which nor why", got.Message)
	}
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonResizeRefused)
	o.waitCondition(t, c, lucidv1.ConditionNetworkReady, metav1.ConditionTrue, lucidv1.ReasonProducingBlocks)
}
