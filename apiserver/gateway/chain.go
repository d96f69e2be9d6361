package gateway

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/apiserver/middleware"
	"github.com/lucid-blockchain/lucid/internal/explorer"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
)

// network is what the chain that the gateway answers for calls itself (seed
// gateway, Chain).
const network = "lucid_blocks"

// listedTransactions is how many transactions a list of blocks shows in all.
const listedTransactions = 1000

// Blockchain reads live chains and hands transactions to them; *explorer.Service is
// one.
type Blockchain interface {
	Named(ctx context.Context, network string) (uuid.UUID, error)
	Network(ctx context.Context, chain uuid.UUID) (explorer.Network, error)
	Blocks(ctx context.Context, chain uuid.UUID, page explorer.Page, most int) ([]explorer.Block, int64, error)
	Block(ctx context.Context, chain uuid.UUID, id explorer.BlockID) (explorer.Block, error)
	Submit(ctx context.Context, chain uuid.UUID, raw []byte) (explorer.Submission, error)
}

func (s *Surface) registerChain(r fiber.Router) {
	chain := r.Group("/api/v1/chain")
	chain.Get("/info", onChain(s.chainInfo))
	chain.Get("/blocks", onChain(s.listBlocks))
	chain.Get("/blocks/:block_id", onChain(s.getBlock))
	chain.Post("/transactions", onChain(s.submitTransaction))
}

// chainError is a failure of the chain with what the registry calls it.
type chainError struct {
	refusal refusal
	cause   error
}

func (e *chainError) Error() string { return e.cause.Error() }
func (e *chainError) Unwrap() error { return e.cause }

// onChain tells the chain's failures from those of other services: one that does
// not answer, and its refusal of a transaction.
func onChain(handler fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		err := handler(c)
		f, known := fault.As(err)
		if !known {
			return err
		}
		r := errBlockchain
		if code, refused := client.Refused(err); refused {
			r = errTransaction
			r.details = map[string]any{"reason": code.String()}
		} else if f.Kind != fault.Unavailable {
			return err
		} else {
			r.details = map[string]any{"reason": f.Message}
		}
		return &chainError{refusal: r, cause: err}
	}
}

// chain finds the chain for a caller who is known.
func (s *Surface) chain(c *fiber.Ctx) (uuid.UUID, error) {
	if _, err := middleware.RequireUser(c); err != nil {
		return uuid.Nil, err
	}
	return s.blockchain.Named(c.UserContext(), network)
}

// blockchainInfo is the seed's BlockchainInfoResponse.
type blockchainInfo struct {
	NetworkName        string `json:"network_name"`
	Version            string `json:"version"`
	CurrentHeight      int64  `json:"current_height"`
	GenesisBlock       string `json:"genesis_block"`
	ConsensusAlgorithm string `json:"consensus_algorithm"`
	BlockTime          int64  `json:"block_time"` // average, in seconds
}

func (s *Surface) chainInfo(c *fiber.Ctx) error {
	chain, err := s.chain(c)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	n, err := s.blockchain.Network(c.UserContext(), chain)
	if err != nil {
		return err
	}
	return c.JSON(blockchainInfo{
		NetworkName: n.Network, Version: strconv.FormatUint(n.AppVersion, 10), CurrentHeight: n.Height,
		GenesisBlock: n.GenesisHash, ConsensusAlgorithm: n.Consensus, BlockTime: wholeSeconds(n.BlockTime),
	})
}

// wholeSeconds rounds, and is 1 at least where there is any time at all: a chain
// that makes five blocks a second is not one that takes none.
func wholeSeconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return max(1, int64(d.Round(time.Second)/time.Second))
}

// blockResponse is the seed's BlockResponse. A list leaves out the transactions of
// blocks that would make it too long.
type blockResponse struct {
	BlockID      string             `json:"block_id"`
	Height       int64              `json:"height"`
	Hash         string             `json:"hash"`
	PreviousHash string             `json:"previous_hash"` // empty for the first
	Timestamp    time.Time          `json:"timestamp"`
	Transactions *[]transactionInfo `json:"transactions,omitempty"`
	MerkleRoot   string             `json:"merkle_root"`
}

