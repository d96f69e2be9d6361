package curve

import "github.com/lucid-blockchain/lucid/internal/money"

// product is the constant-product form: x·y never falls. With x the CNPY and y
// the token reserve, paying in brings ⌊in·y/(x+in)⌋ tokens, and giving t tokens
// brings ⌊t·x/(y+t)⌋ CNPY. Both products fit 128 bits.
type product struct{}

func (product) tokensFor(s State, in money.Amount) (money.Amount, error) {
	reserve, err := large(s.CNPY.Add(in))
	if err != nil {
		return 0, err
	}
	return large(money.MulDivFloor(in, s.Tokens, reserve))
}

func (product) costOf(s State, tokens money.Amount) (money.Amount, error) {
	if tokens == s.Tokens { // the last token would cost infinitely much
		return 0, ErrSoldOut
	}
	return large(money.MulDivCeil(tokens, s.CNPY, s.Tokens-tokens))
}

func (product) proceedsOf(s State, tokens money.Amount) (money.Amount, error) {
	return large(money.MulDivFloor(tokens, s.CNPY, s.Tokens+tokens))
}

func (product) tokensWorth(s State, gross money.Amount) (money.Amount, error) {
	return large(money.MulDivCeil(gross, s.Tokens, s.CNPY-gross))
}

func (product) price(s State) money.Ratio { return money.NewRatio(s.CNPY, s.Tokens) }
