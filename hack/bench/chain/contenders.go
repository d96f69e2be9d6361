package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/cometbft/cometbft/abci/example/kvstore"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/node"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const (
	chainID = "bench-1"
	// accounts send at the same time, each its own in order.
	accounts = 32
)

// contender is an application with the load that it is given.
type contender interface {
	name() string
	run(ctx context.Context, config node.Config) error
	// transactions of one account, in order.
	transactions(account, count int) ([][]byte, error)
}

// key is an account's, the same in every run.
func key(account int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "account %d", account))
	return ed25519.NewKeyFromSeed(seed[:])
}

func address(account int) livechain.Address {
	public, _ := key(account).Public().(ed25519.PublicKey)
	return livechain.AddressOf(public)
}

// holders can pay for any load.
func holders() []genesis.Holder {
	list := make([]genesis.Holder, accounts)
	for i := range list {
		list[i] = genesis.Holder{Address: address(i), Amount: 1_000_000 * money.Unit}
	}
	return list
}

// swaps are signed sales of the chain's token to its AMM pool.
type swaps struct{}

func (swaps) name() string { return "lucid swaps" }

func (swaps) run(ctx context.Context, config node.Config) error { return node.RunNode(ctx, config) }

func (swaps) transactions(account, count int) ([][]byte, error) {
	list := make([][]byte, count)
	for i := range list {
		signed, err := tx.Sign(tx.Body{
			ChainID: chainID, Nonce: uint64(i), Fee: genesis.DefaultMinFee,
			Message: tx.Swap{Sell: tx.Token, AmountIn: money.Unit + money.Amount(i), MinOut: 1},
		}, key(account))
		if err != nil {
			return nil, err
		}
		list[i] = signed
	}
	return list, nil
}

// pairs are what kvstore stores, each of the size of a swap.
type pairs struct{}

func (pairs) name() string { return "kvstore pairs" }

func (pairs) run(ctx context.Context, config node.Config) error {
	application := kvstore.NewPersistentApplication(config.Home + "-kvstore")
	return node.RunApplication(ctx, config, application)
}

func (pairs) transactions(account, count int) ([][]byte, error) {
	model, err := swaps{}.transactions(account, count)
	if err != nil {
		return nil, err
	}
	list := make([][]byte, count)
	for i := range list {
		pair := fmt.Sprintf("%d-%d=", account, i)
		list[i] = []byte(pair + strings.Repeat("x", max(1, len(model[i])-len(pair))))
	}
	return list, nil
}
