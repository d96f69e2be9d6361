package money_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/lucid-blockchain/lucid/internal/money"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		in     string
		want   money.Amount
		err    error
		reason string
	}{
		{"0", 0, nil, "zero is an amount"},
		{"-0", 0, nil, "there is one zero"},
		{"1", 1_000_000, nil, "a whole unit is 1e6"},
		{"007.5", 7_500_000, nil, "leading zeros change nothing"},
		{"0.000001", 1, nil, "the smallest amount"},
		{"-0.000001", -1, nil, "the smallest step down"},
		{"0.0000010", 1, nil, "zeros behind the sixth place are exact"},
		{"0.0000001", 0, money.ErrPrecision, "the seventh place would have to be rounded"},
		{"1.5e3", 1_500_000_000, nil, "an exponent that is exact"},
		{"1E-6", 1, nil, "a negative exponent that is exact"},
		{"10e-7", 1, nil, "trailing zeros make up for the exponent"},
		{"1e-7", 0, money.ErrPrecision, "the exponent makes it too fine"},
		{"1e+2", 100_000_000, nil, "an exponent may carry a plus"},
		{"9223372036854.775807", money.Max, nil, "the largest amount"},
		{"9223372036854.775808", 0, money.ErrRange, "one more does not fit"},
		{"-9223372036854.775808", math.MinInt64, nil, "the smallest int64"},
		{"-9223372036854.775809", 0, money.ErrRange, "one less does not fit"},
		{"1e300", 0, money.ErrRange, "a large exponent costs nothing and does not fit"},
		{"0e999999999999999999999", 0, nil, "zero stays zero at any exponent"},
		{"1e999999999999999999999", 0, money.ErrRange, "an exponent that fits no int"},
		{"1e-999999999999999999999", 0, money.ErrPrecision, "the same downwards"},
		{"", 0, money.ErrSyntax, "nothing is not a number"},
		{"-", 0, money.ErrSyntax, "a sign alone"},
		{"+1", 0, money.ErrSyntax, "JSON knows no plus sign"},
		{".5", 0, money.ErrSyntax, "JSON wants a digit before the point"},
		{"5.", 0, money.ErrSyntax, "and one after it"},
		{"1e", 0, money.ErrSyntax, "an exponent without digits"},
		{"1e1.5", 0, money.ErrSyntax, "an exponent is an integer"},
		{"1 ", 0, money.ErrSyntax, "no spaces"},
		{"1,5", 0, money.ErrSyntax, "no commas"},
		{"0x10", 0, money.ErrSyntax, "no hexadecimal"},
		{"NaN", 0, money.ErrSyntax, "not a number, by its own word"},
		{"Infinity", 0, money.ErrSyntax, "nor this"},
		{"١", 0, money.ErrSyntax, "digits of other scripts are not read"},
		{strings.Repeat("0", 65), 0, money.ErrSyntax, "the length is bounded"},
	} {
		got, err := money.Parse(tc.in)
		if got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("Parse(%q) = %d, %v; want %d, %v: %s", tc.in, got, err, tc.want, tc.err, tc.reason)
		}
	}
}

func TestString(t *testing.T) {
	for _, tc := range []struct {
		in     money.Amount
		want   string
		reason string
	}{
		{0, "0", "no decimal point where none is needed"},
		{1, "0.000001", "the zeros in front are written"},
		{-1, "-0.000001", "and the sign"},
		{-2_500_000, "-2.5", "trailing zeros are not"},
		{1_000_000, "1", "a whole unit"},
		{10_000_000, "10", "zeros of the whole part stay"},
		{money.Max, "9223372036854.775807", "the largest"},
		{math.MinInt64, "-9223372036854.775808", "the magnitude of the smallest fits no int64"},
	} {
		if got := tc.in.String(); got != tc.want {
			t.Errorf("(%d).String() = %q, want %q: %s", tc.in, got, tc.want, tc.reason)
		}
	}
}

func TestJSON(t *testing.T) {
	var body struct {
		Number, Text, Kept money.Amount
		Slope              money.Slope
	}
	body.Kept = 7
	in := `{"Number": 1.000001, "Text": "2.5e1", "Kept": null, "Slope": 1e-9}`
	if err := json.Unmarshal([]byte(in), &body); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"Number":1.000001,"Text":25,"Kept":0.000007,"Slope":0.000000001}`; string(out) != want {
		t.Errorf("round trip = %s, want %s: amounts are JSON numbers out, numbers or strings in", out, want)
	}
	for _, bad := range []string{`true`, `{}`, `[]`, `"1`, `""`, `"\u0031"`, `1e-7`} {
		var a money.Amount
		if err := a.UnmarshalJSON([]byte(bad)); err == nil || a != 0 {
			t.Errorf("UnmarshalJSON(%s) = %v, %v: only a number is an amount, and a refused one changes nothing", bad, a, err)
		}
	}
}

