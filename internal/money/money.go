// Package money holds exact amounts. Nothing in it ever passes through a
// floating-point number: an amount is an integer count of 1e-6 units of its
// asset (CNPY or a chain's token; docs/domain.md §1), a slope counts 1e-12, and a
// price is the ratio of two integers until somebody writes it down.
package money

import (
	"errors"
	"math"
	"math/bits"
)

// Amount counts 1e-6 units of one asset. Which asset it is, the context says.
type Amount int64

const (
	// Unit is one whole CNPY, or one whole token.
	Unit Amount = 1_000_000
	// Max is the largest amount there is.
	Max Amount = math.MaxInt64

	amountPlaces = 6
)

// The ways in which a number can't be an amount. Their texts finish the
// sentence "field …" and may be shown to the caller.
var (
	// ErrSyntax says that the text is not a decimal number.
	ErrSyntax = errors.New("must be a decimal number such as 12.5")
	// ErrPrecision says that the number is finer than the type can hold.
	ErrPrecision = errors.New("has too many decimal places")
	// ErrRange says that the number, or the result of a sum, does not fit.
	ErrRange = errors.New("is out of range")
)

// Parse reads a decimal number exactly: "12", "-0.000001", "1.5e3". It refuses
// more than six decimal places other than zeros, so nothing is ever rounded.
func Parse(s string) (Amount, error) {
	n, err := parseScaled(s, amountPlaces)
	return Amount(n), err
}

// String writes the shortest decimal that is exactly a.
func (a Amount) String() string { return formatScaled(int64(a), amountPlaces) }

// MarshalJSON writes a as a JSON number, every digit exact.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalJSON reads a JSON number, or the same in a string. null leaves a as
// it is, as encoding/json has it.
func (a *Amount) UnmarshalJSON(data []byte) error {
	n, err := unmarshalScaled(data, int64(*a), amountPlaces)
	*a = Amount(n)
	return err
}

// Add returns a + b, or ErrRange.
func (a Amount) Add(b Amount) (Amount, error) {
	sum := a + b
	if (sum > a) != (b > 0) && b != 0 {
		return 0, ErrRange
	}
	return sum, nil
}

// Sub returns a − b, or ErrRange.
func (a Amount) Sub(b Amount) (Amount, error) {
	difference := a - b
	if (difference < a) != (b > 0) && b != 0 {
		return 0, ErrRange
	}
	return difference, nil
}

// MulDivFloor returns ⌊a·b/c⌋ through a 128-bit product. The operands must not
// be negative and c must be positive; anything else, and a quotient that does
// not fit, is ErrRange.
func MulDivFloor(a, b, c Amount) (Amount, error) {
	quotient, _, err := mulDiv(a, b, c)
	return quotient, err
}

// MulDivCeil returns ⌈a·b/c⌉ under the same rules as MulDivFloor.
func MulDivCeil(a, b, c Amount) (Amount, error) {
	quotient, remainder, err := mulDiv(a, b, c)
	if err != nil || remainder == 0 {
		return quotient, err
	}
	return quotient.Add(1)
}

func mulDiv(a, b, c Amount) (quotient Amount, remainder uint64, err error) {
	if a < 0 || b < 0 || c <= 0 {
		return 0, 0, ErrRange
	}
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high >= uint64(c) { // bits.Div64 would panic: the quotient exceeds 64 bits
		return 0, 0, ErrRange
	}
	q, r := bits.Div64(high, low, uint64(c))
	if q > math.MaxInt64 {
		return 0, 0, ErrRange
	}
	return Amount(q), r, nil
}
