package money

import (
	"math/big"
	"strings"
)

// pricePlaces is how many decimal places a price is shown with: enough for the
// default pool's opening price (0.0000125) to keep eight significant digits.
const pricePlaces = 12

// Ratio is an exact quotient, such as a price in CNPY per token. The zero
// value is 0. A Ratio is immutable. It is not kept in lowest terms: prices are
// made for every trade and compared or shown rarely.
type Ratio struct {
	num, den *big.Int // den > 0 where it is set
}

// NewRatio returns num/den. Where there is nothing to divide by, there is no
// price either: den = 0 gives the zero Ratio.
func NewRatio(num, den Amount) Ratio {
	return BigRatio(big.NewInt(int64(num)), big.NewInt(int64(den)))
}

// BigRatio is NewRatio for products that do not fit an Amount. It takes the
// integers over.
func BigRatio(num, den *big.Int) Ratio {
	switch den.Sign() {
	case 0:
		return Ratio{}
	case -1:
		return Ratio{num: new(big.Int).Neg(num), den: new(big.Int).Neg(den)}
	}
	return Ratio{num: num, den: den}
}

// ParseRatio reads a decimal such as "1.05", exactly and with at most twelve
// places. A price may be far larger than any amount: a pool that is all but sold
// out has one.
func ParseRatio(s string) (Ratio, error) {
	n, err := splitNumber(s)
	if err != nil {
		return Ratio{}, err
	}
	digits := strings.TrimRight(n.digits, "0")
	shift := n.exponent + pricePlaces + len(n.digits) - len(digits)
	switch {
	case strings.Trim(digits, "0") == "":
		return Ratio{}, nil
	case shift < 0:
		return Ratio{}, ErrPrecision
	case len(digits)+shift > longestNumber:
		return Ratio{}, ErrRange
	}
	scaled, _ := new(big.Int).SetString(digits+strings.Repeat("0", shift), 10) // digits are digits
	if n.negative {
		scaled.Neg(scaled)
	}
	return BigRatio(scaled, new(big.Int).Exp(big.NewInt(10), big.NewInt(pricePlaces), nil)), nil
}

// Rat returns a copy for arithmetic that this type does not offer.
func (r Ratio) Rat() *big.Rat {
	num, den := r.parts()
	return new(big.Rat).SetFrac(num, den)
}

// parts must not be written to: Ratios share them.
func (r Ratio) parts() (num, den *big.Int) {
	if r.den == nil {
		return new(big.Int), big.NewInt(1)
	}
	return r.num, r.den
}

// Mul returns r × s.
func (r Ratio) Mul(s Ratio) Ratio {
	rn, rd := r.parts()
	sn, sd := s.parts()
	return Ratio{num: new(big.Int).Mul(rn, sn), den: new(big.Int).Mul(rd, sd)}
}

// WorthOf is Of for what is only shown: one beyond all
// amounts stands as the largest there is.
func (r Ratio) WorthOf(a Amount) Amount {
	worth, err := r.Of(a)
	if err != nil && (r.Sign() < 0) != (a < 0) {
		return -Max
	} else if err != nil {
		return Max
	}
	return worth
}

// Of returns ⌊r × a⌋, such as what a amounts to at the price r, or ErrRange.
func (r Ratio) Of(a Amount) (Amount, error) {
	num, den := r.parts()
	product := new(big.Int).Mul(num, big.NewInt(int64(a)))
	if product.Div(product, den); !product.IsInt64() {
		return 0, ErrRange
	}
	return Amount(product.Int64()), nil
}

// Sub returns r − s.
func (r Ratio) Sub(s Ratio) Ratio {
	rn, rd := r.parts()
	sn, sd := s.parts()
	left, right := new(big.Int).Mul(rn, sd), new(big.Int).Mul(sn, rd)
	return Ratio{num: left.Sub(left, right), den: new(big.Int).Mul(rd, sd)}
}

// Div returns r ÷ s, and the zero Ratio when s is zero.
func (r Ratio) Div(s Ratio) Ratio {
	sn, sd := s.parts()
	return r.Mul(BigRatio(sd, sn))
}

// Abs returns the magnitude of r.
func (r Ratio) Abs() Ratio {
	num, den := r.parts()
	return Ratio{num: new(big.Int).Abs(num), den: den}
}

// Sign is −1, 0 or 1.
func (r Ratio) Sign() int {
	num, _ := r.parts()
	return num.Sign()
}

// Cmp is −1 where r < s, 0 where they are equal, else 1.
func (r Ratio) Cmp(s Ratio) int {
	rn, rd := r.parts()
	sn, sd := s.parts()
	return new(big.Int).Mul(rn, sd).Cmp(new(big.Int).Mul(sn, rd))
}

// Decimal writes r with at most places decimal places, cut and not rounded, so
// that it never shows more than there is; trailing zeros are left out.
func (r Ratio) Decimal(places int) Decimal {
	num, den := r.parts()
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	scaled := new(big.Int).Quo(scale.Mul(scale, num), den)
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
