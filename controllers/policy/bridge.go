package policy

import (
	"k8s.io/utils/ptr"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// bridgeOf leaves the endpoints out: pods have them by reference to the Secrets.
func bridgeOf(gateway *lucidv1.LucidGateway) *counterchain.Settings {
	spec := gateway.Spec.Bridge
	if spec == nil {
		return nil
	}
	// What is no number stays zero, which the snapshot's own validation refuses.
	least, _ := money.Parse(spec.MinOrderCNPY)
	settings := &counterchain.Settings{
		PaymentDeadlineSeconds: int64(spec.PaymentDeadlineSeconds), MinOrderCNPY: least,
	}
	for _, asset := range spec.Assets {
		settings.Assets = append(settings.Assets, counterchain.Asset{
			Network: asset.Network, Symbol: asset.Symbol, Kind: counterchain.Kind(asset.Kind),
			ChainID: uint64(asset.ChainID), Contract: asset.Contract, Decimals: int(ptr.Deref(asset.Decimals, 6)),
			Finality: counterchain.Finality(asset.Finality), Confirmations: uint64(asset.Confirmations),
		})
	}
	return settings
}
