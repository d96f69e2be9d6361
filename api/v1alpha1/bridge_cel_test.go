package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/kubetest"
)

const (
	usdtOnEthereum = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
	usdtOnTRON     = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
)

func bridgeAsset(network, symbol, contract string) lucidv1.BridgeAsset {
	return lucidv1.BridgeAsset{
		Network: network, Symbol: symbol, Contract: contract, Kind: lucidv1.CounterChainEVM, ChainID: 1,
		EndpointSecretRef: lucidv1.LocalObjectReference{Name: "node"},
	}
}

func tronAsset() lucidv1.BridgeAsset {
	asset := bridgeAsset("tron", "USDT", usdtOnTRON)
	asset.Kind, asset.ChainID = lucidv1.CounterChainTRON, 728126428
	return asset
}

func TestBridgeDefaults(t *testing.T) {
	k := kubetest.Open(t)
	g := newGateway(k.Namespace, "bridge-defaults")
	g.Spec.Bridge = &lucidv1.Bridge{Assets: []lucidv1.BridgeAsset{tronAsset()}}
	if err := k.Client.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	b, a := g.Spec.Bridge, g.Spec.Bridge.Assets[0]
	got := fmt.Sprintf("%d %s %d %s %d", b.PaymentDeadlineSeconds, b.MinOrderCNPY, *a.Decimals, a.Finality, a.Confirmations)
	if want := "3600 1000 6 Confirmations 20"; got != want {
		t.Errorf("defaults %s, want %s", got, want)
	}
}

