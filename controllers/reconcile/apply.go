package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

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

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// notOwnedRetry is how often a name taken by somebody else is tried again: the
// foreign object's removal raises no event for us.
const notOwnedRetry = 30 * time.Second

// forbiddenRetry is how often what the API server forbids is tried again.
const forbiddenRetry = time.Minute

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
// condition's message would make every pass a change. What the API server refuses
// for its content is the user's to mend; what it forbids, such as a quota or a
// webhook, may be allowed later without any event.
func (a *Applier) send(ctx context.Context, intent *unstructured.Unstructured) error {
	err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(intent), a.owner, client.ForceOwnership)
	switch {
	case err == nil:
		return nil
	case apierrors.IsInvalid(err):
		return Stalled(lucidv1.ReasonInvalid, "the API server refuses the %s: %s", intent.GetKind(), causes(err))
	case apierrors.IsForbidden(err):
		return Waiting(forbiddenRetry, ReasonForbidden, "the API server forbids the %s: %s", intent.GetKind(), causes(err))
	}
	return fmt.Errorf("applying %s: %w", intent.GetKind(), err)
}

// maxCauses bounds how much of the API server's reasons is shown.
const maxCauses = 512

// causes are the API server's reasons, field by field in a fixed order, on one line,
// and without the values: those may be anything.
func causes(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return truncate(printable(err.Error()), maxCauses)
	}
	var all []string
	for _, cause := range status.Status().Details.Causes {
		all = append(all, printable(cause.Field+": "+withoutValue(cause.Message)))
	}
	slices.Sort(all)
	return truncate(strings.Join(slices.Compact(all), "; "), maxCauses)
}

// withoutValue cuts the value out of a cause such as `Invalid value: "2": must be 1`.
func withoutValue(message string) string {
	what, rest, found := strings.Cut(message, " value: ")
	if !found || what == "Required" {
		return message
	}
	if at := strings.LastIndex(rest, ": "); at >= 0 {
		return what + rest[at:]
	}
	return what
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
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
