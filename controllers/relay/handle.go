package relay

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	chaincontroller "github.com/lucid-blockchain/lucid/controllers/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/outbox"
)

// +kubebuilder:rbac:groups=lucid-blockchain.org,resources=chains,verbs=create;delete;get;list;patch;watch

// handle brings one event into Kubernetes. It is idempotent: what an event asks
// for is read anew from the ledger, never taken from the event.
func (w *worker) handle(ctx context.Context, e outbox.Event) error {
	switch e.Kind {
	case outbox.ChainCreated:
		return w.created(ctx, e.ChainID)
	case outbox.ChainDeleted:
		return w.deleted(ctx, e.ChainID)
	default:
		return w.wake(ctx, e.ChainID)
	}
}

// created makes the object of a chain that was born through the API. Only this
// event does: an object that its user deleted must not come back with the next
// event of its chain.
func (w *worker) created(ctx context.Context, id uuid.UUID) error {
	row, err := w.chains.Get(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil // deleted since; that event follows
	}
	if err != nil {
		return err
	}
	present, err := w.object(ctx, id)
	if err != nil || present != nil {
		return err
	}
	object := &lucidv1.Chain{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.gateway.Namespace, Name: chaincontroller.ObjectName(row.ChainName, id),
			Labels: map[string]string{lucidv1.LabelGateway: w.gateway.Name},
		},
		Spec: chaincontroller.Declaration(row, w.gateway.Name),
	}
	return w.apply(ctx, object)
}

func (w *worker) apply(ctx context.Context, object *lucidv1.Chain) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return fmt.Errorf("converting the Chain: %w", err)
	}
	delete(content, "status")
	intent := &unstructured.Unstructured{Object: content}
	intent.SetGroupVersionKind(lucidv1.GroupVersion.WithKind("Chain"))
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	if err := w.relay.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(intent), FieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("applying the Chain: %w", err)
	}
	return nil
}

// deleted removes the object of a draft that is gone from the ledger.
func (w *worker) deleted(ctx context.Context, id uuid.UUID) error {
	if _, err := w.chains.Get(ctx, id); !fault.Is(err, fault.NotFound) {
		return err // declared again since, or unreadable
	}
	object, err := w.object(ctx, id)
	if err != nil || object == nil || !object.DeletionTimestamp.IsZero() {
		return err
	}
	err = w.relay.client.Delete(ctx, object, client.Preconditions{UID: &object.UID})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting the Chain: %w", err)
	}
	return nil
}

// wake makes the controllers look at a chain and its pool. An object that the
// cache does not hold yet is looked at anyway once it does.
func (w *worker) wake(ctx context.Context, id uuid.UUID) error {
	object, err := w.object(ctx, id)
	if err != nil || object == nil {
		return err
	}
	if err := send(ctx, w.relay.Chains, object); err != nil {
		return err
	}
	return send(ctx, w.relay.Pools, poolOf(object))
}

// poolOf returns the key of a chain's VirtualPool, which bears the chain's name.
func poolOf(chain *lucidv1.Chain) client.Object {
	return &lucidv1.VirtualPool{ObjectMeta: metav1.ObjectMeta{Namespace: chain.Namespace, Name: chain.Name}}
}

func send(ctx context.Context, to chan<- event.GenericEvent, object client.Object) error {
	select {
	case to <- event.GenericEvent{Object: object}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waking the controller: %w", ctx.Err())
	}
}
