package market

import (
	"context"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Trading says whether a pool takes orders.
type Trading string

// The states of trading. Closed is for good: the threshold was crossed.
const (
	Enabled Trading = "enabled"
	Paused  Trading = "paused"
	Closed  Trading = "closed"
)

// mostFeeBasisPoints is the schema's bound on a pool's fee.
const mostFeeBasisPoints = 1000

// SetTrading pauses a pool or lets it go on. Asking for what is the case
// already writes nothing, and a closed pool stays closed without an error: the
// request is then simply out of date.
func (m *Market) SetTrading(ctx context.Context, chainID uuid.UUID, trading Trading) error {
	if trading != Enabled && trading != Paused {
		return fault.InvalidFields(field("trading", "must be enabled or paused", "one_of", string(trading)))
	}
	written, err := m.store.Queries().SetPoolTrading(ctx, db.SetPoolTradingParams{ChainID: chainID, Trading: string(trading)})
	return m.settled(ctx, chainID, written, wrap("set the pool's trading", err))
}

// SetFee changes the fee of trades to come, in basis points (0 to 1000), under
// the same rules as SetTrading.
func (m *Market) SetFee(ctx context.Context, chainID uuid.UUID, basisPoints int32) error {
	if basisPoints < 0 || basisPoints > mostFeeBasisPoints {
		return fault.InvalidFields(field("fee_basis_points", "must be between 0 and 1000", "range", basisPoints))
	}
	written, err := m.store.Queries().SetPoolFee(ctx, db.SetPoolFeeParams{ChainID: chainID, FeeBasisPoints: basisPoints})
	return m.settled(ctx, chainID, written, wrap("set the pool's fee", err))
}

// SetLimits changes what may be bought by trades to come, under the same rules as
// SetTrading. A window still begins with the pool's opening, and what was bought
// in it before counts.
func (m *Market) SetLimits(ctx context.Context, chainID uuid.UUID, l chain.Limits) error {
	if err := chain.ValidateLimits(l); err != nil {
		return err
	}
	written, err := m.store.Queries().SetPoolLimits(ctx, db.SetPoolLimitsParams{
		ChainID: chainID, MaxBuyCnpy: int64(l.MaxBuy),
		AntiSnipeSeconds: l.AntiSnipe.Seconds, AntiSnipeMaxBuyCnpy: int64(l.AntiSnipe.MaxBuy),
	})
	return m.settled(ctx, chainID, written, wrap("set the pool's limits", err))
}

// settled tells "nothing to do" from "no such pool".
func (m *Market) settled(ctx context.Context, chainID uuid.UUID, written int64, err error) error {
	if err != nil || written > 0 {
		return err
	}
	_, err = m.poolRow(ctx, chainID)
	return err
}
