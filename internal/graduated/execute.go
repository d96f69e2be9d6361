package graduated

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
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

// sent is a transaction that the chain's mempool has taken.
type sent struct {
	client.Sent
	fee money.Amount
}

// Execute signs an order, or takes it ready-signed, has the chain carry it out
// and waits for its block. Faults: Invalid (fields, a signed transaction that is
// not what the order says), NotFound (pool, wallet), Unprocessable (balance,
// minimum, deadline), Conflict (nonce of a signed transaction), Unavailable (the
// chain does not answer, or no block took the transaction in time), and those of
// Wallets.
//
// A signed transaction that comes again is answered again. One that is signed
// here expires with the deadline, at the latest after fifteen seconds; until then
// it is signed anew as often as another order of the account is faster.
func (s *Service) Execute(ctx context.Context, o Order, by Authority) (Receipt, error) {
	t, info, err := s.begin(ctx, o)
	if err != nil {
		return Receipt{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, patience+patience/3)
	defer cancel()
	expires := s.expiry(o.Deadline)
	for {
		receipt, err := s.attempt(waiting, t, info, o, by, expires)
		if len(by.Signed) > 0 || !outpaced(err) || !s.now().Before(expires) {
			return receipt, explain(err, len(by.Signed) > 0)
		}
		select {
		case <-waiting.Done():
			return Receipt{}, explain(err, false)
		case <-time.After(nonceRetry):
		}
	}
}

// outpaced reports that another order of the account took the nonce, so that this
// one has not happened and can be signed anew.
func outpaced(err error) bool {
	code, _ := client.Refused(err)
	return code == app.CodeStaleNonce || errors.Is(err, client.ErrSuperseded)
}

func (s *Service) attempt(ctx context.Context, t target, info app.Info, o Order, by Authority, expires time.Time) (Receipt, error) {
	handed, err := s.send(ctx, t, info, o, by, expires)
	if err != nil {
		return Receipt{}, err
	}
	included, err := t.client.Await(ctx, handed.Sent)
	if err != nil {
		return Receipt{}, handed.unsettled(err)
	}
	effect := effectOf(included.Event)
	if gone, is := included.Event.(app.VoucheredOut); is {
		effect = &Effect{CNPY: gone.Amount, Address: gone.Account.String()}
	}
	if effect == nil {
		return Receipt{}, fmt.Errorf("transaction %s did something else than was ordered", handed.Hash)
	}
	return Receipt{
		PoolID: t.poolID, ChainID: t.chainID, Effect: *effect,
		Hash: shownHash(handed.Hash), Height: included.Height, NetworkFee: handed.fee,
	}, nil
}

// shownHash writes a hash as all hashes of the platform are written.
func shownHash(hash string) string { return "0x" + strings.ToLower(hash) }

// unsettled says what is known of a transaction that was not seen in a block.
func (h sent) unsettled(err error) error {
	if _, refused := client.Refused(err); refused || !fault.Is(err, fault.Unavailable) {
		return err
	}
	if h.Expires.IsZero() {
		return fault.New(fault.Unavailable, "Transaction %s is in no block yet; send the same one again to learn what became of it",
			shownHash(h.Hash)).Because(err)
	}
	return fault.New(fault.Unavailable, "Transaction %s is in no block yet; it may get into one until %s",
		shownHash(h.Hash), h.Expires.UTC().Format(time.RFC3339)).Because(err)
}

// send finds the key and hands the transaction over.
func (s *Service) send(ctx context.Context, t target, info app.Info, o Order, by Authority, expires time.Time) (sent, error) {
	if len(by.Signed) > 0 {
		return sendSigned(ctx, t, info, o, by.Signed)
	}
	handed := sent{fee: info.MinFee}
	err := s.withKey(ctx, by, func(key ed25519.PrivateKey) (err error) {
		handed.Sent, err = t.client.Act(ctx, key, tx.Body{
			ChainID: info.ChainID, Fee: info.MinFee, Expires: expires.Unix(), Message: o.Message,
		})
		return err
	})
	return handed, err
}

// withKey opens the wallet that the order is to be signed with.
func (s *Service) withKey(ctx context.Context, by Authority, use func(ed25519.PrivateKey) error) error {
	switch {
	case by.WalletID != nil && s.Wallets == nil:
		return errNoWallet()
	case by.WalletID != nil:
		return s.Wallets.WithKey(ctx, by.Caller, *by.WalletID, by.Password, use)
	case s.Custody == nil:
		return errNoCustody()
	}
	key, err := s.Custody.UserKey(ctx, by.Caller)
	if store.NotFound(err) {
		return errNoCustody()
	}
	if err != nil {
		return fmt.Errorf("open the platform wallet: %w", err)
	}
	defer clear(key)
	return use(key)
}

// expiry is in whole seconds, as the chain counts, and not after the deadline.
func (s *Service) expiry(deadline time.Time) time.Time {
	expires := s.now().Add(patience)
	if !deadline.IsZero() && deadline.Before(expires) {
		expires = deadline
	}
	return expires.Truncate(time.Second)
}

// sendSigned hands over what somebody has signed elsewhere, once it is what the
// order says. One that is in a block already is not handed over again.
func sendSigned(ctx context.Context, t target, info app.Info, o Order, raw []byte) (sent, error) {
	signed, err := readSigned(raw)
	if err != nil {
		return sent{}, err
	}
	if err := o.matches(signed, info.ChainID); err != nil {
		return sent{}, err
	}
	handed := sent{Sent: client.Sent{Hash: client.HashOf(raw)}, fee: signed.Fee}
	if signed.Expires != 0 {
		handed.Expires = time.Unix(signed.Expires, 0)
	}
	_, found, err := t.client.Find(ctx, handed.Hash)
	if found || err != nil {
		return handed, err
	}
	_, err = t.client.Submit(ctx, raw)
	return handed, err
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
func (o Order) matches(signed *tx.Tx, network string) error {
	switch {
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
