package counterchain

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
)

func valid() Settings {
	return Settings{
		PaymentDeadlineSeconds: 3600, MinOrderCNPY: DefaultMinOrder,
		Assets: []Asset{
			{
				Network: "ethereum", Symbol: "USDT", Kind: EVM, ChainID: 1, Decimals: 6, Finality: ByFinalized, Confirmations: 20,
				Contract: "0xdAC17F958D2ee523a2206206994597C13D831ec7",
			},
			{
				Network: "ethereum", Symbol: "USDC", Kind: EVM, ChainID: 1, Decimals: 6, Finality: ByConfirmations, Confirmations: 1,
				Contract: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
			},
			{
				Network: "tron", Symbol: "USDT", Kind: TRON, ChainID: 728126428, Decimals: 6, Finality: ByConfirmations, Confirmations: 20,
				Contract: "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
			},
		},
	}
}

func TestValidate(t *testing.T) {
	require.NoError(t, valid().Validate("bridge"))
	assert.Equal(t, time.Hour, valid().PaymentDeadline())
	cases := map[string]func(*Settings){
		"bridge.paymentDeadlineSeconds":  func(s *Settings) { s.PaymentDeadlineSeconds = 299 },
		"bridge.minOrderCNPY":            func(s *Settings) { s.MinOrderCNPY = 0 },
		"bridge.assets":                  func(s *Settings) { s.Assets = nil },
		"bridge.assets[2].network":       func(s *Settings) { s.Assets[2].Network = "Tron_1" },
		"bridge.assets[0].symbol":        func(s *Settings) { s.Assets[0].Symbol = "US-DT" },
		"bridge.assets[2].chainID":       func(s *Settings) { s.Assets[2].ChainID = 0 },
		"bridge.assets[0].decimals":      func(s *Settings) { s.Assets[0].Decimals = 31 },
		"bridge.assets[0].confirmations": func(s *Settings) { s.Assets[0].Confirmations = 0 },
		"bridge.assets[2].finality":      func(s *Settings) { s.Assets[2].Finality = BySafe },
		"bridge.assets[1].finality":      func(s *Settings) { s.Assets[1].Finality = "Soon" },
		"bridge.assets[2].kind":          func(s *Settings) { s.Assets[2].Kind = "COSMOS" },
		"bridge.assets[2].contract":      func(s *Settings) { s.Assets[2].Contract = s.Assets[0].Contract },
		"bridge.assets[1].network":       func(s *Settings) { s.Assets[1].ChainID = 10 },
		"bridge.assets[1].symbol":        func(s *Settings) { s.Assets[1].Symbol = "USDT" },
		"bridge.assets[1].contract":      func(s *Settings) { s.Assets[1].Contract = strings.ToLower(s.Assets[0].Contract) },
	}
	coarse := valid()
	coarse.Assets[0].Decimals = 5
	refusal, ok := fault.As(coarse.Validate("bridge"))
	require.True(t, ok, "what a payment is known by is its sixth decimal")
	assert.Equal(t, "bridge.assets[0].decimals", refusal.Fields[0].Name)
	for field, change := range cases {
		s := valid()
		change(&s)
		refusal, ok := fault.As(s.Validate("bridge"))
		if assert.True(t, ok, field) && assert.Len(t, refusal.Fields, 1, field) {
			assert.Equal(t, field, refusal.Fields[0].Name)
		}
	}
}

func TestAmount(t *testing.T) {
	cases := []struct {
		reason   string
		decimals int
		units    string
		want     money.Amount
		ok       bool
	}{
		{"as fine as the ledger", 6, "1250000", 1250000, true},
		{"finer, floored", 18, "1999999999999", 1, true},
		{"too fine to count", 18, "999999999999", 0, false},
		{"nothing", 6, "0", 0, false},
		{"less than nothing", 6, "-1", 0, false},
		{"the most that fits", 6, "9223372036854775807", 9223372036854775807, true},
		{"one more", 6, "9223372036854775808", 0, false},
		{"the most that a token can hold", 6, strings.Repeat("9", 77), 0, false},
		{"the most that fits, of many decimals", 30, "9223372036854775807" + strings.Repeat("9", 24), 9223372036854775807, true},
		{"one more of them", 30, "9223372036854775808" + strings.Repeat("0", 24), 0, false},
	}
	for _, tc := range cases {
		units, ok := new(big.Int).SetString(tc.units, 10)
		require.True(t, ok)
		got, ok := Asset{Decimals: tc.decimals}.Amount(units)
		assert.Equal(t, tc.ok, ok, tc.reason)
		assert.Equal(t, tc.want, got, tc.reason)
	}
}

func TestVariable(t *testing.T) {
	asset := Asset{Network: "arbitrum-one", Symbol: "USDT"}
	assert.Equal(t, "LUCID_BRIDGE_ARBITRUM_ONE_USDT_URL", asset.Variable(EndpointURL))
	assert.Equal(t, "USDT on arbitrum-one", asset.String())
}

// The EVM addresses are the examples of EIP-55; TRON's are USDT's contract and one
// of its documentation.
func TestParseAddress(t *testing.T) {
	cases := []struct {
		reason string
		kind   Kind
		text   string
		want   error
	}{
		{"mixed case", EVM, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", nil},
		{"all capitals carry no checksum", EVM, "0x52908400098527886E0F7030069857D2E4169EE7", nil},
		{"nor does lower case", EVM, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", nil},
		{"one letter in the wrong case", EVM, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", ErrEVMChecksum},
		{"without 0x", EVM, "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", ErrNotEVM},
		{"too short", EVM, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA", ErrNotEVM},
		{"no hex", EVM, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg", ErrNotEVM},
		{"nobody's", EVM, "0x0000000000000000000000000000000000000000", ErrZeroAddress},
		{"USDT on TRON", TRON, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", nil},
		{"an account", TRON, "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", nil},
		{"a character changed", TRON, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", ErrTRONChecksum},
		{"a character no base 58 has", TRON, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj60", ErrNotTRON},
		{"too short", TRON, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6", ErrNotTRON},
		{"Bitcoin's", TRON, "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", ErrNotTRON},
		{"in hex", TRON, "41a614f803b6fd780986a42c78ec9c7f77e6ded13c", ErrNotTRON},
		{"nobody's", TRON, "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", ErrZeroAddress},
		{"no such kind", "COSMOS", "cosmos1", errKind},
	}
	for _, tc := range cases {
		address, err := ParseAddress(tc.kind, tc.text)
		require.ErrorIs(t, err, tc.want, tc.reason)
		if err == nil {
			assert.True(t, strings.EqualFold(tc.text, FormatAddress(tc.kind, address)), tc.reason)
		}
	}
	usdt, err := ParseAddress(TRON, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
	require.NoError(t, err)
	assert.Equal(t, common.HexToAddress("0xa614f803b6fd780986a42c78ec9c7f77e6ded13c"), usdt)
}

func FuzzParseAddress(f *testing.F) {
	f.Add("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
	f.Add("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []Kind{EVM, TRON} {
			address, err := ParseAddress(kind, text)
			if err != nil {
				continue
			}
			again, err := ParseAddress(kind, FormatAddress(kind, address))
			require.NoError(t, err)
			require.Equal(t, address, again)
		}
	})
}
