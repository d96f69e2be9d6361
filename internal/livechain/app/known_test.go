package app

import (
	"crypto/ed25519"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

func keyOf(account int) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte{30: byte(account >> 8), 31: byte(account)})
}

// signedBy is a transaction that one account's key signed, or, when wrong, whose
// signature has a flipped bit.
func signedBy(t testing.TB, account int, wrong bool) []byte {
	t.Helper()
	raw, err := tx.Sign(tx.Body{
		ChainID: "aurora-1", Message: tx.Transfer{To: livechain.Address{1}, Asset: tx.Token, Amount: 1},
	}, keyOf(account))
	require.NoError(t, err)
	if wrong {
		raw[len(raw)-1] ^= 1
	}
	return raw
}

// Read together, in more than one batch and from many sides at once, a bad signature
// is found and spoils no good one.
func TestReadTogether(t *testing.T) {
	const many = 3*batchSize + 1
	for _, bad := range []map[int]bool{{}, {0: true}, {3: true, batchSize: true}, {many - 1: true}} {
		known, err := newKnown()
		require.NoError(t, err)
		var txs [][]byte
		for account := range many {
			txs = append(txs, signedBy(t, account, bad[account]))
		}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for account, d := range known.readAll(txs) {
					if assert.NotNil(t, d.tx, "what a wrong one says may matter more than who signed it") {
						assert.Equal(t, keyOf(account).Public(), d.tx.Signer, "each in its place")
					}
					if bad[account] {
						assert.ErrorIs(t, d.err, tx.ErrSignature)
						continue
					}
					assert.NoError(t, d.err)
				}
			})
		}
		all.Wait()
		require.Equal(t, many-len(bad), known.seen.Len(), "a wrong one is not remembered")
	}
}

// What is no transaction keeps those beside it from nothing.
func TestReadMalformedAmongOthers(t *testing.T) {
	known, err := newKnown()
	require.NoError(t, err)
	read := known.readAll([][]byte{signedBy(t, 1, false), {1, 2, 3}, signedBy(t, 2, false), nil})
	for place, want := range []error{nil, tx.ErrMalformed, nil, tx.ErrMalformed} {
		require.ErrorIs(t, read[place].err, want)
	}
	require.NotEqual(t, read[0].tx.Sender(), read[2].tx.Sender())
	require.Empty(t, known.readAll(nil))
}

// No transaction is taken for another one that is known.
func TestKnownByAllOfTheirBytes(t *testing.T) {
	known, err := newKnown()
	require.NoError(t, err)
	good := signedBy(t, 1, false)
	require.NoError(t, known.read(good).err)
	require.ErrorIs(t, known.read(signedBy(t, 1, true)).err, tx.ErrSignature)
	require.ErrorIs(t, known.read(good[:len(good)-1]).err, tx.ErrMalformed)
}

func BenchmarkReadAll(b *testing.B) {
	var txs [][]byte
	for nonce := range uint64(10 * batchSize) {
		key := ed25519.NewKeyFromSeed([]byte{31: byte(nonce % 32)})
		raw, err := tx.Sign(tx.Body{ChainID: "aurora-1", Nonce: nonce, Message: tx.Swap{Sell: tx.Token, AmountIn: 1}}, key)
		require.NoError(b, err)
		txs = append(txs, raw)
	}
	for b.Loop() {
		known, err := newKnown()
		require.NoError(b, err)
		known.readAll(txs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(txs)), "ns/transaction")
}
