package chain

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/outbox"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// MarkGraduated records the live chain, once it produces blocks. Calling it
// again with the same genesis hash changes nothing but a moved endpoint; with
// another one it is a Conflict: a chain has one genesis. Unprocessable while
// the pool has not crossed its threshold, or a chain without one is a draft.
func (s *Service) MarkGraduated(ctx context.Context, id uuid.UUID, live Live) error {
	if live.ChainID == "" || live.GenesisHash == "" {
		return fmt.Errorf("a graduated chain needs a chain id and a genesis hash")
	}
	err := s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		row, err := q.GetChain(ctx, id)
		if store.NotFound(err) {
			return errNotFound()
		}
		if err != nil {
			return fmt.Errorf("read the chain: %w", err)
		}
		if row.IsGraduated {
			return regraduate(ctx, q, row, live)
		}
		return s.graduate(ctx, q, fromRow(row), live)
	})
	if err != nil {
		return fmt.Errorf("mark the chain as graduated: %w", err)
	}
	return nil
}

func (s *Service) graduate(ctx context.Context, q *db.Queries, c Chain, live Live) error {
	end, err := ending(ctx, q, c)
	if err != nil {
		return err
	}
	// The row first: who marks the chain at the same time waits here, and finds it
	// marked, before either touches the ledger.
	now := s.now()
	_, err = q.MarkChainGraduated(ctx, db.MarkChainGraduatedParams{
		ID: c.ID, GraduationTime: &now, ChainID: &live.ChainID, GenesisHash: &live.GenesisHash, RpcEndpoint: &live.RPCEndpoint,
	})
	if err != nil {
		return fmt.Errorf("write the chain: %w", err)
	}
	if err := moveRaised(ctx, q, c, end); err != nil {
		return err
	}
	return outbox.Append(ctx, q, c.ID, outbox.ChainGraduated, map[string]string{
		"chainID": live.ChainID, "genesisHash": live.GenesisHash,
	})
}

// raised is what buyers really paid into a pool that has closed.
func raised(c Chain, end db.Graduation) money.Amount {
	if c.Direct {
		return 0
	}
	return money.Amount(end.CnpyReserve) - c.InitialCNPYReserve
}

// moveRaised hands a pool's CNPY over to the live chain, whose people may take it
// out by vouchers.
func moveRaised(ctx context.Context, q *db.Queries, c Chain, end db.Graduation) error {
	amount := raised(c, end)
	if amount == 0 {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make a journal id: %w", err)
	}
	return ledger.Post(ctx, q, ledger.Journal{ID: id, Kind: ledger.KindGraduation, Legs: []ledger.Leg{
		{Account: ledger.Account{Type: ledger.Pool, Owner: end.PoolID, Asset: ledger.CNPY}, Amount: -amount},
		{Account: ledger.Account{Type: ledger.LiveChain, Owner: c.ID, Asset: ledger.CNPY}, Amount: amount},
	}})
}

// ending is how a chain's life before its live chain ended: its pool's
// graduation, or nothing for a chain that never had one. Unprocessable when it
// has not.
func ending(ctx context.Context, q *db.Queries, c Chain) (db.Graduation, error) {
	if c.Direct {
		if c.ActualLaunchTime == nil {
			return db.Graduation{}, fault.New(fault.Unprocessable, "The chain's supply has not been issued")
		}
		return db.Graduation{}, nil
	}
	end, err := q.GetGraduation(ctx, c.ID)
	if store.NotFound(err) {
		return end, fault.New(fault.Unprocessable, "The chain's pool has not reached its graduation threshold")
	}
	if err != nil {
		return end, fmt.Errorf("read the graduation: %w", err)
	}
	return end, nil
}

// regraduate is a repetition: only where the chain is reached may have changed.
func regraduate(ctx context.Context, q *db.Queries, row db.Chain, live Live) error {
	if row.GenesisHash == nil || *row.GenesisHash != live.GenesisHash {
		return fault.New(fault.Conflict, "The chain has graduated with another genesis")
	}
	if row.RpcEndpoint != nil && *row.RpcEndpoint == live.RPCEndpoint {
		return nil
	}
	return q.SetChainEndpoint(ctx, db.SetChainEndpointParams{ID: row.ID, RpcEndpoint: &live.RPCEndpoint})
}

