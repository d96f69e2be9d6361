package chain

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/fault"
)

// hold puts the finalizer on, before the ledger knows of the chain.
func (r *Reconciler) hold(ctx context.Context, object *lucidv1.Chain) error {
	return r.finalizer(ctx, object, controllerutil.AddFinalizer)
}

func (r *Reconciler) release(ctx context.Context, object *lucidv1.Chain) error {
	return r.finalizer(ctx, object, controllerutil.RemoveFinalizer)
}

// finalizer changes the list of finalizers and nothing else, under the version
// that was read, because a merge patch replaces the list whole.
func (r *Reconciler) finalizer(ctx context.Context, object *lucidv1.Chain, change func(client.Object, string) bool) error {
	before := object.DeepCopy()
	if !change(object, lucidv1.FinalizerLedger) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	// The answer would overwrite what is in hand, status included.
	target := object.DeepCopy()
	if err := r.Client.Patch(ctx, target, patch, FieldOwner); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("changing the finalizers: %w", err)
	}
	object.ResourceVersion = target.ResourceVersion
	return nil
}

// finalize settles the ledger's side of a deletion and clears the object to go,
// or says why it is held.
func (r *Reconciler) finalize(ctx context.Context, s *scope) error {
	if !controllerutil.ContainsFinalizer(s.object, lucidv1.FinalizerLedger) {
		return nil
	}
	err := r.remove(ctx, s)
	if reason, _ := reconcile.Explain(err); err != nil && reason == lucidv1.ReasonGatewayNotFound {
		// With the gateway goes the only way to its ledger: holding the object
		// would hold its namespace for ever and protect nothing.
		err = nil
	}
	if err != nil {
		s.conditions.FromError(lucidv1.ConditionReady, err, "", "")
		return err
	}
	if s.object.Status.Status != lucidv1.ChainDraft {
		if err := r.part(ctx, s); err != nil {
			return err
		}
	}
	s.settled = true
	return nil
}

// remove takes a draft out of the ledger. A chain that has launched stays there:
// with the policy Retain the object may go all the same.
func (r *Reconciler) remove(ctx context.Context, s *scope) error {
	id, known := ledgerID(s.object)
	if !known {
		return nil // it never reached the ledger
	}
	ledger, err := r.Books.Book(ctx, s.gateway())
	if err != nil {
		return err
	}
	err = ledger.Remove(ctx, id)
	switch {
	case err == nil:
		s.tell(lucidv1.ReasonDeleted, "Delete", "the draft is removed from the ledger")
		return nil
	case !fault.Is(err, fault.Unprocessable):
		return refusal(err)
	case s.object.Spec.DeletionPolicy == lucidv1.DeletionRetain:
		// The chain goes, and with it who carries vouchers onto it.
		if err := ledger.Abandon(ctx, id); err != nil {
			return refusal(err)
		}
		return nil
	}
	return reconcile.Stalled(lucidv1.ReasonHeldByLedger,
		"the chain has launched and its ledger can't be undone; set spec.deletionPolicy to Retain to let the object go and keep the ledger")
}

// ledgerID reads the id of the ledger's row; a spec.id that is none names no row.
func ledgerID(object *lucidv1.Chain) (id uuid.UUID, known bool) {
	id, err := uuid.Parse(object.LedgerID())
	return id, err == nil
}
