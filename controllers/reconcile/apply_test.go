package reconcile

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// bench is an Applier over a fake API server that counts applies.
type bench struct {
	client   client.Client
	applier  *Applier
	recorder *events.FakeRecorder
	applies  int
	failWith error
}

func newBench(t *testing.T, objects ...client.Object) *bench {
	t.Helper()
	b := &bench{recorder: events.NewFakeRecorder(10)}
	b.client = fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(objects...).
		WithStatusSubresource(&corev1.Service{}).
		WithInterceptorFuncs(interceptor.Funcs{Apply: func(ctx context.Context, c client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			b.applies++
			if b.failWith != nil {
				return b.failWith
			}
			return c.Apply(ctx, obj, opts...)
		}}).Build()
	b.applier = NewApplier(b.client, b.client, b.recorder, "test")
	return b
}

func testOwner() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owner", Namespace: "default", UID: "owner-uid"}}
}

func testChild(port int32) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "child", Namespace: "default", Labels: map[string]string{"a": "b"}},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: port, Protocol: corev1.ProtocolTCP}}},
	}
}

func (b *bench) get(t *testing.T) *corev1.Service {
	t.Helper()
	got := &corev1.Service{}
	require.NoError(t, b.client.Get(t.Context(), client.ObjectKeyFromObject(testChild(0)), got))
	return got
}

func TestApplyCreatesOnceAndThenKeepsQuiet(t *testing.T) {
	b := newBench(t)
	for range 3 {
		require.NoError(t, b.applier.Apply(t.Context(), testOwner(), testChild(80)))
	}
	assert.Equal(t, 1, b.applies, "an unchanged intent over an unchanged object sends nothing")
	assert.True(t, metav1.IsControlledBy(b.get(t), testOwner()))
}

func TestApplySendsWhatChanged(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.applier.Apply(t.Context(), testOwner(), testChild(80)))

	require.NoError(t, b.applier.Apply(t.Context(), testOwner(), testChild(81)))
	assert.Equal(t, 2, b.applies, "a new intent is sent")
	assert.EqualValues(t, 81, b.get(t).Spec.Ports[0].Port)

	drifted := b.get(t)
	drifted.Labels["a"] = "z"
	require.NoError(t, b.client.Update(t.Context(), drifted))
	require.NoError(t, b.applier.Apply(t.Context(), testOwner(), testChild(81)))
	assert.Equal(t, "b", b.get(t).Labels["a"], "somebody else's edit is repaired")

	before := b.applies
	status := b.get(t)
	status.Status.Conditions = []metav1.Condition{{Type: "X", Status: "True", Reason: "Y", LastTransitionTime: metav1.Now()}}
	require.NoError(t, b.client.Status().Update(t.Context(), status))
	require.NoError(t, b.applier.Apply(t.Context(), testOwner(), testChild(81)))
	assert.Equal(t, before, b.applies, "a change of status alone is not drift")

	require.NoError(t, b.client.Delete(t.Context(), b.get(t)))
	require.NoError(t, b.applier.Apply(t.Context(), testOwner(), testChild(81)))
	assert.EqualValues(t, 81, b.get(t).Spec.Ports[0].Port, "a deleted child comes back")
}

func TestApplyNeverAdopts(t *testing.T) {
	foreign := testChild(1234)
	b := newBench(t, foreign)
	err := b.applier.Apply(t.Context(), testOwner(), testChild(80))
	reason, message := Explain(err)
	assert.Equal(t, ReasonNotOwned, reason)
	assert.Contains(t, message, `Service "child"`)
	result, err := Result(err)
	require.NoError(t, err)
	assert.Equal(t, notOwnedRetry, result.RequeueAfter)
	assert.Zero(t, b.applies)
	assert.EqualValues(t, 1234, b.get(t).Spec.Ports[0].Port, "a stranger's object stays as it is")
	assert.Contains(t, <-b.recorder.Events, ReasonNotOwned)
}

// A cache limited by labels does not hold a stranger's object, so that only the
// direct read can tell that the name is taken.
func TestApplyAsksPastTheCacheBeforeCreating(t *testing.T) {
	b := newBench(t, testChild(1234))
	empty := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()
	applier := NewApplier(empty, b.client, b.recorder, "test")
	reason, _ := Explain(applier.Apply(t.Context(), testOwner(), testChild(80)))
	assert.Equal(t, ReasonNotOwned, reason)
}

func TestApplyOwnedIf(t *testing.T) {
	b := newBench(t)
	mine := OwnedIf(func(live client.Object) bool { return live.GetLabels()["a"] == "b" })
	require.NoError(t, b.applier.Apply(t.Context(), testOwner(), testChild(80), mine))
	assert.Empty(t, b.get(t).OwnerReferences, "an object owned by label gets no owner reference")
	require.NoError(t, b.applier.Apply(t.Context(), testOwner(), testChild(82), mine))
	assert.EqualValues(t, 82, b.get(t).Spec.Ports[0].Port)
}

func TestApplyForgetsOwners(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.applier.Apply(t.Context(), testOwner(), testChild(80)))
	b.applier.Forget(client.ObjectKeyFromObject(testOwner()))
	assert.Empty(t, b.applier.requests.last)
}

func TestApplyReportsFailureWithoutTheName(t *testing.T) {
	b := newBench(t)
	b.failWith = errors.New("refused")
	err := b.applier.Apply(t.Context(), testOwner(), testChild(80))
	require.ErrorIs(t, err, b.failWith)
	assert.Equal(t, "applying Service: refused", err.Error())
	b.failWith = nil
	require.NoError(t, b.applier.Apply(t.Context(), testOwner(), testChild(80)))
	assert.Equal(t, 2, b.applies, "a failed apply is not remembered as done")
}

// What the API server refuses is the user's to mend, so they are told what and where,
// in words that stay the same from pass to pass and hold nothing of the object.
func TestApplyExplainsRefusals(t *testing.T) {
	kind := schema.GroupKind{Group: "apps", Kind: "StatefulSet"}
	resources := field.NewPath("spec", "template", "resources")
	for _, tc := range []struct {
		reason    string
		refusal   error
		why, says string
		after     time.Duration
	}{
		{"wrong fields", apierrors.NewInvalid(kind, "random-name", field.ErrorList{
			field.Invalid(resources.Child("requests"), "secret\n2", "must be less than or equal to cpu limit of 1"),
			field.Required(resources.Child("limits"), "must be given"),
		}), lucidv1.ReasonInvalid, "the API server refuses the Service: spec.template.resources.limits: Required value: must be given; " +
			"spec.template.resources.requests: Invalid: must be less than or equal to cpu limit of 1", 0},
		{"a quota, which may leave room later", apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "child", errors.New("exceeded quota:\nall")),
			ReasonForbidden, `the API server forbids the Service: services "child" is forbidden: exceeded quota: all`, forbiddenRetry},
	} {
		b := newBench(t)
		b.failWith = tc.refusal
		err := b.applier.Apply(t.Context(), testOwner(), testChild(80))
		why, says := Explain(err)
		assert.Equal(t, tc.why, why, tc.reason)
		assert.Equal(t, tc.says, says, tc.reason)
		result, err := Result(err)
		require.NoError(t, err, tc.reason)
		assert.Equal(t, tc.after, result.RequeueAfter, tc.reason)
	}
	assert.LessOrEqual(t, len(causes(apierrors.NewForbidden(schema.GroupResource{}, strings.Repeat("x", 2000), errors.New("no")))), maxCauses)
}
