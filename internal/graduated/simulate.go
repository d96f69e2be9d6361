package graduated

import (
	"context"
	"errors"
	"fmt"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/amm"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Simulate computes what an order would come to on the chain's present state,
// with the chain's own arithmetic. It promises nothing, and refuses what the
// chain would, the balance aside. A withdrawal is of somebody's shares, so it
// looks at whom by names; a password is not needed. Unavailable when the chain
// does not answer.
func (s *Service) Simulate(ctx context.Context, o Order, by Authority) (Receipt, error) {
	t, info, err := s.begin(ctx, o)
	if err != nil {
		return Receipt{}, err
	}
	pool, err := t.client.Pool(ctx)
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{PoolID: t.poolID, ChainID: t.chainID, Simulated: true, NetworkFee: info.MinFee}
	before := amm.Pool{CNPY: uint64(pool.CNPYReserve), Tokens: uint64(pool.TokenReserve), Shares: pool.Shares}
	switch m := o.Message.(type) {
	case tx.Swap:
		receipt.Effect, err = foreseeSwap(m, before, pool.FeeBasisPoints)
	case tx.Deposit:
		receipt.Effect, err = foreseeDeposit(m, before)
	case tx.Withdrawal:
		receipt.Effect, err = s.foreseeWithdrawal(ctx, t, m, before, by)
	default:
		err = fmt.Errorf("simulate: %T is no order", o.Message)
	}
	return receipt, err
}

// begin is what simulating and executing have in common.
func (s *Service) begin(ctx context.Context, o Order) (target, app.Info, error) {
	if err := o.Validate(); err != nil {
		return target{}, app.Info{}, err
	}
	t, err := s.target(ctx, o.PoolID)
	if err != nil {
		return target{}, app.Info{}, err
	}
	if !o.Deadline.IsZero() && s.now().After(o.Deadline) {
		return target{}, app.Info{}, errDeadline()
	}
	info, err := t.client.Info(ctx)
	if err == nil && info.ChainID != t.network {
		err = fault.New(fault.Unavailable, "The chain does not answer at present").
			Because(fmt.Errorf("%s answers where %s was expected", info.ChainID, t.network))
	}
	return t, info, err
}

func foreseeSwap(m tx.Swap, pool amm.Pool, fee uint32) (Effect, error) {
	side := amm.CNPY
	if m.Sell == tx.Token {
		side = amm.Tokens
	}
	out, after, err := pool.Swap(side, uint64(m.AmountIn), uint64(m.MinOut), fee)
	if err != nil {
		return Effect{}, refusedBy(err)
	}
	return anonymous(app.Swapped{
		Sold: m.Sell, In: m.AmountIn, Out: money.Amount(out), Fee: money.Amount(amm.Fee(uint64(m.AmountIn), fee)), After: after,
	}), nil
}

func foreseeDeposit(m tx.Deposit, pool amm.Pool) (Effect, error) {
	minted, after, err := pool.Provide(uint64(m.CNPY), uint64(m.Tokens), uint64(m.MinShares))
	if err != nil {
		return Effect{}, refusedBy(err)
	}
	return anonymous(app.Provided{CNPY: m.CNPY, Tokens: m.Tokens, Shares: money.Amount(minted), After: after}), nil
}

func (s *Service) foreseeWithdrawal(ctx context.Context, t target, m tx.Withdrawal, pool amm.Pool, by Authority) (Effect, error) {
	address, err := s.addressOf(ctx, by)
	if err != nil {
		return Effect{}, err
	}
	account, err := t.client.Account(ctx, address)
	if err != nil {
		return Effect{}, err
	}
	shares := amm.Percent(account.Shares, m.Percent)
	if shares == 0 {
		return Effect{}, refusals[app.CodeShares]()
	}
	cnpy, tokens, after, err := pool.Remove(shares, uint64(m.MinCNPY), uint64(m.MinTokens))
	if err != nil {
		return Effect{}, refusedBy(err)
	}
	return *effectOf(app.Removed{
		Account: address, CNPY: money.Amount(cnpy), Tokens: money.Amount(tokens), Shares: money.Amount(shares), After: after,
	}), nil
}

// anonymous is an effect that depends on nobody's account.
func anonymous(event app.Event) Effect {
	effect := *effectOf(event)
	effect.Address = ""
	return effect
}

// refusedBy says the arithmetic's refusals as the chain's are said.
func refusedBy(err error) error {
	if errors.Is(err, amm.ErrMinOut) || errors.Is(err, amm.ErrMinShares) {
		return refusals[app.CodeMinOut]()
	}
	return refusals[app.CodePool]()
}

// addressOf is whose account an order would touch.
func (s *Service) addressOf(ctx context.Context, by Authority) (livechain.Address, error) {
	if len(by.Signed) > 0 {
		signed, err := readSigned(by.Signed)
		if err != nil {
			return livechain.Address{}, err
		}
		return signed.Sender(), nil
	}
	if by.WalletID == nil {
		wallet, err := s.Store.Queries().GetPlatformWallet(ctx, &by.Caller)
		return parseAddress(wallet.Address, err, errNoCustody)
	}
	address, err := s.Store.Queries().WalletAddressOf(ctx, db.WalletAddressOfParams{ID: *by.WalletID, UserID: by.Caller})
	return parseAddress(address, err, errNoWallet)
}

func parseAddress(text string, err error, missing func() error) (livechain.Address, error) {
	if store.NotFound(err) {
		return livechain.Address{}, missing()
	}
	if err != nil {
		return livechain.Address{}, fmt.Errorf("find the wallet: %w", err)
	}
	address, err := livechain.ParseAddress(text)
	if err != nil {
		return livechain.Address{}, fmt.Errorf("read the wallet: %w", err)
	}
	return address, nil
}

// errNoWallet is the seed's sentence (seed launchpad, Wallets).
func errNoWallet() error { return fault.New(fault.NotFound, "Wallet not found") }

// errNoCustody tells a caller for whom the platform keeps no wallet.
func errNoCustody() error {
	return fault.New(fault.Unprocessable, "The platform keeps no wallet for you: name one by wallet_id, or send a signed_transaction")
}
