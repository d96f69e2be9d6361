package graduated

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
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
	hash    string
	expires time.Time // zero for never
	fee     money.Amount
}

// Execute signs an order, or takes it ready-signed, has the chain carry it out
// and waits for its block. Faults: Invalid (fields, a signed transaction that is
// not what the order says), NotFound (pool, wallet), Unprocessable (balance,
// minimum, deadline), Conflict (nonce of a signed transaction), Unavailable (the
// chain does not answer, or no block took the transaction in time), and those of
// Wallets.
//
// A signed transaction that comes again is answered again. One that is signed
// here expires with the deadline, at the latest after fifteen seconds.
func (s *Service) Execute(ctx context.Context, o Order, by Authority) (Receipt, error) {
	t, info, err := s.begin(ctx, o)
	if err != nil {
		return Receipt{}, err
	}
	handed, err := s.send(ctx, t, info, o, by)
	if err != nil {
		return Receipt{}, explain(err, len(by.Signed) > 0)
	}
	waiting, cancel := context.WithTimeout(ctx, patience+patience/3)
	defer cancel()
	included, err := t.client.Await(waiting, handed.hash, handed.expires)
	if err != nil {
		return Receipt{}, explain(handed.unsettled(err), len(by.Signed) > 0)
	}
	effect := effectOf(included.Event)
	if effect == nil {
		return Receipt{}, fmt.Errorf("transaction %s did something else than was ordered", handed.hash)
	}
	return Receipt{
		PoolID: t.poolID, ChainID: t.chainID, Effect: *effect,
		Hash: shownHash(handed.hash), Height: included.Height, NetworkFee: handed.fee,
	}, nil
}

// shownHash writes a hash as all hashes of the platform are written.
func shownHash(hash string) string { return "0x" + strings.ToLower(hash) }

// unsettled says what is known of a transaction that was not seen in a block.
func (h sent) unsettled(err error) error {
	if _, refused := client.Refused(err); refused || !fault.Is(err, fault.Unavailable) {
		return err
	}
	if h.expires.IsZero() {
		return fault.New(fault.Unavailable, "Transaction %s is in no block yet; send the same one again to learn what became of it",
			shownHash(h.hash)).Because(err)
	}
	return fault.New(fault.Unavailable, "Transaction %s is in no block yet; it may get into one until %s",
		shownHash(h.hash), h.expires.UTC().Format(time.RFC3339)).Because(err)
}

// send finds the key and hands the transaction over.
func (s *Service) send(ctx context.Context, t target, info app.Info, o Order, by Authority) (sent, error) {
	if len(by.Signed) > 0 {
		return sendSigned(ctx, t, info, o, by.Signed)
	}
	var handed sent
	err := s.withKey(ctx, by, func(key ed25519.PrivateKey) (err error) {
		handed, err = s.sign(ctx, t, info, o, key)
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

// sign makes the transaction with the account's next nonce and hands it over.
// When another order of the account was faster its nonce is used up, so this
// one can be made anew.
func (s *Service) sign(ctx context.Context, t target, info app.Info, o Order, key ed25519.PrivateKey) (sent, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return sent{}, errors.New("the wallet's key is no Ed25519 key")
	}
	address := livechain.AddressOf(public)
	expires := s.expiry(o.Deadline)
	for {
		account, err := t.client.Account(ctx, address)
		if err != nil {
			return sent{}, err
		}
		raw, err := tx.Sign(tx.Body{
			ChainID: info.ChainID, Nonce: account.Nonce, Fee: info.MinFee, Expires: expires.Unix(), Message: o.Message,
		}, key)
		if err != nil {
			return sent{}, fmt.Errorf("sign the order: %w", err)
		}
		hash, err := t.client.Submit(ctx, raw)
		if err == nil {
			return sent{hash: hash, expires: expires, fee: info.MinFee}, nil
		}
		if code, _ := client.Refused(err); code != app.CodeStaleNonce || s.now().After(expires) {
			return sent{}, err
		}
		select {
		case <-ctx.Done():
			return sent{}, err
		case <-time.After(nonceRetry):
		}
	}
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
	handed := sent{hash: client.HashOf(raw), fee: signed.Fee}
	if signed.Expires != 0 {
		handed.expires = time.Unix(signed.Expires, 0)
	}
	_, found, err := t.client.Find(ctx, handed.hash)
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
