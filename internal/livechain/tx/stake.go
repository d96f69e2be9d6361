package tx

import (
	"crypto/ed25519"
	"fmt"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx/txpb"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Stake puts CNPY of the signer's on a validator, which weighs the more for it.
type Stake struct {
	Validator ed25519.PublicKey
	Amount    money.Amount // greater than zero
}

// Unstake takes CNPY of the signer's back from a validator, whether that makes
// blocks still or not.
type Unstake struct {
	Validator ed25519.PublicKey
	Amount    money.Amount // greater than zero
}

func (Stake) message()   {}
func (Unstake) message() {}

func (m Stake) encode(into *txpb.Body) {
	into.Message = &txpb.Body_Stake{Stake: &txpb.Stake{PublicKey: m.Validator, Amount: uint64(m.Amount)}}
}

func (m Unstake) encode(into *txpb.Body) {
	into.Message = &txpb.Body_Unstake{Unstake: &txpb.Unstake{PublicKey: m.Validator, Amount: uint64(m.Amount)}}
}

func stake(pb *txpb.Stake) (Message, error) {
	key, value, err := staked(pb.GetPublicKey(), pb.GetAmount())
	return Stake{Validator: key, Amount: value}, err
}

func unstake(pb *txpb.Unstake) (Message, error) {
	key, value, err := staked(pb.GetPublicKey(), pb.GetAmount())
	return Unstake{Validator: key, Amount: value}, err
}

func staked(key []byte, units uint64) (ed25519.PublicKey, money.Amount, error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, 0, fmt.Errorf("%w: a validator's public key has 32 bytes", ErrMalformed)
	}
	value, err := amount(units, 1)
	return key, value, err
}
