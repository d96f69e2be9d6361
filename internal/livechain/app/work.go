package app

import (
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
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
	work := &statepb.Work{}
	if err := e.on.record(workKey(m.Key), work); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(work.GetDays(), func(d *statepb.Work_Day) bool { return d.GetDay() == m.Day }) {
		return nil, refuse(CodeDone, "the validator's day has been reported")
	}
	// What does not count any more goes, so that a record has a window's days.
	work.Days = slices.DeleteFunc(work.Days, func(d *statepb.Work_Day) bool { return d.GetDay() < today-workWindow })
	work.Days = append(work.Days, &statepb.Work_Day{
		Day: m.Day, Credits: m.Relayed/creditUnit + m.Stored/creditUnit + m.Validations, Uptime: m.Uptime,
	})
	e.on.set(workKey(m.Key), work)
	return Worked{Account: e.from, Key: m.Key, Day: m.Day}, nil
}

// earned is the power that a validator has today.
func (e execution) earned(validator []byte) (int64, error) {
	work := &statepb.Work{}
	err := e.on.record(workKey(validator), work)
	return operationalPower(work, dayOf(e.now)), err
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
	for _, v := range set.GetValidators() {
		work := &statepb.Work{}
		if err := block.record(workKey(v.GetPublicKey()), work); err != nil {
			return err
		}
		v.Power = operationalPower(work, dayOf(now))
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
	public, err := hex.DecodeString(r.values[keyKey])
	r.note(keyKey, err)
	day, err := strconv.ParseInt(r.values[keyDay], 10, 64)
	r.note(keyDay, err)
	return Worked{Account: r.address(keyAccount), Key: public, Day: day}
}
