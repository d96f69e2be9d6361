//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	chainclient "github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// genesisState is the application's part of a genesis document.
type genesisState struct {
	TokenSupply platform.Decimal `json:"token_supply"`
	CNPYSupply  platform.Decimal `json:"cnpy_supply"`
	Holders     []struct {
		Amount platform.Decimal `json:"amount"`
	} `json:"holders"`
	Pool struct {
		CNPY   platform.Decimal `json:"cnpy"`
		Tokens platform.Decimal `json:"tokens"`
	} `json:"pool"`
	Treasury struct {
		Amount platform.Decimal `json:"amount"`
	} `json:"treasury"`
}

// checkGenesis compares the ledger, through REST, with the live chain, through
// its own RPC: position by position with Merkle proofs that a light client holds
// against the genesis hash in the status, total by total, price by price.
func checkGenesis(t *testing.T, p *platform.Platform, chain *lucidv1.Chain, id string, traders []holder) {
	ctx, live := context.Background(), p.LiveChain(chain)
	holders, err := p.NewUser().Holders(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(holders) != len(traders) {
		t.Errorf("%d holders, %d users traded", len(holders), len(traders))
	}
	light, err := live.Light(ctx, chain.Status.Network.GenesisHash)
	if err != nil {
		t.Fatal(err)
	}
	positions := []platform.Decimal{}
	for _, h := range holders {
		positions = append(positions, h.TokenAmount)
		checkPosition(t, light, h, traders)
	}
	state := genesisDocument(t, p, chain)
	checkTotals(t, p, live, state, positions, id)
	checkOpeningPrice(t, p, live, id)
}

// checkPosition wants three to agree: what the user's trades add up to, what
// the ledger shows, and the balance that the chain proves.
func checkPosition(t *testing.T, light *chainclient.Light, h platform.Holder, traders []holder) {
	if h.WalletAddress == nil {
		t.Errorf("holder %s has no address after graduation", h.UserID)
		return
	}
	address, err := livechain.ParseAddress(*h.WalletAddress)
	if err != nil {
		t.Error(err)
		return
	}
	proven, err := light.Account(context.Background(), address, 0)
	if err != nil {
		t.Error(err)
		return
	}
	balance, _ := new(big.Rat).SetString(proven.Balance.String())
	if balance == nil || balance.Cmp(h.TokenAmount.Rat) != 0 {
		t.Errorf("holder %s: %s proven on chain at height %d, %s in the ledger", h.UserID, proven.Balance, proven.Height, h.TokenAmount.FloatString(6))
	}
	for _, trader := range traders {
		if trader.user.ID == h.UserID && trader.position.Cmp(h.TokenAmount.Rat) != 0 {
			t.Errorf("holder %s: the trades add up to %s, the ledger has %s", h.UserID, trader.position.FloatString(6), h.TokenAmount.FloatString(6))
		}
	}
}

func genesisDocument(t *testing.T, p *platform.Platform, chain *lucidv1.Chain) genesisState {
	t.Helper()
	stored := &corev1.ConfigMap{}
	if err := p.Get(context.Background(), client.ObjectKey{Namespace: chain.Namespace, Name: chain.Name + "-genesis"}, stored); err != nil {
		t.Fatal(err)
	}
	raw := []byte(stored.Data["genesis.json"])
	digest := sha256.Sum256(raw)
	if got := hex.EncodeToString(digest[:]); got != chain.Status.Network.GenesisHash {
		t.Errorf("the genesis document hashes to %s, the status says %s", got, chain.Status.Network.GenesisHash)
	}
	var document struct {
		AppState genesisState `json:"app_state"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	return document.AppState
}

// checkTotals: nothing appeared and nothing vanished between ledger and chain.
func checkTotals(t *testing.T, p *platform.Platform, live *platform.LiveChain, state genesisState, positions []platform.Decimal, id string) {
	var held []platform.Decimal
	for _, h := range state.Holders {
		held = append(held, h.Amount)
	}
	if !platform.Sum(held...).Equal(platform.Sum(positions...)) {
		t.Errorf("genesis holders %s, ledger positions %s", platform.Sum(held...).FloatString(6), platform.Sum(positions...).FloatString(6))
	}
	total := platform.Sum(platform.Sum(held...), state.Pool.Tokens, state.Treasury.Amount)
	if !total.Equal(state.TokenSupply) {
		t.Errorf("genesis hands out %s tokens of %s", total.FloatString(6), state.TokenSupply.FloatString(6))
	}
	var chain struct {
		Supply  platform.Decimal `json:"token_total_supply"`
		Initial platform.Decimal `json:"initial_cnpy_reserve"`
	}
	if err := p.NewUser().Call(context.Background(), "GET", "/chains/"+id, nil, &chain); err != nil {
		t.Fatal(err)
	}
	var supply struct {
		Tokens platform.Decimal `json:"token_supply"`
		CNPY   platform.Decimal `json:"cnpy_supply"`
	}
	if err := live.Query(context.Background(), "/supply", &supply); err != nil {
		t.Fatal(err)
	}
	if !supply.Tokens.Equal(chain.Supply) || !supply.CNPY.Equal(state.Pool.CNPY) {
		t.Errorf("supply on chain %s tokens and %s CNPY; ledger %s tokens, genesis %s CNPY",
			supply.Tokens.FloatString(6), supply.CNPY.FloatString(6), chain.Supply.FloatString(6), state.Pool.CNPY.FloatString(6))
	}
	pool := ledgerPool(t, p, id)
	raised := new(big.Rat).Sub(pool.CNPYReserve.Rat, chain.Initial.Rat)
	if raised.Cmp(state.Pool.CNPY.Rat) != 0 {
		t.Errorf("the pool opens with %s CNPY, the curve raised %s", state.Pool.CNPY.FloatString(6), raised.FloatString(6))
	}
	t.Logf("supply %s = holders %s + pool %s + treasury %s; CNPY raised %s", total.FloatString(6), platform.Sum(held...).FloatString(6),
		state.Pool.Tokens.FloatString(6), state.Treasury.Amount.FloatString(6), raised.FloatString(6))
}

type reserves struct {
	CNPYReserve  platform.Decimal `json:"cnpy_reserve"`
	TokenReserve platform.Decimal `json:"token_reserve"`
}

func ledgerPool(t *testing.T, p *platform.Platform, id string) reserves {
	t.Helper()
	var pool reserves
	if err := p.NewUser().Call(context.Background(), "GET", "/chains/"+id+"/virtual-pool", nil, &pool); err != nil {
		t.Fatal(err)
	}
	return pool
}

// checkOpeningPrice: the AMM's first price is the curve's last, within one part
// in a million. Nobody has swapped on chain, so its present price is its first.
func checkOpeningPrice(t *testing.T, p *platform.Platform, live *platform.LiveChain, id string) {
	var amm reserves
	if err := live.Query(context.Background(), "/pool", &amm); err != nil {
		t.Fatal(err)
	}
	pool := ledgerPool(t, p, id)
	first := platform.Decimal{Rat: new(big.Rat).Quo(amm.CNPYReserve.Rat, amm.TokenReserve.Rat)}
	last := platform.Decimal{Rat: new(big.Rat).Quo(pool.CNPYReserve.Rat, pool.TokenReserve.Rat)}
	apart := platform.Apart(first, last)
	t.Logf("curve's last price %s, AMM's first %s, apart by %s", last.FloatString(15), first.FloatString(15), apart.FloatString(18))
	if apart.Cmp(big.NewRat(1, 1_000_000)) > 0 {
		t.Errorf("prices are apart by %s, more than one part in a million", apart.FloatString(12))
	}
}
