package tx

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx/txpb"
)

// SecondsPerDay are those of a day that a WorkReport is about.
const SecondsPerDay = uint64(24 * time.Hour / time.Second)

// The most of each kind of work in a day: a week's sums stay countable.
const (
	MaxWorkBytes   = 1 << 60
	MaxValidations = 1 << 40
	// maxDay is in the year 2868.
	maxDay = 1 << 18
)

// WorkReport says what a validator has done for the network on one day, from
// which its voting power follows on a chain of the policy PoOT. Only the chain's
// authority may, once for each validator and day, and it pays no fee.
type WorkReport struct {
	Key         ed25519.PublicKey
	Day         int64  // UTC days since 1970
	Relayed     uint64 // bytes passed on for others
	Stored      uint64 // bytes kept for others
	Validations uint64
	Uptime      uint64 // seconds, up to SecondsPerDay
}

func (WorkReport) message() {}

func (m WorkReport) encode(into *txpb.Body) {
	into.Message = &txpb.Body_WorkReport{WorkReport: &txpb.WorkReport{
		PublicKey: m.Key, Day: uint64(m.Day), Relayed: m.Relayed, Stored: m.Stored, Validations: m.Validations, Uptime: m.Uptime,
	}}
}

func workReport(pb *txpb.WorkReport) (Message, error) {
	switch {
	case len(pb.GetPublicKey()) != ed25519.PublicKeySize:
		return nil, fmt.Errorf("%w: a validator's public key has 32 bytes", ErrMalformed)
	case pb.GetDay() > maxDay:
		return nil, fmt.Errorf("%w: a day is out of range", ErrMalformed)
	case pb.GetRelayed() > MaxWorkBytes || pb.GetStored() > MaxWorkBytes || pb.GetValidations() > MaxValidations:
		return nil, fmt.Errorf("%w: nobody does so much in a day", ErrMalformed)
	case pb.GetUptime() > SecondsPerDay:
		return nil, fmt.Errorf("%w: a day has %d seconds", ErrMalformed, SecondsPerDay)
	}
	return WorkReport{
		Key: pb.GetPublicKey(), Day: int64(pb.GetDay()), Relayed: pb.GetRelayed(), Stored: pb.GetStored(),
		Validations: pb.GetValidations(), Uptime: pb.GetUptime(),
	}, nil
}
