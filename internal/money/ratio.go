package money

import "math/big"

// pricePlaces is how many decimal places a price is shown with: enough for the
// default pool's opening price (0.0000125) to keep eight significant digits.
const pricePlaces = 12

// Ratio is an exact quotient, such as a price in CNPY per token. The zero
// value is 0. A Ratio is immutable.
type Ratio struct {
	rat *big.Rat
}

// NewRatio returns num/den. Where there is nothing to divide by, there is no
// price either: den = 0 gives the zero Ratio.
func NewRatio(num, den Amount) Ratio {
	return BigRatio(big.NewInt(int64(num)), big.NewInt(int64(den)))
}

// BigRatio is NewRatio for products that do not fit an Amount.
func BigRatio(num, den *big.Int) Ratio {
	if den.Sign() == 0 {
		return Ratio{}
	}
	return Ratio{rat: new(big.Rat).SetFrac(num, den)}
}

// ParseRatio reads a decimal rate such as "1.05", with at most twelve places.
func ParseRatio(s string) (Ratio, error) {
	n, err := parseScaled(s, slopePlaces)
	if err != nil {
		return Ratio{}, err
	}
	return BigRatio(big.NewInt(n), big.NewInt(1_000_000_000_000)), nil
}

// Rat returns a copy for arithmetic that this type does not offer.
func (r Ratio) Rat() *big.Rat {
	if r.rat == nil {
		return new(big.Rat)
	}
	return new(big.Rat).Set(r.rat)
}

// Mul returns r × s.
func (r Ratio) Mul(s Ratio) Ratio { return Ratio{rat: new(big.Rat).Mul(r.Rat(), s.Rat())} }

// Sub returns r − s.
func (r Ratio) Sub(s Ratio) Ratio { return Ratio{rat: new(big.Rat).Sub(r.Rat(), s.Rat())} }

// Div returns r ÷ s, and the zero Ratio when s is zero.
func (r Ratio) Div(s Ratio) Ratio {
	if s.Sign() == 0 {
		return Ratio{}
	}
	return Ratio{rat: new(big.Rat).Quo(r.Rat(), s.Rat())}
}

// Abs returns the magnitude of r.
func (r Ratio) Abs() Ratio { return Ratio{rat: new(big.Rat).Abs(r.Rat())} }

// Sign is −1, 0 or 1.
func (r Ratio) Sign() int { return r.Rat().Sign() }

// Cmp is −1 where r < s, 0 where they are equal, else 1.
func (r Ratio) Cmp(s Ratio) int { return r.Rat().Cmp(s.Rat()) }

// Decimal writes r with at most places decimal places, cut and not rounded, so
// that it never shows more than there is; trailing zeros are left out.
func (r Ratio) Decimal(places int) Decimal {
	rat := r.Rat()
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	scaled := new(big.Int).Quo(scale.Mul(scale, rat.Num()), rat.Denom())
	sign := ""
	if scaled.Sign() < 0 {
		sign = "-"
		scaled.Abs(scaled)
	}
	return Decimal(trimmed(sign, scaled.String(), places))
}

// Percent writes 100 × r with two decimal places.
func (r Ratio) Percent() Decimal {
	return r.Mul(NewRatio(100, 1)).Decimal(2)
}

// String writes r with twelve decimal places, the form of prices.
func (r Ratio) String() string { return string(r.Decimal(pricePlaces)) }

// MarshalJSON writes r as a JSON number with up to twelve decimal places.
func (r Ratio) MarshalJSON() ([]byte, error) { return []byte(r.String()), nil }
