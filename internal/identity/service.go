package identity

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/store"
)

// sweepEvery is how often each pod looks for codes and sessions that are over.
const sweepEvery = time.Hour

// Addresses finds the wallet address of a user, making the wallet on first use;
// *keystore.Keystore is one.
type Addresses interface {
	EnsureAddress(ctx context.Context, user uuid.UUID) (livechain.Address, error)
}

// Service signs users in by mailed codes and keeps their sessions and profiles.
// All it knows is in the database, so any number of pods serve one user. It is
// safe for concurrent use.
type Service struct {
	Sessions *Sessions

	store     *store.Store
	addresses Addresses
	codeKey   []byte
	clientKey []byte
	log       logr.Logger
}

// NewService returns the service on s. The keys of codes and tokens are derived
// from the platform key, which all pods of a gateway share and the database never
// sees.
func NewService(s *store.Store, platformKey []byte, addresses Addresses, log logr.Logger) (*Service, error) {
	key, err := derive(platformKey, "lucid mailed codes v1")
	if err != nil {
		return nil, err
	}
	clientKey, err := derive(platformKey, "lucid client networks v1")
	if err != nil {
		return nil, err
	}
	sessions, err := NewSessions(s, platformKey)
	if err != nil {
		return nil, err
	}
	return &Service{Sessions: sessions, store: s, addresses: addresses, codeKey: key, clientKey: clientKey, log: log}, nil
}

// derive makes the key of one purpose, so that what is made for another is worth
// nothing there.
func derive(platformKey []byte, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, platformKey, nil, purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key for %s: %w", purpose, err)
	}
	return key, nil
}

// Run deletes what is over every hour until ctx ends. A database that is away is
// no reason to stop: nothing that is over is ever accepted.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := s.Sweep(ctx); err != nil {
				s.log.Error(err, "old codes and sessions not deleted")
			}
		}
	}
}

// Sweep deletes the codes and sessions that are over.
func (s *Service) Sweep(ctx context.Context) error {
	codes, err := s.store.Queries().DropOldMailedCodes(ctx)
	if err != nil {
		return fmt.Errorf("delete old codes: %w", err)
	}
	clients, err := s.store.Queries().DropOldProvenClients(ctx)
	if err != nil {
		return fmt.Errorf("forget old clients: %w", err)
	}
	sessions, err := s.store.Queries().DropExpiredSessions(ctx)
	if err != nil {
		return fmt.Errorf("delete expired sessions: %w", err)
	}
	s.log.V(1).Info("deleted what is over", "codes", codes, "clients", clients, "sessions", sessions)
	return nil
}
