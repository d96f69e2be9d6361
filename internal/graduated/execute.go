package graduated

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/store"
)

const (
	// patience is how long a transaction that is signed here stays good: then its
	// outcome is certain, whoever has died meanwhile.
	patience = 15 * time.Second
	// nonceRetry is when a nonce that another order of the same account has taken
	// is asked for again: the next block counts it.
	nonceRetry = 100 * time.Millisecond
)

// transaction is what an order has become: signed, and on the chain or not.
type transaction struct {
	client.Sent
	raw   []byte
	fee   Fee
	fresh bool // nobody but this process has it yet
}

// transactionOf reads what has been signed. No block up to since has it; 0 says that
// this is not known.
func transactionOf(raw []byte, since int64) (transaction, error) {
	signed, err := tx.Decode(raw)
	if err != nil {
		return transaction{}, fmt.Errorf("read a signed transaction: %w", err)
	}
	made := transaction{raw: raw, fee: Fee{signed.Fee, signed.FeeIn()}, Sent: client.Sent{
		Hash: client.HashOf(raw), Since: since, Sender: signed.Sender(), Nonce: signed.Nonce,
	}}
	if signed.Expires != 0 {
		made.Expires = time.Unix(signed.Expires, 0)
	}
	return made, nil
}

// errand is an order on its way to its chain.
type errand struct {
	*Service
	target
	info    app.Info
	order   Order
	by      Authority
	expires time.Time // of what is signed for it here
}

// Execute signs an order, or takes it ready-signed, has the chain carry it out
// and waits for its block. Faults: Invalid (fields, a signed transaction that is
// not what the order says), NotFound (pool, wallet), Unprocessable (balance,
// minimum, deadline), Conflict (nonce of a signed transaction, key of another
// order), Unavailable (the chain does not answer, or no block took the transaction
// in time), and those of Wallets.
//
// A signed transaction that comes again is answered again, and so is an order under
// the caller's own key. One that is signed here expires with the deadline, at the
// latest after fifteen seconds; until then it is signed anew as often as another
// order of the account is faster.
func (s *Service) Execute(ctx context.Context, o Order, by Authority) (Receipt, error) {
	t, info, err := s.begin(ctx, o)
	if err != nil {
		return Receipt{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, patience+patience/3)
	defer cancel()
	e := errand{s, t, info, o, by, s.expiry(o.Deadline)}
	if o.IdempotencyKey != "" {
		return e.once(waiting)
	}
	return e.run(waiting)
}

// run carries an order out that nobody will ask for again.
func (e errand) run(ctx context.Context) (Receipt, error) {
	if err := e.onTime(e.order); err != nil {
		return Receipt{}, err
	}
	for {
		receipt, err := e.attempt(ctx)
		if !outpaced(err) || !e.again(ctx) {
			return receipt, e.explain(err)
		}
	}
}

// outpaced reports that another order of the account took the nonce, so that this
// one has not happened and can be signed anew.
func outpaced(err error) bool {
	code, _ := client.Refused(err)
	return code == app.CodeStaleNonce || errors.Is(err, client.ErrSuperseded)
}

// again reports, after a pause, whether there is time to sign anew what is to be
// signed here.
func (e errand) again(ctx context.Context) bool {
	return len(e.by.Signed) == 0 && e.now().Before(e.expires) && paused(ctx)
}

// paused waits until a nonce may be asked for again, and reports whether there is time
// left.
func paused(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(nonceRetry):
		return true
	}
}

func (e errand) explain(err error) error { return explain(err, len(e.by.Signed) > 0) }

func (e errand) attempt(ctx context.Context) (Receipt, error) {
	made, err := e.sign(ctx)
	if err != nil {
		return Receipt{}, err
	}
	if err := e.hand(ctx, made); err != nil {
		return Receipt{}, err
	}
	return e.settle(ctx, made)
}

// hand gives a transaction to the chain, unless a block has it already.
func (e errand) hand(ctx context.Context, made transaction) error {
	if !made.fresh {
		if _, found, err := e.client.Find(ctx, made.Hash); found || err != nil {
			return err
		}
	}
	_, err := e.client.Submit(ctx, made.raw)
	return err
}

// settle waits for the block of a transaction and says what it did.
func (e errand) settle(ctx context.Context, made transaction) (Receipt, error) {
	included, err := e.client.Await(ctx, made.Sent)
	if err != nil {
		return Receipt{}, made.unsettled(err)
	}
	effect := effectOf(included.Event)
	if gone, is := included.Event.(app.VoucheredOut); is {
		effect = &Effect{CNPY: gone.Amount, Address: gone.Account.String()}
	}
	if effect == nil {
		return Receipt{}, fmt.Errorf("transaction %s did something else than was ordered", made.Hash)
	}
	return Receipt{
		PoolID: e.poolID, ChainID: e.chainID, Effect: *effect,
		Hash: client.ShownHash(made.Hash), Height: included.Height, NetworkFee: made.fee,
	}, nil
}

