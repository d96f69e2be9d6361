package app

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
	"sort"
	"strconv"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// The policy PoOT (docs/domain.md §4): power from the work of the last days.
const (
	workWindow = 7       // days
	creditUnit = 5 << 20 // bytes relayed, or stored for a day
	// leastDensity is the part of the window, one in so many, that a validator
	// has to be up for its work to count.
	leastDensity = 5
	// leastPower is what every validator has: one without work still signs, and
	// a chain on which nobody has done any goes on.
	leastPower = 1
	workPrefix = "work/"
)

func workKey(validator []byte) string { return workPrefix + string(validator) }

// dayOf counts UTC days since 1970.
func dayOf(t time.Time) int64 { return t.Unix() / int64(tx.SecondsPerDay) }

func (e execution) reportWork(m tx.WorkReport) (Event, error) {
	chain, err := chainOf(e.on)
	if err != nil {
		return nil, err
	}
	if !e.isAuthority(chain) {
		return nil, refuse(CodeAuthority, "work is reported by the chain's authority alone")
	}
	today := dayOf(e.now)
	if !chain.GetOperational() || m.Day >= today || m.Day < today-workWindow {
		return nil, refuse(CodeWork, "work counts on chains of the policy PoOT, for a day of the last %d that are over", workWindow)
	}
	work, day, err := workOn(e.on, m.Key, m.Day, today)
	if err != nil {
		return nil, err
	}
	if day.GetReported() {
		return nil, refuse(CodeDone, "the validator's day has been reported")
	}
	day.Reported = true
	day.Credits += m.Relayed/creditUnit + m.Stored/creditUnit + m.Validations
	// Up is up, whoever has seen it.
	day.Uptime = max(day.GetUptime(), m.Uptime)
	e.on.set(workKey(m.Key), work)
	return Worked{Account: e.from, Key: m.Key, Day: m.Day}, nil
}

// earned is the power that a validator has today among those of a set, whether it
// is one of them or not.
func (e execution) earned(set *statepb.Validators, validator []byte) (int64, error) {
	keys := keysOf(set)
	at := slices.IndexFunc(keys, func(key []byte) bool { return bytes.Equal(key, validator) })
	if at < 0 {
		at, keys = len(keys), append(keys, validator)
	}
	powers, err := weigh(e.on, keys, dayOf(e.now))
	if err != nil {
		return 0, err
	}
	return powers[at], nil
}

func keysOf(set *statepb.Validators) [][]byte {
	keys := make([][]byte, len(set.GetValidators()))
	for i, v := range set.GetValidators() {
		keys[i] = v.GetPublicKey()
	}
	return keys
}

// weigh is the powers on a day of those who make up a set.
func weigh(from source, keys [][]byte, today int64) ([]int64, error) {
	powers := make([]int64, len(keys))
	for i, key := range keys {
		work := &statepb.Work{}
		if err := from.record(workKey(key), work); err != nil {
			return nil, err
		}
		powers[i] = operationalPower(work, today)
	}
	return capped(powers, 1), nil
}

// fewestCapped is how many validators have to be there to stand the loss of one.
const fewestCapped = 4

// capped takes from the powers of four validators or more what would make so many of
// them, be it the heaviest, a third of all: without those the others still decide.
func capped(powers []int64, away int) []int64 {
	if len(powers) < fewestCapped {
		return powers
	}
	// Under the limit 1 all are equal, and the larger the limit, the larger the part
	// of who reaches it: the largest good one can be searched for by halves.
	heaviest := slices.Sorted(slices.Values(powers))
	slices.Reverse(heaviest)
	good := sort.Search(int(heaviest[0]), func(i int) bool {
		limit, gone, sum := int64(i)+1, int64(0), int64(0)
		for place, p := range heaviest {
			sum += min(p, limit)
			if place < away {
				gone = sum
			}
		}
		return 3*gone >= sum
	})
	limited := slices.Clone(powers)
	for i := range limited {
		limited[i] = min(limited[i], int64(good))
	}
	return limited
}

// turnEpoch gives the validators the powers of a new day, in the first block of
// it. The set stays who it is.
func turnEpoch(block *overlay, now time.Time) error {
	chain, err := chainOf(block)
	if err != nil || !chain.GetOperational() || dayOf(now) <= chain.GetEpoch() {
		return err
	}
	set, err := validatorsOf(block)
	if err != nil {
		return err
	}
	powers, err := weigh(block, keysOf(set), dayOf(now))
	if err != nil {
		return err
	}
	for i, v := range set.GetValidators() {
		v.Power = powers[i]
	}
	chain.Epoch = dayOf(now)
	block.set(chainKey, chain)
	block.set(validatorsKey, set)
	return nil
}

// operationalPower is the credits of the window before a day, weighed by how much
// of it the validator was up, rounded down, and leastPower on top.
func operationalPower(work *statepb.Work, today int64) int64 {
	const window = workWindow * tx.SecondsPerDay
	credits, uptime := new(big.Int), uint64(0)
	for _, d := range work.GetDays() {
		if d.GetDay() < today && d.GetDay() >= today-workWindow {
			credits.Add(credits, new(big.Int).SetUint64(d.GetCredits()))
			uptime += d.GetUptime()
		}
	}
	if uptime*leastDensity < window {
		return leastPower
	}
	credits.Mul(credits, new(big.Int).SetUint64(uptime))
	credits.Quo(credits, new(big.Int).SetUint64(window))
	if !credits.IsInt64() || credits.Int64() > tx.MaxPower-leastPower {
		return tx.MaxPower
	}
	return leastPower + credits.Int64()
}

// Worked is what a work report did.
type Worked struct {
	Account livechain.Address // the chain's authority
	Key     ed25519.PublicKey
	Day     int64 // UTC days since 1970
}

func (e Worked) event() abci.Event {
	return event(typeWork, keyAccount, e.Account.String(), keyKey, hex.EncodeToString(e.Key), keyDay, strconv.FormatInt(e.Day, 10))
}

func (r *attributes) worked() Worked {
	day, err := strconv.ParseInt(r.values[keyDay], 10, 64)
	r.note(keyDay, err)
	return Worked{Account: r.address(keyAccount), Key: r.publicKey(), Day: day}
}