func TestDecimalJSON(t *testing.T) {
	out, err := json.Marshal([]money.Decimal{"", "15789.47", "-0.5"})
	if err != nil || string(out) != `[0,15789.47,-0.5]` {
		t.Errorf("got %s, %v: a decimal is a JSON number and an empty one is zero", out, err)
	}
}

func TestSumsAreChecked(t *testing.T) {
	for _, tc := range []struct {
		a, b     money.Amount
		sum, dif error
		reason   string
	}{
		{1, 2, nil, nil, "nothing special"},
		{money.Max, 1, money.ErrRange, nil, "above the top"},
		{math.MinInt64, 1, nil, money.ErrRange, "below the bottom"},
		{math.MinInt64, -1, money.ErrRange, nil, "the same by adding a negative"},
		{0, math.MinInt64, nil, money.ErrRange, "−MinInt64 is no int64"},
		{money.Max, money.Max, money.ErrRange, nil, "twice the top"},
		{money.Max, 0, nil, nil, "adding nothing to the top"},
	} {
		sum, err := tc.a.Add(tc.b)
		if !errors.Is(err, tc.sum) || err == nil && sum != tc.a+tc.b {
			t.Errorf("%d.Add(%d) = %d, %v: %s", tc.a, tc.b, sum, err, tc.reason)
		}
		dif, err := tc.a.Sub(tc.b)
		if !errors.Is(err, tc.dif) || err == nil && dif != tc.a-tc.b {
			t.Errorf("%d.Sub(%d) = %d, %v: %s", tc.a, tc.b, dif, err, tc.reason)
		}
	}
}

func TestMulDiv(t *testing.T) {
	for _, tc := range []struct {
		a, b, c     money.Amount
		floor, ceil money.Amount
		err         error
		reason      string
	}{
		{7, 3, 2, 10, 11, nil, "a remainder tells floor from ceiling"},
		{8, 3, 2, 12, 12, nil, "no remainder, no difference"},
		{money.Max, money.Max, money.Max, money.Max, money.Max, nil, "the product needs 126 bits"},
		{money.Max, 2, 1, 0, 0, money.ErrRange, "the quotient fits 64 bits but no Amount"},
		{money.Max, money.Max, 1, 0, 0, money.ErrRange, "the quotient fits nothing"},
		{1, 1, 0, 0, 0, money.ErrRange, "no division by zero"},
		{-1, 1, 1, 0, 0, money.ErrRange, "value does not flow backwards"},
		{1, -1, 1, 0, 0, money.ErrRange, "on either side"},
		{1, 1, -1, 0, 0, money.ErrRange, "nor below"},
	} {
		floor, err := money.MulDivFloor(tc.a, tc.b, tc.c)
		if floor != tc.floor || !errors.Is(err, tc.err) {
			t.Errorf("MulDivFloor(%d, %d, %d) = %d, %v: %s", tc.a, tc.b, tc.c, floor, err, tc.reason)
		}
		ceil, err := money.MulDivCeil(tc.a, tc.b, tc.c)
		if ceil != tc.ceil || !errors.Is(err, tc.err) {
			t.Errorf("MulDivCeil(%d, %d, %d) = %d, %v: %s", tc.a, tc.b, tc.c, ceil, err, tc.reason)
		}
	}
}

func TestRatio(t *testing.T) {
	price := money.NewRatio(15_000*money.Unit, 950_000*money.Unit)
	for _, tc := range []struct {
		got    money.Decimal
		want   money.Decimal
		reason string
	}{
		{price.Decimal(6), "0.015789", "the seed's pool example, cut at six places"},
		{money.Decimal(price.String()), "0.015789473684", "a price has twelve places"},
		{price.Mul(money.NewRatio(1_000_000, 1)).Decimal(2), "15789.47", "the seed's market cap"},
		{money.NewRatio(1, 8).Decimal(2), "0.12", "cut, not rounded"},
		{money.NewRatio(-1, 8).Decimal(2), "-0.12", "towards zero on both sides"},
		{money.NewRatio(-1, 1000).Decimal(2), "0", "there is no minus zero"},
		{money.NewRatio(3, 0).Decimal(2), "0", "nothing to divide by, no price"},
		{money.Ratio{}.Decimal(2), "0", "the zero value is zero"},
		{money.NewRatio(1, 3).Sub(money.NewRatio(1, 2)).Abs().Percent(), "16.66", "percent of a sixth"},
		{money.NewRatio(1, 2).Div(money.Ratio{}).Decimal(2), "0", "dividing by zero is zero, not a panic"},
		{money.NewRatio(1, 2).Div(money.NewRatio(1, 4)).Decimal(0), "2", "no places, no point"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %s, want %s: %s", tc.got, tc.want, tc.reason)
		}
	}
	if out, err := json.Marshal(price); err != nil || string(out) != "0.015789473684" {
		t.Errorf("JSON of a price = %s, %v", out, err)
	}
	if price.Cmp(money.NewRatio(3, 190)) != 0 {
		t.Error("equal quotients compare equal, however they were written")
	}
}

