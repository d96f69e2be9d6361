package app

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// verifiedSize is how many transactions' signatures are remembered: those that a
// full mempool holds, and those of a few blocks.
const verifiedSize = 1 << 14

// verified remembers whose signature was found right, by the hash of the whole
// transaction: a node sees each one in its mempool and again in a block, and the
// signature is most of the work. A wrong one is not remembered.
type verified struct {
	seen *lru.Cache[[sha256.Size]byte, struct{}]
}

func newVerified() (verified, error) {
	seen, err := lru.New[[sha256.Size]byte, struct{}](verifiedSize)
	return verified{seen}, err
}

// check is Verify, once for each transaction.
func (v verified) check(raw []byte, t *tx.Tx) error {
	hash := sha256.Sum256(raw)
	if v.seen.Contains(hash) {
		return nil
	}
	if err := t.Verify(); err != nil {
		return err
	}
	v.seen.Add(hash, struct{}{})
	return nil
}
