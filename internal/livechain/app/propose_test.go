package app_test

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

func (c *chain) propose(size int64, txs ...[]byte) [][]byte {
	res, err := c.app.PrepareProposal(context.Background(), &abci.RequestPrepareProposal{MaxTxBytes: size, Txs: txs})
	require.NoError(c.t, err)
	return res.Txs
}

const room = 1 << 20

// TestProposalsAreInOrder: whatever order a node hears of transactions in, the
// block that it proposes carries them all out.
func TestProposalsAreInOrder(t *testing.T) {
	c := start(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var heard [][]byte
		for n := byte(1); n <= 4; n++ {
			next := c.account(at(key(n))).Nonce
			for i := range uint64(r.IntN(5)) {
				heard = append(heard, pay(t, key(n), next+i))
			}
		}
		r.Shuffle(len(heard), func(i, j int) { heard[i], heard[j] = heard[j], heard[i] })
		proposed := c.propose(room, heard...)
		require.ElementsMatch(t, heard, proposed)
		for _, res := range c.block(proposed...) {
			require.Zero(t, res.Code, res.Log)
		}
	}
}

func TestProposalsLeaveOutWhatIsTooEarly(t *testing.T) {
	c := start(t)
	first, third, other := pay(t, key(1), 0), pay(t, key(1), 2), pay(t, key(2), 1)
	require.Equal(t, [][]byte{first}, c.propose(room, third, other, first, []byte("no transaction")))
	require.Empty(t, c.propose(room, third), "it waits for the one before it")
	c.block(first)
	stale := c.propose(room, first)
	require.Equal(t, [][]byte{first}, stale, "what comes too late is refused by a block, and so is gone from the mempool")
	require.Equal(t, app.CodeStaleNonce, app.Code(c.block(stale...)[0].Code))
}

func TestProposalsFitTheBlock(t *testing.T) {
	c := start(t)
	txs := [][]byte{pay(t, key(1), 1), pay(t, key(1), 0), pay(t, key(2), 0)}
	fits := int64(len(txs[0])+len(txs[1])) + 16
	require.Equal(t, [][]byte{txs[1], txs[0]}, c.propose(fits, txs...))
	require.Equal(t, [][]byte{txs[1]}, c.propose(fits-1, txs...))
}

// TestSignaturesAreRememberedWhole: a right signature that was seen says nothing
// about the same body under another one.
func TestSignaturesAreRememberedWhole(t *testing.T) {
	c := start(t)
	signed := pay(t, key(1), 0)
	require.Zero(t, c.check(signed))
	forged := append([]byte(nil), signed...)
	forged[len(forged)-1] ^= 1
	require.Equal(t, app.CodeBadSignature, c.check(forged))
	require.Equal(t, app.CodeBadSignature, app.Code(c.block(forged)[0].Code))
	require.Zero(t, c.block(signed)[0].Code)
}

func pay(t testing.TB, from ed25519.PrivateKey, nonce uint64) []byte {
	return sign(t, from, tx.Body{Nonce: nonce, Fee: fee, Message: send(at(key(9)), 1)})
}