func TestParseRatio(t *testing.T) {
	rate, err := money.ParseRatio("1.05")
	if err != nil || rate.Cmp(money.NewRatio(105, 100)) != 0 {
		t.Errorf("ParseRatio(1.05) = %v, %v", rate, err)
	}
	for text, want := range map[string]error{
		"one": money.ErrSyntax, "0.0000000000001": money.ErrPrecision, "1e64": money.ErrRange, "": money.ErrSyntax,
	} {
		if _, err := money.ParseRatio(text); !errors.Is(err, want) {
			t.Errorf("ParseRatio(%q): %v, want %v", text, err, want)
		}
	}
}

// A price is exact whatever its size: twelve places and any number of digits
// before them.
func TestParseRatioIsExact(t *testing.T) {
	for _, text := range []string{
		"0", "-0.000000000001", "9223372.036854775807", "9223372.036854775808",
		"9223372036854775807000000.123456789012", "-12345678901234567890.5", "100000000000000000000",
	} {
		r, err := money.ParseRatio(text)
		if err != nil || r.String() != text {
			t.Errorf("ParseRatio(%s) = %s, %v", text, r, err)
		}
	}
	if r, err := money.ParseRatio("1.50e3"); err != nil || r.Cmp(money.NewRatio(1500, 1)) != 0 {
		t.Errorf("ParseRatio(1.50e3) = %s, %v", r, err)
	}
}

func TestWorthIsBounded(t *testing.T) {
	large := money.NewRatio(money.Max, 1)
	for _, tt := range []struct {
		price money.Ratio
		of    money.Amount
		want  money.Amount
	}{
		{money.NewRatio(1, 3), 10, 3}, {large, 1, money.Max}, {large, 2, money.Max}, {large, -2, -money.Max},
		{large.Mul(money.NewRatio(-1, 1)), -2, money.Max}, {money.Ratio{}, money.Max, 0},
	} {
		if got := tt.price.WorthOf(tt.of); got != tt.want {
			t.Errorf("%s × %s is worth %s, want %s", tt.price, tt.of, got, tt.want)
		}
	}
}

// FuzzParse holds Parse against big.Rat, which reads decimals independently.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"0", "-1.5", "1e6", "0.000001", "9223372036854.775807", "1e-6", "00.1", "+1", "1_0", "1e1e1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := money.Parse(s)
		if err != nil {
			if a != 0 {
				t.Fatalf("Parse(%q) = %d with error %v", s, a, err)
			}
			return
		}
		exact, ok := new(big.Rat).SetString(s)
		if !ok {
			// big.Rat gives up on exponents beyond its own bounds, where only
			// zero is an amount.
			if a != 0 {
				t.Fatalf("Parse(%q) = %d, which big.Rat can't read", s, a)
			}
			return
		}
		if exact.Cmp(big.NewRat(int64(a), int64(money.Unit))) != 0 {
			t.Fatalf("Parse(%q) = %d, not exact", s, a)
		}
		again, err := money.Parse(a.String())
		if err != nil || again != a {
			t.Fatalf("Parse(%q.String()) = %d, %v", s, again, err)
		}
	})
}

// FuzzParseSlope checks that what is read is written back the same.
func FuzzParseSlope(f *testing.F) {
	f.Add("0.000000000001")
	f.Add("-3e2")
	f.Fuzz(func(t *testing.T, s string) {
		slope, err := money.ParseSlope(s)
		if err != nil {
			return
		}
		again, err := money.ParseSlope(slope.String())
		if err != nil || again != slope {
			t.Fatalf("ParseSlope(%q) = %v, again %v, %v", s, slope, again, err)
		}
	})
}
