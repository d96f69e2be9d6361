package amm_test

import (
	"encoding/json"
	"math"
	"math/big"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/lucid-blockchain/lucid/internal/livechain/amm"
)

const million = 1_000_000

// The pool of a default curve that graduated at 50 000 CNPY without a fee.
var graduated = amm.Pool{CNPY: 40_000 * million, Tokens: 160_000_000 * million, Shares: 2_529_822_128_134}

// Expected numbers were computed with Python's integers, not with this code.
func TestSwapVectors(t *testing.T) {
	for _, c := range []struct {
		x, y, in uint64
		fee      uint32
		out      uint64
		reason   string
	}{
		{40_000 * million, 160_000_000 * million, 1_000 * million, 100, 3_864_357_160_282, "1 000 CNPY at the default fee"},
		{40_000 * million, 160_000_000 * million, 1_000 * million, 30, 3_891_016_415_835, "1 000 CNPY at 30 basis points"},
		{1, 1e15, 1, 0, 5e14, "doubling a side without a fee takes half of the other"},
		{1e18, 1e18, 1e18, 100, 497_487_437_185_929_648, "products beyond 128 bits"},
		{123_456_789, 987_654_321, 1, 100, 7, "the smallest unit that is worth something"},
		{1 << 62, 1 << 62, 1<<62 - 1, 30, 2_302_379_048_759_191_657, "the largest reserve there may be"},
	} {
		p := amm.Pool{CNPY: c.x, Tokens: c.y, Shares: 1}
		out, after, err := p.Swap(amm.CNPY, c.in, c.out, c.fee)
		require.NoError(t, err, c.reason)
		require.Equal(t, c.out, out, c.reason)
		require.Equal(t, amm.Pool{CNPY: c.x + c.in, Tokens: c.y - out, Shares: 1}, after, c.reason)

		mirror := amm.Pool{CNPY: c.y, Tokens: c.x, Shares: 1}
		out, _, err = mirror.Swap(amm.Tokens, c.in, c.out, c.fee)
		require.NoError(t, err, c.reason)
		require.Equal(t, c.out, out, "the two sides follow one rule: %s", c.reason)
	}
}

// vector is a case of testdata/vectors.json, which testdata/vectors.py has
// computed with exact fractions from the rules as they are written.
type vector struct {
	Rule, Reason        string
	Pool, Given, Result []string
}

func numbers(t *testing.T, texts []string) []uint64 {
	t.Helper()
	read := make([]uint64, len(texts))
	for i, text := range texts {
		var err error
		read[i], err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	return read
}

// apply computes a vector's result with the code under test.
func (v vector) apply(t *testing.T) (got []uint64, err error) {
	t.Helper()
	n, given := numbers(t, v.Pool), numbers(t, v.Given)
	p := amm.Pool{CNPY: n[0], Tokens: n[1], Shares: n[2]}
	switch v.Rule {
	case "swap":
		out, _, err := p.Swap(amm.CNPY, given[0], 0, uint32(given[1]))
		return []uint64{out}, err
	case "open":
		minted, after, err := p.Provide(given[0], given[1], 0)
		return []uint64{minted, after.Shares}, err
	case "deposit":
		minted, _, err := p.Provide(given[0], given[1], 0)
		return []uint64{minted}, err
	case "deposit_cnpy":
		minted, _, err := p.Provide(given[0], 0, 0)
		return []uint64{minted}, err
	case "deposit_tokens":
		minted, _, err := p.Provide(0, given[0], 0)
		return []uint64{minted}, err
	case "withdraw":
		cnpy, tokens, _, err := p.Withdraw(given[0])
		return []uint64{cnpy, tokens}, err
	case "percent":
		return []uint64{amm.Percent(given[0], uint32(given[1]))}, nil
	case "fee":
		return []uint64{amm.Fee(given[0], uint32(given[1]))}, nil
	}
	t.Fatalf("unknown rule %q", v.Rule)
	return nil, nil
}

func TestVectorsOfExactFractions(t *testing.T) {
	raw, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(raw, &vectors))
	rules, fees := map[string]int{}, map[string]int{}
	for i, v := range vectors {
		got, err := v.apply(t)
		require.NoError(t, err, "vector %d: %+v", i, v)
		require.Equal(t, numbers(t, v.Result), got, "vector %d: %+v", i, v)
		rules[v.Rule]++
		if v.Rule == "swap" {
			fees[v.Given[1]]++
		}
	}
	require.Len(t, rules, 8, "each rule has its vectors: %v", rules)
	require.Greater(t, fees["30"], 10, "at 30 basis points")
	require.Greater(t, fees["100"], 10, "at the default fee")
}

