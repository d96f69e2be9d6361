package explorer

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
)

// Transaction finds a transaction in the chain's blocks by its hash, with the
// proof that its block holds it while the chain keeps that. NotFound when no block
// has it.
func (s *Service) Transaction(ctx context.Context, chain uuid.UUID, hash []byte) (client.Located, error) {
	l, err := s.reach(ctx, chain)
	if err != nil {
		return client.Located{}, err
	}
	if _, err := l.kept(ctx); err != nil {
		return client.Located{}, err
	}
	return l.client.Locate(ctx, hash)
}

// Status is how far a transaction has come.
type Status string

// The statuses.
const (
	Pending   Status = "pending"   // the mempool has it
	Confirmed Status = "confirmed" // it worked in a block
	Failed    Status = "failed"    // a block has it, and its message was refused
)

// StatusOf is the status of a transaction in a block.
func StatusOf(e client.Entry) Status {
	if e.Worked() {
		return Confirmed
	}
	return Failed
}

// Submission is what became of a transaction that was handed over.
type Submission struct {
	Hash        string // upper-case hex
	Status      Status
	At          time.Time  // when it was handed over
	ConfirmedAt *time.Time // time of its block, where it is in one
}

// Submit hands a signed transaction to the chain's mempool. One that is in a block
// already is found there. Unprocessable, with the chain's reason (see
// client.Refused), when the chain refuses it.
func (s *Service) Submit(ctx context.Context, chain uuid.UUID, raw []byte) (Submission, error) {
	l, err := s.reach(ctx, chain)
	if err != nil {
		return Submission{}, err
	}
	made := Submission{Status: Pending, At: s.now()}
	made.Hash, err = l.client.Submit(ctx, raw)
	code, refused := client.Refused(err)
	if !refused || code != app.CodeStaleNonce {
		return made, err
	}
	// A nonce is used by the transaction itself when that comes again.
	hash, _ := ParseHash(client.HashOf(raw))
	found, missing := l.client.Locate(ctx, hash)
	switch {
	case fault.Is(missing, fault.NotFound):
		return Submission{}, err
	case missing != nil:
		return Submission{}, missing
	}
	made.Hash, made.Status = found.Hash, StatusOf(found.Entry)
	if !found.Time.IsZero() {
		made.ConfirmedAt = &found.Time
	}
	return made, nil
}
