//go:build e2e

package chaos

import (
	"context"
	"crypto/sha256"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
)

// onceEach reads all blocks with transactions: each acknowledged swap is in one.
func (n *quorum) onceEach(blocks []header, swaps *swapping) {
	n.t.Helper()
	seen := map[string]int{}
	for _, block := range blocks {
		if block.transactions == 0 {
			continue
		}
		var answer struct {
			Block struct {
				Data struct {
					Transactions [][]byte `json:"txs"`
				} `json:"data"`
			} `json:"block"`
		}
		if err := n.ask(n.chain.Name+"-0", "block", map[string]string{"height": fmt.Sprint(block.height)}, &answer); err != nil {
			n.t.Fatal(err)
		}
		for _, raw := range answer.Block.Data.Transactions {
			seen[fmt.Sprintf("0x%x", sha256.Sum256(raw))]++
		}
	}
	for hash := range swaps.hashes {
		if seen[hash] != 1 {
			n.t.Fatalf("swap %s is in %d blocks", hash, seen[hash])
		}
	}
	n.t.Logf("%d swaps are in one block each, of %d transactions", len(swaps.hashes), len(seen))
}

// addsUp has a light client prove all balances after one block, and wants them to be the
// supply that the genesis gave, with what the pool has.
func (n *quorum) addsUp() {
	n.t.Helper()
	ctx, live := context.Background(), n.p.LiveChain(n.chain)
	light, err := live.Light(ctx, n.chain.Status.Network.GenesisHash)
	if err != nil {
		n.t.Fatal(err)
	}
	state := n.genesis()
	addresses := []livechain.Address{state.Treasury.Address, livechain.ModuleAddress("fees")}
	for _, holder := range state.Holders {
		addresses = append(addresses, holder.Address)
	}
	var pool app.Pool
	if err := live.Query(ctx, "/pool", &pool); err != nil {
		n.t.Fatal(err)
	}
	height, tokens, cnpy := n.height(), pool.TokenReserve, pool.CNPYReserve
	for _, address := range addresses {
		proven, err := light.Account(ctx, address, height)
		if err != nil {
			n.t.Fatal(err)
		}
		tokens, cnpy = tokens+proven.Balance, cnpy+proven.CNPY
	}
	if tokens != state.TokenSupply || cnpy != state.CNPYSupply {
		n.t.Errorf("all balances are %s tokens and %s CNPY, the genesis gave %s and %s", tokens, cnpy, state.TokenSupply, state.CNPYSupply)
	}
	n.t.Logf("%d balances proven after block %d; with the pool's they are %s tokens and %s CNPY", len(addresses), height, tokens, cnpy)
}

// genesis reads what the chain began with.
func (n *quorum) genesis() genesis.State {
	n.t.Helper()
	stored := &corev1.ConfigMap{}
	if err := n.p.Get(context.Background(), client.ObjectKey{Namespace: n.p.Namespace, Name: n.chain.Name + "-genesis"}, stored); err != nil {
		n.t.Fatal(err)
	}
	document, hash, err := genesis.Parse([]byte(stored.Data["genesis.json"]))
	if err != nil || hash != n.chain.Status.Network.GenesisHash {
		n.t.Fatalf("genesis %s, %v, want %s", hash, err, n.chain.Status.Network.GenesisHash)
	}
	state, err := genesis.ParseState(document.AppState)
	if err != nil {
		n.t.Fatal(err)
	}
	return state
}
