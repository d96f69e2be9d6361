package chain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
)

func ptr[T any](v T) *T { return &v }

func units(n int64) *money.Amount { return ptr(money.Amount(n) * money.Unit) }

func good() chain.Spec { return chain.Spec{ChainName: "MyDeFiChain", TokenSymbol: "MDFC"} }

// Every limit of the seed's POST /chains, at the limit and just beyond it.
func TestValidateLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("é", n) }
	cases := []struct {
		reason string
		change func(*chain.Spec)
		field  string // empty: valid
		says   string
	}{
		{"a name and a symbol are enough", func(*chain.Spec) {}, "", ""},
		{"a name is required", func(s *chain.Spec) { s.ChainName = "" }, "chain_name", "is required"},
		{"a name of 100 characters, not bytes", func(s *chain.Spec) { s.ChainName = long(100) }, "", ""},
		{"a name of 101 characters", func(s *chain.Spec) { s.ChainName = long(101) }, "chain_name", "must be between 1 and 100 characters"},
		{"a name that the database could not store", func(s *chain.Spec) { s.ChainName = "a\x00b" }, "chain_name", "must not contain control characters"},
		{"a name that is no text", func(s *chain.Spec) { s.ChainName = "a\xff" }, "chain_name", "must not contain control characters"},
		{"a symbol is required", func(s *chain.Spec) { s.TokenSymbol = "" }, "token_symbol", "is required"},
		{"a symbol in lower case", func(s *chain.Spec) { s.TokenSymbol = "mdfc" }, "token_symbol", "must contain only uppercase letters"},
		{"a symbol may not begin with a digit", func(s *chain.Spec) { s.TokenSymbol = "1A" }, "token_symbol", "must contain only uppercase letters"},
		{"a symbol may go on with digits", func(s *chain.Spec) { s.TokenSymbol = "A1" }, "", ""},
		{"a line break behind a symbol is no part of it", func(s *chain.Spec) { s.TokenSymbol = "AB\n" }, "token_symbol", "must not contain control characters"},
		{"a symbol of 21", func(s *chain.Spec) { s.TokenSymbol = strings.Repeat("A", 21) }, "token_symbol", "must be between 1 and 20 characters"},
		{"a description of 5000 with lines", func(s *chain.Spec) { s.Description = long(4999) + "\n" }, "", ""},
		{"a description of 5001", func(s *chain.Spec) { s.Description = long(5001) }, "chain_description", "must be at most 5000 characters"},
		{"a consensus label of 51", func(s *chain.Spec) { s.ConsensusMechanism = long(51) }, "consensus_mechanism", "must be at most 50 characters"},
		{"the smallest supply takes a share for the curve", func(s *chain.Spec) { s.TokenTotalSupply = units(1_000_000) }, "", ""},
		{"a supply below 1M", func(s *chain.Spec) { s.TokenTotalSupply = units(999_999) }, "token_total_supply", "must be between 1000000 and 1000000000000"},
		{"a supply above 1T", func(s *chain.Spec) { s.TokenTotalSupply = units(1_000_000_000_001) }, "token_total_supply", "must be between 1000000 and 1000000000000"},
		{"a supply in parts of a token", func(s *chain.Spec) { s.TokenTotalSupply = ptr(2_000_000*money.Unit + 1) }, "token_total_supply", "must be an integer"},
		{"a threshold of 1K over a reserve of 1K", func(s *chain.Spec) {
			s.GraduationThreshold, s.InitialCNPYReserve = units(1000), units(1000)
		}, "graduation_threshold", "must be greater than initial_cnpy_reserve (1000)"},
		{"a threshold above 10M", func(s *chain.Spec) { s.GraduationThreshold = ptr(10_000_000*money.Unit + 1) }, "graduation_threshold", "must be between 1000 and 10000000"},
		{"a threshold of 1K alone, where no reserve is small enough", func(s *chain.Spec) { s.GraduationThreshold = units(1000) },
			"graduation_threshold", "must be greater than initial_cnpy_reserve (1000)"},
		{"a threshold of hardly more alone raises no pool for the live chain", func(s *chain.Spec) { s.GraduationThreshold = ptr(1000*money.Unit + 1) },
			"graduation_threshold", "must be further above initial_cnpy_reserve (1000): what it raises is too little for the live chain's pool"},
		{"a threshold of a little more alone", func(s *chain.Spec) { s.GraduationThreshold = units(1001) }, "", ""},
		{"a threshold of the default reserve alone", func(s *chain.Spec) { s.GraduationThreshold = units(10_000) }, "", ""},
		{"a reserve of the default threshold alone", func(s *chain.Spec) { s.InitialCNPYReserve = units(50_000) },
			"initial_cnpy_reserve", "must be less than graduation_threshold (50000)"},
		{"a threshold of 10M", func(s *chain.Spec) { s.GraduationThreshold = units(10_000_000) }, "", ""},
		{"no creation fee", func(s *chain.Spec) { s.CreationFee = units(0) }, "", ""},
		{"a negative creation fee", func(s *chain.Spec) { s.CreationFee = ptr(money.Amount(-1)) }, "creation_fee_cnpy", "must be greater than or equal to 0"},
		{"a creation fee that no sum could hold", func(s *chain.Spec) { s.CreationFee = ptr(money.Max) }, "creation_fee_cnpy", "must be less than or equal to 1000000000000"},
		{"a reserve below 1000", func(s *chain.Spec) { s.InitialCNPYReserve = ptr(1000*money.Unit - 1) }, "initial_cnpy_reserve", "must be greater than or equal to 1000"},
		{"an initial supply below 100K", func(s *chain.Spec) { s.InitialTokenSupply = units(99_999) }, "initial_token_supply", "must be greater than or equal to 100000"},
		{"an initial supply above the total", func(s *chain.Spec) { s.InitialTokenSupply = units(1_000_000_001) }, "initial_token_supply", "must be less than or equal to token_total_supply (1000000000)"},
		{"an initial supply of all there is", func(s *chain.Spec) { s.InitialTokenSupply = units(1_000_000_000) }, "", ""},
		{"an initial supply in parts of a token", func(s *chain.Spec) { s.InitialTokenSupply = ptr(200_000*money.Unit + 5) }, "initial_token_supply", "must be an integer"},
		{"the smallest slope", func(s *chain.Spec) { s.BondingCurveSlope = ptr(money.Slope(1000)) }, "", ""},
		{"a slope below it", func(s *chain.Spec) { s.BondingCurveSlope = ptr(money.Slope(999)) }, "bonding_curve_slope", "must be greater than or equal to 0.000000001"},
		{"a slope above 1", func(s *chain.Spec) { s.BondingCurveSlope = ptr(money.Slope(1_000_000_000_001)) }, "bonding_curve_slope", "must be less than or equal to 1"},
		{"a stake below 100", func(s *chain.Spec) { s.ValidatorMinStake = units(99) }, "validator_min_stake", "must be greater than or equal to 100"},
		{"a negative first purchase", func(s *chain.Spec) { s.CreatorInitialPurchase = ptr(money.Amount(-1)) }, "creator_initial_purchase_cnpy", "must be greater than or equal to 0"},
		{"a curve that nobody knows", func(s *chain.Spec) { s.CurveType = "Quadratic" }, "curve_type", "must be ConstantProduct or Linear"},
		{"a fee of 10 %", func(s *chain.Spec) { s.FeeBasisPoints = ptr(int32(1000)) }, "", ""},
		{"a fee above 10 %", func(s *chain.Spec) { s.FeeBasisPoints = ptr(int32(1001)) }, "fee_basis_points", "must be between 0 and 1000"},
		{"a window at its longest", func(s *chain.Spec) {
			s.Limits = chain.Limits{MaxBuy: 1, AntiSnipe: chain.AntiSnipe{Seconds: 86_400, MaxBuy: 1}}
		}, "", ""},
		{"a maximum below nothing", func(s *chain.Spec) { s.Limits.MaxBuy = -1 }, "limits.max_buy_cnpy", "must be greater than or equal to 0"},
		{"a window longer than a day", func(s *chain.Spec) {
			s.Limits.AntiSnipe = chain.AntiSnipe{Seconds: 86_401, MaxBuy: 1}
		}, "limits.anti_snipe.seconds", "must be between 0 and 86400"},
		{"a window without a limit", func(s *chain.Spec) { s.Limits.AntiSnipe.Seconds = 1 }, "limits.anti_snipe", "needs both seconds and max_buy_cnpy"},
		{"a linear curve at the defaults", func(s *chain.Spec) { s.CurveType = curve.Linear }, "", ""},
		{"a linear curve that is sold out before its threshold", func(s *chain.Spec) {
			s.CurveType, s.InitialTokenSupply, s.BondingCurveSlope = curve.Linear, units(100_000), ptr(money.Slope(1000))
		}, "graduation_threshold", "the reserve when all tokens are sold"},
		{"a linear curve whose live chain would need more tokens than are left", func(s *chain.Spec) {
			s.CurveType, s.TokenTotalSupply, s.GraduationThreshold = curve.Linear, units(1_000_000), units(20_000)
		}, "graduation_threshold", "at it 637458.608817 tokens are sold, and the 362541.391183 that are left are too few"},
		{"a linear curve that may be bought empty", func(s *chain.Spec) {
			s.CurveType, s.InitialTokenSupply = curve.Linear, units(1_000_000_000)
		}, "initial_token_supply", "must be less than token_total_supply (1000000000)"},
		{"a threshold that raises next to nothing", func(s *chain.Spec) {
			s.TokenTotalSupply, s.GraduationThreshold = units(1_000_000), ptr(10_000*money.Unit+1)
		}, "graduation_threshold", "must be further above initial_cnpy_reserve (10000)"},
		{"a chain without a curve has no crossing", func(s *chain.Spec) {
			s.Direct, s.GraduationThreshold = true, ptr(10_000*money.Unit+1)
		}, "", ""},
	}
	for _, c := range cases {
		spec := good()
		c.change(&spec)
		err := chain.Validate(spec)
		if c.field == "" {
			if err != nil {
				t.Errorf("%s: must be valid, got %v %+v", c.reason, err, fieldsOf(err))
			}
			continue
		}
		fields := fieldsOf(err)
		if len(fields) != 1 || fields[0].Name != c.field || !strings.Contains(fields[0].Reason, c.says) {
			t.Errorf("%s: want %q %q alone, got %+v", c.reason, c.field, c.says, fields)
		}
	}
}

