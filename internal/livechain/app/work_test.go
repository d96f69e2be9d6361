package app_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

const (
	aDay = tx.SecondsPerDay
	unit = 5 << 20 // bytes that are one credit
)

// birthday is the day of the genesis.
var birthday = born.Unix() / int64(aDay)

// working is a chain of the policy PoOT with two validators and a block a day.
func working(t testing.TB) *chain {
	first := document(t)
	first.Policy = genesis.PolicyOperational
	c := twoValidators(t, first)
	c.pace = 24 * time.Hour
	return c
}

func (c *chain) work(nonce uint64, n byte, day int64, relayed, uptime uint64) []byte {
	return sign(c.t, authority, tx.Body{Nonce: nonce, Message: tx.WorkReport{
		Key: public(n), Day: birthday + day, Relayed: relayed * unit, Uptime: uptime,
	}})
}

func powers(of ...int64) map[string]int64 {
	all := map[string]int64{}
	for i, power := range of {
		if power != 0 {
			all[string(public(byte(50+i)))] = power
		}
	}
	return all
}

// Powers change in the first block of a day, to what the seven days before it
// earned, and back when those are past.
func TestWorkBecomesPower(t *testing.T) {
	c := working(t)
	require.Equal(t, powers(1, 1), c.updates(ok(0)), "nobody has done any work by the first day")
	// 70 credits and two days of seven up: 1 + 70·2/7, from the next day on. The
	// report of a day comes after it.
	require.Equal(t, powers(21), c.updates(ok(2), c.work(0, 50, 0, 40, aDay), c.work(1, 50, 1, 30, aDay)))
	require.Empty(t, c.updates(ok(0)), "the same work, the same power")
	for range 4 {
		require.Empty(t, c.updates(ok(0)))
	}
	require.Equal(t, powers(1), c.updates(ok(0)), "one day of seven up is less than a fifth")
}

func TestEveryKindOfWorkCounts(t *testing.T) {
	c := working(t)
	c.updates(ok(0))
	report := sign(t, authority, tx.Body{Message: tx.WorkReport{
		Key: public(51), Day: birthday - 1, Relayed: 3*unit + unit/2, Stored: 2*unit - 1, Validations: 10, Uptime: aDay,
	}})
	second := sign(t, authority, tx.Body{Nonce: 1, Message: tx.WorkReport{Key: public(51), Day: birthday, Uptime: aDay * 3 / 4}})
	// 3 + 1 + 10 credits, a part of a unit being none, and 1.75 of 7 days up.
	require.Equal(t, powers(0, 1+14/4), c.updates(ok(2), report, second))
}

// Below a fifth of the window no work counts; from there on all of it does.
func TestLeastDensity(t *testing.T) {
	fifth := 7 * aDay / 5
	for _, r := range []struct {
		uptime uint64
		want   map[string]int64
	}{{fifth - 1, powers()}, {fifth, powers(1 + 100/5)}} {
		c := working(t)
		c.updates(ok(0))
		require.Equal(t, r.want, c.updates(ok(2), c.work(0, 50, -1, 100, aDay), c.work(1, 50, 0, 0, r.uptime-aDay)))
	}
}

func TestRefusedWork(t *testing.T) {
	c := working(t)
	c.updates(ok(0)) // the day after the birthday
	for _, r := range []struct {
		day    int64
		want   app.Code
		reason string
	}{
		{1, app.CodeWork, "the day is not over"},
		{2, app.CodeWork, "the day has not begun"},
		{-7, app.CodeWork, "too long ago"},
		{-6, app.CodeOK, "the first day that counts"},
		{-6, app.CodeDone, "each day once"},
	} {
		raw := c.work(c.account(at(authority)).Nonce, 50, r.day, 1, 1)
		c.pace = 0 // the mempool's clock is the last block's
		require.Equal(t, r.want, c.check(raw), r.reason)
		c.height, c.pace = 86_400, time.Second
		require.EqualValues(t, r.want, c.block(raw)[0].Code, r.reason)
	}
	stranger := sign(t, key(1), tx.Body{Fee: fee, Message: tx.WorkReport{Key: public(50), Day: birthday}})
	require.EqualValues(t, app.CodeAuthority, c.block(stranger)[0].Code)

	stake := governed(t)
	stake.pace = 24 * time.Hour
	require.Empty(t, stake.updates([]app.Code{app.CodeWork}, stake.work(0, 50, 0, 1, aDay)), "stake does not follow from work")
}

