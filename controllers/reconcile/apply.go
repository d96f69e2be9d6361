package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// notOwnedRetry is how often a name taken by somebody else is tried again: the
// foreign object's removal raises no event for us.
const notOwnedRetry = 30 * time.Second

// Applier writes the children of one kind by server-side apply. It is safe for
// concurrent use; make one per controller with NewApplier.
type Applier struct {
	client   client.Client // cached reads, direct writes
	live     client.Reader // direct reads, for what the cache does not hold
	recorder events.EventRecorder
	owner    client.FieldOwner
	requests requestCache
}

// NewApplier makes an Applier that writes as fieldOwner. live reads past the
// cache: it is asked before an object is created, because a cache limited by
// labels does not know a stranger's object of the same name.
func NewApplier(c client.Client, live client.Reader, recorder events.EventRecorder, fieldOwner string) *Applier {
	return &Applier{client: c, live: live, recorder: recorder, owner: client.FieldOwner(fieldOwner)}
}

// ApplyOption changes how one object is applied.
type ApplyOption func(*applyOptions)

type applyOptions struct {
	ours       func(live client.Object) bool
	controlled bool
}

// OwnedIf replaces the test of ownership, for objects that have no controller
// reference; the applied object then gets none either.
func OwnedIf(ours func(live client.Object) bool) ApplyOption {
	return func(o *applyOptions) { o.ours, o.controlled = ours, false }
}

// Apply brings child to what it says, as a child of owner: it sets the
// controller reference, refuses (Waiting, ReasonNotOwned, and a Warning event) to
// touch an object that owner does not control, and sends no request when neither
// the intent nor the object changed since the last one. child is left as built.
func (a *Applier) Apply(ctx context.Context, owner, child client.Object, opts ...ApplyOption) error {
	options := applyOptions{
		controlled: true,
		ours:       func(live client.Object) bool { return metav1.IsControlledBy(live, owner) },
	}
	for _, opt := range opts {
		opt(&options)
	}
	intent, err := a.intent(owner, child, options.controlled)
	if err != nil {
		return err
	}
	key := requestKey{owner: ownerKey(owner), gvk: intent.GroupVersionKind(), name: client.ObjectKeyFromObject(intent)}
	return a.apply(ctx, owner, intent, key, options)
}

func (a *Applier) apply(ctx context.Context, owner client.Object, intent *unstructured.Unstructured, key requestKey, options applyOptions) error {
	hash, err := hashOf(intent.Object)
	if err != nil {
		return err
	}
	live, err := a.read(ctx, intent.GroupVersionKind(), key.name)
	if err != nil {
		return err
	}
	if live != nil {
		if !options.ours(live) {
			return a.refuse(owner, intent)
		}
		if a.requests.unchanged(key, hash, live) {
			return nil
		}
	}
	seen := ""
	if live != nil {
		seen = live.GetResourceVersion()
	}
	if err := a.send(ctx, intent); err != nil {
		return err
	}
	// The answer goes through the typed form, as reads do, so that both are
	// compared in one shape whatever version the server is.
	answer, err := newObject(a.client.Scheme(), intent.GroupVersionKind())
	if err != nil {
		return err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(intent.Object, answer); err != nil {
		return fmt.Errorf("reading the answer for %s: %w", intent.GetKind(), err)
	}
	return a.requests.record(key, hash, seen, answer)
}

// Forget drops what is remembered of an owner's children; call it when the
// owner is gone.
func (a *Applier) Forget(owner client.ObjectKey) { a.requests.forget(owner) }

// read returns the live object, or nil when there is none.
func (a *Applier) read(ctx context.Context, gvk schema.GroupVersionKind, key client.ObjectKey) (client.Object, error) {
	for _, reader := range []client.Reader{a.client, a.live} {
		obj, err := newObject(a.client.Scheme(), gvk)
		if err != nil {
			return nil, err
		}
		switch err := reader.Get(ctx, key, obj); {
		case err == nil:
			return obj, nil
		case !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("reading %s: %w", gvk.Kind, err)
		}
	}
	return nil, nil
}

// send leaves the object's name out of the error on purpose: a random name in a
// condition's message would make every pass a change.
func (a *Applier) send(ctx context.Context, intent *unstructured.Unstructured) error {
	err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(intent), a.owner, client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("applying %s: %w", intent.GetKind(), err)
	}
	return nil
}

func (a *Applier) refuse(owner client.Object, intent *unstructured.Unstructured) error {
	const note = "%s %q exists and is not owned by this object; rename or delete it"
	a.recorder.Eventf(owner, nil, corev1.EventTypeWarning, ReasonNotOwned, "Apply", note, intent.GetKind(), intent.GetName())
	return Waiting(notOwnedRetry, ReasonNotOwned, note, intent.GetKind(), intent.GetName())
}

// intent turns a built child into what is sent: no status, no zero timestamps,
// and nothing the server sets.
func (a *Applier) intent(owner, child client.Object, controlled bool) (*unstructured.Unstructured, error) {
	built, ok := child.DeepCopyObject().(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is not a Kubernetes object", child)
	}
	if controlled {
		if err := SetOwner(owner, built, a.client.Scheme()); err != nil {
			return nil, err
		}
	}
	gvk, err := apiutil.GVKForObject(built, a.client.Scheme())
	if err != nil {
		return nil, fmt.Errorf("kind of %T: %w", child, err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(built)
	if err != nil {
		return nil, fmt.Errorf("converting %s: %w", gvk.Kind, err)
	}
	intent := &unstructured.Unstructured{Object: content}
	intent.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(content, "status")
	for _, field := range []string{"creationTimestamp", "resourceVersion", "uid", "generation", "managedFields", "selfLink"} {
		unstructured.RemoveNestedField(content, "metadata", field)
	}
	return intent, nil
}

// SetOwner makes owner the controller of child, so that child goes when owner
// goes. Both must be in one namespace.
func SetOwner(owner, child client.Object, scheme *runtime.Scheme) error {
	if err := controllerutil.SetControllerReference(owner, child, scheme); err != nil {
		return fmt.Errorf("setting the owner of %T: %w", child, err)
	}
	return nil
}

func newObject(scheme *runtime.Scheme, gvk schema.GroupVersionKind) (client.Object, error) {
	obj, err := scheme.New(gvk)
	if err != nil {
		return nil, fmt.Errorf("kind %s is not in the scheme: %w", gvk.Kind, err)
	}
	typed, ok := obj.(client.Object)
	if !ok {
		return nil, errors.New(gvk.Kind + " is not an object")
	}
	return typed, nil
}

func ownerKey(owner client.Object) client.ObjectKey {
	if owner == nil {
		return client.ObjectKey{}
	}
	return client.ObjectKeyFromObject(owner)
}
