package node

import (
	"sync/atomic"

	dbm "github.com/cometbft/cometbft-db"
)

// parting is a database that has nothing once it is closed. CometBFT's routines
// for its peers outlive the node by a moment, and end the process when a read
// fails; what is not there they pass over. Writes go on to fail.
type parting struct {
	dbm.DB
	closed atomic.Bool
}

// Get implements dbm.DB.
func (p *parting) Get(key []byte) ([]byte, error) {
	value, err := p.DB.Get(key)
	if err != nil && p.closed.Load() {
		return nil, nil
	}
	return value, err
}

// Has implements dbm.DB.
func (p *parting) Has(key []byte) (bool, error) {
	found, err := p.DB.Has(key)
	if err != nil && p.closed.Load() {
		return false, nil
	}
	return found, err
}

// Close implements dbm.DB. Closing twice does nothing.
func (p *parting) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	return p.DB.Close()
}