func TestSwapRefusals(t *testing.T) {
	for _, c := range []struct {
		pool       amm.Pool
		in, minOut uint64
		fee        uint32
		want       error
		reason     string
	}{
		{graduated, 0, 0, 100, amm.ErrAmount, "nothing buys nothing"},
		{graduated, 1, 0, 10_000, amm.ErrFee, "a fee of everything"},
		{amm.Pool{}, 1, 0, 100, amm.ErrEmpty, "no liquidity"},
		{graduated, 1_000 * million, 3_864_357_160_283, 100, amm.ErrMinOut, "one unit below the minimum"},
		{amm.Pool{CNPY: 1000, Tokens: 1000, Shares: 1}, 1000, 0, 9_999, amm.ErrTooLittle, "an order must not be taken for nothing"},
		{graduated, math.MaxInt64, 0, 100, amm.ErrTooLarge, "a reserve must stay countable"},
		{graduated, math.MaxUint64, 0, 100, amm.ErrTooLarge, "an amount that wraps around"},
	} {
		out, after, err := c.pool.Swap(amm.CNPY, c.in, c.minOut, c.fee)
		require.ErrorIs(t, err, c.want, c.reason)
		require.Zero(t, out, c.reason)
		require.Equal(t, c.pool, after, "nothing moves: %s", c.reason)
	}
}

func TestLiquidityVectors(t *testing.T) {
	minted, pool, err := amm.Pool{}.Open(40_000*million, 160_000_000*million)
	require.NoError(t, err)
	require.Equal(t, graduated, pool)
	require.Equal(t, graduated.Shares-amm.MinimumShares, minted, "a thousand shares belong to nobody")

	minted, after, err := graduated.Deposit(100*million, 500_000*million)
	require.NoError(t, err)
	require.EqualValues(t, 6_324_555_320, minted, "the scarcer asset decides")
	require.Equal(t, amm.Pool{CNPY: 40_100 * million, Tokens: 160_500_000 * million, Shares: graduated.Shares + minted}, after)

	minted, _, err = graduated.DepositOne(amm.CNPY, 100*million)
	require.NoError(t, err)
	require.EqualValues(t, 3_160_303_702, minted)
	minted, _, err = graduated.DepositOne(amm.Tokens, 100*million)
	require.NoError(t, err)
	require.EqualValues(t, 790_567, minted)

	cnpy, tokens, after, err := graduated.Withdraw(12_345)
	require.NoError(t, err)
	require.EqualValues(t, 195, cnpy)
	require.EqualValues(t, 780_766, tokens)
	require.Equal(t, graduated.Shares-12_345, after.Shares)
}

