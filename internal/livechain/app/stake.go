package app

import (
	"crypto/ed25519"
	"encoding/hex"
	"strings"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// The policy of all labels but PoOT (docs/domain.md §4): power from what is staked,
// on top of what the chain's authority gives. Whoever stakes lends a validator
// weight, no more: the CNPY stays theirs, is never cut, and comes back at once.

// Prefixes of the records: what all accounts have on a validator, and one account.
const (
	bondPrefix  = "bond/"
	stakePrefix = "stake/"
)

// stakeAccount holds the CNPY that is staked.
var stakeAccount = livechain.ModuleAddress("stakes")

func bondKey(validator []byte) string { return bondPrefix + string(validator) }

func stakeKey(validator []byte, by livechain.Address) string {
	return stakePrefix + string(validator) + string(by[:])
}

func bondOf(from source, validator []byte) (*statepb.Bond, error) {
	bond := &statepb.Bond{}
	return bond, from.record(bondKey(validator), bond)
}

func stakeOf(from source, validator []byte, by livechain.Address) (*statepb.Stake, error) {
	own := &statepb.Stake{}
	return own, from.record(stakeKey(validator, by), own)
}

func (e execution) stake(m tx.Stake) (Event, error) {
	chain, err := chainOf(e.on)
	if err != nil {
		return nil, err
	}
	set, err := validatorsOf(e.on)
	switch {
	case err != nil:
		return nil, err
	case chain.GetOperational():
		return nil, refuse(CodeStake, "on a chain of the policy PoOT the validators' work decides, and no stake")
	case powerOf(set, m.Validator) == 0:
		return nil, refuse(CodeStake, "the chain has no such validator")
	}
	if err := e.pay(tx.CNPY, m.Amount); err != nil {
		return nil, err
	}
	if err := e.hold(m.Amount); err != nil {
		return nil, err
	}
	done, err := e.restake(m.Validator, m.Amount, m.Amount)
	return Staked(done), err
}

// hold gives to the module's account. Nobody signs for it, and yet it gets a nonce: a
// record that says nothing can't be written, so without one the account would keep
// its last CNPY when all of it goes back.
func (e execution) hold(amount money.Amount) error {
	account, err := e.on.account(stakeAccount)
	if err != nil {
		return err
	}
	account.Cnpy, account.Nonce = account.GetCnpy()+uint64(amount), 1
	e.on.setAccount(stakeAccount, account)
	return nil
}

func (e execution) unstake(m tx.Unstake) (Event, error) {
	own, err := stakeOf(e.on, m.Validator, e.from)
	if err != nil {
		return nil, err
	}
	if own.GetAmount() < uint64(m.Amount) {
		return nil, refuse(CodeStake, "the account has %s on the validator, the transaction takes %s", money.Amount(own.GetAmount()), m.Amount)
	}
	held := execution{on: e.on, from: stakeAccount, now: e.now}
	if err := held.pay(tx.CNPY, m.Amount); err != nil {
		return nil, err
	}
	if err := e.give(e.from, tx.CNPY, m.Amount); err != nil {
		return nil, err
	}
	done, err := e.restake(m.Validator, m.Amount, -m.Amount)
	return Unstaked(done), err
}

// restake changes the signer's stake on a validator. The powers wait for the end of
// the block: see turnStakes.
func (e execution) restake(validator ed25519.PublicKey, amount, change money.Amount) (staking, error) {
	own, err := stakeOf(e.on, validator, e.from)
	if err != nil {
		return staking{}, err
	}
	bond, err := bondOf(e.on, validator)
	if err != nil {
		return staking{}, err
	}
	// The keys stay in the records: one that says nothing could not be written.
	own.Account, own.Amount = e.from[:], uint64(money.Amount(own.GetAmount())+change)
	bond.PublicKey, bond.Amount = validator, uint64(money.Amount(bond.GetAmount())+change)
	e.on.set(stakeKey(validator, e.from), own)
	e.on.set(bondKey(validator), bond)
	return staking{Account: e.from, Validator: validator, Amount: amount, Total: money.Amount(own.GetAmount())}, nil
}

// turnStakes ends a block that has changed stakes: the powers follow. Within it they
// don't, or CNPY that is put on a validator and taken back around its vote, in one
// block, would decide the vote and cost nothing.
func turnStakes(block *overlay) error {
	if !block.changes(bondPrefix) {
		return nil
	}
	chain, err := chainOf(block)
	if err != nil {
		return err
	}
	set, err := validatorsOf(block)
	if err != nil {
		return err
	}
	block.set(validatorsKey, set)
	return weighStakes(block, chain, set)
}

// weighStakes gives the validators of a set the powers that follow from what they
// were given and from what is staked on them. Where nobody has ever staked nothing
// changes. Among too few to be capped no stake counts: a single one would have its
// validator make the blocks alone.
func weighStakes(from source, chain *statepb.Chain, set *statepb.Validators) error {
	counted, err := stakesCount(from, chain, set)
	if err != nil || !counted {
		return err
	}
	powers := make([]int64, len(set.GetValidators()))
	for i, v := range set.GetValidators() {
		if v.GetGiven() == 0 {
			v.Given = v.GetPower()
		}
		bond, err := bondOf(from, v.GetPublicKey())
		if err != nil {
			return err
		}
		powers[i] = v.GetGiven()
		if len(powers) >= fewestCapped {
			powers[i] = min(tx.MaxPower, powers[i]+stakedPower(chain, bond))
		}
	}
	// Anybody may stake on as many as they like: a chain stands the loss of as many as
	// it would if all weighed the same.
	for i, power := range capped(powers, (len(powers)-1)/3) {
		set.Validators[i].Power = power
	}
	return nil
}

// stakesCount knows of no stake under rules that know of none: the account that holds
// them may have CNPY all the same, which anybody can send there, and a program that
// is older changes no power for it.
func stakesCount(from source, chain *statepb.Chain, set *statepb.Validators) (bool, error) {
	if chain.GetOperational() || chain.GetRules() < (tx.Body{Message: tx.Stake{}}).Since() {
		return false, nil
	}
	for _, v := range set.GetValidators() {
		if v.GetGiven() > 0 {
			return true, nil
		}
	}
	held, err := from.account(stakeAccount)
	return held.GetCnpy() > 0, err
}

// stakedPower is one for each whole CNPY, once there is enough.
func stakedPower(chain *statepb.Chain, bond *statepb.Bond) int64 {
	if bond.GetAmount() < leastStake(chain) {
		return 0
	}
	return int64(bond.GetAmount() / uint64(money.Unit))
}

// leastStake is the default where the genesis is of rules that knew no stakes.
func leastStake(chain *statepb.Chain) uint64 {
	if least := chain.GetValidatorMinStake(); least > 0 {
		return least
	}
	return uint64(genesis.DefaultMinStake)
}

// staking is what a change of a stake did.
type staking struct {
	Account   livechain.Address // whose stake it is
	Validator ed25519.PublicKey
	Amount    money.Amount // CNPY put on the validator or taken back
	Total     money.Amount // of the account's on the validator after it
}

// Staked is what a stake did.
type Staked staking

// Unstaked is what taking a stake back did.
type Unstaked staking

func (e Staked) event() abci.Event   { return staking(e).event(typeStake) }
func (e Unstaked) event() abci.Event { return staking(e).event(typeUnstake) }

func (e staking) event(kind string) abci.Event {
	return event(kind, keyAccount, e.Account.String(), keyKey, hex.EncodeToString(e.Validator), keyAmount, e.Amount.String(),
		keyTotal, e.Total.String())
}

func (r *attributes) staked() staking {
	return staking{Account: r.address(keyAccount), Validator: r.publicKey(), Amount: r.amount(keyAmount), Total: r.amount(keyTotal)}
}

// Stake answers /stake/{public key}/{account}.
type Stake struct {
	Account   livechain.Address `json:"account"`
	Validator string            `json:"public_key"` // Ed25519, in lower-case hex
	Amount    money.Amount      `json:"amount"`     // CNPY
}

// Validator answers /validator/{public key}, also of who makes no blocks now.
type Validator struct {
	PublicKey string       `json:"public_key"` // Ed25519, in lower-case hex
	Power     int64        `json:"power"`      // of its votes; 0 when it makes no blocks
	Staked    money.Amount `json:"staked"`     // CNPY, by all accounts
	MinStake  money.Amount `json:"min_stake"`  // CNPY below which what is staked does not count
}

func stakeAnswer(from source, validator []byte, by livechain.Address) (Stake, error) {
	own, err := stakeOf(from, validator, by)
	return describeStake(validator, by, own), orAbsent(own, err)
}

func describeStake(validator []byte, by livechain.Address, r *statepb.Stake) Stake {
	return Stake{Account: by, Validator: hex.EncodeToString(validator), Amount: money.Amount(r.GetAmount())}
}

func validatorAnswer(from source, validator []byte) (Validator, error) {
	set, err := validatorsOf(from)
	if err != nil {
		return Validator{}, err
	}
	bond, err := bondOf(from, validator)
	if err != nil {
		return Validator{}, err
	}
	chain, err := chainOf(from)
	return Validator{
		PublicKey: hex.EncodeToString(validator), Power: powerOf(set, validator),
		Staked: money.Amount(bond.GetAmount()), MinStake: money.Amount(leastStake(chain)),
	}, err
}

const (
	validatorPrefix = "validator/"
	stakeForm       = "/stake/{public key}/{account}"
)

// stakePath takes a path of the form /stake/{public key}/{account} apart.
func stakePath(path string) (validator []byte, by livechain.Address, ok bool, err error) {
	rest, ok := strings.CutPrefix(path, "/"+stakePrefix)
	if !ok {
		return nil, by, false, nil
	}
	key, account, _ := strings.Cut(rest, "/")
	validator, err = publicKeyOf(key)
	if by, wrong := livechain.ParseAddress(account); err == nil && wrong == nil {
		return validator, by, true, nil
	}
	return nil, by, true, refuse(CodeBadQuery, "a stake is asked for by its validator's Ed25519 key in hex and its account's address")
}

// validatorPath takes a path of the form /validator/{public key} apart.
func validatorPath(path string) (validator []byte, ok bool, err error) {
	key, ok := strings.CutPrefix(path, "/"+validatorPrefix)
	if !ok {
		return nil, false, nil
	}
	validator, err = publicKeyOf(key)
	return validator, true, err
}

func publicKeyOf(text string) ([]byte, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize || text != strings.ToLower(text) {
		return nil, refuse(CodeBadQuery, "a validator is asked for by its Ed25519 key in 64 lower-case hex digits")
	}
	return key, nil
}
