package platform

import (
	"encoding/json"
	"fmt"
	"math/big"
)

// Decimal is an exact number as the surfaces and the chain write it; the suites
// compare amounts without a float, as the platform computes them.
type Decimal struct{ *big.Rat }

// UnmarshalJSON reads a JSON number, or a string that holds one.
func (d *Decimal) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if len(raw) > 0 && raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
	}
	rat, ok := new(big.Rat).SetString(text)
	if !ok {
		return fmt.Errorf("%q is no decimal number", text)
	}
	d.Rat = rat
	return nil
}

// Equal reports whether both are the same number.
func (d Decimal) Equal(other Decimal) bool { return d.Cmp(other.Rat) == 0 }

// Sum adds up decimals.
func Sum(amounts ...Decimal) Decimal {
	total := Decimal{new(big.Rat)}
	for _, amount := range amounts {
		total.Add(total.Rat, amount.Rat)
	}
	return total
}

// Apart returns |a − b| ÷ b.
func Apart(a, b Decimal) *big.Rat {
	difference := new(big.Rat).Sub(a.Rat, b.Rat)
	return difference.Abs(difference).Quo(difference, b.Rat)
}
