package app

import (
	"fmt"
	"maps"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
)

// Keys of the records. Those of one kind that are many have a prefix.
const (
	accountPrefix = "account/"
	poolKey       = "pool"
	chainKey      = "chain"
	validatorsKey = "validators"
)

// feeAccount holds the fees of all transactions.
var feeAccount = livechain.ModuleAddress("fees")

func accountKey(address livechain.Address) string { return accountPrefix + string(address[:]) }

// source is where records are read from. What it returns is the caller's own.
// There is an account at every address; one that was never used is empty.
type source interface {
	account(livechain.Address) (*statepb.Account, error)
	// record reads any other record into an empty one, and leaves that empty
	// when there is none.
	record(key string, into proto.Message) error
}

func poolOf(from source) (*statepb.Pool, error) {
	pool := &statepb.Pool{}
	return pool, from.record(poolKey, pool)
}

func chainOf(from source) (*statepb.Chain, error) {
	chain := &statepb.Chain{}
	return chain, from.record(chainKey, chain)
}

func validatorsOf(from source) (*statepb.Validators, error) {
	set := &statepb.Validators{}
	return set, from.record(validatorsKey, set)
}

// getter is a state.Store or a state.View.
type getter interface {
	Get(key []byte) ([]byte, error)
}

// committed reads records from the state.
type committed struct{ from getter }

func (c committed) account(address livechain.Address) (*statepb.Account, error) {
	account := &statepb.Account{}
	return account, c.record(accountKey(address), account)
}

func (c committed) record(key string, into proto.Message) error {
	raw, err := c.from.Get([]byte(key))
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
	accounts map[livechain.Address]*statepb.Account // nil until there is one
	records  map[string]proto.Message               // all others, by key
}

func newOverlay(below source) *overlay { return &overlay{below: below} }

// overState is for one block: it holds on to what it reads of the chain's record.
func overState(from getter) *overlay { return newOverlay(&memo{source: committed{from}}) }

// memo reads the one record that every transaction needs once.
type memo struct {
	source
	chain *statepb.Chain
}

func (m *memo) record(key string, into proto.Message) error {
	if key != chainKey {
		return m.source.record(key, into)
	}
	if m.chain == nil {
		chain, err := chainOf(m.source)
		if err != nil {
			return err
		}
		m.chain = chain
	}
	copyRecord(into, m.chain)
	return nil
}

func (o *overlay) account(address livechain.Address) (*statepb.Account, error) {
	if own, ok := o.accounts[address]; ok {
		return copyAccount(own), nil
	}
	return o.below.account(address)
}

func (o *overlay) record(key string, into proto.Message) error {
	if own, ok := o.records[key]; ok {
		copyRecord(into, own)
		return nil
	}
	return o.below.record(key, into)
}

// copyAccount is proto.CloneOf for what every transaction reads, at a tenth of the
// price. What never changes is shared.
func copyAccount(from *statepb.Account) *statepb.Account {
	return &statepb.Account{
		Cnpy: from.GetCnpy(), Tokens: from.GetTokens(), Nonce: from.GetNonce(), Vesting: from.GetVesting(), Shares: from.GetShares(),
	}
}

// copyRecord copies a record into an empty one of its type.
func copyRecord(into, from proto.Message) {
	switch from := from.(type) {
	case *statepb.Pool:
		if to, ok := into.(*statepb.Pool); ok {
			to.Cnpy, to.Tokens, to.Shares, to.LockedShares = from.GetCnpy(), from.GetTokens(), from.GetShares(), from.GetLockedShares()
			return
		}
	case *statepb.Chain:
		if to, ok := into.(*statepb.Chain); ok {
			copyChain(to, from)
			return
		}
	}
	proto.Merge(into, from)
}

func copyChain(to, from *statepb.Chain) {
	to.ChainId, to.Treasury, to.Authority = from.GetChainId(), from.GetTreasury(), from.GetAuthority()
	to.TokenSupply, to.CnpySupply = from.GetTokenSupply(), from.GetCnpySupply()
	to.FeeBasisPoints, to.MinFee = from.GetFeeBasisPoints(), from.GetMinFee()
	to.Operational, to.Epoch = from.GetOperational(), from.GetEpoch()
	to.ValidatorMinStake = from.GetValidatorMinStake()
	to.Rules, to.NextRules, to.NextRulesHeight = from.GetRules(), from.GetNextRules(), from.GetNextRulesHeight()
}

// set takes the record over.
func (o *overlay) set(key string, record proto.Message) {
	if o.records == nil {
		o.records = map[string]proto.Message{}
	}
	o.records[key] = record
}

// changes reports whether a record of a kind has been set.
func (o *overlay) changes(prefix string) bool {
	for key := range o.records {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// setAccount takes the account over.
func (o *overlay) setAccount(address livechain.Address, account *statepb.Account) {
	if o.accounts == nil {
		o.accounts = map[livechain.Address]*statepb.Account{}
	}
	o.accounts[address] = account
}

// mergeInto moves the changes one layer down. The records are given away.
func (o *overlay) mergeInto(below *overlay) {
	below.accounts = merged(below.accounts, o.accounts)
	below.records = merged(below.records, o.records)
}

func merged[K comparable, V any](into, changes map[K]V) map[K]V {
	if into == nil {
		return changes
	}
	maps.Copy(into, changes)
	return into
}

// encode writes the changes as the state stores them. A record that says
// nothing is the same as none and is left out.
func (o *overlay) encode() (map[string][]byte, error) {
	changes := make(map[string][]byte, len(o.accounts)+len(o.records))
	for address, account := range o.accounts {
		if err := put(changes, accountKey(address), account); err != nil {
			return nil, err
		}
	}
	for key, record := range o.records {
		if err := put(changes, key, record); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

func put(changes map[string][]byte, key string, record proto.Message) error {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode the record %q: %w", key, err)
	}
	if len(raw) > 0 {
		changes[key] = raw
	}
	return nil
}
