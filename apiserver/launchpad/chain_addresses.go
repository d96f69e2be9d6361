package launchpad

import (
	"encoding/json"
	"math"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/explorer"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// onChainView says which address of which live chain is told of.
type onChainView struct {
	ChainID uuid.UUID         `json:"chain_id"`
	Network string            `json:"network_id"`
	Address livechain.Address `json:"address"`
}

// holdingsView is what an address holds on a live chain, and what its owner needs to
// sign a transaction.
type holdingsView struct {
	CNPYBalance    money.Amount `json:"cnpy_balance"`
	TokenBalance   money.Amount `json:"token_balance"`
	TokenSpendable money.Amount `json:"token_spendable"`
	LPShares       money.Amount `json:"lp_shares"`
	Nonce          uint64       `json:"nonce"`
	NetworkFee     money.Amount `json:"network_fee"`
}

// addressView is an address after the block of a height.
type addressView struct {
	onChainView
	BlockHeight int64 `json:"block_height"`
	holdingsView
	Proof *stateProofView `json:"proof"` // null unless it was asked for
}

// stateProofView leads from an account's record to the app hash of a header that
// the validators have signed.
type stateProofView struct {
	Exists       bool            `json:"exists"` // false: nobody has used the address
	Key          string          `json:"key"`
	Value        string          `json:"value"`
	Nodes        []string        `json:"nodes"` // of the trie, from the root down
	HeaderHeight int64           `json:"header_height"`
	SignedHeader json.RawMessage `json:"signed_header"`
}

func viewStateProof(p *client.AccountProof) *stateProofView {
	if p == nil {
		return nil
	}
	view := stateProofView{
		Exists: p.Exists, Key: shownBytes(p.Key), Value: shownBytes(p.Value), Nodes: make([]string, len(p.Nodes)),
		HeaderHeight: p.Header, SignedHeader: p.Signed,
	}
	for i, node := range p.Nodes {
		view.Nodes[i] = shownBytes(node)
	}
	return &view
}

// pathAddress is the address in the path.
func pathAddress(c *fiber.Ctx) (livechain.Address, error) {
	address, err := livechain.ParseAddress(c.Params("address"))
	if err != nil {
		return address, fault.New(fault.Malformed, "Invalid address")
	}
	return address, nil
}

func (s *Surface) getAddress(c *fiber.Ctx) error {
	found, err := s.visibleChain(c)
	if err != nil {
		return err
	}
	asked := explorer.AccountQuery{}
	if asked.Address, err = pathAddress(c); err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	if prove := q.Bool("prove"); prove != nil {
		asked.Prove = *prove
	}
	asked.Height = q.Int("height", 1, math.MaxInt64)
	if err := q.Err(); err != nil {
		return err
	}
	a, err := s.domain.Explorer.Account(c.UserContext(), found.ID, asked)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, addressView{
		onChainView: onChainView{ChainID: a.ChainID, Network: a.Network, Address: asked.Address},
		BlockHeight: a.Height,
		holdingsView: holdingsView{
			CNPYBalance: a.CNPY, TokenBalance: a.Balance, TokenSpendable: a.Spendable, LPShares: money.Amount(a.Shares),
			Nonce: a.Nonce, NetworkFee: a.MinFee,
		},
		Proof: viewStateProof(a.Proof),
	})
}

// activityView is what an address had to do with a transaction. The changes are
// without the network fee.
type activityView struct {
	TransactionHash string          `json:"transaction_hash"`
	Type            string          `json:"type"`
	Status          explorer.Status `json:"status"`
	Reason          *string         `json:"reason"`
	BlockHeight     int64           `json:"block_height"`
	Timestamp       time.Time       `json:"timestamp"`
	CNPYChange      money.Amount    `json:"cnpy_change"`
	TokenChange     money.Amount    `json:"token_change"`
	ShareChange     money.Amount    `json:"share_change"`
	NetworkFee      money.Amount    `json:"network_fee"`
	Counterparty    *string         `json:"counterparty"`
	Reference       *string         `json:"reference"`
}

func viewActivity(a explorer.Activity) activityView {
	return activityView{
		TransactionHash: a.Hash, Type: a.Type, Status: a.Status, Reason: given(a.Reason), BlockHeight: a.Height, Timestamp: a.At,
		CNPYChange: a.CNPY, TokenChange: a.Tokens, ShareChange: a.Shares, NetworkFee: a.NetworkFee,
		Counterparty: given(a.Counterparty), Reference: given(a.Reference),
	}
}

// given is null for an empty text.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func (s *Surface) listHistory(c *fiber.Ctx) error {
	found, err := s.visibleChain(c)
	if err != nil {
		return err
	}
	address, err := pathAddress(c)
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	all, total, err := s.domain.Explorer.History(c.UserContext(), found.ID, address, explorer.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, all, viewActivity)
}