// A reserve that nobody wrote must not make a threshold that the seed allows wrong.
func TestDefaultReserve(t *testing.T) {
	each(t, func(w *world) {
		for threshold, reserve := range map[money.Amount]money.Amount{
			2_000: 1_000, 5_000: 1_000, 6_007: 1_201, 10_000: 2_000, 10_001: 10_000, 50_000: 10_000, 10_000_000: 10_000,
		} {
			c := w.draft("Threshold "+threshold.String(), uuid.New(), func(s *chain.Spec) { s.GraduationThreshold = ptr(threshold * money.Unit) })
			if c.InitialCNPYReserve != reserve*money.Unit {
				w.t.Errorf("a threshold of %d has a reserve of %s, want %d", threshold, c.InitialCNPYReserve, reserve)
			}
		}
	})
}

func fieldsOf(err error) []fault.Field {
	if f, ok := fault.As(err); ok && f.Kind == fault.Invalid {
		return f.Fields
	}
	return nil
}

func TestValidateReportsAllFieldsAtOnce(t *testing.T) {
	err := chain.Validate(chain.Spec{
		TokenSymbol: "lower", CurveType: "x", TokenTotalSupply: units(1), GraduationThreshold: units(1),
		CreationFee: units(-1), InitialCNPYReserve: units(1), InitialTokenSupply: units(1), ValidatorMinStake: units(1),
		BondingCurveSlope: ptr(money.Slope(0)), FeeBasisPoints: ptr(int32(-1)), CreatorInitialPurchase: units(-1),
	})
	want := []string{
		"chain_name", "token_symbol", "curve_type", "token_total_supply", "graduation_threshold", "creation_fee_cnpy",
		"initial_cnpy_reserve", "initial_token_supply", "validator_min_stake", "bonding_curve_slope", "fee_basis_points",
		"creator_initial_purchase_cnpy",
	}
	got := map[string]bool{}
	for _, field := range fieldsOf(err) {
		got[field.Name] = true
		if field.Rule == "" || field.Reason == "" {
			t.Errorf("a field without rule or reason: %+v", field)
		}
	}
	for _, name := range want {
		if !got[name] {
			t.Errorf("%s is wrong too, and not reported", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("reported %v, want %v", got, want)
	}
}

// Whatever text is accepted, the database can store and a terminal can show.
func FuzzValidateText(f *testing.F) {
	f.Add("MyDeFiChain", "MDFC", "words\nand lines", "nestbft")
	f.Add("\x00", "A\n", "\xff", "\u0085")
	f.Fuzz(func(t *testing.T, name, symbol, description, consensus string) {
		err := chain.Validate(chain.Spec{ChainName: name, TokenSymbol: symbol, Description: description, ConsensusMechanism: consensus})
		if err != nil {
			if len(fieldsOf(err)) == 0 {
				t.Fatalf("a refusal names its fields: %v", err)
			}
			return
		}
		for _, text := range []string{name, symbol, description, consensus} {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				t.Fatalf("accepted %q", text)
			}
		}
	})
}
