package launchpad

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/explorer"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
)

// Explorer reads live chains; *explorer.Service is one.
type Explorer interface {
	Network(ctx context.Context, chain uuid.UUID) (explorer.Network, error)
	Blocks(ctx context.Context, chain uuid.UUID, page explorer.Page, most int) ([]explorer.Block, int64, error)
	Block(ctx context.Context, chain uuid.UUID, id explorer.BlockID) (explorer.Block, error)
	Transaction(ctx context.Context, chain uuid.UUID, hash []byte) (client.Located, error)
	Account(ctx context.Context, chain uuid.UUID, q explorer.AccountQuery) (explorer.Account, error)
	History(ctx context.Context, chain uuid.UUID, address livechain.Address, page explorer.Page) ([]explorer.Activity, int64, error)
}

func (s *Surface) registerExplorer(api fiber.Router) {
	api.Get("/chains/:id/network", httpx.Operation("Failed to retrieve network", s.getNetwork))
	api.Get("/chains/:id/blocks", httpx.Operation("Failed to retrieve blocks", s.listBlocks))
	api.Get("/chains/:id/blocks/:block", httpx.Operation("Failed to retrieve block", s.getBlock))
	api.Get("/chains/:id/blocks/transactions/:hash", httpx.Operation("Failed to retrieve transaction", s.getChainTransaction))
	api.Get("/chains/:id/addresses/:address", httpx.Operation("Failed to retrieve address", s.getAddress))
	api.Get("/chains/:id/addresses/:address/history", httpx.Operation("Failed to retrieve history", s.listHistory))
}

// networkView is what a live chain is at this moment.
type networkView struct {
	ChainID       uuid.UUID `json:"chain_id"`
	Network       string    `json:"network_id"`
	Application   string    `json:"application"`
	AppVersion    uint64    `json:"app_version"`
	GenesisHash   string    `json:"genesis_hash"`
	Consensus     string    `json:"consensus_mechanism"` // the policy's label
	Engine        string    `json:"engine"`
	Height        int64     `json:"height"`
	FirstHeight   int64     `json:"first_height"` // of the oldest block that is kept
	LastBlockTime time.Time `json:"last_block_time"`
	BlockTimeMS   int64     `json:"average_block_time_ms"`
	CatchingUp    bool      `json:"catching_up"`
}

func (s *Surface) getNetwork(c *fiber.Ctx) error {
	found, err := s.visibleChain(c)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	n, err := s.domain.Explorer.Network(c.UserContext(), found.ID)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, networkView{
		ChainID: n.ChainID, Network: n.Network, Application: n.Application, AppVersion: n.AppVersion, GenesisHash: n.GenesisHash,
		Consensus: n.Consensus, Engine: explorer.Engine, Height: n.Height, FirstHeight: n.First, LastBlockTime: n.Time,
		BlockTimeMS: n.BlockTime.Milliseconds(), CatchingUp: n.CatchingUp,
	})
}

// blockView is a block without its transactions.
type blockView struct {
	Height           int64             `json:"height"`
	Hash             string            `json:"hash"`
	PreviousHash     *string           `json:"previous_hash"` // null for the first
	Timestamp        time.Time         `json:"timestamp"`
	DataHash         string            `json:"data_hash"`
	AppHash          string            `json:"app_hash"`
	Proposer         livechain.Address `json:"proposer"`
	TransactionCount int               `json:"transaction_count"`
}

func viewBlock(b explorer.Block) blockView {
	view := blockView{
		Height: b.Height, Hash: client.ShownHash(b.Hash), Timestamp: b.Time, DataHash: client.ShownHash(b.DataHash), AppHash: client.ShownHash(b.AppHash),
		Proposer: b.Proposer, TransactionCount: b.Header.Transactions,
	}
	if b.Parent != "" {
		parent := client.ShownHash(b.Parent)
		view.PreviousHash = &parent
	}
	return view
}

func shownBytes(raw []byte) string { return "0x" + hex.EncodeToString(raw) }

func (s *Surface) listBlocks(c *fiber.Ctx) error {
	found, err := s.visibleChain(c)
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	blocks, total, err := s.domain.Explorer.Blocks(c.UserContext(), found.ID, explorer.Page{Number: page.Number, Size: page.Limit}, 0)
	if err != nil {
		return err
	}
	return answerList(c, page, total, blocks, viewBlock)
}

