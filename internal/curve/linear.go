package curve

import (
	"math/big"

	"github.com/holiman/uint256"

	"github.com/lucid-blockchain/lucid/internal/money"
)

// linear is the form whose price is p0 + slope·sold, p0 = X/S with X the
// initial CNPY and S the initial tokens.
//
// In the units of this program (1e-6 of each asset, 1e-12 of the slope m), t
// tokens sold on top of s cost the integral of the price,
//
//	t·X/S + m·t·(2s+t) / 2e18  =  t·(2e18·X + m·S·(2s+t)) / (2e18·S).
//
// Numerator and denominator are integers below 2^256, as s+t ≤ S < 2^63, so
// two costs are compared exactly by their numerators, and a division happens
// once, at the end, rounded in favour of the pool.
type linear struct {
	Curve
	rise, base, denominator uint256.Int
}

// twiceScale is 2e18: the slope's 1e12 times the tokens' 1e6, for the half in
// the integral of a straight line.
const twiceScale = 2_000_000_000_000_000_000

func newLinear(c Curve) *linear {
	l := &linear{Curve: c}
	supply, scale := wide(int64(c.InitialTokens)), wide(uint64(twiceScale))
	cnpy, slope := wide(int64(c.InitialCNPY)), wide(int64(c.Slope))
	l.rise.Mul(&slope, &supply)
	l.base.Mul(&scale, &cnpy)
	l.denominator.Mul(&scale, &supply)
	return l
}

// numerator of the cost of t tokens on top of s sold ones.
func (l *linear) numerator(s, t money.Amount) uint256.Int {
	tokens, span, n := wide(int64(t)), wide(2*uint64(s)), uint256.Int{}
	span.Add(&span, &tokens)
	n.Mul(&l.rise, &span)
	n.Add(&n, &l.base)
	n.Mul(&n, &tokens)
	return n
}

// times returns amount × denominator, to compare with a numerator.
func (l *linear) times(amount money.Amount) uint256.Int {
	n := wide(int64(amount))
	n.Mul(&n, &l.denominator)
	return n
}

// tokensFor searches rather than solves the quadratic: the discriminant needs
// over 380 bits, while 63 comparisons of 256 bits are exact and cheap.
func (l *linear) tokensFor(s State, in money.Amount) (money.Amount, error) {
	sold, limit := l.InitialTokens-s.Tokens, l.times(in)
	if all, err := l.costOf(s, s.Tokens); err == nil && all < in {
		return 0, ErrSoldOut
	}
	tooMany, found := search(s.Tokens, func(t money.Amount) bool {
		n := l.numerator(sold, t)
		return n.Gt(&limit)
	})
	if !found {
		return s.Tokens, nil
	}
	return tooMany - 1, nil
}

func (l *linear) costOf(s State, tokens money.Amount) (money.Amount, error) {
	n := l.numerator(l.InitialTokens-s.Tokens, tokens)
	var quotient, remainder uint256.Int
	quotient.DivMod(&n, &l.denominator, &remainder)
	if !remainder.IsZero() {
		quotient.AddUint64(&quotient, 1)
	}
	return narrow(quotient)
}

func (l *linear) proceedsOf(s State, tokens money.Amount) (money.Amount, error) {
	n := l.numerator(l.InitialTokens-s.Tokens-tokens, tokens)
	n.Div(&n, &l.denominator)
	return narrow(n)
}

func (l *linear) tokensWorth(s State, gross money.Amount) (money.Amount, error) {
	sold, least := l.InitialTokens-s.Tokens, l.times(gross)
	tokens, found := search(sold, func(t money.Amount) bool {
		n := l.numerator(sold-t, t)
		return !n.Lt(&least)
	})
	if !found {
		return 0, ErrNotRaised
	}
	return tokens, nil
}

func (l *linear) price(s State) money.Ratio {
	sold := big.NewInt(int64(l.InitialTokens - s.Tokens))
	supply := big.NewInt(int64(l.InitialTokens))
	scale := big.NewInt(twiceScale / 2)
	rise := sold.Mul(sold, big.NewInt(int64(l.Slope)))
	num := new(big.Int).Mul(big.NewInt(int64(l.InitialCNPY)), scale)
	num.Add(num, rise.Mul(rise, supply))
	return money.BigRatio(num, scale.Mul(scale, supply))
}

// search returns the least t in 1…most for which holds(t), if there is one;
// holds must not turn false again.
func search(most money.Amount, holds func(money.Amount) bool) (t money.Amount, found bool) {
	low, high := uint64(1), uint64(most)+1
	for low < high {
		if middle := low + (high-low)/2; holds(money.Amount(middle)) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return money.Amount(low), low <= uint64(most)
}

// wide takes a number that is not negative.
func wide[N int64 | uint64](n N) uint256.Int { return uint256.Int{uint64(n)} }

func narrow(n uint256.Int) (money.Amount, error) {
	if !n.IsUint64() || n.Uint64() > uint64(money.Max) {
		return 0, ErrTooLarge
	}
	return money.Amount(n.Uint64()), nil
}
