package witness

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
)

func TestFromConfig(t *testing.T) {
	usdt := counterchain.Asset{Network: "ethereum", Symbol: "USDT", Kind: counterchain.EVM, Contract: tokenAddress.Hex()}
	tether := counterchain.Asset{Network: "tron", Symbol: "USDT", Kind: counterchain.TRON, Contract: tronContract}
	unknown := counterchain.Asset{Network: "cosmos", Symbol: "USDT", Kind: "COSMOS"}
	broken := counterchain.Asset{Network: "bsc", Symbol: "USDT", Kind: counterchain.EVM, Contract: "0x00"}
	settings := counterchain.Settings{Assets: []counterchain.Asset{usdt, tether, unknown, broken}}

	witnesses, err := FromConfig(settings, func(counterchain.Asset) Endpoint { return Endpoint{URL: "https://node.example.com/open-sesame"} })
	require.Len(t, witnesses, 2, "what is wrong with one asset keeps the others from nothing")
	assert.Equal(t, bridge.Asset{Network: "ethereum", Symbol: "USDT"}, witnesses[0].Asset())
	assert.Equal(t, bridge.Asset{Network: "tron", Symbol: "USDT"}, witnesses[1].Asset())
	require.Error(t, err)
	assert.Contains(t, err.Error(), "USDT on cosmos: its contract must be EVM or TRON")
	assert.Contains(t, err.Error(), "USDT on bsc: its contract must be 0x and 40 hex digits")

	for address, says := range map[string]string{
		"": "no endpoint", "ftp://open-sesame": "not an http", "http://": "not an http", "https://open\x7fsesame": "not an http",
		"open-sesame": "not an http", "/ipc": "not an http",
	} {
		witnesses, err := FromConfig(counterchain.Settings{Assets: []counterchain.Asset{usdt}},
			func(counterchain.Asset) Endpoint { return Endpoint{URL: address} })
		assert.Empty(t, witnesses)
		require.Error(t, err, address)
		assert.Contains(t, err.Error(), says)
		assert.NotContains(t, err.Error(), "sesame")
	}
}

func TestEndpointIsNotPrinted(t *testing.T) {
	endpoint := Endpoint{URL: "https://open-sesame", APIKey: "open-sesame"}
	for _, format := range []string{"%s", "%v", "%+v", "%#v"} {
		assert.NotContains(t, fmt.Sprintf(format, endpoint), "sesame")
	}
}

func TestFromEnvironment(t *testing.T) {
	t.Setenv("LUCID_BRIDGE_TRON_USDT_URL", "https://node.example.com")
	t.Setenv("LUCID_BRIDGE_TRON_USDT_API_KEY", "key")
	want := Endpoint{URL: "https://node.example.com", APIKey: "key"}
	if FromEnvironment(counterchain.Asset{Network: "tron", Symbol: "USDT"}) != want {
		t.Error("the endpoint is the one of the asset's variables")
	}
	if FromEnvironment(counterchain.Asset{Network: "tron", Symbol: "USDC"}) != (Endpoint{}) {
		t.Error("and no other's")
	}
}
