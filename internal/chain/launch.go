package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/outbox"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Opener opens a pool in the launching transaction: it writes the pool's row and
// the creator's first purchase. The pool's token account holds the initial
// supply already. market.Market is one.
type Opener interface {
	OpenTx(ctx context.Context, q *db.Queries, o Opening) error
}

// Opening is a pool to open.
type Opening struct {
	PoolID              uuid.UUID
	ChainID             uuid.UUID
	Curve               curve.Curve
	GraduationThreshold money.Amount
	Limits              Limits
	// Creator's first trade, so that nobody trades ahead of it. Nothing is
	// bought when FirstPurchase (CNPY, fee included) is zero.
	Creator       uuid.UUID
	FirstTradeID  uuid.UUID
	FirstPurchase money.Amount
	At            time.Time
}

// Launch opens the chain's pool for its creator, or sets the time for it when
// at is in the future; a time in the past means now. All of it happens or none:
// the creation fee, the mint, the pool and the creator's first purchase.
// Faults: NotFound, Forbidden "Access denied", Unprocessable when it has
// launched already or the creator's CNPY does not suffice.
func (s *Service) Launch(ctx context.Context, id, by uuid.UUID, at *time.Time) (Chain, error) {
	c, err := s.GetFor(ctx, id, by)
	if err != nil {
		return Chain{}, err
	}
	if c.CreatedBy != by {
		return Chain{}, errDenied()
	}
	if c.Launched() {
		return Chain{}, errLaunched(c)
	}
	if c.Direct {
		return Chain{}, fault.New(fault.Unprocessable, "The chain has no virtual pool to open: its live chain is started by its declaration")
	}
	return s.launchOrSchedule(ctx, c, at)
}

// LaunchDeclared is Launch for the operator, on behalf of the chain's creator.
// It is idempotent: a chain that has launched is returned as it is.
func (s *Service) LaunchDeclared(ctx context.Context, id uuid.UUID, at *time.Time) (Chain, error) {
	c, err := s.Get(ctx, id)
	if err != nil {
		return Chain{}, err
	}
	if c.Launched() || s.scheduledFor(c, at) {
		return c, nil
	}
	return s.launchOrSchedule(ctx, c, at)
}

func (s *Service) scheduledFor(c Chain, at *time.Time) bool {
	return c.Status == PendingLaunch && at != nil && at.After(s.now()) && sameTime(at, c.ScheduledLaunchTime)
}

func (s *Service) launchOrSchedule(ctx context.Context, c Chain, at *time.Time) (Chain, error) {
	if at != nil && at.After(s.now()) {
		return s.schedule(ctx, c.ID, *at)
	}
	return s.launch(ctx, c.ID)
}

func (s *Service) schedule(ctx context.Context, id uuid.UUID, at time.Time) (Chain, error) {
	at = at.UTC()
	var row db.Chain
	err := s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
		row, err = q.ScheduleChain(ctx, db.ScheduleChainParams{ID: id, ScheduledLaunchTime: &at})
		if err != nil {
			return err
		}
		row.Version++
		return outbox.Append(ctx, q, id, outbox.ChainLaunched, launchEvent{Status: PendingLaunch, At: at})
	})
	if store.NotFound(err) {
		return s.lost(ctx, id)
	}
	if err != nil {
		return Chain{}, fmt.Errorf("schedule the launch: %w", err)
	}
	return fromRow(row), nil
}

// CancelLaunch takes a scheduled launch back for the chain's creator: the chain is
// a draft again, as if it had never been scheduled. One that its declaration
// schedules is scheduled anew with the operator's next look at it. Faults:
// NotFound, Forbidden "Access denied", Unprocessable when no launch is pending.
func (s *Service) CancelLaunch(ctx context.Context, id, by uuid.UUID) (Chain, error) {
	c, err := s.GetFor(ctx, id, by)
	if err != nil {
		return Chain{}, err
	}
	if c.CreatedBy != by {
		return Chain{}, errDenied()
	}
	var row db.Chain
	err = s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
		if row, err = q.CancelLaunch(ctx, id); err != nil {
			return err
		}
		row.Version++
		return outbox.Append(ctx, q, id, outbox.LaunchCancelled, nil)
	})
	if store.NotFound(err) {
		return Chain{}, fault.New(fault.Unprocessable, "The chain has no scheduled launch to cancel")
	}
	if err != nil {
		return Chain{}, fmt.Errorf("cancel the launch: %w", err)
	}
	return fromRow(row), nil
}

// launchEvent is the payload of chain.launched.
type launchEvent struct {
	Status Status     `json:"status"`
	At     time.Time  `json:"at"`
	PoolID *uuid.UUID `json:"poolID,omitempty"`
}

// launch does it now. The ids are made before the transaction, so that a retry
// of it, or a look after an ambiguous end, finds the same rows.
func (s *Service) launch(ctx context.Context, id uuid.UUID) (Chain, error) {
	l, err := newLaunch(s.now())
	if err != nil {
		return Chain{}, err
	}
	var c Chain
	err = s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		row, err := q.MarkChainLaunched(ctx, db.MarkChainLaunchedParams{ID: id, ActualLaunchTime: &l.at})
		if err != nil {
			return err
		}
		c = fromRow(row)
		c.Version++
		return s.fill(ctx, q, c, l)
	})
	switch {
	case err == nil:
		return c, nil
	case store.NotFound(err):
		return s.lost(ctx, id)
	case errors.Is(err, store.ErrAmbiguous):
		return s.settle(ctx, id, l, err)
	}
	return Chain{}, fmt.Errorf("launch the chain: %w", err)
}

