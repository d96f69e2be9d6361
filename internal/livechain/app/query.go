package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// ProofNode is the type of a proof's operations: one node each of the trie,
// from the root down; state.VerifyProof reads their data.
const ProofNode = "lucid:trie-node"

// Account answers /account/{address}. Amounts are exact decimals.
type Account struct {
	Address   livechain.Address `json:"address"`
	Balance   money.Amount      `json:"balance"`   // native tokens, the locked ones included
	Spendable money.Amount      `json:"spendable"` // native tokens that don't vest any more
	CNPY      money.Amount      `json:"cnpy"`
	Shares    uint64            `json:"shares"` // of the pool's liquidity
	Nonce     uint64            `json:"nonce"`  // of the next transaction
}

// Supply answers /supply.
type Supply struct {
	Tokens money.Amount `json:"token_supply"`
	CNPY   money.Amount `json:"cnpy_supply"`
}

// Pool answers /pool.
type Pool struct {
	CNPYReserve    money.Amount `json:"cnpy_reserve"`
	TokenReserve   money.Amount `json:"token_reserve"`
	PriceCNPY      json.Number  `json:"price_cnpy"` // of one token, cut to twelve places
	Shares         uint64       `json:"shares"`
	LockedShares   uint64       `json:"locked_shares"`
	FeeBasisPoints uint32       `json:"fee_basis_points"`
}

// Price is the exact price of one token in CNPY.
func (p Pool) Price() money.Ratio { return money.NewRatio(p.CNPYReserve, p.TokenReserve) }

// Info answers /info.
type Info struct {
	ChainID     string            `json:"chain_id"`
	GenesisHash string            `json:"genesis_hash"`
	Height      int64             `json:"height"`
	AppHash     string            `json:"app_hash"`    // lower-case hex
	AppVersion  uint64            `json:"app_version"` // of the rules that the next block follows
	NextVersion uint64            `json:"next_app_version,omitempty"`
	NextHeight  int64             `json:"next_app_version_height,omitempty"` // of the first block that follows those
	MinFee      money.Amount      `json:"min_fee"`                           // in native tokens
	MinFeeCNPY  money.Amount      `json:"min_fee_cnpy"`                      // in CNPY, at the pool's price of the height
	Treasury    livechain.Address `json:"treasury"`
}

// Query answers a path in JSON at a kept height, 0 being the last one. With
// prove, the answer is the record as stored, with the trie's nodes that lead to it
// from the app hash of that height (in the header after it); /supply and /info
// can't be proven.
func (a *Application) Query(_ context.Context, req *abci.RequestQuery) (*abci.ResponseQuery, error) {
	res, err := a.query(req)
	if err == nil {
		return res, nil
	}
	var r *refusal
	if errors.As(err, &r) {
		return &abci.ResponseQuery{Code: uint32(r.code), Codespace: Codespace, Log: r.reason}, nil
	}
	// A query's trouble must not stop the node, nor be told to strangers.
	return &abci.ResponseQuery{Code: uint32(CodeInternal), Codespace: Codespace, Log: "the state can't be read"}, nil
}

func (a *Application) query(req *abci.RequestQuery) (*abci.ResponseQuery, error) {
	view, err := a.store.At(req.Height)
	if err != nil {
		return nil, refuse(CodeNotStarted, "%s", err)
	}
	if req.Prove {
		return prove(view, req.Path)
	}
	answer, err := a.answer(view, req.Path)
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	return &abci.ResponseQuery{Key: []byte(req.Path), Value: value, Height: view.Height}, nil
}

func (a *Application) answer(view *state.View, path string) (any, error) {
	from := committed{view}
	switch path {
	case "/supply":
		chain, err := chainOf(from)
		return Supply{Tokens: money.Amount(chain.GetTokenSupply()), CNPY: money.Amount(chain.GetCnpySupply())}, err
	case "/pool":
		return poolAnswer(from)
	case "/info":
		return a.infoAnswer(view)
	}
	if address, ok, err := accountPath(path); ok {
		if err != nil {
			return nil, err
		}
		return a.accountAnswer(from, address)
	}
	if by, session, ok, err := anchorPath(path); ok {
		if err != nil {
			return nil, err
		}
		return anchorAnswer(from, by, session)
	}
	if validator, by, ok, err := stakePath(path); ok {
		if err != nil {
			return nil, err
		}
		return stakeAnswer(from, validator, by)
	}
	if validator, ok, err := validatorPath(path); ok {
		if err != nil {
			return nil, err
		}
		return validatorAnswer(from, validator)
	}
	if prefix, id, ok, err := oncePath(path); ok {
		if err != nil {
			return nil, err
		}
		return onceAnswer(from, prefix, id)
	}
	return nil, refuse(CodeUnknownPath, "ask for /supply, /pool, /info, /account/{address}, %s, /validator/{public key}, or for an id: %s", stakeForm, oncePaths)
}

