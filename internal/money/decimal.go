package money

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

const (
	// longestNumber bounds the work a caller can cause. It leaves room for the
	// widest exact number with leading and trailing zeros to spare.
	longestNumber = 64
	// mostDigits is how many digits an int64 can have.
	mostDigits = 19
)

// Decimal is an exact decimal number ready to be shown, such as a market cap
// in USD. It is written to JSON as a number, digit by digit; "" counts as 0.
type Decimal string

// MarshalJSON writes the digits as a JSON number.
func (d Decimal) MarshalJSON() ([]byte, error) {
	if d == "" {
		return []byte("0"), nil
	}
	return []byte(d), nil
}

// number is a decimal taken apart: ± digits × 10^exponent.
type number struct {
	negative bool
	digits   string
	exponent int
}

// parseScaled reads s as a count of 10^-places.
func parseScaled(s string, places int) (int64, error) {
	n, err := splitNumber(s)
	if err != nil {
		return 0, err
	}
	digits := strings.TrimLeft(n.digits, "0")
	if digits == "" {
		return 0, nil
	}
	significant := strings.TrimRight(digits, "0")
	shift := n.exponent + places + len(digits) - len(significant)
	if shift < 0 {
		return 0, ErrPrecision
	}
	if len(significant)+shift > mostDigits {
		return 0, ErrRange
	}
	return signed(significant+strings.Repeat("0", shift), n.negative)
}

// signed turns at most 19 digits into an int64.
func signed(digits string, negative bool) (int64, error) {
	magnitude, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, ErrRange
	}
	switch {
	case negative && magnitude <= -math.MinInt64:
		return -int64(magnitude), nil
	case !negative && magnitude <= math.MaxInt64:
		return int64(magnitude), nil
	}
	return 0, ErrRange
}

// splitNumber reads JSON's number grammar, save that leading zeros are let
// pass: people write them, and they change nothing.
func splitNumber(s string) (number, error) {
	if len(s) > longestNumber {
		return number{}, ErrSyntax
	}
	var n number
	rest, negative := strings.CutPrefix(s, "-")
	n.negative = negative
	whole, rest := leadingDigits(rest)
	fraction := ""
	if after, dot := strings.CutPrefix(rest, "."); dot {
		if fraction, rest = leadingDigits(after); fraction == "" {
			return number{}, ErrSyntax
		}
	}
	if whole == "" {
		return number{}, ErrSyntax
	}
	n.digits = whole + fraction
	exponent, err := readExponent(rest)
	n.exponent = exponent - len(fraction)
	return n, err
}

// readExponent reads what follows the digits: nothing, or e and an integer.
func readExponent(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	if s[0] != 'e' && s[0] != 'E' {
		return 0, ErrSyntax
	}
	s = s[1:]
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	digits, rest := leadingDigits(s)
	if digits == "" || rest != "" {
		return 0, ErrSyntax
	}
	exponent, err := strconv.Atoi(digits)
	if err != nil || exponent > 10*longestNumber {
		// Saturating is exact enough: so large a shift is out of range, or
		// finer than any type here, whatever its digits are.
		exponent = 10 * longestNumber
	}
	if negative {
		exponent = -exponent
	}
	return exponent, nil
}

func leadingDigits(s string) (digits, rest string) {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	return s[:end], s[end:]
}

// formatScaled writes n × 10^-places without trailing zeros.
func formatScaled(n int64, places int) string {
	magnitude := uint64(n)
	sign := ""
	if n < 0 {
		sign, magnitude = "-", -magnitude
	}
	return trimmed(sign, strconv.FormatUint(magnitude, 10), places)
}

// trimmed puts the decimal point places digits from the right.
func trimmed(sign, digits string, places int) string {
	if missing := places + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	whole, fraction := digits[:len(digits)-places], strings.TrimRight(digits[len(digits)-places:], "0")
	if fraction == "" {
		if whole == "0" {
			return whole
		}
		return sign + whole
	}
	return sign + whole + "." + fraction
}

// unmarshalScaled reads a JSON number or string; null keeps the present value.
func unmarshalScaled(data []byte, present int64, places int) (int64, error) {
	if bytes.Equal(data, []byte("null")) {
		return present, nil
	}
	text := string(data)
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		// No number needs an escape, so one that has any is not a number.
		text = text[1 : len(text)-1]
	}
	n, err := parseScaled(text, places)
	if err != nil {
		return present, err
	}
	return n, nil
}
