package reconcile

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

func statusClient(t *testing.T, patches *int) client.Client {
	t.Helper()
	svc := testChild(80)
	return fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(svc).WithStatusSubresource(svc).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			*patches++
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		}}).Build()
}

func TestWithStatusWritesOnceAndOnlyChanges(t *testing.T) {
	patches := 0
	c := statusClient(t, &patches)
	pass := func() error {
		svc := &corev1.Service{}
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(testChild(0)), svc))
		_, err := WithStatus(t.Context(), c, svc, func(context.Context) error {
			conditions := Conditions{List: &svc.Status.Conditions, Generation: 1}
			conditions.True("A", "Done", "done")
			conditions.True("B", "Done", "done")
			return errors.New("a phase failed after both")
		})
		return err
	}
	assert.ErrorContains(t, pass(), "a phase failed", "the pass's error is kept")
	assert.Equal(t, 1, patches, "both conditions travel in one patch, sent although a phase failed")
	assert.Error(t, pass())
	assert.Equal(t, 1, patches, "the same status again is not sent")
}

func TestWithStatusLosesToNewerWrites(t *testing.T) {
	patches := 0
	c := statusClient(t, &patches)
	stale := &corev1.Service{}
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(testChild(0)), stale))
	newer := stale.DeepCopy()
	newer.Labels["x"] = "y"
	require.NoError(t, c.Update(t.Context(), newer))

	result, err := WithStatus(t.Context(), c, stale, func(context.Context) error {
		Conditions{List: &stale.Status.Conditions}.True("A", "Done", "")
		return nil
	})
	require.NoError(t, err, "a conflict is nobody's business")
	assert.Equal(t, conflictRetry, result.RequeueAfter)
}

func TestWithStatusOfAGoneObject(t *testing.T) {
	patches := 0
	c := statusClient(t, &patches)
	svc := &corev1.Service{}
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(testChild(0)), svc))
	require.NoError(t, c.Delete(t.Context(), svc.DeepCopy()))
	_, err := WithStatus(t.Context(), c, svc, func(context.Context) error {
		Conditions{List: &svc.Status.Conditions}.True("A", "Done", "")
		return nil
	})
	assert.NoError(t, err)
}

func TestPaused(t *testing.T) {
	cases := map[string]struct {
		reason      string
		annotations map[string]string
		want        bool
	}{
		"absent":   {reason: "Nobody asked for a pause.", want: false},
		"true":     {reason: "The usual form.", annotations: map[string]string{lucidv1.AnnotationPaused: "true"}, want: true},
		"empty":    {reason: "Only the documented value pauses.", annotations: map[string]string{lucidv1.AnnotationPaused: ""}, want: false},
		"disabled": {reason: "A user may keep the annotation and switch it.", annotations: map[string]string{lucidv1.AnnotationPaused: "false"}, want: false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: tc.annotations}}
			var list []metav1.Condition
			list = append(list, metav1.Condition{Type: ConditionPaused, Status: metav1.ConditionTrue})
			c := Conditions{List: &list}
			assert.Equal(t, tc.want, SetPaused(c, obj), tc.reason)
			assert.Equal(t, tc.want, c.IsTrue(ConditionPaused), tc.reason)
		})
	}
}
