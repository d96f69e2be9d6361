package apiserver

import (
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/bridge/witness"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// TestCounterChains follows the snapshot in force from none, over a bridge of which
// one asset has no endpoint, to another bridge.
func TestCounterChains(t *testing.T) {
	holder := &live.Holder{}
	var logged []string
	chains := &counterChains{
		live: holder,
		endpoint: func(a counterchain.Asset) witness.Endpoint {
			if a.Symbol == "USDC" {
				return witness.Endpoint{}
			}
			return witness.Endpoint{URL: "http://127.0.0.1:1/secret"}
		},
		log: funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}),
	}
	if chains.all() != nil || chains.settings() != (bridge.Settings{}) {
		t.Error("there is a bridge before the first snapshot")
	}
	offer := func(generation int64, section *counterchain.Settings) {
		t.Helper()
		if _, err := holder.Offer("a", &snapshot.Snapshot{
			Generation: generation, Gateway: "lucid/main", Identity: snapshot.Development, CNPYUSDRate: "1", Bridge: section,
		}); err != nil {
			t.Fatal(err)
		}
	}
	offer(1, nil)
	if chains.all() != nil {
		t.Error("there is a bridge that nobody declared")
	}
	asset := func(symbol, contract string) counterchain.Asset {
		return counterchain.Asset{
			Network: "ethereum", Symbol: symbol, Kind: counterchain.EVM, ChainID: 1, Decimals: 6,
			Contract: contract, Finality: counterchain.ByConfirmations, Confirmations: 20,
		}
	}
	usdt := asset("USDT", "0xdAC17F958D2ee523a2206206994597C13D831ec7")
	offer(2, &counterchain.Settings{
		Assets:                 []counterchain.Asset{usdt, asset("USDC", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")},
		PaymentDeadlineSeconds: 600, MinOrderCNPY: 5 * money.Unit,
	})
	first := chains.all()
	if len(first) != 1 || first[0].Asset() != (bridge.Asset{Network: "ethereum", Symbol: "USDT"}) {
		t.Fatalf("%d witnesses, want the one that has an endpoint", len(first))
	}
	if again := chains.all(); again[0] != first[0] || len(logged) != 1 {
		t.Errorf("the same section makes other witnesses, or complains again: %v", logged)
	}
	if got := chains.settings(); got != (bridge.Settings{PaymentDeadline: 10 * time.Minute, MinOrder: 5 * money.Unit}) {
		t.Errorf("%+v", got)
	}
	offer(3, &counterchain.Settings{Assets: []counterchain.Asset{usdt}, PaymentDeadlineSeconds: 600, MinOrderCNPY: money.Unit})
	if chains.all()[0] == first[0] {
		t.Error("another section has the old one's witness, whatever changed about the asset")
	}
}
