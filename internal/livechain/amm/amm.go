// Package amm is the constant-product pool of a live chain (docs/domain.md §4):
// exact integers, every division floors in favour of the pool. It is pure.
package amm

import (
	"errors"
	"math"

	"github.com/holiman/uint256"
)

const (
	// BasisPoints is the whole: a fee of 10000 would take everything.
	BasisPoints = 10_000
	// DefaultFee is the swap fee in basis points.
	DefaultFee = 100
	// MinimumShares are minted to nobody with the first liquidity, so that a
	// share can never be made so dear that small deposits round to nothing.
	MinimumShares = 1_000
)

// Refusals. Whoever gets one may be sure that the pool is as it was.
var (
	ErrAmount    = errors.New("the amount must be greater than zero")
	ErrFee       = errors.New("the fee must be below 10000 basis points")
	ErrEmpty     = errors.New("the pool has no liquidity")
	ErrOpened    = errors.New("the pool has liquidity already")
	ErrTooLittle = errors.New("the amount is too small to be worth anything")
	ErrMinOut    = errors.New("the order would give less than its minimum")
	ErrMinShares = errors.New("the deposit would give fewer shares than its minimum")
	ErrShares    = errors.New("more shares than there are")
	ErrTooLarge  = errors.New("the amounts exceed what the pool can count")
)

// Pool is the two reserves in 1e-6 units and all liquidity shares, the locked
// ones included. No number exceeds 2^63−1.
type Pool struct {
	CNPY, Tokens, Shares uint64
}

// Side is the asset that a swap or a one-sided deposit brings.
type Side int

// The two sides of a pool.
const (
	CNPY Side = iota
	Tokens
)

// reserves returns the reserve that grows by what side brings, and the other.
func (p Pool) reserves(side Side) (in, out uint64) {
	if side == CNPY {
		return p.CNPY, p.Tokens
	}
	return p.Tokens, p.CNPY
}

func (p Pool) with(side Side, in, out uint64) Pool {
	if side == CNPY {
		p.CNPY, p.Tokens = in, out
	} else {
		p.Tokens, p.CNPY = in, out
	}
	return p
}

// Swap sells amount of side's asset for at least minOut of the other one and
// returns what it gives and the pool afterwards. With a = amount·(10000−fee),
// out = floor(a·y / (x·10000 + a)): the fee stays in the pool.
func (p Pool) Swap(side Side, amount, minOut uint64, fee uint32) (out uint64, after Pool, err error) {
	x, y := p.reserves(side)
	switch {
	case amount == 0:
		return 0, p, ErrAmount
	case fee >= BasisPoints:
		return 0, p, ErrFee
	case x == 0 || y == 0:
		return 0, p, ErrEmpty
	case !fits(x, amount):
		return 0, p, ErrTooLarge
	}
	a := product(amount, uint64(BasisPoints-fee))
	denominator := product(x, BasisPoints)
	denominator.Add(denominator, a)
	out = quotient(a.Mul(a, uint256.NewInt(y)), denominator)
	if out < minOut {
		return 0, p, ErrMinOut
	}
	if out == 0 {
		return 0, p, ErrTooLittle
	}
	return out, p.with(side, x+amount, y-out), nil
}

// Fee is the part of an amount that stays in the pool when it is sold, rounded
// up: a swap gives as much as a swap of the rest would give without a fee.
func Fee(amount uint64, fee uint32) uint64 {
	whole := product(amount, uint64(min(fee, BasisPoints)))
	whole.AddUint64(whole, BasisPoints-1)
	return quotient(whole, uint256.NewInt(BasisPoints))
}

// Worth is the CNPY that tokens are worth at the pool's price, rounded up. Where
// there is no price yet it is one for one.
func (p Pool) Worth(tokens uint64) uint64 {
	if p.CNPY == 0 || p.Tokens == 0 {
		return tokens
	}
	worth := product(tokens, p.CNPY)
	worth.AddUint64(worth, p.Tokens-1)
	if worth.Div(worth, uint256.NewInt(p.Tokens)); worth.GtUint64(math.MaxInt64) {
		return math.MaxInt64 // as much as there can be
	}
	return worth.Uint64()
}

// Provide adds liquidity of both assets, or of one where the other is zero, for
// at least minShares. Into an empty pool it needs both.
func (p Pool) Provide(cnpy, tokens, minShares uint64) (minted uint64, after Pool, err error) {
	switch {
	case p.Shares == 0:
		minted, after, err = p.Open(cnpy, tokens)
	case tokens == 0:
		minted, after, err = p.DepositOne(CNPY, cnpy)
	case cnpy == 0:
		minted, after, err = p.DepositOne(Tokens, tokens)
	default:
		minted, after, err = p.Deposit(cnpy, tokens)
	}
	if err == nil && minted < minShares {
		return 0, p, ErrMinShares
	}
	return minted, after, err
}

// Remove burns shares as Withdraw does, for at least minCNPY and minTokens. An
// order must not be taken for nothing at all.
func (p Pool) Remove(shares, minCNPY, minTokens uint64) (cnpy, tokens uint64, after Pool, err error) {
	cnpy, tokens, after, err = p.Withdraw(shares)
	switch {
	case err != nil:
		return 0, 0, p, err
	case cnpy == 0 && tokens == 0:
		return 0, 0, p, ErrTooLittle
	case cnpy < minCNPY || tokens < minTokens:
		return 0, 0, p, ErrMinOut
	}
	return cnpy, tokens, after, nil
}

