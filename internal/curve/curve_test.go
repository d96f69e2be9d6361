package curve_test

import (
	"errors"
	"testing"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const unit = money.Unit

// defaultPool is the launchpad's default: 10 000 CNPY against 800 000 000 tokens.
func defaultPool(fee int32) curve.Curve {
	return curve.Curve{
		Kind: curve.ConstantProduct, InitialCNPY: 10_000 * unit, InitialTokens: 800_000_000 * unit,
		Slope: 10_000, FeeBasisPoints: fee,
	}
}

// line opens at 0.01 CNPY and rises by 0.000001 CNPY with each token sold.
func line(fee int32) curve.Curve {
	return curve.Curve{
		Kind: curve.Linear, InitialCNPY: 1_000 * unit, InitialTokens: 100_000 * unit,
		Slope: 1_000_000, FeeBasisPoints: fee,
	}
}

func TestHandChecks(t *testing.T) {
	c := defaultPool(0)
	fill, err := c.BuyExactIn(c.Initial(), 40_000*unit)
	if err != nil || fill.Tokens != 640_000_000*unit || fill.Fee != 0 {
		t.Fatalf("40 000 CNPY buy %v tokens (fee %v, %v), want 640 000 000", fill.Tokens, fill.Fee, err)
	}
	if got := c.Price(fill.After).String(); got != "0.0003125" {
		t.Errorf("marginal price after that = %s, want 0.0003125", got)
	}
	if got := c.Slippage(c.Initial(), fill).Percent(); got != "400" {
		t.Errorf("slippage = %s %%, want 400: 0.0000625 was paid where 0.0000125 was asked", got)
	}
	c = defaultPool(100)
	if fill, err = c.BuyExactIn(c.Initial(), 1_000*unit); err != nil || fill.Fee != 10*unit {
		t.Errorf("trading fee on 1000 CNPY = %v (%v), want the seed's 10", fill.Fee, err)
	}
	if fill.After.CNPY != 10_990*unit {
		t.Errorf("reserve after = %v, want 10990: the fee does not enter the pool", fill.After.CNPY)
	}
}

func TestSeedPrice(t *testing.T) {
	c := curve.Curve{Kind: curve.ConstantProduct, InitialCNPY: 10_000 * unit, InitialTokens: 1_000_000 * unit}
	price := c.Price(curve.State{CNPY: 15_000 * unit, Tokens: 950_000 * unit})
	if got := price.Decimal(6); got != "0.015789" {
		t.Errorf("price = %s, want the seed's 0.015789", got)
	}
	if got := price.Mul(money.NewRatio(1_000_000, 1)).Decimal(2); got != "15789.47" {
		t.Errorf("market cap = %s, want the seed's 15789.47", got)
	}
}

func TestLinearByHand(t *testing.T) {
	c := line(0)
	fill, err := c.BuyExactOut(c.Initial(), 10_000*unit)
	// 10 000 × 0.01 + 0.000001 × 10 000² / 2 = 100 + 50
	if err != nil || fill.CNPY != 150*unit {
		t.Fatalf("10 000 tokens cost %v (%v), want 150", fill.CNPY, err)
	}
	if got := c.Price(fill.After).String(); got != "0.02" {
		t.Errorf("price after = %s, want 0.02", got)
	}
	back, err := c.BuyExactIn(c.Initial(), 150*unit)
	if err != nil || back.Tokens != 10_000*unit {
		t.Errorf("150 CNPY buy %v (%v), want 10 000: the integral is exact both ways", back.Tokens, err)
	}
	sale, err := c.SellExactIn(fill.After, 10_000*unit)
	if err != nil || sale.CNPY != 150*unit || sale.After != c.Initial() {
		t.Errorf("selling them brings %v (%v), want 150 and the initial state", sale.CNPY, err)
	}
	sale, err = c.SellExactOut(fill.After, 150*unit)
	if err != nil || sale.Tokens != 10_000*unit {
		t.Errorf("150 CNPY out take %v tokens (%v), want 10 000", sale.Tokens, err)
	}
	flat := c
	flat.Slope = 0
	if fill, err = flat.BuyExactIn(flat.Initial(), 10*unit); err != nil || fill.Tokens != 1_000*unit {
		t.Errorf("without slope 10 CNPY buy %v (%v), want 1 000", fill.Tokens, err)
	}
}

func TestFeeOnBothSides(t *testing.T) {
	for _, kind := range []curve.Kind{curve.ConstantProduct, curve.Linear} {
		c := defaultPool(100)
		c.Kind = kind
		bought, err := c.BuyExactOut(c.Initial(), 1_000_000*unit)
		if err != nil {
			t.Fatal(err)
		}
		if in := bought.After.CNPY - c.InitialCNPY; bought.CNPY != in+bought.Fee || bought.Fee == 0 {
			t.Errorf("%s: paid %v, reserve grew by %v, fee %v", kind, bought.CNPY, in, bought.Fee)
		}
		sold, err := c.SellExactOut(bought.After, 5*unit)
		if err != nil || sold.CNPY != 5*unit {
			t.Fatalf("%s: sell for exactly 5: %v, %v", kind, sold, err)
		}
		if gross := bought.After.CNPY - sold.After.CNPY; sold.Fee != gross-5*unit || sold.Fee == 0 {
			t.Errorf("%s: the fee is taken from what the pool pays: %v of %v", kind, sold.Fee, gross)
		}
	}
}

func TestRefusals(t *testing.T) {
	type trade func(curve.Curve, curve.State, money.Amount) (curve.Fill, error)
	buyIn, buyOut := trade(curve.Curve.BuyExactIn), trade(curve.Curve.BuyExactOut)
	sellIn, sellOut := trade(curve.Curve.SellExactIn), trade(curve.Curve.SellExactOut)
	product, linear := defaultPool(100), line(100)
	half := curve.State{CNPY: 20_000 * unit, Tokens: 400_000_000 * unit}
	for _, tc := range []struct {
		name   string
		trade  trade
		curve  curve.Curve
		state  curve.State
		amount money.Amount
		want   error
		reason string
	}{
		{"buy nothing", buyIn, product, half, 0, curve.ErrNotPositive, "zero is not a trade"},
		{"sell less than nothing", sellIn, linear, linear.Initial(), -1, curve.ErrNotPositive, "nor is a negative amount"},
		{"buy for the smallest unit", buyIn, product, half, 1, curve.ErrTooSmall, "the fee eats it up"},
		{"linear for the smallest unit", buyIn, linear, linear.Initial(), 1, curve.ErrTooSmall, "the fee eats it up here too"},
		{"sell the smallest unit", sellIn, product, half, 1, curve.ErrTooSmall, "its worth rounds to nothing"},
		{"linear sell the smallest unit", sellIn, linear, curve.State{CNPY: 1_150 * unit, Tokens: 90_000 * unit}, 1, curve.ErrTooSmall, "the same on a line"},
		{"the last token", buyOut, product, half, half.Tokens, curve.ErrSoldOut, "it has no finite price on a hyperbola"},
		{"more than there is", buyOut, linear, linear.Initial(), 100_001 * unit, curve.ErrSoldOut, "the pool has 100 000"},
		{"pay for more than there is", buyIn, linear, linear.Initial(), 1_000_000 * unit, curve.ErrSoldOut, "the surplus would vanish in the pool"},
		{"sell what was never bought", sellIn, product, product.Initial(), 1_000 * unit, curve.ErrNotRaised, "the initial reserve is virtual"},
		{"draw what was never raised", sellOut, product, half, 10_001 * unit, curve.ErrNotRaised, "10 000 were raised"},
		{"linear draw", sellOut, linear, linear.Initial(), 1, curve.ErrNotRaised, "nothing was raised"},
		{"reserve overflow", buyIn, defaultPool(0), half, money.Max, curve.ErrTooLarge, "the reserve would fit no amount"},
		{"cost overflow", buyOut, curve.Curve{Kind: curve.ConstantProduct, InitialCNPY: money.Max / 2, InitialTokens: 10},
			curve.State{CNPY: money.Max / 2, Tokens: 10}, 9, curve.ErrTooLarge, "nor would the price"},
		{"unknown kind", buyIn, curve.Curve{Kind: "Sigmoid", InitialCNPY: 1, InitialTokens: 1}, curve.State{CNPY: 1, Tokens: 1}, 1, curve.ErrState, "no such form"},
		{"fee of everything", buyIn, defaultPool(10_000), half, unit, curve.ErrState, "nothing would be left"},
		{"reserve below the initial one", sellIn, product, curve.State{CNPY: 1, Tokens: 1}, 1, curve.ErrState, "no trade leads there"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fill, err := tc.trade(tc.curve, tc.state, tc.amount)
			if !errors.Is(err, tc.want) || fill != (curve.Fill{}) {
				t.Errorf("got %+v, %v; want %v: %s", fill, err, tc.want, tc.reason)
			}
		})
	}
	if product.Price(curve.State{}).Sign() != 0 {
		t.Error("a state that makes no sense has no price")
	}
	if !curve.Linear.Known() || curve.Kind("sigmoid").Known() {
		t.Error("Known tells the forms that can be priced from others")
	}
}

