package chain

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

// Keys, authority and genesis have no owner, as volumes have none: without them a
// chain whose object is deleted could never be run again. What they belong to is
// said by the chain's id in the ledger, which a restored backup and the object of
// a later declaration bear as well.

// keptMeta is the metadata of what outlives a chain's object.
func keptMeta(chain *lucidv1.Chain, name string) metav1.ObjectMeta {
	meta := childMeta(chain, name)
	meta.Labels[lucidv1.LabelLedger] = chain.LedgerID()
	return meta
}

// owns reports whether such an object is this chain's. Those of earlier versions
// have an owner and no id.
func (s *scope) owns(object client.Object) bool {
	return object.GetLabels()[lucidv1.LabelLedger] == s.object.LedgerID() || metav1.IsControlledBy(object, s.object)
}

func (s *scope) notOwned(kind, name string) error {
	return reconcile.Waiting(secretRetry, lucidv1.ReasonNotOwned,
		"%s %q exists and is not this chain's: rename or delete it, or label it %s=%s if it is this chain's, such as from a backup",
		kind, name, lucidv1.LabelLedger, s.object.LedgerID())
}

// keep makes an object of an earlier version outlive the chain's.
func (r *Reconciler) keep(ctx context.Context, s *scope, object client.Object) error {
	if len(object.GetOwnerReferences()) == 0 && object.GetLabels()[lucidv1.LabelLedger] != "" {
		return nil
	}
	before, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is not a Kubernetes object", object)
	}
	object.SetOwnerReferences(nil)
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[lucidv1.LabelLedger] = s.object.LedgerID()
	object.SetLabels(labels)
	err := r.Client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), FieldOwner)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("keeping %q: %w", object.GetName(), err)
	}
	return nil
}

// maxValidators is the schema's.
const maxValidators = 16

// part has what must outlive the object do so, before the object goes: one that was
// paused, or is gone with its gateway, may still own it.
func (r *Reconciler) part(ctx context.Context, s *scope) error {
	names := []string{authorityName(s.object.Name)}
	for i := range maxValidators {
		names = append(names, keysName(s.object.Name, i))
	}
	for _, name := range names {
		if err := r.partWith(ctx, s, &corev1.Secret{}, name); err != nil {
			return err
		}
	}
	return r.partWith(ctx, s, &corev1.ConfigMap{}, genesisName(s.object.Name))
}

func (r *Reconciler) partWith(ctx context.Context, s *scope, object client.Object, name string) error {
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: s.object.Namespace, Name: name}, object)
	if err != nil || !metav1.IsControlledBy(object, s.object) {
		return client.IgnoreNotFound(err)
	}
	return r.keep(ctx, s, object)
}

// chainOf finds the chain of a ConfigMap by its label, for the genesis has no owner.
func chainOf(_ context.Context, object client.Object) []ctrl.Request {
	name := object.GetLabels()[lucidv1.LabelChain]
	if name == "" || object.GetName() != peersName(name) && !isGenesis(object.GetName(), name) {
		return nil
	}
	return []ctrl.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: name}}}
}
