package app

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
)

// Keys of the records.
const accountPrefix = "account/"

var (
	poolKey  = []byte("pool")
	chainKey = []byte("chain")

	validatorsKey = []byte("validators")
	// feeAccount holds the fees of all transactions.
	feeAccount = livechain.ModuleAddress("fees")
)

func accountKey(address livechain.Address) []byte {
	return append([]byte(accountPrefix), address[:]...)
}

// source is where records are read from. What it returns is the caller's own.
// There is an account at every address; one that was never used is empty.
type source interface {
	account(livechain.Address) (*statepb.Account, error)
	pool() (*statepb.Pool, error)
	chain() (*statepb.Chain, error)
	validators() (*statepb.Validators, error)
}

// getter is a state.Store or a state.View.
type getter interface {
	Get(key []byte) ([]byte, error)
}

// committed reads records from the state.
type committed struct{ from getter }

func (c committed) account(address livechain.Address) (*statepb.Account, error) {
	record := &statepb.Account{}
	return record, c.read(accountKey(address), record)
}

func (c committed) pool() (*statepb.Pool, error) {
	record := &statepb.Pool{}
	return record, c.read(poolKey, record)
}

func (c committed) chain() (*statepb.Chain, error) {
	record := &statepb.Chain{}
	return record, c.read(chainKey, record)
}

func (c committed) validators() (*statepb.Validators, error) {
	record := &statepb.Validators{}
	return record, c.read(validatorsKey, record)
}

func (c committed) read(key []byte, into proto.Message) error {
	raw, err := c.from.Get(key)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("decode the record %q: %w", key, err)
	}
	return nil
}

// overlay holds the records that a block, a transaction or the mempool's view
// has changed over another source. Not safe for concurrent use.
type overlay struct {
	below    source
	accounts map[livechain.Address]*statepb.Account
	thePool  *statepb.Pool
	theChain *statepb.Chain

	theValidators *statepb.Validators
}

func newOverlay(below source) *overlay {
	return &overlay{below: below, accounts: map[livechain.Address]*statepb.Account{}}
}

func (o *overlay) account(address livechain.Address) (*statepb.Account, error) {
	if own, ok := o.accounts[address]; ok {
		return proto.CloneOf(own), nil
	}
	return o.below.account(address)
}

func (o *overlay) pool() (*statepb.Pool, error) {
	if o.thePool != nil {
		return proto.CloneOf(o.thePool), nil
	}
	return o.below.pool()
}

func (o *overlay) chain() (*statepb.Chain, error) {
	if o.theChain != nil {
		return proto.CloneOf(o.theChain), nil
	}
	return o.below.chain()
}

func (o *overlay) validators() (*statepb.Validators, error) {
	if o.theValidators != nil {
		return proto.CloneOf(o.theValidators), nil
	}
	return o.below.validators()
}

// mergeInto moves the changes one layer down. The records are given away.
func (o *overlay) mergeInto(below *overlay) {
	for address, account := range o.accounts {
		below.accounts[address] = account
	}
	if o.thePool != nil {
		below.thePool = o.thePool
	}
	if o.theChain != nil {
		below.theChain = o.theChain
	}
	if o.theValidators != nil {
		below.theValidators = o.theValidators
	}
}

// encode writes the changes as the state stores them. A record that says
// nothing is the same as none and is left out.
func (o *overlay) encode() (map[string][]byte, error) {
	changes := make(map[string][]byte, len(o.accounts)+3)
	for address, account := range o.accounts {
		if err := put(changes, accountKey(address), account); err != nil {
			return nil, err
		}
	}
	var all error
	if o.thePool != nil {
		all = errors.Join(all, put(changes, poolKey, o.thePool))
	}
	if o.theChain != nil {
		all = errors.Join(all, put(changes, chainKey, o.theChain))
	}
	if o.theValidators != nil {
		all = errors.Join(all, put(changes, validatorsKey, o.theValidators))
	}
	return changes, all
}

func put(changes map[string][]byte, key []byte, record proto.Message) error {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode the record %q: %w", key, err)
	}
	if len(raw) > 0 {
		changes[string(key)] = raw
	}
	return nil
}