// transactionInfo is the seed's TransactionInfo.
type transactionInfo struct {
	TransactionID string          `json:"transaction_id"`
	Type          string          `json:"type"`
	Status        explorer.Status `json:"status"`
	Timestamp     time.Time       `json:"timestamp"`
}

func viewBlock(b explorer.Block) blockResponse {
	view := blockResponse{
		BlockID: client.ShownHash(b.Hash), Height: b.Height, Hash: client.ShownHash(b.Hash), Timestamp: b.Time, MerkleRoot: client.ShownHash(b.DataHash),
	}
	if b.Parent != "" {
		view.PreviousHash = client.ShownHash(b.Parent)
	}
	if b.Read {
		infos := make([]transactionInfo, len(b.Transactions))
		for i, e := range b.Transactions {
			infos[i] = transactionInfo{TransactionID: client.ShownHash(e.Hash), Type: e.Kind(), Status: explorer.StatusOf(e), Timestamp: b.Time}
		}
		view.Transactions = &infos
	}
	return view
}

// blockList is the seed's BlockListResponse.
type blockList struct {
	Blocks     []blockResponse  `json:"blocks"`
	Pagination httpx.Pagination `json:"pagination"`
}

// blockFilter names the one block that a list is asked for.
type blockFilter struct {
	height *int64
	hash   []byte
}

func readBlockFilter(c *fiber.Ctx, q *httpx.Query) (f blockFilter) {
	height := q.Int("height", 0, math.MaxInt64)
	if c.Context().QueryArgs().Has("height") {
		f.height = &height
	}
	const longest = 66
	if text := q.Text("hash", longest); text != "" {
		var ok bool
		if f.hash, ok = explorer.ParseHash(text); !ok {
			q.Refuse("hash", httpx.RuleFormat, "must be 64 hex digits", nil)
		}
	}
	return f
}

func (s *Surface) listBlocks(c *fiber.Ctx) error {
	chain, err := s.chain(c)
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	page := q.Page(httpx.Between)
	filter := readBlockFilter(c, q)
	if err := q.Err(); err != nil {
		return err
	}
	wanted := explorer.Page{Number: page.Number, Size: page.Limit}
	list := blockList{Blocks: []blockResponse{}}
	var blocks []explorer.Block
	var total int64
	if filter.height == nil && filter.hash == nil {
		blocks, total, err = s.blockchain.Blocks(c.UserContext(), chain, wanted, listedTransactions)
	} else {
		blocks, total, err = s.matching(c.UserContext(), chain, filter, page.Number)
	}
	if err != nil {
		return err
	}
	for _, b := range blocks {
		list.Blocks = append(list.Blocks, viewBlock(b))
	}
	list.Pagination = page.Of(total)
	return c.JSON(list)
}

// matching is the block of a filter, or none: a list has no 404.
func (s *Surface) matching(ctx context.Context, chain uuid.UUID, f blockFilter, page int) ([]explorer.Block, int64, error) {
	id := explorer.BlockID{Hash: f.hash}
	if f.hash == nil {
		id.Height = *f.height
	}
	if f.height != nil && *f.height == 0 {
		return nil, 0, nil // heights begin at 1
	}
	block, err := s.blockchain.Block(ctx, chain, id)
	switch {
	case fault.Is(err, fault.NotFound), err == nil && f.height != nil && block.Height != *f.height:
		return nil, 0, nil
	case err != nil:
		return nil, 0, err
	case page > 1:
		return nil, 1, nil
	}
	return []explorer.Block{block}, 1, nil
}

func (s *Surface) getBlock(c *fiber.Ctx) error {
	chain, err := s.chain(c)
	if err != nil {
		return err
	}
	id, ok := explorer.ParseBlockID(c.Params("block_id"))
	if !ok {
		return fault.InvalidFields(fault.Field{Name: "block_id", Rule: httpx.RuleFormat, Reason: "must be a height or 64 hex digits"})
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	block, err := s.blockchain.Block(c.UserContext(), chain, id)
	if err != nil {
		return err
	}
	return c.JSON(viewBlock(block))
}
