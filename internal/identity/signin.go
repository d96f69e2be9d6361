package identity

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Grant is a new session with its token, which is shown this once.
type Grant struct {
	Session
	User  uuid.UUID
	Token string
}

// Client is who signs in, as far as can be told from outside.
type Client struct {
	IP        netip.Addr
	UserAgent string // as the device calls itself
}

// Verify redeems the code of an address for a session of the address's user, who
// is made on the first time. Guess and count are one transaction, so no number of
// pods can guess more often than one.
func (s *Service) Verify(ctx context.Context, address, code string, from Client) (Grant, error) {
	secret := s.Sessions.key.newToken()
	hash := secret.hash()
	fresh, err := newIDs()
	if err != nil {
		return Grant{}, err
	}
	var refusal *fault.Fault
	grant := Grant{Token: secret.String()}
	err = s.store.InTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
		refusal, err = s.redeem(ctx, q, address, from, code)
		if err != nil || refusal != nil {
			return err
		}
		grant.User, err = q.VerifiedUser(ctx, db.VerifiedUserParams{ID: fresh.user, Email: &address})
		if err != nil {
			return err
		}
		row, err := q.InsertSession(ctx, db.InsertSessionParams{
			ID: fresh.session, UserID: grant.User, TokenHash: hash[:],
			UserAgent: describe(from.UserAgent), LifetimeSeconds: int64(SessionLifetime.Seconds()),
		})
		grant.Session = sessionOf(row)
		return err
	})
	if err != nil {
		return Grant{}, fmt.Errorf("verify the code: %w", err)
	}
	if refusal != nil {
		return Grant{}, refusal
	}
	return grant, nil
}

// newIDs are made before the transaction, which may run several times.
func newIDs() (ids struct{ user, session uuid.UUID }, err error) {
	if ids.user, err = uuid.NewV7(); err == nil {
		ids.session, err = uuid.NewV7()
	}
	if err != nil {
		return ids, fmt.Errorf("make ids: %w", err)
	}
	return ids, nil
}
