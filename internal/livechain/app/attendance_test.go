package app_test

import (
	"context"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// signedBy is the commit of a block that these validators signed and one more,
// whom nobody knows, saw differently.
func signedBy(all ...byte) abci.CommitInfo {
	commit := abci.CommitInfo{Votes: []abci.VoteInfo{{
		Validator: abci.Validator{Address: make([]byte, 20)}, BlockIdFlag: cmtproto.BlockIDFlagCommit,
	}}}
	for _, n := range all {
		address := at(key(n))
		commit.Votes = append(commit.Votes, abci.VoteInfo{
			Validator: abci.Validator{Address: address[:], Power: 10}, BlockIdFlag: cmtproto.BlockIDFlagCommit,
		})
	}
	return commit
}

// run commits one block as it is described; its time is that of its height unless
// it says otherwise.
func (c *chain) run(req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, map[string]int64) {
	c.t.Helper()
	c.height = req.Height
	if req.Time.IsZero() {
		req.Time = born.Add(time.Duration(req.Height) * time.Second)
	}
	res, err := c.app.FinalizeBlock(context.Background(), req)
	require.NoError(c.t, err)
	_, err = c.app.Commit(context.Background(), &abci.RequestCommit{})
	require.NoError(c.t, err)
	c.hash = res.AppHash
	told := map[string]int64{}
	for _, u := range res.ValidatorUpdates {
		told[string(u.PubKey.GetEd25519())] = u.Power
	}
	return res, told
}

// everyMinute runs the 60th, 120th … block of a day at one a second; who is there
// signs each.
func (c *chain) everyMinute(day time.Time, minutes int, there ...byte) {
	for n := range minutes {
		c.run(&abci.RequestFinalizeBlock{
			Height: c.height - c.height%60 + 60, Time: day.Add(time.Duration(n+1) * time.Minute), DecidedLastCommit: signedBy(there...),
		})
	}
}

// A validator that signs gains power without anybody reporting it, one that is away
// does not, and both are told of in the first block of the next day.
func TestSigningIsWork(t *testing.T) {
	c := working(t)
	c.run(&abci.RequestFinalizeBlock{Height: 1, DecidedLastCommit: signedBy(50)})
	// Two of seven days, the first look of which counts for no time.
	today := born.Truncate(24 * time.Hour).Add(24 * time.Hour)
	c.everyMinute(today, 1_440, 50)
	c.everyMinute(today.Add(24*time.Hour), 1_439, 50)
	_, told := c.run(&abci.RequestFinalizeBlock{Height: c.height + 1, Time: today.Add(48 * time.Hour)})
	// The look at midnight is of the day that begins, for no second of it.
	up, looks := int64(1_439*60-60+1_439*60), int64(2_878)
	require.Equal(t, powers(1+looks*up/(7*int64(aDay))), told)
}

// What the authority reports of a day comes on top of what the chain saw, and the
// day is no longer for both.
func TestReportsComeOnTop(t *testing.T) {
	c := working(t)
	c.run(&abci.RequestFinalizeBlock{Height: 1})
	today := born.Truncate(24 * time.Hour).Add(24 * time.Hour)
	c.everyMinute(today, 10, 50, 51)
	c.pace = 0
	report := sign(t, authority, tx.Body{Message: tx.WorkReport{Key: public(50), Day: today.Unix() / int64(aDay), Relayed: 90 * unit, Uptime: aDay}})
	again := sign(t, authority, tx.Body{Nonce: 1, Message: tx.WorkReport{Key: public(50), Day: today.Unix() / int64(aDay), Uptime: 1}})
	next := sign(t, authority, tx.Body{Nonce: 2, Message: tx.WorkReport{Key: public(50), Day: today.Unix()/int64(aDay) + 1, Uptime: aDay}})
	res, told := c.run(&abci.RequestFinalizeBlock{Height: c.height + 1, Time: today.Add(48 * time.Hour), Txs: [][]byte{report, again, next}})
	require.EqualValues(t, app.CodeOK, res.TxResults[0].Code, res.TxResults[0].Log)
	require.EqualValues(t, app.CodeDone, res.TxResults[1].Code, "each day once")
	require.EqualValues(t, app.CodeOK, res.TxResults[2].Code, res.TxResults[2].Log)
	require.Equal(t, powers(1+(10+90)*2/7), told, "two of seven days up")
}

// What a look counts for: never more than its day or five minutes, so that a chain
// which was halted for a night gives nobody a night.
func TestNobodyIsUpWhileAChainIsHalted(t *testing.T) {
	c := working(t)
	c.run(&abci.RequestFinalizeBlock{Height: 1})
	noon := born.Truncate(24 * time.Hour).Add(36 * time.Hour)
	for n := range 7 { // a look a day, for five minutes each
		c.run(&abci.RequestFinalizeBlock{Height: int64(60 * (n + 1)), Time: noon.Add(time.Duration(n) * 24 * time.Hour), DecidedLastCommit: signedBy(50)})
	}
	_, told := c.run(&abci.RequestFinalizeBlock{Height: 421, Time: noon.Add(7 * 24 * time.Hour)})
	require.Empty(t, told, "half an hour of a week is no fifth of it")
}

// A chain at rest has the same app hash from one look to the next, and one whose
// power follows from stake looks at nothing.
func TestLooksAreRare(t *testing.T) {
	c := working(t)
	first, _ := c.run(&abci.RequestFinalizeBlock{Height: 1})
	for height := int64(2); height < 60; height++ {
		res, _ := c.run(&abci.RequestFinalizeBlock{Height: height, DecidedLastCommit: signedBy(50, 51)})
		require.Equal(t, first.AppHash, res.AppHash)
	}
	look, _ := c.run(&abci.RequestFinalizeBlock{Height: 60, DecidedLastCommit: signedBy(50, 51)})
	require.NotEqual(t, first.AppHash, look.AppHash)

	stake := governed(t)
	before, _ := stake.run(&abci.RequestFinalizeBlock{Height: 59})
	after, _ := stake.run(&abci.RequestFinalizeBlock{Height: 60, DecidedLastCommit: signedBy(50, 51)})
	require.Equal(t, before.AppHash, after.AppHash)
}
