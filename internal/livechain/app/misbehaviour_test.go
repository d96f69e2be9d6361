package app_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

func caught(all ...byte) (list []abci.Misbehavior) {
	for _, n := range all {
		address := at(key(n))
		list = append(list, abci.Misbehavior{
			Type: abci.MisbehaviorType_DUPLICATE_VOTE, Validator: abci.Validator{Address: address[:], Power: 10}, Height: 7,
		})
	}
	return list
}

// Who signs twice is out in the same block, for good, and everybody is told.
func TestDoubleSignersAreOut(t *testing.T) {
	c := governed(t)
	res, told := c.run(&abci.RequestFinalizeBlock{Height: 8, Misbehavior: caught(50, 50)})
	require.Equal(t, map[string]int64{string(public(50)): 0}, told)
	require.Len(t, res.Events, 1, "once, however often it was seen")
	require.Equal(t, "misbehaviour", res.Events[0].Type)
	require.Equal(t, hex.EncodeToString(public(50)), res.Events[0].Attributes[0].Value)
	require.Equal(t, "7", res.Events[0].Attributes[1].Value)
	counted := strings.NewReader(`# HELP lucid_chain_app_misbehaviour_total Validators that blocks have taken out for signing two blocks of one height, since this process started.
# TYPE lucid_chain_app_misbehaviour_total counter
lucid_chain_app_misbehaviour_total 1
`)
	require.NoError(t, testutil.CollectAndCompare(c.app, counted, "lucid_chain_app_misbehaviour_total"))

	c.reopen()
	require.Empty(t, c.updates([]app.Code{app.CodeValidators}, c.power(0, 50, 10)), "no authority brings it back")
	require.Len(t, c.updates(ok(1), c.power(1, 52, 10)), 1, "others may come")
}

// The last validator stays: a chain that nobody makes blocks of helps nobody.
func TestTheLastValidatorStays(t *testing.T) {
	c := governed(t)
	_, told := c.run(&abci.RequestFinalizeBlock{Height: 8, Misbehavior: caught(50, 51)})
	require.Equal(t, map[string]int64{string(public(50)): 0}, told)
	_, told = c.run(&abci.RequestFinalizeBlock{Height: 9, Misbehavior: caught(99)})
	require.Empty(t, told, "a stranger has no power to lose")
}

// The mempool of a node that was started again knows the time of the last block:
// what has expired stays out, and what has vested may move.
func TestTheClockSurvivesARestart(t *testing.T) {
	c := start(t)
	c.run(&abci.RequestFinalizeBlock{Height: 1, Time: born.Add(time.Hour)})
	c.reopen()
	until := func(end time.Time) []byte {
		return sign(t, key(1), tx.Body{Fee: fee, Expires: end.Unix(), Message: send(at(key(2)), 1)})
	}
	require.Equal(t, app.CodeExpired, c.check(until(born.Add(time.Hour-time.Second))))
	require.Zero(t, c.check(until(born.Add(time.Hour))))
}