// placedView is a transaction in a block.
type placedView struct {
	TransactionHash string             `json:"transaction_hash"`
	Index           int                `json:"index"`
	Type            string             `json:"type"`
	Status          explorer.Status    `json:"status"`
	Code            uint32             `json:"code"`
	Reason          *string            `json:"reason"` // why it failed
	Signer          *livechain.Address `json:"signer"` // null for another application's
	Events          []eventView        `json:"events"`
}

type eventView struct {
	Type       string          `json:"type"`
	Attributes []attributeView `json:"attributes"`
}

type attributeView struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func viewPlaced(e client.Entry) placedView {
	view := placedView{
		TransactionHash: client.ShownHash(e.Hash), Index: e.Index, Type: e.Kind(), Status: explorer.StatusOf(e), Code: e.Code,
		Reason: given(e.Reason()), Events: make([]eventView, len(e.Events)),
	}
	if e.Tx != nil {
		signer := e.Tx.Sender()
		view.Signer = &signer
	}
	for i, event := range e.Events {
		view.Events[i] = eventView{Type: event.Type, Attributes: make([]attributeView, len(event.Attributes))}
		for j, a := range event.Attributes {
			view.Events[i].Attributes[j] = attributeView{Name: a.Name, Value: a.Value}
		}
	}
	return view
}

// blockDetail is a block with a page of its transactions.
type blockDetail struct {
	blockView
	Transactions []placedView `json:"transactions"`
}

func (s *Surface) getBlock(c *fiber.Ctx) error {
	found, err := s.visibleChain(c)
	if err != nil {
		return err
	}
	id, ok := explorer.ParseBlockID(c.Params("block"))
	if !ok {
		return fault.New(fault.Malformed, "Invalid block: give its height, or its hash in hex")
	}
	q := httpx.ReadQuery(c)
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	block, err := s.domain.Explorer.Block(c.UserContext(), found.ID, id)
	if err != nil {
		return err
	}
	detail := blockDetail{blockView: viewBlock(block), Transactions: []placedView{}}
	from := min((page.Number-1)*page.Limit, len(block.Transactions))
	for _, e := range block.Transactions[from:min(from+page.Limit, len(block.Transactions))] {
		detail.Transactions = append(detail.Transactions, viewPlaced(e))
	}
	pagination := page.Of(int64(len(block.Transactions)))
	return c.JSON(envelope{Data: detail, Pagination: &pagination})
}

// transactionDetail is a transaction by itself. Its block's hash, time and proof are
// null where the chain does not keep the block any more.
type transactionDetail struct {
	placedView
	BlockHeight int64          `json:"block_height"`
	BlockHash   *string        `json:"block_hash"`
	Timestamp   *time.Time     `json:"timestamp"`
	Transaction string         `json:"transaction"` // as it was signed
	Signed      *signedView    `json:"signed"`
	Proof       *inclusionView `json:"proof"`
}

// inclusionView leads from a transaction to the data hash of its block's header.
type inclusionView struct {
	DataHash string   `json:"data_hash"`
	Index    int64    `json:"index"`
	Total    int64    `json:"total"`
	Leaf     string   `json:"leaf"`
	Aunts    []string `json:"aunts"`
}

func (s *Surface) getChainTransaction(c *fiber.Ctx) error {
	found, err := s.visibleChain(c)
	if err != nil {
		return err
	}
	hash, ok := explorer.ParseHash(c.Params("hash"))
	if !ok {
		return fault.New(fault.Malformed, "Invalid transaction hash")
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	t, err := s.domain.Explorer.Transaction(c.UserContext(), found.ID, hash)
	if err != nil {
		return err
	}
	view := transactionDetail{
		placedView: viewPlaced(t.Entry), BlockHeight: t.Height, Transaction: shownBytes(t.Raw), Signed: viewSigned(t.Tx), Proof: viewInclusion(t.Proof),
	}
	if t.BlockHash != "" {
		block := client.ShownHash(t.BlockHash)
		view.BlockHash, view.Timestamp = &block, &t.Time
	}
	return answer(c, fiber.StatusOK, view)
}

func viewInclusion(p *client.Inclusion) *inclusionView {
	if p == nil {
		return nil
	}
	view := inclusionView{DataHash: shownBytes(p.Root), Index: p.Index, Total: p.Total, Leaf: shownBytes(p.Leaf), Aunts: make([]string, len(p.Aunts))}
	for i, aunt := range p.Aunts {
		view.Aunts[i] = shownBytes(aunt)
	}
	return &view
}