func TestLiquidityRefusals(t *testing.T) {
	refused := func(want error, reason string) func(uint64, amm.Pool, error) {
		return func(minted uint64, _ amm.Pool, err error) {
			t.Helper()
			require.ErrorIs(t, err, want, reason)
			require.Zero(t, minted, reason)
		}
	}
	refused(amm.ErrOpened, "a pool opens once")(graduated.Open(1, 1))
	refused(amm.ErrAmount, "both sides are needed")(amm.Pool{}.Open(1, 0))
	refused(amm.ErrTooLittle, "no more than the locked shares")(amm.Pool{}.Open(1000, 1000))
	refused(amm.ErrTooLarge, "beyond an int64")(amm.Pool{}.Open(math.MaxUint64, 1))
	refused(amm.ErrEmpty, "nothing to add to")(amm.Pool{}.Deposit(1, 1))
	refused(amm.ErrAmount, "one side is DepositOne")(graduated.Deposit(1, 0))
	refused(amm.ErrTooLarge, "beyond an int64")(graduated.Deposit(math.MaxInt64, 1))
	refused(amm.ErrTooLittle, "rounds to no share")(amm.Pool{CNPY: 1e9, Tokens: 1e9, Shares: 10}.Deposit(1, 1))
	refused(amm.ErrEmpty, "nothing to add to")(amm.Pool{}.DepositOne(amm.CNPY, 1))
	refused(amm.ErrAmount, "nothing given")(graduated.DepositOne(amm.CNPY, 0))
	refused(amm.ErrTooLarge, "beyond an int64")(graduated.DepositOne(amm.CNPY, math.MaxInt64))

	for shares, want := range map[uint64]error{0: amm.ErrAmount, graduated.Shares: amm.ErrShares, math.MaxUint64: amm.ErrShares} {
		_, _, after, err := graduated.Withdraw(shares)
		require.ErrorIs(t, err, want)
		require.Equal(t, graduated, after)
	}
	require.EqualValues(t, 33, amm.Percent(67, 50))
	require.EqualValues(t, 67, amm.Percent(67, 250), "nobody holds more than all")
}

func TestProvideAndRemove(t *testing.T) {
	minted, pool, err := amm.Pool{}.Provide(40_000*million, 160_000_000*million, 1)
	require.NoError(t, err)
	require.Equal(t, graduated, pool, "into an empty pool it is the first liquidity")
	require.Equal(t, graduated.Shares-amm.MinimumShares, minted)
	for _, c := range []struct {
		cnpy, tokens, least uint64
		want                error
		reason              string
	}{
		{100 * million, 500_000 * million, 6_324_555_320, nil, "exactly the minimum"},
		{100 * million, 500_000 * million, 6_324_555_321, amm.ErrMinShares, "one share more than there are"},
		{0, 0, 0, amm.ErrAmount, "nothing at all"},
		{0, math.MaxInt64, 0, amm.ErrTooLarge, "beyond an int64"},
	} {
		minted, after, err := graduated.Provide(c.cnpy, c.tokens, c.least)
		require.ErrorIs(t, err, c.want, c.reason)
		if c.want != nil {
			require.Zero(t, minted, c.reason)
			require.Equal(t, graduated, after, "nothing moves: %s", c.reason)
		}
	}
	for _, c := range []struct {
		shares, cnpy, tokens uint64
		want                 error
		reason               string
	}{
		{12_345, 195, 780_766, nil, "exactly both minima"},
		{12_345, 196, 0, amm.ErrMinOut, "one unit of CNPY more"},
		{12_345, 0, 780_767, amm.ErrMinOut, "one unit of the token more"},
		{graduated.Shares, 0, 0, amm.ErrShares, "the locked ones too"},
	} {
		_, _, after, err := graduated.Remove(c.shares, c.cnpy, c.tokens)
		require.ErrorIs(t, err, c.want, c.reason)
		if c.want != nil {
			require.Equal(t, graduated, after, "nothing moves: %s", c.reason)
		}
	}
	_, _, _, err = amm.Pool{CNPY: 10, Tokens: 10, Shares: 1_000}.Remove(50, 0, 0)
	require.ErrorIs(t, err, amm.ErrTooLittle, "shares must not be burnt for nothing")
	require.EqualValues(t, 1, amm.Fee(1, 100), "a fee is rounded up")
	require.Zero(t, amm.Fee(math.MaxUint64, 0))
	require.EqualValues(t, uint64(math.MaxUint64), amm.Fee(math.MaxUint64, 20_000), "no more than everything")
}

func TestWorth(t *testing.T) {
	for _, c := range []struct {
		pool         amm.Pool
		tokens, want uint64
		reason       string
	}{
		{graduated, 1_000, 1, "0.001 tokens at 0.00025 CNPY are a quarter of a unit, rounded up"},
		{graduated, 4_000, 1, "exactly one unit"},
		{graduated, 4_001, 2, "a little more"},
		{graduated, 0, 0, "nothing is worth nothing"},
		{amm.Pool{CNPY: 3, Tokens: 2, Shares: 1}, 5, 8, "a token that is dearer than CNPY"},
		{amm.Pool{}, 1_000, 1_000, "no price yet"},
		{amm.Pool{CNPY: math.MaxInt64, Tokens: 1, Shares: 1}, 1_000, math.MaxInt64, "more than there can be"},
	} {
		require.Equal(t, c.want, c.pool.Worth(c.tokens), c.reason)
	}
}

