package app

import (
	"crypto/ed25519"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// signedBy is a transaction that one account's key signed, or, when wrong, whose
// signature has a flipped bit.
func signedBy(t *testing.T, account int, wrong bool) []byte {
	t.Helper()
	raw, err := tx.Sign(tx.Body{
		ChainID: "aurora-1", Message: tx.Transfer{To: livechain.Address{1}, Asset: tx.Token, Amount: 1},
	}, ed25519.NewKeyFromSeed([]byte{31: byte(account)}))
	require.NoError(t, err)
	if wrong {
		raw[len(raw)-1] ^= 1
	}
	return raw
}

// Checked together, a bad signature is found and spoils no good one.
func TestSignaturesAtOnce(t *testing.T) {
	for _, bad := range []map[int]bool{{}, {0: true}, {3: true, 40: true}, {99: true}} {
		known, err := newKnown()
		require.NoError(t, err)
		var all sync.WaitGroup
		for account := range 100 {
			raw := signedBy(t, account, bad[account])
			all.Go(func() {
				for range 2 {
					_, err := known.read(raw)
					if bad[account] {
						assert.ErrorIs(t, err, tx.ErrSignature)
					} else {
						assert.NoError(t, err)
					}
				}
			})
		}
		all.Wait()
		require.Equal(t, 100-len(bad), known.seen.Len(), "a wrong one is not remembered")
		require.Eventually(t, func() bool {
			known.signatures.mu.Lock()
			defer known.signatures.mu.Unlock()
			return known.signatures.workers == 0 && len(known.signatures.waiting) == 0
		}, 10*time.Second, time.Millisecond, "workers end when nobody waits")
	}
}

// No transaction is taken for another one that is known.
func TestKnownByAllOfTheirBytes(t *testing.T) {
	known, err := newKnown()
	require.NoError(t, err)
	good := signedBy(t, 1, false)
	_, err = known.read(good)
	require.NoError(t, err)
	_, err = known.read(signedBy(t, 1, true))
	require.ErrorIs(t, err, tx.ErrSignature)
	_, err = known.read(good[:len(good)-1])
	require.ErrorIs(t, err, tx.ErrMalformed)
}

func BenchmarkSignaturesAtOnce(b *testing.B) {
	raw, err := tx.Sign(tx.Body{ChainID: "a", Message: tx.Transfer{Asset: tx.Token, Amount: 1}}, ed25519.NewKeyFromSeed(make([]byte, 32)))
	require.NoError(b, err)
	t, err := tx.Decode(raw)
	require.NoError(b, err)
	var together signatures
	b.SetParallelism(batchSize)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if together.check(t) != nil {
				b.Error("refused")
			}
		}
	})
}
