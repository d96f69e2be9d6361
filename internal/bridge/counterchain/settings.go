// Package counterchain says what the bridge is paid in: tokens on EVM chains and
// on TRON, how their addresses are written, and when a payment counts as final.
// It is configuration only, the bridge section of the snapshot; the witnesses
// that look at those chains are in internal/bridge/witness.
package counterchain

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Kind says which protocol a chain's nodes speak.
type Kind string

// The kinds: ERC-20 tokens through JSON-RPC, TRC-20 tokens through TRON's HTTP API.
const (
	EVM  Kind = "EVM"
	TRON Kind = "TRON"
)

// Finality says what makes a payment final.
type Finality string

// The finalities. Safe and Finalized are the tags of Ethereum's JSON-RPC and ask
// the chain's consensus instead of counting blocks; only EVM has them.
const (
	ByConfirmations Finality = "Confirmations"
	BySafe          Finality = "Safe"
	ByFinalized     Finality = "Finalized"
)

// What is used where the settings leave it out (docs/domain.md §5 and §6).
const (
	DefaultConfirmations   = 20
	DefaultPaymentDeadline = time.Hour
	DefaultMinOrder        = money.Amount(1000 * 1_000_000)
)

// The bounds of the settings; the custom resource has the same.
const (
	maxAssets        = 16
	maxConfirmations = 10000
	// A payment is named by the last of six decimals: in a token with fewer nobody
	// could pay it.
	minDecimals = 6
	maxDecimals = 30
	minDeadline = 5 * time.Minute
	maxDeadline = 7 * 24 * time.Hour
)

// Settings are the bridge section of a snapshot.
type Settings struct {
	Assets []Asset `json:"assets"`
	// PaymentDeadlineSeconds is how long locked orders wait for their payment.
	PaymentDeadlineSeconds int64 `json:"paymentDeadlineSeconds"`
	// MinOrderCNPY is the least that an order may sell.
	MinOrderCNPY money.Amount `json:"minOrderCNPY"`
}

// PaymentDeadline is PaymentDeadlineSeconds as a duration.
func (s Settings) PaymentDeadline() time.Duration {
	return time.Duration(s.PaymentDeadlineSeconds) * time.Second
}

// Asset is one token on one chain that sellers may ask for.
type Asset struct {
	Network  string   `json:"network"` // name of the chain here, such as "ethereum"
	Symbol   string   `json:"symbol"`  // such as "USDT"
	Kind     Kind     `json:"kind"`
	ChainID  uint64   `json:"chainID"`  // EIP-155; on TRON the last four bytes of the genesis block's id
	Contract string   `json:"contract"` // the token, as its chain writes addresses
	Decimals int      `json:"decimals"` // of the token
	Finality Finality `json:"finality"`
	// Confirmations is the depth at which a payment is final: the block that holds
	// it counts as the first.
	Confirmations uint64 `json:"confirmations"`
}

// String names the asset: "USDT on ethereum".
func (a Asset) String() string { return a.Symbol + " on " + a.Network }

// What Variable names: the address of a node and the key to it.
const (
	EndpointURL    = "URL"
	EndpointAPIKey = "API_KEY"
)

// Variable names the environment variable of the pods that holds one part of the
// asset's endpoint, EndpointURL or EndpointAPIKey. A network's name holds no '_' and a
// symbol no '-', so that no two assets share one.
func (a Asset) Variable(part string) string {
	network := strings.ReplaceAll(a.Network, "-", "_")
	return "LUCID_BRIDGE_" + strings.ToUpper(network+"_"+a.Symbol) + "_" + part
}

// Amount turns the token's own units into 1e-6 units, floored: what is finer than
// the ledger counts is no payment. It reports false for what is no amount: nothing,
// less than nothing, and more than the ledger can count.
func (a Asset) Amount(units *big.Int) (money.Amount, bool) {
	if units.Sign() <= 0 {
		return 0, false
	}
	scaled := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(a.Decimals)-minDecimals), nil)
	scaled.Quo(units, scaled)
	if !scaled.IsInt64() || scaled.Sign() == 0 {
		return 0, false
	}
	return money.Amount(scaled.Int64()), true
}

