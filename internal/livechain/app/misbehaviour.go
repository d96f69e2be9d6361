package app

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strconv"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
)

// typeMisbehaviour is the event of a block that takes a validator out.
const typeMisbehaviour = "misbehaviour"

// punish takes out, for good, the validators that a block proves to have signed two
// blocks of one height, or to have lied to a light client: whoever does that has
// two nodes with one key, or a key that others have. The last validator stays, for
// somebody must make blocks.
func punish(block *overlay, proven []abci.Misbehavior) ([]abci.Event, error) {
	if len(proven) == 0 {
		return nil, nil
	}
	set, err := validatorsOf(block)
	if err != nil {
		return nil, err
	}
	var events []abci.Event
	for _, m := range proven {
		guilty := slices.IndexFunc(set.GetValidators(), func(v *statepb.Validator) bool {
			address := livechain.AddressOf(v.GetPublicKey())
			return bytes.Equal(address[:], m.Validator.Address)
		})
		if guilty < 0 || len(set.Validators) == 1 {
			continue
		}
		key := set.Validators[guilty].GetPublicKey()
		set.Validators = slices.Delete(set.Validators, guilty, guilty+1)
		set.Tombstoned = append(set.Tombstoned, key)
		events = append(events, event(typeMisbehaviour, keyKey, hex.EncodeToString(key), keyHeight, strconv.FormatInt(m.Height, 10)))
	}
	if len(events) == 0 {
		return nil, nil
	}
	chain, err := chainOf(block)
	if err != nil {
		return nil, err
	}
	block.set(validatorsKey, set)
	return events, weighStakes(block, chain, set)
}

// mayValidate refuses those who have been taken out for misbehaviour.
func mayValidate(set *statepb.Validators, key []byte) error {
	if slices.ContainsFunc(set.GetTombstoned(), func(dead []byte) bool { return bytes.Equal(dead, key) }) {
		return refuse(CodeValidators, "the validator has signed two blocks of one height; give its node a new key")
	}
	return nil
}
