package money

const slopePlaces = 12

// Slope counts 1e-12 CNPY per token, per token: by how much a linear curve's
// price rises with each whole token sold (seed launchpad, bonding_curve_slope).
type Slope int64

// ParseSlope reads a decimal number exactly, with at most twelve decimal places.
func ParseSlope(s string) (Slope, error) {
	n, err := parseScaled(s, slopePlaces)
	return Slope(n), err
}

// String writes the shortest decimal that is exactly s.
func (s Slope) String() string { return formatScaled(int64(s), slopePlaces) }

// MarshalJSON writes s as a JSON number, every digit exact.
func (s Slope) MarshalJSON() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON reads a JSON number, or the same in a string.
func (s *Slope) UnmarshalJSON(data []byte) error {
	n, err := unmarshalScaled(data, int64(*s), slopePlaces)
	*s = Slope(n)
	return err
}