// Open gives an empty pool its first liquidity: isqrt(cnpy·tokens) shares, of
// which MinimumShares stay locked and the rest, minted, is the depositor's.
func (p Pool) Open(cnpy, tokens uint64) (minted uint64, after Pool, err error) {
	switch {
	case p.Shares != 0:
		return 0, p, ErrOpened
	case cnpy == 0 || tokens == 0:
		return 0, p, ErrAmount
	case !fits(cnpy, 0) || !fits(tokens, 0):
		return 0, p, ErrTooLarge
	}
	shares := root(cnpy, tokens)
	if shares <= MinimumShares {
		return 0, p, ErrTooLittle
	}
	return shares - MinimumShares, Pool{CNPY: cnpy, Tokens: tokens, Shares: shares}, nil
}

// Deposit adds both assets and mints min(cnpy·L/x, tokens·L/y) shares. What is
// given beyond the pool's proportion belongs to all shares.
func (p Pool) Deposit(cnpy, tokens uint64) (minted uint64, after Pool, err error) {
	switch {
	case p.Shares == 0:
		return 0, p, ErrEmpty
	case cnpy == 0 || tokens == 0:
		return 0, p, ErrAmount
	case !fits(p.CNPY, cnpy) || !fits(p.Tokens, tokens):
		return 0, p, ErrTooLarge
	}
	// A reserve may have grown little against the shares' count, so a quotient
	// may exceed 64 bits; the smaller one decides.
	byCNPY := new(uint256.Int).Div(product(cnpy, p.Shares), uint256.NewInt(p.CNPY))
	byTokens := new(uint256.Int).Div(product(tokens, p.Shares), uint256.NewInt(p.Tokens))
	if byTokens.Lt(byCNPY) {
		byCNPY = byTokens
	}
	return p.mint(byCNPY, Pool{CNPY: p.CNPY + cnpy, Tokens: p.Tokens + tokens, Shares: p.Shares})
}

// DepositOne adds one asset only and mints floor(L·(isqrt((x+d)·y) − r) / r)
// shares, r being the root of x·y rounded up: L grows by no more than
// √((x+d)/x), so that whoever withdraws again can't have gained. With both roots
// floored a share of a small or a lopsided pool would be given for too little.
func (p Pool) DepositOne(side Side, amount uint64) (minted uint64, after Pool, err error) {
	x, y := p.reserves(side)
	switch {
	case p.Shares == 0:
		return 0, p, ErrEmpty
	case amount == 0:
		return 0, p, ErrAmount
	case !fits(x, amount):
		return 0, p, ErrTooLarge
	}
	before, grown := rootUp(x, y), root(x+amount, y)
	if grown <= before {
		return 0, p, ErrTooLittle
	}
	shares := product(p.Shares, grown-before)
	return p.mint(shares.Div(shares, uint256.NewInt(before)), p.with(side, x+amount, y))
}

// mint adds shares to the pool that a deposit has made.
func (p Pool) mint(shares *uint256.Int, grown Pool) (uint64, Pool, error) {
	if shares.IsZero() {
		return 0, p, ErrTooLittle
	}
	if !shares.IsUint64() || !fits(p.Shares, shares.Uint64()) {
		return 0, p, ErrTooLarge
	}
	grown.Shares = p.Shares + shares.Uint64()
	return shares.Uint64(), grown, nil
}

// Withdraw burns shares for the floor of their part of both reserves. The last
// share can't be burnt while MinimumShares are locked.
func (p Pool) Withdraw(shares uint64) (cnpy, tokens uint64, after Pool, err error) {
	switch {
	case shares == 0:
		return 0, 0, p, ErrAmount
	case shares >= p.Shares:
		return 0, 0, p, ErrShares
	}
	total := uint256.NewInt(p.Shares)
	cnpy = quotient(product(p.CNPY, shares), total)
	tokens = quotient(product(p.Tokens, shares), total)
	return cnpy, tokens, Pool{CNPY: p.CNPY - cnpy, Tokens: p.Tokens - tokens, Shares: p.Shares - shares}, nil
}

// Percent is the number of shares that p % of a holding are, floored.
func Percent(holding uint64, percent uint32) uint64 {
	return quotient(product(holding, uint64(min(percent, 100))), uint256.NewInt(100))
}

// fits keeps every count within an int64, which is what databases and JSON
// readers elsewhere can hold.
func fits(have, more uint64) bool {
	return have <= math.MaxInt64 && more <= math.MaxInt64-have
}

func product(a, b uint64) *uint256.Int {
	return new(uint256.Int).Mul(uint256.NewInt(a), uint256.NewInt(b))
}

// quotient is for results that are known to fit: each is at most a reserve.
func quotient(a, b *uint256.Int) uint64 {
	return new(uint256.Int).Div(a, b).Uint64()
}

// root is the integer square root of a·b.
func root(a, b uint64) uint64 {
	return new(uint256.Int).Sqrt(product(a, b)).Uint64()
}

// rootUp is root rounded up.
func rootUp(a, b uint64) uint64 {
	floor := root(a, b)
	if product(floor, floor).Lt(product(a, b)) {
		return floor + 1
	}
	return floor
}
