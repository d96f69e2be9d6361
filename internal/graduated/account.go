package graduated

import (
	"context"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Account is what an address holds on a live chain at this moment, and what its
// owner needs to sign a transaction by themselves.
type Account struct {
	PoolID, ChainID uuid.UUID
	Network         string // chain_id of transactions
	Address         livechain.Address
	CNPY            money.Amount
	Tokens          money.Amount // those that still vest included
	Spendable       money.Amount // tokens that can be moved
	Shares          money.Amount // of the pool's liquidity
	Nonce           uint64       // of the next transaction
	MinFee          money.Amount // the least fee, in tokens
	MinFeeCNPY      money.Amount // the same in CNPY, at the pool's price
}

// Account asks the chain of a pool, given by its own id or the chain's, about an
// address, whether the pool has liquidity or not. One that nobody has used holds
// nothing. NotFound for a chain that runs an application of its own; Unavailable
// when the chain does not answer.
func (s *Service) Account(ctx context.Context, pool uuid.UUID, address livechain.Address) (Account, error) {
	t, err := s.target(ctx, pool)
	if err != nil {
		return Account{}, err
	}
	info, err := t.info(ctx)
	if err != nil {
		return Account{}, err
	}
	held, err := t.client.Account(ctx, address)
	if err != nil {
		return Account{}, err
	}
	return Account{
		PoolID: t.poolID, ChainID: t.chainID, Network: info.ChainID, Address: address,
		CNPY: held.CNPY, Tokens: held.Balance, Spendable: held.Spendable, Shares: money.Amount(held.Shares),
		Nonce: held.Nonce, MinFee: info.MinFee, MinFeeCNPY: info.MinFeeCNPY,
	}, nil
}