func accountPath(path string) (address livechain.Address, ok bool, err error) {
	text, ok := strings.CutPrefix(path, "/account/")
	if !ok {
		return address, false, nil
	}
	if address, err = livechain.ParseAddress(text); err != nil {
		return address, true, refuse(CodeBadQuery, "%s", err)
	}
	return address, true, nil
}

func poolAnswer(from committed) (any, error) {
	pool, err := poolOf(from)
	if err != nil {
		return nil, err
	}
	chain, err := chainOf(from)
	cnpy, tokens := money.Amount(pool.GetCnpy()), money.Amount(pool.GetTokens())
	answer := Pool{
		CNPYReserve: cnpy, TokenReserve: tokens,
		Shares: pool.GetShares(), LockedShares: pool.GetLockedShares(), FeeBasisPoints: chain.GetFeeBasisPoints(),
	}
	answer.PriceCNPY = json.Number(answer.Price().String())
	return answer, err
}

func (a *Application) infoAnswer(view *state.View) (any, error) {
	chain, err := chainOf(committed{view})
	if err != nil {
		return nil, err
	}
	inCNPY, err := minFeeCNPY(committed{view}, chain)
	if err != nil {
		return nil, err
	}
	info := Info{
		ChainID: chain.GetChainId(), GenesisHash: a.genesisHash, Height: view.Height,
		AppHash: hex.EncodeToString(view.Root[:]), AppVersion: chain.GetRules(), MinFee: money.Amount(chain.GetMinFee()),
		MinFeeCNPY: money.Amount(inCNPY), NextVersion: chain.GetNextRules(), NextHeight: chain.GetNextRulesHeight(),
	}
	copy(info.Treasury[:], chain.GetTreasury())
	return info, nil
}

func (a *Application) accountAnswer(from committed, address livechain.Address) (any, error) {
	account, err := from.account(address)
	return describe(address, account, a.time()), err
}

// describe tells a record as it is at a moment.
func describe(address livechain.Address, account *statepb.Account, now time.Time) Account {
	return Account{
		Address: address, Balance: money.Amount(account.GetTokens()), CNPY: money.Amount(account.GetCnpy()),
		Spendable: money.Amount(spendable(account, now)), Shares: account.GetShares(), Nonce: account.GetNonce(),
	}
}

// time is the last block's.
func (a *Application) time() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// provenKey is the record that a query's path is about.
func provenKey(path string) (string, error) {
	if address, ok, err := accountPath(path); ok {
		return accountKey(address), err
	}
	if by, session, ok, err := anchorPath(path); ok {
		return anchorKey(by, session), err
	}
	if validator, by, ok, err := stakePath(path); ok {
		return stakeKey(validator, by), err
	}
	if prefix, id, ok, err := oncePath(path); ok {
		return onceKey(prefix, id), err
	}
	if path == "/pool" {
		return poolKey, nil
	}
	return "", refuse(CodeUnknownPath, "a proof can be had of /pool, /account/{address}, %s and %s", stakeForm, oncePaths)
}

func prove(view *state.View, path string) (*abci.ResponseQuery, error) {
	name, err := provenKey(path)
	if err != nil {
		return nil, err
	}
	key := []byte(name)
	value, err := view.Get(key)
	if err != nil {
		return nil, err
	}
	nodes, err := view.Prove(key)
	if err != nil {
		return nil, err
	}
	res := &abci.ResponseQuery{Key: key, Value: value, Height: view.Height, ProofOps: &cmtcrypto.ProofOps{}}
	for _, node := range nodes {
		res.ProofOps.Ops = append(res.ProofOps.Ops, cmtcrypto.ProofOp{Type: ProofNode, Key: key, Data: node})
	}
	return res, nil
}
