package httpx

import (
	"strconv"
	"strings"
)

// mostDigits is more than any number of 64 bits has: one of so many digits is beyond
// every range.
const mostDigits = 20

// wholeDigits writes a number of JSON's without point and exponent. It is exact, and
// false for one that has a fraction. Of one that is far too great it writes the first
// mostDigits digits: an exponent must not make anybody write a million zeros.
func wholeDigits(number string) (digits string, whole bool) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	before, after, _ := strings.Cut(mantissa, ".")
	significant := strings.TrimRight(before+after, "0")
	// How many zeros follow what is significant; fewer than none leave a fraction.
	zeros := len(before) - len(significant) + shift(exponent)
	significant = strings.TrimLeft(significant, "0")
	switch {
	case significant == "":
		return "0", true
	case zeros < 0:
		return "", false
	}
	digits = significant + strings.Repeat("0", min(zeros, mostDigits))
	if negative {
		digits = "-" + digits
	}
	return digits, true
}

// shift reads an exponent. One that does not fit moves the point out of sight in its
// direction, whatever the mantissa.
func shift(exponent string) int {
	const far = 1 << 30
	n, err := strconv.ParseInt(exponent, 10, 64)
	switch {
	case exponent == "":
		return 0
	case err != nil && strings.HasPrefix(exponent, "-"):
		return -far
	case err != nil:
		return far
	}
	return int(max(-far, min(far, n)))
}
