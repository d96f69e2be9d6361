package curve_test

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// cases is how many random trades each of the eight properties below sees: four
// operations on two curves, 10^6 in all.
const cases = 125_000

// walkLength is after how many trades a walk starts again on another curve.
const walkLength = 50

type operation struct {
	name  string
	buy   bool
	exact func(curve.Fill) money.Amount // the number that the caller fixed
	trade func(curve.Curve, curve.State, money.Amount) (curve.Fill, error)
}

var operations = []operation{
	{"BuyExactIn", true, cnpyOf, curve.Curve.BuyExactIn},
	{"BuyExactOut", true, tokensOf, curve.Curve.BuyExactOut},
	{"SellExactIn", false, tokensOf, curve.Curve.SellExactIn},
	{"SellExactOut", false, cnpyOf, curve.Curve.SellExactOut},
}

func cnpyOf(f curve.Fill) money.Amount   { return f.CNPY }
func tokensOf(f curve.Fill) money.Amount { return f.Tokens }

func TestProperties(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for _, kind := range []curve.Kind{curve.ConstantProduct, curve.Linear} {
		for i, op := range operations {
			t.Run(string(kind)+"/"+op.name, func(t *testing.T) {
				t.Parallel()
				t.Logf("seed %d", seed)
				walk(t, rand.New(rand.NewPCG(seed, uint64(i))), kind, op)
			})
		}
	}
}

// walk trades until it has seen its number of filled trades; the operation
// under test alternates with buys, so that there is something to sell.
func walk(t *testing.T, r *rand.Rand, kind curve.Kind, op operation) {
	filled, tried := 0, 0
	for filled < cases {
		c := randomCurve(r, kind)
		s := c.Initial()
		for range walkLength {
			if tried++; tried > 50*cases {
				t.Fatalf("%d of %d random trades were filled: the walk tests next to nothing", filled, tried)
			}
			s = randomBuy(r, c, s)
			amount := randomAmount(r, c, s, op)
			fill, err := op.trade(c, s, amount)
			if errors.Is(err, curve.ErrState) {
				t.Fatalf("%+v %+v: a state reached by trading can't be priced", c, s)
			}
			if err != nil {
				continue
			}
			if fault := broken(c, s, op, amount, fill); fault != "" {
				t.Fatalf("%s: %s of %d on %+v at %+v gave %+v", fault, op.name, amount, c, s, fill)
			}
			filled++
			s = fill.After
		}
	}
}

// magnitude is a random number of up to bits bits, each length as likely.
func magnitude(r *rand.Rand, bits int) int64 {
	return 1 + r.Int64N(int64(1)<<(1+r.IntN(bits)))
}

func randomCurve(r *rand.Rand, kind curve.Kind) curve.Curve {
	c := curve.Curve{
		Kind:           kind,
		InitialCNPY:    money.Amount(magnitude(r, 50)),
		InitialTokens:  money.Amount(magnitude(r, 60)),
		Slope:          money.Slope(magnitude(r, 40)),
		FeeBasisPoints: r.Int32N(1001),
	}
	if r.IntN(4) == 0 { // the sizes that people use
		c = defaultPool(100)
		c.Kind = kind
	}
	if r.IntN(8) == 0 {
		c.FeeBasisPoints = 0
	}
	return c
}

func randomBuy(r *rand.Rand, c curve.Curve, s curve.State) curve.State {
	if fill, err := c.BuyExactIn(s, money.Amount(magnitude(r, 45))); err == nil {
		return fill.After
	}
	return s
}

// randomAmount leans towards what the state can fill, and touches the edges.
func randomAmount(r *rand.Rand, c curve.Curve, s curve.State, op operation) money.Amount {
	most := money.Amount(magnitude(r, 55))
	switch op.name {
	case "BuyExactOut":
		most = s.Tokens
	case "SellExactIn":
		most = c.InitialTokens - s.Tokens
	case "SellExactOut":
		most = s.CNPY - c.InitialCNPY
	}
	switch {
	case most <= 1 || r.IntN(50) == 0:
		return most
	case r.IntN(3) == 0:
		return min(most, money.Amount(magnitude(r, 60)))
	}
	return 1 + money.Amount(r.Int64N(int64(most)))
}

// broken names the first property that a fill breaks.
func broken(c curve.Curve, s curve.State, op operation, amount money.Amount, f curve.Fill) string {
	switch {
	case op.exact(f) != amount:
		return "the exact side is not what was asked"
	case f.CNPY <= 0 || f.Tokens <= 0 || f.Fee < 0:
		return "something was had for nothing"
	case f.After.CNPY < c.InitialCNPY || f.After.Tokens < 0 || f.After.Tokens > c.InitialTokens:
		return "the pool gave what it did not have"
	case !conserved(s, op, f):
		return "value appeared or vanished"
	case c.Price(f.After).Cmp(c.Price(s)) != direction(op):
		return "the price moved against the trade"
	case !feeExact(c, op, f):
		return "the fee is not the ceiling of its share"
	case !exact(c, s, op, f):
		return "not what big integers say"
	case !roundTripLoses(c, op, f):
		return "a round trip made a profit"
	}
	return ""
}

// direction is where the price has to go, by however little.
func direction(op operation) int {
	if op.buy {
		return 1
	}
	return -1
}

