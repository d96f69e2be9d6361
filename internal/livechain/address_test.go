package livechain_test

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain"
)

func TestAddressOf(t *testing.T) {
	// sha256 of 32 zero bytes begins 66687aad f862bd77 6c8fc18b 8e9f8e20 08971485.
	key := ed25519.PublicKey(make([]byte, ed25519.PublicKeySize))
	require.Equal(t, "0x66687aadf862bd776c8fc18b8e9f8e2008971485", livechain.AddressOf(key).String())
}

func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		in     string
		ok     bool
		reason string
	}{
		{"0x66687aadf862bd776c8fc18b8e9f8e2008971485", true, "the form that String writes"},
		{"0x66687AADF862BD776C8FC18B8E9F8E2008971485", true, "people paste upper case"},
		{"66687aadf862bd776c8fc18b8e9f8e2008971485", false, "the prefix tells it from a digest"},
		{"0x66687aadf862bd776c8fc18b8e9f8e20089714", false, "19 bytes"},
		{"0x66687aadf862bd776c8fc18b8e9f8e200897148500", false, "21 bytes"},
		{"0x66687aadf862bd776c8fc18b8e9f8e200897148g", false, "not hex"},
		{"", false, "nothing"},
	} {
		_, err := livechain.ParseAddress(c.in)
		require.Equal(t, c.ok, err == nil, "%q: %s", c.in, c.reason)
	}
}

func TestAddressInJSON(t *testing.T) {
	want := livechain.ModuleAddress("fees")
	text, err := json.Marshal(map[string]livechain.Address{"a": want})
	require.NoError(t, err)
	var back map[string]livechain.Address
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, want, back["a"])
	require.Error(t, json.Unmarshal([]byte(`{"a":"0x12"}`), &back))
	require.NotEqual(t, want, livechain.ModuleAddress("rewards"))
}
