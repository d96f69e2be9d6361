package app

import (
	"math/big"
	"time"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// execution is one transaction at one moment of the chain's time.
type execution struct {
	on   *overlay
	tx   *tx.Tx
	from livechain.Address
	now  time.Time
}

// run admits the transaction, takes its fee and carries its message out. With
// a message that fails, admitted is true: the fee is paid and the nonce used,
// or the order could be sent again by anybody at a moment that suits them.
func run(below *overlay, t *tx.Tx, now time.Time) (event Event, admitted bool, err error) {
	e := execution{on: newOverlay(below), tx: t, from: t.Sender(), now: now}
	if err := e.admit(); err != nil {
		return nil, false, err
	}
	e.on.mergeInto(below)
	e.on = newOverlay(below)
	switch m := t.Message.(type) {
	case tx.Transfer:
		event, err = e.transfer(m)
	case tx.Swap:
		event, err = e.swap(m)
	case tx.Deposit:
		event, err = e.deposit(m)
	case tx.Withdrawal:
		event, err = e.withdraw(m)
	case tx.ValidatorUpdate:
		event, err = e.updateValidator(m)
	case tx.SessionAnchor:
		event, err = e.anchor(m)
	case tx.Payout:
		event, err = e.payOut(m)
	case tx.VoucherIn:
		event, err = e.voucherIn(m)
	case tx.VoucherOut:
		event, err = e.voucherOut(m)
	case tx.Proposal:
		event, err = e.propose(m)
	case tx.Vote:
		event, err = e.vote(m)
	case tx.WorkReport:
		event, err = e.reportWork(m)
	case tx.Upgrade:
		event, err = e.upgrade(m)
	case tx.Stake:
		event, err = e.stake(m)
	case tx.Unstake:
		event, err = e.unstake(m)
	default:
		err = refuse(CodeMalformed, "this chain's rules do not know the message")
	}
	if err != nil {
		return nil, true, err
	}
	e.on.mergeInto(below)
	return event, true, nil
}

// admit checks what needs the state, then uses the nonce and takes the fee.
func (e execution) admit() error {
	chain, err := chainOf(e.on)
	if err != nil {
		return err
	}
	account, err := e.on.account(e.from)
	if err != nil {
		return err
	}
	least, err := e.leastFee(chain)
	if err != nil {
		return err
	}
	switch {
	case e.tx.Since() > chain.GetRules():
		return refuseNewer(chain)
	case e.tx.ChainID != chain.GetChainId():
		return refuse(CodeWrongChain, "the transaction is for another chain than %s", chain.GetChainId())
	case e.tx.Expires != 0 && e.now.Unix() > e.tx.Expires:
		return refuse(CodeExpired, "the transaction was good until %s", time.Unix(e.tx.Expires, 0).UTC().Format(time.RFC3339))
	case e.tx.Nonce < account.GetNonce():
		return refuse(CodeStaleNonce, "nonce %d has been used, the next one is %d", e.tx.Nonce, account.GetNonce())
	case e.tx.Nonce > account.GetNonce():
		return refuse(CodeNonceGap, "nonce %d is too early, the next one is %d", e.tx.Nonce, account.GetNonce())
	case uint64(e.tx.Fee) < least:
		return refuse(CodeFeeTooLow, "the least fee is %s %s", money.Amount(least), assetName(e.tx.FeeIn()))
	}
	if err := e.take(account, e.tx.FeeIn(), e.tx.Fee); err != nil {
		return err
	}
	account.Nonce++
	e.on.setAccount(e.from, account)
	return e.give(feeAccount, e.tx.FeeIn(), e.tx.Fee)
}

// leastFee is that of the transaction in the asset that it names. In CNPY it
// follows the pool's price, so that who has no token yet gets one for as much.
func (e execution) leastFee(chain *statepb.Chain) (uint64, error) {
	free, err := e.goesFree(chain)
	if err != nil || free {
		return 0, err
	}
	if e.tx.FeeIn() == tx.Token {
		return chain.GetMinFee(), nil
	}
	return minFeeCNPY(e.on, chain)
}

func minFeeCNPY(from source, chain *statepb.Chain) (uint64, error) {
	pool, err := poolOf(from)
	return reserves(pool).Worth(chain.GetMinFee()), err
}

// take checks before it takes. Tokens that still vest can't be moved.
func (e execution) take(account *statepb.Account, asset tx.Asset, amount money.Amount) error {
	free := account.GetCnpy()
	if asset == tx.Token {
		free = spendable(account, e.now)
	}
	if uint64(amount) > free {
		return refuse(CodeInsufficientBalance, "the account can move %s, the transaction needs %s", money.Amount(free), amount)
	}
	if asset == tx.Token {
		account.Tokens -= uint64(amount)
	} else {
		account.Cnpy -= uint64(amount)
	}
	return nil
}

// give can't overflow: no account has more than the supply, an int64.
func (e execution) give(to livechain.Address, asset tx.Asset, amount money.Amount) error {
	account, err := e.on.account(to)
	if err != nil {
		return err
	}
	if asset == tx.Token {
		account.Tokens += uint64(amount)
	} else {
		account.Cnpy += uint64(amount)
	}
	e.on.setAccount(to, account)
	return nil
}

func (e execution) pay(asset tx.Asset, amount money.Amount) error {
	account, err := e.on.account(e.from)
	if err != nil {
		return err
	}
	if err := e.take(account, asset, amount); err != nil {
		return err
	}
	e.on.setAccount(e.from, account)
	return nil
}

func (e execution) transfer(m tx.Transfer) (Event, error) {
	if err := e.pay(m.Asset, m.Amount); err != nil {
		return nil, err
	}
	if err := e.give(m.To, m.Asset, m.Amount); err != nil {
		return nil, err
	}
	return Transferred{From: e.from, To: m.To, Asset: m.Asset, Amount: m.Amount}, nil
}

// spendable is the tokens of an account without what still vests.
func spendable(account *statepb.Account, now time.Time) uint64 {
	return account.GetTokens() - min(account.GetTokens(), locked(account.GetVesting(), now))
}

// locked shrinks evenly from start to end and is rounded up, so that nothing
// unlocks early.
func locked(v *statepb.Vesting, now time.Time) uint64 {
	at := now.Unix()
	switch {
	case v == nil || at >= v.GetEnd():
		return 0
	case at <= v.GetStart():
		return v.GetAmount()
	}
	left, whole := big.NewInt(v.GetEnd()-at), big.NewInt(v.GetEnd()-v.GetStart())
	sum := left.Mul(left, new(big.Int).SetUint64(v.GetAmount()))
	sum.Add(sum, whole).Sub(sum, big.NewInt(1))
	return sum.Quo(sum, whole).Uint64()
}