// Fail ends a chain that can't go on, with a reason that people may read. It is
// announced once; a chain that has failed or graduated stays as it is.
func (s *Service) Fail(ctx context.Context, id uuid.UUID, reason string) error {
	err := s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		_, err := q.MarkChainFailed(ctx, db.MarkChainFailedParams{ID: id, FailureReason: reason})
		if store.NotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return outbox.Append(ctx, q, id, outbox.ChainFailed, map[string]string{"reason": reason})
	})
	if err != nil {
		return fmt.Errorf("mark the chain as failed: %w", err)
	}
	return nil
}

// Holder is one user's position in a chain's token.
type Holder struct {
	UserID uuid.UUID
	Amount money.Amount // greater than zero
}

// GenesisInput is all that the genesis of the live chain is computed from.
// Holders, Unsold and Treasury add up to TotalSupply. Of a chain that never had a
// pool, all but Treasury and TotalSupply is zero.
type GenesisInput struct {
	Chain        Chain
	PoolID       uuid.UUID
	CNPYReserve  money.Amount // the curve's x at its last trade, initial reserve included
	TokenReserve money.Amount // the curve's y
	Raised       money.Amount // CNPY that buyers really paid into the pool
	Unsold       money.Amount // tokens that the pool still holds
	Treasury     money.Amount // tokens that the curve never had to sell
	TotalSupply  money.Amount
	Holders      []Holder // in the order of their user ids
}

// GenesisInput reads one consistent picture of a closed pool; asking again
// yields the same. Unprocessable while the pool is open, or before the supply of a
// chain without one is issued.
func (s *Service) GenesisInput(ctx context.Context, id uuid.UUID) (GenesisInput, error) {
	var in GenesisInput
	err := s.Store.InSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		in, err = readGenesis(ctx, db.New(tx), id)
		return err
	})
	if err != nil {
		return GenesisInput{}, fmt.Errorf("read the genesis positions: %w", err)
	}
	return in, nil
}

func readGenesis(ctx context.Context, q *db.Queries, id uuid.UUID) (GenesisInput, error) {
	row, err := q.GetChain(ctx, id)
	if store.NotFound(err) {
		return GenesisInput{}, errNotFound()
	}
	if err != nil {
		return GenesisInput{}, fmt.Errorf("read the chain: %w", err)
	}
	c := fromRow(row)
	end, err := ending(ctx, q, c)
	if err != nil {
		return GenesisInput{}, err
	}
	in := GenesisInput{
		Chain: c, PoolID: end.PoolID, TotalSupply: money.Amount(row.TokenTotalSupply),
		CNPYReserve: money.Amount(end.CnpyReserve), TokenReserve: money.Amount(end.TokenReserve), Raised: raised(c, end),
	}
	if err := in.readBalances(ctx, q); err != nil {
		return GenesisInput{}, err
	}
	return in, in.prove()
}

func (in *GenesisInput) readBalances(ctx context.Context, q *db.Queries) (err error) {
	token := ledger.Token(in.Chain.ID)
	for account, into := range map[ledger.Account]*money.Amount{
		{Type: ledger.Pool, Owner: in.PoolID, Asset: token}:       &in.Unsold,
		{Type: ledger.Treasury, Owner: in.Chain.ID, Asset: token}: &in.Treasury,
	} {
		if *into, err = ledger.BalanceOf(ctx, q, account); err != nil {
			return err
		}
	}
	rows, err := q.ListHolders(ctx, token)
	if err != nil {
		return fmt.Errorf("read the holders: %w", err)
	}
	in.Holders = make([]Holder, len(rows))
	for i, row := range rows {
		in.Holders[i] = Holder{UserID: row.OwnerID, Amount: money.Amount(row.Balance)}
	}
	return nil
}

// prove refuses to start a chain on numbers that make or lose value.
func (in *GenesisInput) prove() error {
	sum, err := in.Unsold.Add(in.Treasury)
	for _, holder := range in.Holders {
		if err == nil {
			sum, err = sum.Add(holder.Amount)
		}
	}
	if err != nil || sum != in.TotalSupply {
		return fmt.Errorf("the ledger holds %s tokens of chain %s, its supply is %s: run the ledger's verification",
			sum, in.Chain.ID, in.TotalSupply)
	}
	return nil
}
