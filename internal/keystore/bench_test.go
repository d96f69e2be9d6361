package keystore_test

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/lucid-blockchain/lucid/internal/keystore"
)

// BenchmarkPasswordOverBare prints what opening a wallet takes over the bare key
// derivation of the standard library, as a ratio of two alternating runs in one
// process (goal: at most 1.05).
func BenchmarkPasswordOverBare(b *testing.B) {
	p, err := keystore.NewPasswords(keystore.PasswordOptions{})
	if err != nil {
		b.Fatal(err)
	}
	sealed := sealWith(b, p)
	salt := bytes.Repeat([]byte{1}, 16)
	bare := func() {
		if _, err := pbkdf2.Key(sha256.New, password, salt, keystore.MinIterations, keystore.KeySize); err != nil {
			b.Fatal(err)
		}
	}
	ours := func() {
		if _, _, err := p.Open(b.Context(), password, sealed, walletID); err != nil {
			b.Fatal(err)
		}
	}
	var spent [2]time.Duration
	timed := func(i int, work func()) {
		start := time.Now()
		work()
		spent[i] += time.Since(start)
	}
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			timed(0, bare)
			timed(1, ours)
		} else {
			timed(1, ours)
			timed(0, bare)
		}
	}
	b.ReportMetric(spent[1].Seconds()/spent[0].Seconds(), "ours/bare")
}