// conserved checks that what one side gives the others get.
func conserved(s curve.State, op operation, f curve.Fill) bool {
	if op.buy {
		return f.After.CNPY-s.CNPY == f.CNPY-f.Fee && s.Tokens-f.After.Tokens == f.Tokens
	}
	return s.CNPY-f.After.CNPY == f.CNPY+f.Fee && f.After.Tokens-s.Tokens == f.Tokens
}

// feeExact recomputes the fee on what it is taken from: a buyer's payment, or
// what the pool pays out.
func feeExact(c curve.Curve, op operation, f curve.Fill) bool {
	base := big.NewInt(int64(f.CNPY))
	if !op.buy {
		base.Add(base, big.NewInt(int64(f.Fee)))
	}
	base.Mul(base, big.NewInt(int64(c.FeeBasisPoints)))
	base.Add(base, big.NewInt(9_999)).Quo(base, big.NewInt(10_000))
	return base.Cmp(big.NewInt(int64(f.Fee))) == 0
}

// exact characterises the right answer without the formulas under test: the
// number that the curve chose is admissible, and one unit in the trader's
// favour would not be. Value is admissible where the pool loses nothing.
func exact(c curve.Curve, s curve.State, op operation, f curve.Fill) bool {
	keeps := keepsProduct
	if c.Kind == curve.Linear {
		keeps = keepsIntegral
	}
	better := f.After
	switch op.name {
	case "BuyExactIn": // one token more
		better.Tokens--
	case "BuyExactOut": // one unit of CNPY less
		better.CNPY--
	case "SellExactIn":
		better.CNPY--
	case "SellExactOut":
		better.Tokens--
	}
	// Nothing is better than all there is: a line may be sold out to the last.
	return keeps(c, s, f.After) && (better.Tokens < 0 || !keeps(c, s, better))
}

// keepsProduct: the product of the reserves has not fallen.
func keepsProduct(_ curve.Curve, before, after curve.State) bool {
	return productOf(after).Cmp(productOf(before)) >= 0
}

func productOf(s curve.State) *big.Int {
	return new(big.Int).Mul(big.NewInt(int64(s.CNPY)), big.NewInt(int64(s.Tokens)))
}

// keepsIntegral: the reserve moved by no less than the integral of the price,
// X·(a−b)/S + m·(a²−b²)/2e18 for a sold afterwards and b before, cleared of its
// fractions.
func keepsIntegral(c curve.Curve, before, after curve.State) bool {
	a, b := big.NewInt(int64(c.InitialTokens-after.Tokens)), big.NewInt(int64(c.InitialTokens-before.Tokens))
	supply, scale := big.NewInt(int64(c.InitialTokens)), big.NewInt(2_000_000_000_000_000_000)
	owed := new(big.Int).Sub(new(big.Int).Mul(a, a), new(big.Int).Mul(b, b))
	owed.Mul(owed, supply).Mul(owed, big.NewInt(int64(c.Slope)))
	flat := new(big.Int).Sub(a, b)
	flat.Mul(flat, big.NewInt(int64(c.InitialCNPY))).Mul(flat, scale)
	owed.Add(owed, flat)
	got := big.NewInt(int64(after.CNPY - before.CNPY))
	got.Mul(got, supply).Mul(got, scale)
	return got.Cmp(owed) >= 0
}

// roundTripLoses undoes the trade at once, the other way round.
func roundTripLoses(c curve.Curve, op operation, f curve.Fill) bool {
	if op.buy {
		back, err := c.SellExactIn(f.After, f.Tokens)
		return err != nil || back.CNPY <= f.CNPY
	}
	back, err := c.BuyExactOut(f.After, f.Tokens)
	return err != nil || back.CNPY >= f.CNPY
}

// TestManyHandsNeverDrain lets one trader cut a position into pieces: the pool
// must hold at least what it opened with, and the trader no more than before.
func TestManyHandsNeverDrain(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 9))
	for range 2_000 {
		kind := []curve.Kind{curve.ConstantProduct, curve.Linear}[r.IntN(2)]
		c := randomCurve(r, kind)
		c.FeeBasisPoints = 0 // the fee would only help the pool
		s, spent, held := c.Initial(), money.Amount(0), money.Amount(0)
		for range 20 {
			if fill, err := c.BuyExactIn(s, money.Amount(magnitude(r, 30))); err == nil {
				s, spent, held = fill.After, spent+fill.CNPY, held+fill.Tokens
			}
			if held == 0 {
				continue
			}
			part := 1 + money.Amount(r.Int64N(int64(held)))
			if fill, err := c.SellExactIn(s, part); err == nil {
				s, spent, held = fill.After, spent-fill.CNPY, held-fill.Tokens
			}
		}
		if s.CNPY-c.InitialCNPY != spent || c.InitialTokens-s.Tokens != held {
			t.Fatalf("%+v: pool and trader disagree: %+v, spent %d, held %d", c, s, spent, held)
		}
		if held == 0 && spent < 0 {
			t.Fatalf("%+v: a trader with nothing left made %d", c, -spent)
		}
	}
}

func BenchmarkBuyExactIn(b *testing.B) {
	for _, kind := range []curve.Kind{curve.ConstantProduct, curve.Linear} {
		b.Run(string(kind), func(b *testing.B) {
			c := defaultPool(100)
			c.Kind = kind
			s := c.Initial()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.BuyExactIn(s, 40_000*unit); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
