package book

import (
	"fmt"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// LimitsOf gives declared limits the ledger's types; nil is none. The schema
// refuses what can't be read, but an object may be older than the schema.
func LimitsOf(declared *lucidv1.TradeLimits) (limits chain.Limits, err error) {
	if declared == nil {
		return limits, nil
	}
	if limits.MaxBuy, err = amount("limits.maxBuyCNPY", declared.MaxBuyCNPY); err != nil || declared.AntiSnipe == nil {
		return limits, err
	}
	limits.AntiSnipe.Seconds = declared.AntiSnipe.Seconds
	limits.AntiSnipe.MaxBuy, err = amount("limits.antiSnipe.maxBuyCNPY", declared.AntiSnipe.MaxBuyCNPY)
	return limits, err
}

func amount(field, text string) (money.Amount, error) {
	if text == "" {
		return 0, nil
	}
	value, err := money.Parse(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", field, err)
	}
	return value, nil
}

// ShowLimits writes limits as they are declared; nil is none.
func ShowLimits(l chain.Limits) *lucidv1.TradeLimits {
	if l == (chain.Limits{}) {
		return nil
	}
	shown := &lucidv1.TradeLimits{}
	if l.MaxBuy > 0 {
		shown.MaxBuyCNPY = l.MaxBuy.String()
	}
	if l.AntiSnipe.Seconds > 0 {
		shown.AntiSnipe = &lucidv1.AntiSnipe{Seconds: l.AntiSnipe.Seconds, MaxBuyCNPY: l.AntiSnipe.MaxBuy.String()}
	}
	return shown
}