// purse is what everybody outside of the pool has.
type purse struct{ cnpy, tokens, shares *big.Int }

func (p purse) move(asset *big.Int, out, in uint64) {
	asset.Sub(asset, new(big.Int).SetUint64(out)).Add(asset, new(big.Int).SetUint64(in))
}

// Whatever is done in whatever order, what is in the pool and outside of it adds
// up to what was there, the shares in people's hands to the pool's less the
// locked ones, and a share never loses value.
func TestNoValueFromNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPool(t)
		total := [2]*big.Int{new(big.Int).SetUint64(p.CNPY), new(big.Int).SetUint64(p.Tokens)}
		outside := purse{new(big.Int), new(big.Int), new(big.Int)}
		locked := p.Shares
		for range 12 {
			amount := rapid.Uint64Range(1, 1<<58).Draw(t, "amount")
			other := rapid.Uint64Range(0, 1<<58).Draw(t, "other")
			before := p
			switch rapid.SampledFrom([]string{"buy", "sell", "provide", "remove"}).Draw(t, "order") {
			case "buy":
				if out, after, err := p.Swap(amm.CNPY, amount, 0, 30); err == nil {
					outside.move(outside.cnpy, amount, 0)
					outside.move(outside.tokens, 0, out)
					p = after
				}
			case "sell":
				if out, after, err := p.Swap(amm.Tokens, amount, 0, 100); err == nil {
					outside.move(outside.tokens, amount, 0)
					outside.move(outside.cnpy, 0, out)
					p = after
				}
			case "provide":
				if minted, after, err := p.Provide(amount, other, 0); err == nil {
					outside.move(outside.cnpy, amount, 0)
					outside.move(outside.tokens, other, 0)
					outside.move(outside.shares, 0, minted)
					p = after
				}
			case "remove":
				if cnpy, tokens, after, err := p.Remove(min(amount, outside.shares.Uint64()), 0, 0); err == nil {
					outside.move(outside.cnpy, 0, cnpy)
					outside.move(outside.tokens, 0, tokens)
					outside.move(outside.shares, before.Shares-after.Shares, 0)
					p = after
				}
			}
			sharesNeverLose(t, before, p)
			for i, sum := range [2]*big.Int{new(big.Int).SetUint64(p.CNPY), new(big.Int).SetUint64(p.Tokens)} {
				if sum.Add(sum, [2]*big.Int{outside.cnpy, outside.tokens}[i]).Cmp(total[i]) != 0 {
					t.Fatalf("asset %d: %s became %s", i, total[i], sum)
				}
			}
			if held := new(big.Int).SetUint64(p.Shares - locked); held.Cmp(outside.shares) != 0 {
				t.Fatalf("%s shares are in people's hands, the pool counts %s", outside.shares, held)
			}
		}
	})
}

// sharesNeverLose compares x·y per share squared in exact integers: a share may
// gain by fees and by rounding, and never lose.
func sharesNeverLose(t failing, before, after amm.Pool) {
	product := func(p amm.Pool, other uint64) *big.Int {
		k := new(big.Int).Mul(new(big.Int).SetUint64(p.CNPY), new(big.Int).SetUint64(p.Tokens))
		o := new(big.Int).SetUint64(other)
		return k.Mul(k, o).Mul(k, o)
	}
	if product(after, before.Shares).Cmp(product(before, after.Shares)) < 0 {
		t.Fatalf("the pool lost value per share: %+v became %+v", before, after)
	}
}

