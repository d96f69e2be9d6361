package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// Series acts for one account with one nonce after the other, so that many of its
// transactions wait for a block together. It is for one goroutine.
type Series struct {
	client *Client
	key    ed25519.PrivateKey
	sender livechain.Address
	next   uint64
	since  int64 // a height at which next was unused yet
}

// Series begins with the next nonce of the key's account.
func (c *Client) Series(ctx context.Context, key ed25519.PrivateKey) (*Series, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the key is no Ed25519 key")
	}
	s := &Series{client: c, key: key, sender: livechain.AddressOf(public)}
	return s, s.CatchUp(ctx)
}

// CatchUp passes by the nonces that blocks have used, whoever signed for the account.
func (s *Series) CatchUp(ctx context.Context) error {
	height, nonce, err := s.used(ctx)
	if err == nil {
		s.next, s.since = max(s.next, nonce), height
	}
	return err
}

// used asks for the first nonce that no block has used, and by which height.
func (s *Series) used(ctx context.Context) (height int64, nonce uint64, err error) {
	var account app.Account
	height, err = s.client.queryAt(ctx, "/account/"+s.sender.String(), &account)
	return height, account.Nonce, err
}

// Act is Client.Act with the series' next nonce. What is refused has not used it: the
// next transaction leaves no gap.
func (s *Series) Act(ctx context.Context, body tx.Body) (Sent, error) {
	sent := Sent{Since: s.since, Sender: s.sender, Nonce: s.next}
	if body.Expires != 0 {
		sent.Expires = time.Unix(body.Expires, 0)
	}
	body.Nonce, body.Salt = s.next, rand.Uint64()
	raw, err := tx.Sign(body, s.key)
	if err != nil {
		return Sent{}, fmt.Errorf("sign a transaction: %w", err)
	}
	sent.Hash = HashOf(raw)
	if _, err = s.client.Submit(ctx, raw); err == nil {
		s.next++
	}
	return sent, err
}

// Await waits until blocks have used all nonces of the series, by whichever
// transactions, and returns a height by which they have. When ctx ends first, the
// transactions may still get into a block.
func (s *Series) Await(ctx context.Context) (height int64, err error) {
	for pause := askFirst; ; pause = min(pause*3/2, askAtLast) {
		height, nonce, err := s.used(ctx)
		switch {
		case err == nil && nonce >= s.next:
			return height, nil
		case ctx.Err() != nil:
			return 0, unreachable(errors.Join(ctx.Err(), err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