func TestBridgeRules(t *testing.T) {
	k := kubetest.Open(t)
	first := func(change func(*lucidv1.BridgeAsset)) func(*lucidv1.Bridge) {
		return func(b *lucidv1.Bridge) { change(&b.Assets[0]) }
	}
	another := func(asset lucidv1.BridgeAsset) func(*lucidv1.Bridge) {
		return func(b *lucidv1.Bridge) { b.Assets = append(b.Assets, asset) }
	}
	otherChain := bridgeAsset("ethereum", "USDC", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
	otherChain.ChainID = 10
	cases := []struct {
		reason string
		mutate func(*lucidv1.Bridge)
		says   string
	}{
		{"one asset", func(*lucidv1.Bridge) {}, ""},
		{"one on another chain", another(tronAsset()), ""},
		{"two on one chain", another(bridgeAsset("ethereum", "USDC", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")), ""},
		{"nothing to be paid in", func(b *lucidv1.Bridge) { b.Assets = nil }, "assets"},
		{"an asset twice", another(bridgeAsset("ethereum", "USDT", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")), "Duplicate value"},
		{"one network that is two chains", another(otherChain), "same kind and chainID"},
		{"one token under two symbols", another(bridgeAsset("ethereum", "USDX", "0xdac17f958d2ee523a2206206994597c13d831ec7")), "listed once"},
		{"TRON's address on an EVM chain", first(func(a *lucidv1.BridgeAsset) { a.Contract = usdtOnTRON }), "40 hex digits"},
		{"an EVM chain's address on TRON", first(func(a *lucidv1.BridgeAsset) { a.Kind = lucidv1.CounterChainTRON }), "begins with T on TRON"},
		{"a chain that says itself what is final", first(func(a *lucidv1.BridgeAsset) { a.Finality = lucidv1.FinalityFinalized }), ""},
		{"TRON has no such tags", func(b *lucidv1.Bridge) {
			b.Assets[0] = tronAsset()
			b.Assets[0].Finality = lucidv1.FinalitySafe
		}, "finality must be Confirmations on TRON"},
		{"no such finality", first(func(a *lucidv1.BridgeAsset) { a.Finality = "Soon" }), "supported values"},
		{"no such kind", first(func(a *lucidv1.BridgeAsset) { a.Kind = "COSMOS" }), "supported values"},
		{"a network in capitals", first(func(a *lucidv1.BridgeAsset) { a.Network = "Ethereum" }), "network must be"},
		{"a symbol in lower case", first(func(a *lucidv1.BridgeAsset) { a.Symbol = "usdt" }), "symbol must be"},
		{"a symbol of one letter", first(func(a *lucidv1.BridgeAsset) { a.Symbol = "U" }), "symbol must be"},
		{"any chain", first(func(a *lucidv1.BridgeAsset) { a.ChainID = 0 }), "chainID"},
		{"paid before it is in a block", first(func(a *lucidv1.BridgeAsset) { a.Confirmations = -1 }), "greater than or equal to 1"},
		{"more decimals than counted", first(func(a *lucidv1.BridgeAsset) { a.Decimals = new(int32(31)) }), "less than or equal to 30"},
		{"a token whose payments can't be told apart", first(func(a *lucidv1.BridgeAsset) { a.Decimals = new(int32(5)) }), "greater than or equal to 6"},
		{"the fewest decimals", first(func(a *lucidv1.BridgeAsset) { a.Decimals = new(int32(6)) }), ""},
		{"the most", first(func(a *lucidv1.BridgeAsset) { a.Decimals = new(int32(30)) }), ""},
		{"no node", first(func(a *lucidv1.BridgeAsset) { a.EndpointSecretRef.Name = "" }), "endpointSecretRef"},
		{"no time to pay", func(b *lucidv1.Bridge) { b.PaymentDeadlineSeconds = 299 }, "greater than or equal to 300"},
		{"locked for months", func(b *lucidv1.Bridge) { b.PaymentDeadlineSeconds = 604801 }, "less than or equal to 604800"},
		{"small orders", func(b *lucidv1.Bridge) { b.MinOrderCNPY = "0.000001" }, ""},
		{"orders of nothing", func(b *lucidv1.Bridge) { b.MinOrderCNPY = "0.0" }, "minOrderCNPY must be"},
		{"finer than the ledger", func(b *lucidv1.Bridge) { b.MinOrderCNPY = "1.0000001" }, "minOrderCNPY must be"},
	}
	for i, tc := range cases {
		g := newGateway(k.Namespace, fmt.Sprintf("bridge-%d", i))
		g.Spec.Bridge = &lucidv1.Bridge{Assets: []lucidv1.BridgeAsset{bridgeAsset("ethereum", "USDT", usdtOnEthereum)}}
		tc.mutate(g.Spec.Bridge)
		expect(t, k.Client.Create(t.Context(), g, client.DryRunAll), tc.says, tc.reason)
	}
}

// An asset stays the token that it was, however it is reached and judged.
func TestBridgeAssetsStayWhatTheyAre(t *testing.T) {
	k := kubetest.Open(t)
	g := newGateway(k.Namespace, "bridge-stays")
	g.Spec.Bridge = &lucidv1.Bridge{Assets: []lucidv1.BridgeAsset{bridgeAsset("ethereum", "USDT", usdtOnEthereum), tronAsset()}}
	if err := k.Client.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	usdc := bridgeAsset("ethereum", "USDC", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
	cases := []struct {
		reason string
		mutate func(*lucidv1.Bridge)
		says   string
	}{
		{"another token", func(b *lucidv1.Bridge) { b.Assets[0].Contract = usdc.Contract }, "can't change"},
		{"another chain", func(b *lucidv1.Bridge) { b.Assets[0].ChainID = 10 }, "can't change"},
		{"another protocol", func(b *lucidv1.Bridge) {
			b.Assets[1].Kind, b.Assets[1].Contract = lucidv1.CounterChainEVM, usdtOnEthereum
		}, "can't change"},
		{"the same token, written in another way", func(b *lucidv1.Bridge) {
			b.Assets[0].Contract = strings.ToLower(usdtOnEthereum)
		}, ""},
		{"what the node is and when a payment is final", func(b *lucidv1.Bridge) {
			b.Assets[0].EndpointSecretRef.Name, b.Assets[0].Confirmations = "other", 64
		}, ""},
		{"in another order, and one more", func(b *lucidv1.Bridge) {
			b.Assets = []lucidv1.BridgeAsset{b.Assets[1], usdc, b.Assets[0]}
		}, ""},
		{"one less", func(b *lucidv1.Bridge) { b.Assets = b.Assets[:1] }, ""},
		{"another token under a name of its own", func(b *lucidv1.Bridge) { b.Assets[0] = usdc }, ""},
	}
	for _, tc := range cases {
		changed := g.DeepCopy()
		tc.mutate(changed.Spec.Bridge)
		expect(t, k.Client.Update(t.Context(), changed, client.DryRunAll), tc.says, tc.reason)
	}
}