var (
	networkPattern = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$`)
	symbolPattern  = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,11}$`)
)

// Validate reports every wrong field at once, as a *fault.Fault of kind Invalid
// whose fields are under the path at.
func (s Settings) Validate(at string) error {
	c := checker{at: at}
	deadline := s.PaymentDeadline()
	c.require(s.PaymentDeadlineSeconds <= math.MaxInt32 && deadline >= minDeadline && deadline <= maxDeadline,
		"paymentDeadlineSeconds", s.PaymentDeadlineSeconds, "range", "must be from 5 minutes to 7 days")
	c.require(s.MinOrderCNPY > 0, "minOrderCNPY", s.MinOrderCNPY, "range", "must be above 0")
	c.require(len(s.Assets) > 0 && len(s.Assets) <= maxAssets, "assets", len(s.Assets), "range", "must be from 1 to 16")
	for i, asset := range s.Assets {
		c.asset(fmt.Sprintf("assets[%d].", i), asset)
		for _, earlier := range s.Assets[:i] {
			c.pair(fmt.Sprintf("assets[%d].", i), asset, earlier)
		}
	}
	if len(c.fields) == 0 {
		return nil
	}
	return fault.InvalidFields(c.fields...)
}

// checker collects what is wrong.
type checker struct {
	at     string
	fields []fault.Field
}

func (c *checker) require(ok bool, name string, value any, rule, reason string) {
	if !ok {
		c.fields = append(c.fields, fault.Field{Name: c.at + "." + name, Value: value, Rule: rule, Reason: reason})
	}
}

func (c *checker) asset(at string, a Asset) {
	c.require(networkPattern.MatchString(a.Network), at+"network", a.Network, "format", "must be a short lower-case name such as ethereum")
	c.require(symbolPattern.MatchString(a.Symbol), at+"symbol", a.Symbol, "format", "must be 2 to 12 upper-case letters and digits")
	c.require(a.ChainID > 0, at+"chainID", a.ChainID, "range", "must be above 0")
	c.require(a.Decimals >= minDecimals && a.Decimals <= maxDecimals, at+"decimals", a.Decimals, "range", "must be from 6 to 30")
	c.require(a.Confirmations >= 1 && a.Confirmations <= maxConfirmations, at+"confirmations", a.Confirmations, "range", "must be from 1 to 10000")
	switch a.Finality {
	case ByConfirmations:
	case BySafe, ByFinalized:
		c.require(a.Kind == EVM, at+"finality", a.Finality, "enum", "must be Confirmations on TRON")
	default:
		c.require(false, at+"finality", a.Finality, "enum", "must be Confirmations, Safe or Finalized")
	}
	if a.Kind != EVM && a.Kind != TRON {
		c.require(false, at+"kind", a.Kind, "enum", errKind.Error())
		return
	}
	if _, err := ParseAddress(a.Kind, a.Contract); err != nil {
		c.require(false, at+"contract", a.Contract, "format", err.Error())
	}
}

// pair compares two assets: one network is one chain, and one token on it has one
// symbol, or a payment would count twice.
func (c *checker) pair(at string, a, earlier Asset) {
	if a.Network != earlier.Network {
		return
	}
	c.require(a.Kind == earlier.Kind && a.ChainID == earlier.ChainID, at+"network", a.Network, "consistent",
		"must have the same kind and chainID as the other assets of this network")
	c.require(a.Symbol != earlier.Symbol, at+"symbol", a.Symbol, "unique", "is listed twice on this network")
	c.require(!sameContract(a, earlier), at+"contract", a.Contract, "unique", "is listed twice on this network")
}

func sameContract(a, b Asset) bool {
	one, err := ParseAddress(a.Kind, a.Contract)
	other, otherErr := ParseAddress(b.Kind, b.Contract)
	return err == nil && otherErr == nil && one == other
}
