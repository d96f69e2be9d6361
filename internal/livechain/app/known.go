package app

import (
	"crypto/sha256"
	"slices"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

const (
	// knownSize is how many transactions are remembered: those that a full mempool
	// holds, and those of a few blocks.
	knownSize = 1 << 14
	// batchSize is how many signatures are checked together at most: twice as many
	// would save another twentieth.
	batchSize = 64
)

// known remembers the transactions that are well formed and rightly signed, by the
// hash of all their bytes: a node reads each one when its mempool checks it, again
// after each block that it waits through, for a proposal and in its own block, and
// the signature is most of the work. One that is wrong is not remembered. It is
// safe for concurrent use; what it returns is shared and must not be changed.
type known struct {
	seen *lru.Cache[[sha256.Size]byte, *tx.Tx]
}

func newKnown() (known, error) {
	seen, err := lru.New[[sha256.Size]byte, *tx.Tx](knownSize)
	return known{seen}, err
}

// decoded is a transaction that is well formed and signed, or why it is not. One
// whose signature alone is wrong comes with the error.
type decoded struct {
	tx  *tx.Tx
	err error
}

// readAll is read of many, for less than half of what one by one costs and on all
// cores: no transaction's validity depends on another's here.
func (k known) readAll(txs [][]byte) []decoded {
	all := make([]decoded, len(txs))
	var reading sync.WaitGroup
	place := 0
	for batch := range slices.Chunk(txs, batchSize) {
		into := all[place : place+len(batch)]
		reading.Go(func() { k.readBatch(batch, into) })
		place += len(batch)
	}
	reading.Wait()
	return all
}

// read decodes a transaction and checks its signature, once for each.
func (k known) read(raw []byte) decoded {
	var one [1]decoded
	k.readBatch([][]byte{raw}, one[:])
	return one[0]
}

// readBatch checks the signatures together of all that are new.
func (k known) readBatch(txs [][]byte, into []decoded) {
	var places []int
	var hashes [][sha256.Size]byte
	var fresh []*tx.Tx
	for i, raw := range txs {
		hash := sha256.Sum256(raw)
		seen, ok := k.seen.Get(hash)
		if ok {
			into[i].tx = seen
			continue
		}
		if into[i].tx, into[i].err = tx.Decode(raw); into[i].err == nil {
			places, hashes, fresh = append(places, i), append(hashes, hash), append(fresh, into[i].tx)
		}
	}
	for i, err := range tx.VerifyAll(fresh) {
		if err == nil {
			k.seen.Add(hashes[i], fresh[i])
		}
		into[places[i]].err = err
	}
}
