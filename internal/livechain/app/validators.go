package app

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// firstValidators is the genesis document's set. Votes are counted by powers within
// these bounds, and CometBFT itself knows none of them.
func firstValidators(all []abci.ValidatorUpdate) (*statepb.Validators, error) {
	if len(all) > genesis.MaxValidators {
		return nil, fmt.Errorf("the genesis has %d validators: a chain has %d at most", len(all), genesis.MaxValidators)
	}
	set := &statepb.Validators{}
	for _, v := range all {
		if v.Power > tx.MaxPower || len(v.PubKey.GetEd25519()) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("a validator of the genesis needs an Ed25519 key and a power of %d at most", int64(tx.MaxPower))
		}
		set.Validators = append(set.Validators, &statepb.Validator{PublicKey: v.PubKey.GetEd25519(), Power: v.Power})
	}
	slices.SortFunc(set.Validators, byKey)
	return set, nil
}

func byKey(a, b *statepb.Validator) int { return bytes.Compare(a.GetPublicKey(), b.GetPublicKey()) }

// isAuthority reports whether the chain's authority has signed.
func (e execution) isAuthority(chain *statepb.Chain) bool {
	return bytes.Equal(chain.GetAuthority(), e.from[:])
}

// goesFree reports whether the message is one for which its signer, who need not
// hold any token, pays no fee: a command of the authority's or a validator's vote.
func (e execution) goesFree(chain *statepb.Chain) (bool, error) {
	switch e.tx.Message.(type) {
	case tx.ValidatorUpdate, tx.VoucherIn, tx.WorkReport, tx.Upgrade:
		return e.isAuthority(chain), nil
	case tx.Vote:
		set, err := validatorsOf(e.on)
		return powerOf(set, e.tx.Signer) > 0, err
	}
	return false, nil
}

// powerOf is 0 for who is no validator.
func powerOf(set *statepb.Validators, key []byte) int64 {
	at, found := slices.BinarySearchFunc(set.GetValidators(), &statepb.Validator{PublicKey: key}, byKey)
	if !found {
		return 0
	}
	return set.Validators[at].GetPower()
}

func (e execution) updateValidator(m tx.ValidatorUpdate) (Event, error) {
	chain, err := chainOf(e.on)
	if err != nil {
		return nil, err
	}
	if !e.isAuthority(chain) {
		return nil, refuse(CodeAuthority, "validators are changed by the chain's authority, or by a vote of its validators")
	}
	return e.empower(chain, m)
}

// empower carries a change out, whoever has decided it.
func (e execution) empower(chain *statepb.Chain, m tx.ValidatorUpdate) (Event, error) {
	set, err := validatorsOf(e.on)
	if err != nil {
		return nil, err
	}
	power := m.Power
	if power > 0 {
		if err := mayValidate(set, m.Key); err != nil {
			return nil, err
		}
	}
	if chain.GetOperational() && power > 0 {
		// Work decides how much; the authority only who.
		if power, err = e.earned(set, m.Key); err != nil {
			return nil, err
		}
	}
	setPower(set, &statepb.Validator{PublicKey: m.Key, Power: power})
	switch size := len(set.GetValidators()); {
	case size == 0:
		return nil, refuse(CodeValidators, "the last validator can't be taken out")
	case size > genesis.MaxValidators:
		return nil, refuse(CodeValidators, "a chain has %d validators at most", genesis.MaxValidators)
	}
	if err := weighStakes(e.on, chain, set); err != nil {
		return nil, err
	}
	e.on.set(validatorsKey, set)
	return Empowered{Account: e.from, Key: m.Key, Power: power}, nil
}

// setPower keeps the set in the order of its keys.
func setPower(set *statepb.Validators, v *statepb.Validator) {
	at, found := slices.BinarySearchFunc(set.Validators, v, byKey)
	switch {
	case found && v.GetPower() == 0:
		set.Validators = slices.Delete(set.Validators, at, at+1)
	case found:
		set.Validators[at] = v
	case v.GetPower() > 0:
		set.Validators = slices.Insert(set.Validators, at, v)
	}
}

// validatorUpdates tells CometBFT what a block changes in the set, in the order
// of keys. It counts two blocks later.
func validatorUpdates(before source, block *overlay) ([]abci.ValidatorUpdate, error) {
	if _, changed := block.records[validatorsKey]; !changed {
		return nil, nil
	}
	old, err := validatorsOf(before)
	if err != nil {
		return nil, err
	}
	set, err := validatorsOf(block)
	if err != nil {
		return nil, err
	}
	now := set.GetValidators()
	var updates []abci.ValidatorUpdate
	for _, v := range now {
		if at, found := slices.BinarySearchFunc(old.Validators, v, byKey); !found || old.Validators[at].GetPower() != v.GetPower() {
			updates = append(updates, abci.Ed25519ValidatorUpdate(v.GetPublicKey(), v.GetPower()))
		}
	}
	for _, v := range old.GetValidators() {
		if _, found := slices.BinarySearchFunc(now, v, byKey); !found {
			updates = append(updates, abci.Ed25519ValidatorUpdate(v.GetPublicKey(), 0))
		}
	}
	return updates, nil
}
