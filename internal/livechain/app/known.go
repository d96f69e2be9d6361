package app

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// knownSize is how many transactions are remembered: those that a full mempool
// holds, and those of a few blocks.
const knownSize = 1 << 14

// known remembers the transactions that are well formed and rightly signed, by the
// hash of all their bytes: a node reads each one when its mempool checks it, again
// after each block that it waits through, for a proposal and in its own block, and
// the signature is most of the work. One that is wrong is not remembered. It is
// safe for concurrent use; what it returns is shared and must not be changed.
type known struct {
	seen       *lru.Cache[[sha256.Size]byte, *tx.Tx]
	signatures *signatures
}

func newKnown() (known, error) {
	seen, err := lru.New[[sha256.Size]byte, *tx.Tx](knownSize)
	return known{seen, &signatures{}}, err
}

// read decodes a transaction and checks its signature, once for each. One whose
// signature alone is wrong comes with the error.
func (k known) read(raw []byte) (*tx.Tx, error) {
	hash := sha256.Sum256(raw)
	if t, ok := k.seen.Get(hash); ok {
		return t, nil
	}
	t, err := tx.Decode(raw)
	if err != nil {
		return nil, err
	}
	if err := k.signatures.check(t); err != nil {
		return t, err
	}
	k.seen.Add(hash, t)
	return t, nil
}
