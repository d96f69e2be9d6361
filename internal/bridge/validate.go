package bridge

import (
	"context"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
)

// ValidateSwap reports every wrong field of a request, as Swap does before anything
// else.
func (s *Service) ValidateSwap(r SwapRequest) error { return s.validate(r) }

// ValidateOrder reports every wrong field of a request, as CreateOrder does before
// anything else.
func (s *Service) ValidateOrder(r OrderRequest) error {
	w, wrong := s.checkAsset(r.Asset)
	_, wrongTerms := s.termsOf(w, terms{cnpy: r.CNPY, ask: r.Ask, address: r.Address})
	wrong = append(append(wrong, wrongTerms...), checkKey(r.IdempotencyKey)...)
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// ValidateChange reports every wrong field of a change of an order, or why the seller
// can't change it. UpdateOrder looks again: meanwhile a swap may have locked it.
func (s *Service) ValidateChange(ctx context.Context, seller, id uuid.UUID, c OrderChange) error {
	current, err := changeable(ctx, s.store.Queries(), seller, id)
	if err != nil {
		return refused(err, "read the order")
	}
	_, err = s.changedTerms(current, c)
	return err
}
