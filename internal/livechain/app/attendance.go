package app

import (
	"slices"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

const (
	// sampleEvery is how many heights lie between two looks at who signs. Each look
	// changes the app hash, after which CometBFT makes another block at once: a
	// chain at rest would never rest if every block were looked at.
	sampleEvery = 60
	// longestSample bounds what one look counts for, in seconds: nobody has been up
	// for the hours that a halted chain made no blocks.
	longestSample = int64(5 * time.Minute / time.Second)

	attendanceKey = "attendance"
)

// attend credits the validators of a chain of the policy PoOT with what the chain
// itself has seen of them: who signed the block before a look has done one
// validation, and has been up since the look before. The signatures are part of
// the block, so all nodes count the same.
func attend(block *overlay, req *abci.RequestFinalizeBlock) error {
	chain, err := chainOf(block)
	if err != nil || !chain.GetOperational() || req.Height%sampleEvery != 0 {
		return err
	}
	last := &statepb.Attendance{}
	if err := block.record(attendanceKey, last); err != nil {
		return err
	}
	set, err := validatorsOf(block)
	if err != nil {
		return err
	}
	signed, up := signers(req.DecidedLastCommit), sinceLast(last.GetSampled(), req.Time)
	for _, v := range set.GetValidators() {
		address := livechain.AddressOf(v.GetPublicKey())
		if !signed[string(address[:])] {
			continue
		}
		if err := credit(block, v.GetPublicKey(), dayOf(req.Time), up); err != nil {
			return err
		}
	}
	block.set(attendanceKey, &statepb.Attendance{Sampled: req.Time.Unix()})
	return nil
}

// signers of a block, by the addresses that CometBFT knows validators by.
func signers(commit abci.CommitInfo) map[string]bool {
	all := map[string]bool{}
	for _, vote := range commit.Votes {
		if vote.BlockIdFlag == cmtproto.BlockIDFlagCommit {
			all[string(vote.Validator.Address)] = true
		}
	}
	return all
}

// sinceLast is the seconds that a look counts for: of its own day alone, so that no
// day has more seconds than it has. The first look counts for none.
func sinceLast(sampled int64, now time.Time) uint64 {
	if sampled == 0 {
		return 0
	}
	midnight := dayOf(now) * int64(tx.SecondsPerDay)
	return uint64(min(max(now.Unix()-max(sampled, midnight), 0), longestSample))
}

func credit(block *overlay, validator []byte, today int64, up uint64) error {
	work, day, err := workOn(block, validator, today, today)
	if err != nil {
		return err
	}
	day.Credits++
	day.Uptime += up
	block.set(workKey(validator), work)
	return nil
}

// workOn is a validator's record and in it one day, which is added when it is not
// there yet. Days that count no more go, so that a record has a window's.
func workOn(from source, validator []byte, wanted, today int64) (*statepb.Work, *statepb.Work_Day, error) {
	work := &statepb.Work{}
	if err := from.record(workKey(validator), work); err != nil {
		return nil, nil, err
	}
	work.Days = slices.DeleteFunc(work.GetDays(), func(d *statepb.Work_Day) bool { return d.GetDay() < today-workWindow })
	at := slices.IndexFunc(work.Days, func(d *statepb.Work_Day) bool { return d.GetDay() == wanted })
	if at < 0 {
		at = len(work.Days)
		work.Days = append(work.Days, &statepb.Work_Day{Day: wanted})
	}
	return work, work.Days[at], nil
}
