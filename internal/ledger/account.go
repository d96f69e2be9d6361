// Package ledger is the double-entry book of every asset: accounts, journals
// that sum to zero, and a proof of all its rules on a live database.
package ledger

import (
	"github.com/google/uuid"
)

// CNPY is the asset of the platform's currency. A chain's token has the chain's
// id as its asset; see Token.
var CNPY = uuid.MustParse(cnpyText)

const cnpyText = "00000000-0000-7000-8000-00000000c001"

// Token is the asset of a chain's own token.
func Token(chainID uuid.UUID) uuid.UUID { return chainID }

// namespace of the derived account ids; changing it would orphan every account.
var namespace = uuid.MustParse("7f0f7c4e-6c1e-5d0a-9d7b-1c2d3e4f5a6b")

// OwnerType says what an account is for.
type OwnerType string

// The owner types. Fee accounts belong to one pool each and creation fees to
// one chain each, so that no two pools ever write the same row.
const (
	User            OwnerType = "user"              // a person; owner: the user
	Pool            OwnerType = "pool"              // what a pool holds; owner: the pool
	PoolFeeProtocol OwnerType = "pool_fee_protocol" // the platform's share of a pool's fees; owner: the pool
	PoolFeeCreator  OwnerType = "pool_fee_creator"  // the creator's share of a pool's fees; owner: the pool
	Treasury        OwnerType = "treasury"          // tokens that the curve does not sell; owner: the chain
	Protocol        OwnerType = "protocol"          // the platform's creation fee; owner: the chain
	Escrow          OwnerType = "escrow"            // CNPY that the bridge holds for sale; owner: the order
	LiveChain       OwnerType = "live_chain"        // CNPY that is on a live chain; owner: the chain
	// Mint is where value comes from: its balance is minus what was issued.
	// For tokens the owner is the chain, for faucet CNPY the user who got it.
	Mint OwnerType = "mint"
)

// Account names one account: who holds, and what.
type Account struct {
	Type  OwnerType
	Owner uuid.UUID
	Asset uuid.UUID
}

// ID is the account's row id; see AccountID.
func (a Account) ID() uuid.UUID { return AccountID(a.Type, a.Owner, a.Asset) }

// AccountID derives the id (UUIDv5) of an account, so that a writer knows it
// without looking it up.
func AccountID(ownerType OwnerType, ownerID, asset uuid.UUID) uuid.UUID {
	name := make([]byte, 0, len(ownerType)+2*len(ownerID))
	name = append(name, ownerType...)
	name = append(name, ownerID[:]...)
	name = append(name, asset[:]...)
	return uuid.NewSHA1(namespace, name)
}
