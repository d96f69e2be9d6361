package chain_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// A chain of either birth has its wallet from the start, once, and graduation
// finds the same address.
func TestChainsAreBornWithAWallet(t *testing.T) {
	each(t, func(w *world) {
		keys, err := keystore.New(w.store, make([]byte, keystore.KeySize))
		if err != nil {
			w.t.Fatal(err)
		}
		w.chains.Keys = keys
		ctx, declared := w.t.Context(), uuid.New()
		created := w.draft("Created", uuid.New())
		for range 2 { // declared again, as each pass of the operator does
			if _, err := w.chains.Declare(ctx, declared, chain.Spec{ChainName: "Declared", TokenSymbol: "D"}); err != nil {
				w.t.Fatal(err)
			}
		}
		for _, id := range []uuid.UUID{created.ID, declared} {
			born, err := w.store.Queries().GetTreasuryWallet(ctx, &id)
			if err != nil {
				w.t.Fatalf("the wallet of chain %s: %v", id, err)
			}
			if later, err := keys.EnsureTreasury(ctx, id); err != nil || later.String() != born.Address {
				w.t.Errorf("graduation finds %s, %v; born with %s", later, err, born.Address)
			}
		}
		if err := w.chains.Remove(ctx, declared); err != nil {
			w.t.Errorf("a draft and its wallet go together: %v", err)
		}
	})
}

// noKeys is a keystore whose Secret is missing.
type noKeys struct{ err error }

func (k noKeys) NewTreasury(context.Context, uuid.UUID) (db.InsertWalletParams, error) {
	return db.InsertWalletParams{}, k.err
}

func TestNoChainWithoutItsWallet(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	missing, id := errors.New("the Secret is missing"), uuid.New()
	w.chains.Keys = noKeys{missing}
	if _, err := w.chains.Declare(t.Context(), id, chain.Spec{ChainName: "Early", TokenSymbol: "E"}); !errors.Is(err, missing) {
		t.Errorf("got %v", err)
	}
	if _, err := w.chains.Get(t.Context(), id); !fault.Is(err, fault.NotFound) {
		t.Errorf("half a chain is there: %v", err)
	}
}