// unsettled says what is known of a transaction that was not seen in a block.
func (made transaction) unsettled(err error) error {
	if _, refused := client.Refused(err); refused || !fault.Is(err, fault.Unavailable) {
		return err
	}
	if made.Expires.IsZero() {
		return fault.New(fault.Unavailable, "Transaction %s is in no block yet; send the same one again to learn what became of it",
			client.ShownHash(made.Hash)).Because(err)
	}
	return fault.New(fault.Unavailable, "Transaction %s is in no block yet; it may get into one until %s",
		client.ShownHash(made.Hash), made.Expires.UTC().Format(time.RFC3339)).Because(err)
}

// sign makes the order a transaction, or takes the one that was signed elsewhere.
func (e errand) sign(ctx context.Context) (made transaction, err error) {
	if len(e.by.Signed) > 0 {
		if err := e.order.matches(e.by.Signed, e.info.ChainID); err != nil {
			return transaction{}, err
		}
		return transactionOf(e.by.Signed, 0)
	}
	err = e.withKey(ctx, e.target, e.by, func(key ed25519.PrivateKey) (err error) {
		made, err = e.signWith(ctx, key)
		return err
	})
	return made, err
}

// signWith signs with the next nonce of the key's account. The salt tells two orders
// of the same content apart.
func (e errand) signWith(ctx context.Context, key ed25519.PrivateKey) (transaction, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return transaction{}, errors.New("the key is no Ed25519 key")
	}
	account, err := e.client.Account(ctx, livechain.AddressOf(public))
	if err != nil {
		return transaction{}, err
	}
	fee := feeOf(e.info, account, e.order.Message)
	raw, err := tx.Sign(tx.Body{
		ChainID: e.info.ChainID, Nonce: account.Nonce, Fee: fee.Amount, FeeAsset: fee.Asset, Expires: e.expires.Unix(),
		Salt: rand.Uint64(), Message: e.order.Message,
	}, key)
	if err != nil {
		return transaction{}, fmt.Errorf("sign a transaction: %w", err)
	}
	made, err := transactionOf(raw, e.info.Height)
	made.fresh = true
	return made, err
}

// withKey opens the wallet that the order is to be signed with.
func (s *Service) withKey(ctx context.Context, t target, by Authority, use func(ed25519.PrivateKey) error) error {
	switch {
	case by.WalletID != nil && s.Wallets == nil:
		return errNoWallet()
	case by.WalletID != nil:
		return s.Wallets.WithKey(ctx, by.Caller, *by.WalletID, by.Password, use)
	case s.Custody == nil:
		return errNoCustody()
	}
	key, err := s.kept(ctx, t, by)
	if store.NotFound(err) {
		return errNoCustody()
	}
	if err != nil {
		return fmt.Errorf("open the platform wallet: %w", err)
	}
	defer clear(key)
	return use(key)
}

// kept is the key of a wallet that the platform keeps.
func (s *Service) kept(ctx context.Context, t target, by Authority) (ed25519.PrivateKey, error) {
	if !by.Treasury {
		return s.Custody.UserKey(ctx, by.Caller)
	}
	if err := t.treasurer(by.Caller); err != nil {
		return nil, err
	}
	return s.Custody.TreasuryKey(ctx, t.chainID)
}

// expiry is in whole seconds, as the chain counts, and not after the deadline.
func (s *Service) expiry(deadline time.Time) time.Time {
	expires := s.now().Add(patience)
	if !deadline.IsZero() && deadline.Before(expires) {
		expires = deadline
	}
	return expires.Truncate(time.Second)
}

// readSigned decodes a transaction and checks its signature.
func readSigned(raw []byte) (*tx.Tx, error) {
	signed, err := tx.Decode(raw)
	if err != nil {
		return nil, invalidSigned("is not the canonical encoding of a transaction")
	}
	if signed.Verify() != nil {
		return nil, invalidSigned("has a signature that does not fit")
	}
	return signed, nil
}

// matches holds a signed transaction against the order beside it: nobody is to
// send something else than they see.
func (o Order) matches(raw []byte, network string) error {
	signed, err := readSigned(raw)
	switch {
	case err != nil:
		return err
	case signed.ChainID != network:
		return invalidSigned("is for another chain")
	case signed.Message != o.Message:
		return invalidSigned("says something else than the body")
	case !o.Deadline.IsZero() && signed.Expires != o.Deadline.Unix():
		return invalidSigned("has another deadline than the body")
	}
	return nil
}

func invalidSigned(reason string) error {
	return fault.InvalidFields(field("signed_transaction", reason, "format", nil))
}
