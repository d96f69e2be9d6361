package app

import (
	"errors"

	"github.com/lucid-blockchain/lucid/internal/livechain/amm"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// reserves is the stored pool as the arithmetic takes it.
func reserves(pool *statepb.Pool) amm.Pool {
	return amm.Pool{CNPY: pool.GetCnpy(), Tokens: pool.GetTokens(), Shares: pool.GetShares()}
}

// setReserves stores what the arithmetic made of the pool.
func (e execution) setReserves(pool *statepb.Pool, after amm.Pool) {
	pool.Cnpy, pool.Tokens, pool.Shares = after.CNPY, after.Tokens, after.Shares
	e.on.set(poolKey, pool)
}

// refusePool gives the pool's refusals their codes.
func refusePool(err error) error {
	if errors.Is(err, amm.ErrMinOut) || errors.Is(err, amm.ErrMinShares) {
		return refuse(CodeMinOut, "%s", err)
	}
	return refuse(CodePool, "%s", err)
}

func (e execution) swap(m tx.Swap) (Event, error) {
	chain, err := chainOf(e.on)
	if err != nil {
		return nil, err
	}
	pool, err := poolOf(e.on)
	if err != nil {
		return nil, err
	}
	if err := e.pay(m.Sell, m.AmountIn); err != nil {
		return nil, err
	}
	side, bought := amm.CNPY, tx.Token
	if m.Sell == tx.Token {
		side, bought = amm.Tokens, tx.CNPY
	}
	out, after, err := reserves(pool).Swap(side, uint64(m.AmountIn), uint64(m.MinOut), chain.GetFeeBasisPoints())
	if err != nil {
		return nil, refusePool(err)
	}
	e.setReserves(pool, after)
	if err := e.give(e.from, bought, money.Amount(out)); err != nil {
		return nil, err
	}
	return Swapped{
		Account: e.from, Sold: m.Sell, In: m.AmountIn, Out: money.Amount(out),
		Fee: money.Amount(amm.Fee(uint64(m.AmountIn), chain.GetFeeBasisPoints())), After: after,
	}, nil
}

func (e execution) deposit(m tx.Deposit) (Event, error) {
	pool, err := poolOf(e.on)
	if err != nil {
		return nil, err
	}
	if err := e.pay(tx.CNPY, m.CNPY); err != nil {
		return nil, err
	}
	if err := e.pay(tx.Token, m.Tokens); err != nil {
		return nil, err
	}
	before := reserves(pool)
	minted, after, err := before.Provide(uint64(m.CNPY), uint64(m.Tokens), uint64(m.MinShares))
	if err != nil {
		return nil, refusePool(err)
	}
	// The first liquidity makes more shares than it gives: those are nobody's.
	pool.LockedShares += after.Shares - before.Shares - minted
	e.setReserves(pool, after)
	if err := e.changeShares(func(account *statepb.Account) { account.Shares += minted }); err != nil {
		return nil, err
	}
	return Provided{Account: e.from, CNPY: m.CNPY, Tokens: m.Tokens, Shares: money.Amount(minted), After: after}, nil
}

func (e execution) withdraw(m tx.Withdrawal) (Event, error) {
	pool, err := poolOf(e.on)
	if err != nil {
		return nil, err
	}
	account, err := e.on.account(e.from)
	if err != nil {
		return nil, err
	}
	shares := amm.Percent(account.GetShares(), m.Percent)
	if shares == 0 {
		return nil, refuse(CodeShares, "the account has %d shares of the pool, %d %% of which are none", account.GetShares(), m.Percent)
	}
	cnpy, tokens, after, err := reserves(pool).Remove(shares, uint64(m.MinCNPY), uint64(m.MinTokens))
	if err != nil {
		return nil, refusePool(err)
	}
	e.setReserves(pool, after)
	err = e.changeShares(func(account *statepb.Account) { account.Shares -= shares })
	err = errors.Join(err, e.give(e.from, tx.CNPY, money.Amount(cnpy)), e.give(e.from, tx.Token, money.Amount(tokens)))
	if err != nil {
		return nil, err
	}
	return Removed{
		Account: e.from, CNPY: money.Amount(cnpy), Tokens: money.Amount(tokens), Shares: money.Amount(shares), After: after,
	}, nil
}

func (e execution) changeShares(change func(*statepb.Account)) error {
	account, err := e.on.account(e.from)
	if err != nil {
		return err
	}
	change(account)
	e.on.setAccount(e.from, account)
	return nil
}
