// Package graduatedtest takes a chain of a test from its closed pool to a live
// chain, as the operator does: genesis from the ledger, a node that makes
// blocks, and the mark in the ledger.
package graduatedtest

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/node/nodetest"
	"github.com/lucid-blockchain/lucid/internal/store"
)

// Authority is the key of the authority of the chains that Graduate starts.
func Authority() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
}

// Graduate starts the live chain of a chain whose pool has crossed its
// threshold, or that never had one and is launched. Holders get platform wallets from keys.
// Each of change has a word in the genesis.
func Graduate(t testing.TB, s *store.Store, keys *keystore.Keystore, chainID uuid.UUID, change ...func(*genesis.Input)) *nodetest.Chain {
	t.Helper()
	chains := &chain.Service{Store: s}
	in, err := chains.GenesisInput(t.Context(), chainID)
	if err != nil {
		t.Fatal(err)
	}
	treasury, err := keys.EnsureTreasury(t.Context(), chainID)
	if err != nil {
		t.Fatal(err)
	}
	holders := make([]genesis.Holder, len(in.Holders))
	for i, holder := range in.Holders {
		address, err := keys.EnsureAddress(t.Context(), holder.UserID)
		if err != nil {
			t.Fatal(err)
		}
		holders[i] = genesis.Holder{Address: address, Amount: holder.Amount}
	}
	document := genesis.Input{
		ChainID: "live-" + chainID.String()[:8], GenesisTime: time.Now(), Holders: holders, CNPYRaised: in.Raised,
		CNPYReserve: in.CNPYReserve, TokenReserve: in.TokenReserve, TotalSupply: in.TotalSupply,
		InitialSupply: in.Chain.InitialTokenSupply, Direct: in.Chain.Direct, Treasury: treasury, FeeBasisPoints: uint32(in.Chain.FeeBasisPoints),
		Authority: livechain.AddressOf(Authority().Public().(ed25519.PublicKey)),
	}
	for _, c := range change {
		c(&document)
	}
	live := nodetest.Start(t, document)
	Again(t, s, chainID, live)
	return live
}

// Again notes where a live chain runs, as the operator does each time that somebody
// declares it.
func Again(t testing.TB, s *store.Store, chainID uuid.UUID, live *nodetest.Chain) {
	t.Helper()
	chains := &chain.Service{Store: s}
	err := chains.MarkGraduated(t.Context(), chainID, chain.Live{ChainID: live.ID, GenesisHash: live.GenesisHash, RPCEndpoint: live.Endpoint})
	if err != nil {
		t.Fatal(err)
	}
}