// launchIDs are the ids of what one launch makes.
type launchIDs struct {
	pool, fee, mint, trade uuid.UUID
	at                     time.Time
}

func newLaunch(at time.Time) (launchIDs, error) {
	l := launchIDs{at: at.Truncate(time.Microsecond)}
	for _, id := range []*uuid.UUID{&l.pool, &l.fee, &l.mint, &l.trade} {
		made, err := uuid.NewV7()
		if err != nil {
			return l, fmt.Errorf("make an id: %w", err)
		}
		*id = made
	}
	return l, nil
}

// fill is the launch after the chain's row: money first, so that a creator who
// can't pay leaves nothing behind but a rolled back transaction. A chain without a
// pool is done then.
func (s *Service) fill(ctx context.Context, q *db.Queries, c Chain, l launchIDs) error {
	if err := payCreationFee(ctx, q, c, l.fee); err != nil {
		return err
	}
	if err := mint(ctx, q, c, l); err != nil {
		return err
	}
	if c.Direct {
		return outbox.Append(ctx, q, c.ID, outbox.ChainLaunched, launchEvent{Status: c.Status, At: l.at})
	}
	err := s.Market.OpenTx(ctx, q, Opening{
		PoolID: l.pool, ChainID: c.ID, Curve: c.curve(), GraduationThreshold: c.GraduationThreshold, Limits: c.Limits,
		Creator: c.CreatedBy, FirstTradeID: l.trade, FirstPurchase: c.CreatorInitialPurchase, At: l.at,
	})
	if err != nil {
		return fmt.Errorf("open the pool: %w", err)
	}
	return outbox.Append(ctx, q, c.ID, outbox.ChainLaunched, launchEvent{Status: VirtualActive, At: l.at, PoolID: &l.pool})
}

// payCreationFee moves the fee to the protocol. The platform does not pay
// itself.
func payCreationFee(ctx context.Context, q *db.Queries, c Chain, journal uuid.UUID) error {
	if c.CreationFee == 0 || c.CreatedBy == identity.PlatformUserID {
		return nil
	}
	err := ledger.Post(ctx, q, ledger.Journal{ID: journal, Kind: ledger.KindCreationFee, Legs: []ledger.Leg{
		{Account: ledger.Account{Type: ledger.User, Owner: c.CreatedBy, Asset: ledger.CNPY}, Amount: -c.CreationFee},
		{Account: ledger.Account{Type: ledger.Protocol, Owner: c.ID, Asset: ledger.CNPY}, Amount: c.CreationFee},
	}})
	if fault.Is(err, fault.Unprocessable) {
		return fault.New(fault.Unprocessable, "Insufficient CNPY balance for the creation fee of %s", c.CreationFee).Because(err)
	}
	return err
}

// mint issues the whole supply once: the curve's share to the pool, where there
// is one, the rest to the chain's treasury until genesis.
func mint(ctx context.Context, q *db.Queries, c Chain, l launchIDs) error {
	token, treasury := ledger.Token(c.ID), c.TokenTotalSupply
	legs := []ledger.Leg{{Account: ledger.Account{Type: ledger.Mint, Owner: c.ID, Asset: token}, Amount: -c.TokenTotalSupply}}
	if !c.Direct {
		treasury -= c.InitialTokenSupply
		legs = append(legs, ledger.Leg{Account: ledger.Account{Type: ledger.Pool, Owner: l.pool, Asset: token}, Amount: c.InitialTokenSupply})
	}
	legs = append(legs, ledger.Leg{Account: ledger.Account{Type: ledger.Treasury, Owner: c.ID, Asset: token}, Amount: treasury})
	return ledger.Post(ctx, q, ledger.Journal{ID: l.mint, Kind: ledger.KindMint, Legs: legs})
}

// settle finds out what came of a launch whose COMMIT was not answered.
func (s *Service) settle(ctx context.Context, id uuid.UUID, l launchIDs, cause error) (Chain, error) {
	pool, err := s.Store.Queries().GetPoolOfChain(ctx, id)
	if err == nil && pool.ID == l.pool {
		return s.Get(ctx, id)
	}
	// One without a pool can only be launched by its declaration, whoever makes it.
	if c, err := s.Get(ctx, id); err == nil && c.Direct && c.Launched() {
		return c, nil
	}
	return Chain{}, fmt.Errorf("launch the chain: %w", cause)
}

// lost answers who came second: the chain is gone or has launched.
func (s *Service) lost(ctx context.Context, id uuid.UUID) (Chain, error) {
	c, err := s.Get(ctx, id)
	if err != nil {
		return Chain{}, err
	}
	return Chain{}, errLaunched(c)
}

func errLaunched(c Chain) error {
	return fault.New(fault.Unprocessable, "The chain can't be launched: its status is %s", c.Status)
}
