// Package curve prices a virtual pool (docs/domain.md §2). It is pure integer
// arithmetic: every division is rounded in favour of the pool, so no sequence
// of trades takes out more than was put in.
package curve

import (
	"errors"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Kind names the form of a bonding curve.
type Kind string

// The forms there are.
const (
	// ConstantProduct keeps reserve × reserve constant; the initial reserve is
	// virtual liquidity. The slope is kept and shown and plays no part.
	ConstantProduct Kind = "ConstantProduct"
	// Linear raises the price by the slope with each whole token sold.
	Linear Kind = "Linear"
)

// Known reports whether k is a form that this package can price.
func (k Kind) Known() bool { return k == ConstantProduct || k == Linear }

// basisPoints is one whole in basis points.
const basisPoints = 10_000

// The refusals of a trade that no state of the caller's account would mend.
var (
	// ErrNotPositive refuses an amount of zero or less.
	ErrNotPositive = fault.New(fault.Unprocessable, "the amount must be greater than 0")
	// ErrTooSmall refuses a trade so small that rounding leaves nothing of it.
	ErrTooSmall = fault.New(fault.Unprocessable, "the amount is too small: it would yield nothing")
	// ErrSoldOut refuses to sell more tokens than the pool has.
	ErrSoldOut = fault.New(fault.Unprocessable, "the pool does not hold enough tokens")
	// ErrNotRaised refuses to pay out CNPY that no buyer brought: the initial
	// reserve is virtual.
	ErrNotRaised = fault.New(fault.Unprocessable, "the pool has not raised enough CNPY")
	// ErrTooLarge refuses a trade whose numbers fit no account.
	ErrTooLarge = fault.New(fault.Unprocessable, "the amount is too large")
	// ErrState says that the curve or the state makes no sense: an error of the
	// program or of the stored row, not of the caller, hence not a Fault.
	ErrState = errors.New("the pool's state can't be priced")
)

// Curve holds what is fixed when a pool opens.
type Curve struct {
	Kind           Kind
	InitialCNPY    money.Amount // virtual reserve; also the numerator of the opening price
	InitialTokens  money.Amount // what the pool has to sell
	Slope          money.Slope  // used by Linear alone
	FeeBasisPoints int32        // taken in CNPY on both sides, 0…9999
}

// State is what a trade changes.
type State struct {
	CNPY   money.Amount // reserve, the initial one included
	Tokens money.Amount // unsold tokens
}

// Fill is the outcome of one trade.
type Fill struct {
	CNPY   money.Amount // a buyer pays this, fee included; a seller receives it, fee taken
	Tokens money.Amount // a buyer receives this; a seller pays it
	Fee    money.Amount // CNPY that goes to the fee accounts
	After  State
}

// Initial is the state in which a pool opens.
func (c Curve) Initial() State { return State{CNPY: c.InitialCNPY, Tokens: c.InitialTokens} }

// pricing is what tells the forms apart, fees aside.
type pricing interface {
	// tokensFor is the most that in buys.
	tokensFor(s State, in money.Amount) (money.Amount, error)
	// costOf is the least that buys tokens.
	costOf(s State, tokens money.Amount) (money.Amount, error)
	// proceedsOf is the most that tokens are worth to the pool.
	proceedsOf(s State, tokens money.Amount) (money.Amount, error)
	// tokensWorth is the least that is worth gross to the pool.
	tokensWorth(s State, gross money.Amount) (money.Amount, error)
	price(s State) money.Ratio
}

// BuyExactIn spends cnpy, fee included.
func (c Curve) BuyExactIn(s State, cnpy money.Amount) (Fill, error) {
	p, err := c.prepare(s, cnpy)
	if err != nil {
		return Fill{}, err
	}
	fee, err := c.feeOn(cnpy)
	if err != nil {
		return Fill{}, err
	}
	tokens, err := p.tokensFor(s, cnpy-fee)
	if err != nil {
		return Fill{}, err
	}
	return bought(s, cnpy, tokens, fee)
}

// BuyExactOut receives exactly tokens for the least CNPY.
func (c Curve) BuyExactOut(s State, tokens money.Amount) (Fill, error) {
	p, err := c.prepare(s, tokens)
	if err != nil {
		return Fill{}, err
	}
	if tokens > s.Tokens {
		return Fill{}, ErrSoldOut
	}
	in, err := p.costOf(s, tokens)
	if err != nil {
		return Fill{}, err
	}
	cnpy, err := c.beforeFee(in)
	if err != nil {
		return Fill{}, err
	}
	return bought(s, cnpy, tokens, cnpy-in)
}

// SellExactIn gives exactly tokens.
func (c Curve) SellExactIn(s State, tokens money.Amount) (Fill, error) {
	p, err := c.prepare(s, tokens)
	if err != nil {
		return Fill{}, err
	}
	if tokens > c.InitialTokens-s.Tokens {
		return Fill{}, ErrNotRaised
	}
	gross, err := p.proceedsOf(s, tokens)
	if err != nil {
		return Fill{}, err
	}
	fee, err := c.feeOn(gross)
	if err != nil {
		return Fill{}, err
	}
	return c.sold(s, gross, tokens, fee)
}

// SellExactOut receives exactly cnpy, fee taken, for the fewest tokens.
func (c Curve) SellExactOut(s State, cnpy money.Amount) (Fill, error) {
	p, err := c.prepare(s, cnpy)
	if err != nil {
		return Fill{}, err
	}
	gross, err := c.beforeFee(cnpy)
	if err != nil {
		return Fill{}, err
	}
	if gross > s.CNPY-c.InitialCNPY {
		return Fill{}, ErrNotRaised
	}
	tokens, err := p.tokensWorth(s, gross)
	if err != nil {
		return Fill{}, err
	}
	return c.sold(s, gross, tokens, gross-cnpy)
}

// Price is the marginal price in CNPY per token. It is the zero Ratio for a
// curve or a state that makes no sense.
func (c Curve) Price(s State) money.Ratio {
	p, err := c.prepare(s, 1)
	if err != nil {
		return money.Ratio{}
	}
	return p.price(s)
}

// Slippage is |effective − spot| / spot, where spot is the marginal price
// before the trade and effective what it came to per token, fee included.
func (c Curve) Slippage(before State, f Fill) money.Ratio {
	spot := c.Price(before)
	return money.NewRatio(f.CNPY, f.Tokens).Sub(spot).Div(spot).Abs()
}

// prepare refuses what no arithmetic below is meant for.
func (c Curve) prepare(s State, amount money.Amount) (pricing, error) {
	if amount <= 0 {
		return nil, ErrNotPositive
	}
	sane := c.InitialCNPY > 0 && c.InitialTokens > 0 && c.Slope >= 0 &&
		c.FeeBasisPoints >= 0 && c.FeeBasisPoints < basisPoints &&
		s.CNPY >= c.InitialCNPY && s.Tokens >= 0 && s.Tokens <= c.InitialTokens
	if !sane {
		return nil, ErrState
	}
	switch c.Kind {
	case ConstantProduct:
		return product{}, nil
	case Linear:
		return newLinear(c), nil
	}
	return nil, ErrState
}

// feeOn is ⌈amount·f/10000⌉.
func (c Curve) feeOn(amount money.Amount) (money.Amount, error) {
	return large(money.MulDivCeil(amount, money.Amount(c.FeeBasisPoints), basisPoints))
}

// beforeFee is the least amount that leaves net once its fee is taken. The fee
// is then exactly the difference: a step of one in the amount moves the rest by
// one at most, so the least amount that leaves net leaves no more than that.
func (c Curve) beforeFee(net money.Amount) (money.Amount, error) {
	return large(money.MulDivCeil(net, basisPoints, basisPoints-money.Amount(c.FeeBasisPoints)))
}

func bought(s State, cnpy, tokens, fee money.Amount) (Fill, error) {
	if tokens <= 0 {
		return Fill{}, ErrTooSmall
	}
	reserve, err := large(s.CNPY.Add(cnpy - fee))
	if err != nil {
		return Fill{}, err
	}
	after := State{CNPY: reserve, Tokens: s.Tokens - tokens}
	return Fill{CNPY: cnpy, Tokens: tokens, Fee: fee, After: after}, nil
}

func (c Curve) sold(s State, gross, tokens, fee money.Amount) (Fill, error) {
	if gross <= fee {
		return Fill{}, ErrTooSmall
	}
	// Both hold by the rounding as long as all tokens sold came from this pool.
	// Tokens of the treasury did not, and must not drain it.
	if gross > s.CNPY-c.InitialCNPY || tokens > c.InitialTokens-s.Tokens {
		return Fill{}, ErrNotRaised
	}
	after := State{CNPY: s.CNPY - gross, Tokens: s.Tokens + tokens}
	return Fill{CNPY: gross - fee, Tokens: tokens, Fee: fee, After: after}, nil
}

// large says in the caller's words that a number fits no amount.
func large(a money.Amount, err error) (money.Amount, error) {
	if err != nil {
		return 0, ErrTooLarge
	}
	return a, nil
}
