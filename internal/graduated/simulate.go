package graduated

import (
	"context"
	"errors"
	"fmt"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/amm"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
)

// Simulate computes what an order would come to on the chain's present state,
// with the chain's own arithmetic. It promises nothing, and refuses what the
// chain would, the balance aside. Whoever is named to sign has to be able to, but
// for the password, which is not needed. Swaps and deposits are the same for
// everybody, so that nobody need be named for them. Unavailable when the chain does
// not answer.
func (s *Service) Simulate(ctx context.Context, o Order, by Authority) (Receipt, error) {
	t, info, err := s.begin(ctx, o)
	if err != nil {
		return Receipt{}, err
	}
	if err := s.onTime(o); err != nil {
		return Receipt{}, err
	}
	who, err := s.signer(ctx, t, o, by, info)
	if err != nil {
		return Receipt{}, err
	}
	pool, err := t.client.Pool(ctx)
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{PoolID: t.poolID, ChainID: t.chainID, Simulated: true, NetworkFee: who.fee}
	before := amm.Pool{CNPY: uint64(pool.CNPYReserve), Tokens: uint64(pool.TokenReserve), Shares: pool.Shares}
	switch m := o.Message.(type) {
	case tx.Swap:
		receipt.Effect, err = foreseeSwap(m, before, pool.FeeBasisPoints)
	case tx.Deposit:
		receipt.Effect, err = foreseeDeposit(m, before)
	case tx.Withdrawal:
		receipt.Effect, err = foreseeWithdrawal(ctx, t, m, before, *who.address)
	default:
		err = fmt.Errorf("simulate: %T is no order", o.Message)
	}
	receipt.Address = "" // of nobody, unless somebody is named
	if who.address != nil {
		receipt.Address = who.address.String()
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
	info, err := t.info(ctx)
	if err == nil {
		err = t.holds(ctx, o.Message)
	}
	return t, info, err
}

// onTime refuses an order whose deadline is over before anything is done about it.
func (s *Service) onTime(o Order) error {
	if !o.Deadline.IsZero() && s.now().After(o.Deadline) {
		return errDeadline()
	}
	return nil
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
	return *effectOf(app.Swapped{
		Sold: m.Sell, In: m.AmountIn, Out: money.Amount(out), Fee: money.Amount(amm.Fee(uint64(m.AmountIn), fee)), After: after,
	}), nil
}

func foreseeDeposit(m tx.Deposit, pool amm.Pool) (Effect, error) {
	minted, after, err := pool.Provide(uint64(m.CNPY), uint64(m.Tokens), uint64(m.MinShares))
	if err != nil {
		return Effect{}, refusedBy(err)
	}
	return *effectOf(app.Provided{CNPY: m.CNPY, Tokens: m.Tokens, Shares: money.Amount(minted), After: after}), nil
}

func foreseeWithdrawal(ctx context.Context, t target, m tx.Withdrawal, pool amm.Pool, address livechain.Address) (Effect, error) {
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

// refusedBy says the arithmetic's refusals as the chain's are said.
func refusedBy(err error) error {
	if errors.Is(err, amm.ErrMinOut) || errors.Is(err, amm.ErrMinShares) {
		return refusals[app.CodeMinOut]()
	}
	return refusals[app.CodePool]()
}

// signer is who would sign an order and what that would cost them. The address is
// nil where nobody is named and the order is the same for everybody.
type signer struct {
	address *livechain.Address
	fee     Fee
}

func (s *Service) signer(ctx context.Context, t target, o Order, by Authority, info app.Info) (signer, error) {
	if len(by.Signed) > 0 {
		return s.signedBy(o, by.Signed, info)
	}
	_, withdraws := o.Message.(tx.Withdrawal)
	named := by.WalletID != nil || by.Treasury || withdraws
	address, err := s.addressOf(ctx, t, by)
	if _, nobody := fault.As(err); nobody && !named {
		return signer{fee: Fee{info.MinFee, tx.Token}}, nil
	}
	if err != nil {
		return signer{}, err
	}
	// Whose wallet the platform keeps pays from it, even where it is not named.
	held, err := t.client.Account(ctx, address)
	who := signer{fee: feeOf(info, held, o.Message)}
	if named {
		who.address = &address
	}
	return who, err
}

// signedBy reads the signer off a transaction that the chain would take.
func (s *Service) signedBy(o Order, raw []byte, info app.Info) (signer, error) {
	if err := o.matches(raw, info.ChainID); err != nil {
		return signer{}, err
	}
	made, err := transactionOf(raw, 0)
	switch {
	case err != nil:
		return signer{}, err
	case made.fee.Amount < made.fee.least(info):
		return signer{}, invalidSigned(ofSigned[app.CodeFeeTooLow])
	case !made.Expires.IsZero() && s.now().After(made.Expires):
		return signer{}, errDeadline()
	}
	return signer{&made.Sender, made.fee}, nil
}

// addressOf is the account of a wallet of the caller's own, of their chain's treasury,
// or of the wallet that the platform keeps for them.
func (s *Service) addressOf(ctx context.Context, t target, by Authority) (livechain.Address, error) {
	if by.WalletID != nil {
		return s.walletOf(ctx, by)
	}
	if s.Custody == nil {
		return livechain.Address{}, errNoCustody()
	}
	if by.Treasury {
		if err := t.treasurer(by.Caller); err != nil {
			return livechain.Address{}, err
		}
		wallet, err := s.Store.Queries().GetTreasuryWallet(ctx, &t.chainID)
		return parseAddress(wallet.Address, err, errNoCustody)
	}
	wallet, err := s.Store.Queries().GetPlatformWallet(ctx, &by.Caller)
	return parseAddress(wallet.Address, err, errNoCustody)
}

// walletOf refuses whatever Wallets refuses before it looks at a password.
func (s *Service) walletOf(ctx context.Context, by Authority) (livechain.Address, error) {
	if s.Wallets == nil {
		return livechain.Address{}, errNoWallet()
	}
	row, err := s.Store.Queries().GetWallet(ctx, *by.WalletID)
	address, err := parseAddress(row.Wallet.Address, err, errNoWallet)
	switch {
	case err != nil:
		return livechain.Address{}, err
	case row.Owner != by.Caller:
		return livechain.Address{}, fault.New(fault.Forbidden, "Access denied")
	case row.Wallet.Custody != keystore.CustodyPassword:
		return livechain.Address{}, fault.New(fault.Unprocessable, "The platform keeps this wallet's key: no password decrypts it")
	case row.IsLocked:
		return livechain.Address{}, fault.New(fault.Forbidden, "Wallet is locked due to too many failed attempts")
	case !row.Wallet.IsActive:
		return livechain.Address{}, keystore.ErrInactive
	}
	return address, nil
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