// Who joins has the power of its work, whatever the authority says; who leaves
// and comes back has not lost it.
func TestAuthoritySaysWhoAndWorkHowMuch(t *testing.T) {
	c := working(t)
	c.updates(ok(0))
	c.updates(ok(2), c.work(0, 50, 0, 70, aDay), c.work(1, 50, 1, 0, aDay))
	require.Equal(t, powers(0, 0, 1), c.updates(ok(1), c.power(2, 52, 10)), "a newcomer must not outweigh all others")
	c.updates(ok(1), c.power(3, 50, 0))
	require.Equal(t, powers(21), c.updates(ok(1), c.power(4, 50, 10)))
}

func TestMostPower(t *testing.T) {
	c := working(t)
	c.updates(ok(0))
	var reports [][]byte
	for n := range int64(7) {
		reports = append(reports, sign(t, authority, tx.Body{Nonce: uint64(n), Message: tx.WorkReport{
			Key: public(50), Day: birthday - n, Relayed: tx.MaxWorkBytes, Stored: tx.MaxWorkBytes,
			Validations: tx.MaxValidations, Uptime: aDay,
		}}))
	}
	reports = reports[:6] // a seventh day would be too long ago by then
	require.Equal(t, powers(tx.MaxPower), c.updates(ok(6), reports...))
}

func TestWorkedEventComesBack(t *testing.T) {
	c := working(t)
	result := c.block(c.work(0, 50, 0, 1, 1))[0]
	event, err := app.Outcome(result)
	require.NoError(t, err)
	require.Equal(t, app.Worked{Account: at(authority), Key: public(50), Day: birthday}, event)
	for _, i := range []int{1, 2} {
		was := result.Events[0].Attributes[i].Value
		result.Events[0].Attributes[i].Value = "?"
		_, err = app.Outcome(result)
		require.Error(t, err)
		result.Events[0].Attributes[i].Value = was
	}
}

// More work or more time up never gives less power, and power is never none.
func TestPowerRisesWithWork(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 30 {
		relayed, uptime := r.Uint64N(1_000), aDay/2+r.Uint64N(aDay/2)
		c := working(t)
		c.updates(ok(0))
		var nonce uint64
		var reports [][]byte
		for day := int64(-2); day < 1; day++ {
			less := c.work(nonce, 50, day, relayed, uptime)
			more := c.work(nonce+1, 51, day, relayed+r.Uint64N(1_000), uptime+r.Uint64N(aDay-uptime+1))
			reports, nonce = append(reports, less, more), nonce+2
		}
		told := c.updates(ok(6), reports...)
		less, more := told[string(public(50))], told[string(public(51))]
		require.GreaterOrEqual(t, max(more, 1), max(less, 1), "told only when it has changed from 1")
		require.GreaterOrEqual(t, less, int64(0))
	}
}

// One validator of four or more never has a third of the power, however much it has
// done: without it the others still make blocks.
func TestNobodyHasAThird(t *testing.T) {
	c := working(t)
	c.updates(ok(2), c.power(0, 52, 10), c.power(1, 53, 10))
	credits := []uint64{1_000_000, 40, 20, 10}
	var reports [][]byte
	for i, n := range []byte{50, 51, 52, 53} {
		for day := range int64(2) {
			reports = append(reports, c.work(uint64(2+2*i)+uint64(day), n, day-1, credits[i], aDay))
		}
	}
	told := c.updates(ok(8), reports...)
	// Uncapped it would be 571 429, 23, 12 and 6: 17 is the most that stays below a
	// third of all.
	require.Equal(t, powers(17, 17, 12, 6), told)
	sum, most := int64(0), int64(0)
	for _, power := range told {
		sum, most = sum+power, max(most, power)
	}
	require.Less(t, 3*most, sum)
	newcomer := c.updates(ok(1), c.power(10, 54, 10))
	require.Equal(t, powers(18, 18, 0, 0, 1), newcomer, "whose 1 leaves room for one more of the others")
}