func TestLinearCanSellOut(t *testing.T) {
	c := line(0)
	fill, err := c.BuyExactOut(c.Initial(), c.InitialTokens)
	if err != nil || fill.After.Tokens != 0 {
		t.Fatalf("a line has a last price: %+v, %v", fill, err)
	}
	again, err := c.BuyExactIn(c.Initial(), fill.CNPY)
	if err != nil || again != fill {
		t.Errorf("paying exactly that buys all: %+v, %v", again, err)
	}
	if _, err := c.BuyExactIn(fill.After, 1); !errors.Is(err, curve.ErrSoldOut) {
		t.Errorf("and then nothing is left: %v", err)
	}
}

func TestLargestCurve(t *testing.T) {
	c := curve.Curve{Kind: curve.Linear, InitialCNPY: 1, InitialTokens: 1e18, Slope: 1}
	fill, err := c.BuyExactOut(c.Initial(), 1e18)
	// X·S/S + m·S²/2e18 = 1 + 1e36/2e18
	if err != nil || fill.CNPY != 500_000_000_000_000_001 {
		t.Fatalf("%+v, %v: the cost of 10^12 tokens is exact", fill, err)
	}
	c.InitialTokens, c.Slope = money.Max, money.Slope(money.Max)
	if _, err := c.BuyExactOut(c.Initial(), money.Max); !errors.Is(err, curve.ErrTooLarge) {
		t.Errorf("the widest product must not wrap around: %v", err)
	}
	if fill, err = c.BuyExactIn(c.Initial(), money.Max/2); err != nil || fill.Tokens <= 0 {
		t.Errorf("and a search over 63 bits must end: %+v, %v", fill, err)
	}
}