func drawPool(t *rapid.T) amm.Pool {
	x := rapid.Uint64Range(1_001, 1<<60).Draw(t, "cnpy")
	y := rapid.Uint64Range(1_001, 1<<60).Draw(t, "tokens")
	_, p, err := amm.Pool{}.Open(x, y)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSwapsNeverTakeFromThePool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPool(t)
		fee := rapid.SampledFrom([]uint32{0, 30, 100, 1_000}).Draw(t, "fee")
		for range 8 {
			side := rapid.SampledFrom([]amm.Side{amm.CNPY, amm.Tokens}).Draw(t, "side")
			in := rapid.Uint64Range(1, 1<<60).Draw(t, "in")
			out, after, err := p.Swap(side, in, 0, fee)
			if err != nil {
				continue
			}
			sharesNeverLose(t, p, after)
			back, _, err := after.Swap(1-side, out, 0, fee)
			if err == nil && back > in {
				t.Fatalf("%d became %d by going there and back", in, back)
			}
			p = after
		}
	})
}

func TestDepositThenWithdrawNeverGains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPool(t)
		cnpy := rapid.Uint64Range(1, 1<<60).Draw(t, "deposit of cnpy")
		tokens := rapid.Uint64Range(1, 1<<60).Draw(t, "deposit of tokens")
		minted, after, err := p.Deposit(cnpy, tokens)
		if err != nil {
			return
		}
		sharesNeverLose(t, p, after)
		gotCNPY, gotTokens, left, err := after.Withdraw(minted)
		if err != nil {
			t.Fatal(err)
		}
		sharesNeverLose(t, after, left)
		if gotCNPY > cnpy || gotTokens > tokens {
			t.Fatalf("(%d, %d) became (%d, %d)", cnpy, tokens, gotCNPY, gotTokens)
		}
	})
}

// Whoever gives one asset, takes it out again and swaps for no fee has no more of
// either asset than without the detour, to the unit.
func TestOneSidedDepositThenWithdrawNeverGains(t *testing.T) {
	for reason, p := range map[string]amm.Pool{
		"equal sides, where a floored root gave a share for half of one": {CNPY: 2_000, Tokens: 2_001, Shares: 2_000},
		"a unit of CNPY that is worth a fortune":                         {CNPY: 2_000, Tokens: 1 << 60, Shares: 1 << 35},
	} {
		t.Run(reason, func(t *testing.T) {
			for in := uint64(1); in <= 2_000; in++ {
				detour(t, p, amm.CNPY, in)
				detour(t, p, amm.Tokens, in)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		p := drawPool(t)
		// Fees and gifts make shares fewer than the root of the product.
		p.Shares = rapid.Uint64Range(amm.MinimumShares, p.Shares).Draw(t, "shares")
		side := rapid.SampledFrom([]amm.Side{amm.CNPY, amm.Tokens}).Draw(t, "side")
		most := rapid.SampledFrom([]uint64{10, 1 << 20, 1 << 60}).Draw(t, "scale")
		detour(t, p, side, rapid.Uint64Range(1, most).Draw(t, "in"))
	})
}

// failing is a test, or one of a property's.
type failing interface {
	Helper()
	Fatalf(format string, args ...any)
}

func detour(t failing, p amm.Pool, side amm.Side, in uint64) {
	t.Helper()
	minted, after, err := p.DepositOne(side, in)
	if err != nil {
		return
	}
	sharesNeverLose(t, p, after)
	cnpy, tokens, left, err := after.Withdraw(minted)
	if err != nil {
		t.Fatalf("withdraw: %v", err)
	}
	sharesNeverLose(t, after, left)
	mine, other := cnpy, tokens
	if side == amm.Tokens {
		mine, other = tokens, cnpy
	}
	back, _, err := left.Swap(1-side, other, 0, 0)
	if mine > in || err == nil && mine+back > in {
		t.Fatalf("%+v: %d of side %d became %d and %d", p, in, side, mine, back)
	}
	straight, _, _ := p.Swap(side, in, 0, 0)
	there, _, err := left.Swap(side, mine, 0, 0)
	if other > straight || err == nil && other+there > straight {
		t.Fatalf("%+v: %d of side %d buys %d, and %d and %d by the detour", p, in, side, straight, other, there)
	}
}
