package relay

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// LedgerIDIndex is the cache index of Chains by the id of their ledger row.
const LedgerIDIndex = "ledgerID"

// IndexChains adds LedgerIDIndex to a manager's cache. Call it once, before the
// manager starts.
func IndexChains(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &lucidv1.Chain{}, LedgerIDIndex, func(obj client.Object) []string {
		if chain, ok := obj.(*lucidv1.Chain); ok {
			return []string{chain.LedgerID()}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("indexing Chains by ledger id: %w", err)
	}
	return nil
}

// object returns the gateway's Chain of that ledger id, or nil when there is
// none.
func (w *worker) object(ctx context.Context, id uuid.UUID) (*lucidv1.Chain, error) {
	var found lucidv1.ChainList
	err := w.relay.client.List(ctx, &found, client.InNamespace(w.gateway.Namespace), client.MatchingFields{LedgerIDIndex: id.String()})
	if err != nil {
		return nil, fmt.Errorf("looking for the Chain object: %w", err)
	}
	for i := range found.Items {
		if found.Items[i].Spec.GatewayRef.Name == w.gateway.Name {
			return &found.Items[i], nil
		}
	}
	return nil, nil
}
