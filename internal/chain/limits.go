package chain

import (
	"time"

	"github.com/lucid-blockchain/lucid/internal/money"
)

// mostWindowSeconds bounds an anti-snipe window: a day.
const mostWindowSeconds = 86_400

// Limits bound what is bought from a pool, in CNPY with the fee. The zero value
// bounds nothing.
type Limits struct {
	MaxBuy    money.Amount // of one buy; 0 is none
	AntiSnipe AntiSnipe
}

// AntiSnipe bounds what each user buys, all buys together, in a pool's first
// seconds. The creator's first purchase happens in the opening transaction and
// does not count. Both fields are 0, or neither is.
type AntiSnipe struct {
	Seconds int32 // from the pool's opening; at most a day
	MaxBuy  money.Amount
}

// Guards reports whether the window of a pool that opened at opened holds at a
// moment. The end of the window is not part of it.
func (a AntiSnipe) Guards(opened, at time.Time) bool {
	return a.Seconds > 0 && at.Before(opened.Add(time.Duration(a.Seconds)*time.Second))
}

// ValidateLimits reports every wrong field at once as an Invalid fault, or nil.
func ValidateLimits(l Limits) error {
	c := &checker{}
	c.limits(l)
	return c.err()
}

func (c *checker) limits(l Limits) {
	c.atLeast("limits.max_buy_cnpy", l.MaxBuy, 0)
	c.atLeast("limits.anti_snipe.max_buy_cnpy", l.AntiSnipe.MaxBuy, 0)
	if s := l.AntiSnipe.Seconds; s < 0 || s > mostWindowSeconds {
		c.add("limits.anti_snipe.seconds", s, "range", "must be between 0 and %d", mostWindowSeconds)
	}
	if (l.AntiSnipe.Seconds == 0) != (l.AntiSnipe.MaxBuy == 0) {
		c.add("limits.anti_snipe", nil, "relation", "needs both seconds and max_buy_cnpy")
	}
}

// LimitsOf gives the columns of a chain's or a pool's row their types.
func LimitsOf(maxBuyCNPY int64, windowSeconds int32, windowMaxBuyCNPY int64) Limits {
	return Limits{
		MaxBuy:    money.Amount(maxBuyCNPY),
		AntiSnipe: AntiSnipe{Seconds: windowSeconds, MaxBuy: money.Amount(windowMaxBuyCNPY)},
	}
}
