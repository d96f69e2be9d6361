package chain

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
)

// validatorPower is what each validator begins with: nobody has staked more than
// another.
const validatorPower = 10

// validator is the public half of a validator's keys.
type validator struct {
	nodeID string // among its peers
	key    ed25519.PublicKey
}

// firstValidators lists the validators in the order of their pods.
func firstValidators(all []validator) []genesis.Validator {
	out := make([]genesis.Validator, len(all))
	for i, v := range all {
		out[i] = genesis.Validator{Name: "validator-" + strconv.Itoa(i), PublicKey: v.key, Power: validatorPower}
	}
	return out
}

// genesisInput translates the ledger's last word about a chain and its pool into a
// genesis. All of it is fixed when the pool closes, or the supply of a chain
// without one is issued, but for the wallets, which are made once: so it comes out
// the same each time. The live chain's id is left to the caller.
func genesisInput(ctx context.Context, addresses Addresses, in chain.GenesisInput, pool book.Pool, validators []validator, authority livechain.Address) (genesis.Input, error) {
	born := pool.ClosedAt
	if in.Chain.Direct {
		born = in.Chain.ActualLaunchTime
	}
	if born == nil {
		return genesis.Input{}, fmt.Errorf("the pool of chain %s is not closed", in.Chain.ID)
	}
	treasury, err := addresses.EnsureTreasury(ctx, in.Chain.ID)
	if err != nil {
		return genesis.Input{}, fmt.Errorf("the treasury's address: %w", err)
	}
	holders, err := holdersOf(ctx, addresses, in.Holders)
	if err != nil {
		return genesis.Input{}, err
	}
	out := genesis.Input{
		GenesisTime: *born,
		Holders:     holders, CNPYRaised: in.Raised, CNPYReserve: in.CNPYReserve, TokenReserve: in.TokenReserve,
		TotalSupply: in.TotalSupply, InitialSupply: in.Chain.InitialTokenSupply, Direct: in.Chain.Direct,
		Treasury: treasury, FeeBasisPoints: uint32(in.Chain.FeeBasisPoints),
		Validators: firstValidators(validators), Authority: authority,
		Policy: genesis.PolicyOf(in.Chain.ConsensusMechanism), ValidatorMinStake: in.Chain.ValidatorMinStake,
	}
	if in.Chain.CurveType == curve.Linear {
		out.Price = pool.Price
	}
	return out, nil
}

func holdersOf(ctx context.Context, addresses Addresses, in []chain.Holder) ([]genesis.Holder, error) {
	users := make([]uuid.UUID, len(in))
	for i, holder := range in {
		users[i] = holder.UserID
	}
	found, err := addresses.EnsureAddresses(ctx, users)
	if err != nil {
		return nil, fmt.Errorf("the holders' addresses: %w", err)
	}
	holders := make([]genesis.Holder, len(in))
	for i, holder := range in {
		holders[i] = genesis.Holder{Address: found[holder.UserID], Amount: holder.Amount}
	}
	return holders, nil
}
