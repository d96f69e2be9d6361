package explorer

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
)

// hashLength is that of the hashes of blocks and transactions, in bytes.
const hashLength = 32

// Block is a block and, where they were asked for, its transactions.
type Block struct {
	client.Header
	Read         bool // the transactions are here
	Transactions []client.Entry
}

// BlockID names a block by its height or its hash.
type BlockID struct {
	Height int64  // 0 where the hash names it
	Hash   []byte // nil where the height does
}

// ParseBlockID reads a height in decimal, or a hash as ParseHash does.
func ParseBlockID(text string) (BlockID, bool) {
	if hash, ok := ParseHash(text); ok {
		return BlockID{Hash: hash}, true
	}
	height, err := strconv.ParseInt(text, 10, 64)
	if err != nil || height < 1 || text[0] == '+' {
		return BlockID{}, false
	}
	return BlockID{Height: height}, true
}

// ParseHash reads the 64 hex digits of a block's or a transaction's hash, of either
// case, with or without 0x.
func ParseHash(text string) ([]byte, bool) {
	hash, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	return hash, err == nil && len(hash) == hashLength
}

// Blocks returns a page of the blocks that the chain keeps, the newest first, and
// how many it keeps. Of the newest ones the transactions are read, as long as they
// are not more than most in all.
func (s *Service) Blocks(ctx context.Context, chain uuid.UUID, page Page, most int) ([]Block, int64, error) {
	l, err := s.reach(ctx, chain)
	if err != nil {
		return nil, 0, err
	}
	kept, err := l.kept(ctx)
	if err != nil || kept.Last < 1 {
		return nil, 0, err
	}
	total := kept.Last - kept.First + 1
	if page.skip() >= total {
		return nil, total, nil
	}
	left := total - page.skip()
	headers, err := l.client.Headers(ctx, kept.Last-page.skip(), int(min(left, int64(page.Size))))
	if err != nil {
		return nil, 0, err
	}
	blocks := make([]Block, len(headers))
	for i, header := range headers {
		blocks[i].Header = header
	}
	return blocks, total, l.fill(ctx, blocks, most)
}

// fill reads the transactions of blocks, a few blocks at a time.
func (l live) fill(ctx context.Context, blocks []Block, most int) error {
	const atOnce = 8
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(atOnce)
	for i := range blocks {
		b := &blocks[i]
		if most -= b.Header.Transactions; most < 0 {
			break
		}
		reading.Go(func() (err error) {
			b.Transactions, err = l.client.Entries(ctx, b.Header)
			b.Read = err == nil
			return err
		})
	}
	return reading.Wait()
}

// Block returns a block with all of its transactions. NotFound, with the reason,
// for one that is not there yet or not kept any more.
func (s *Service) Block(ctx context.Context, chain uuid.UUID, id BlockID) (Block, error) {
	l, err := s.reach(ctx, chain)
	if err != nil {
		return Block{}, err
	}
	kept, err := l.kept(ctx)
	if err != nil {
		return Block{}, err
	}
	height := id.Height
	if id.Hash != nil {
		if height, err = l.heightOf(ctx, kept, id.Hash); err != nil {
			return Block{}, err
		}
	}
	header, err := l.header(ctx, kept, height)
	if err != nil {
		return Block{}, err
	}
	block := Block{Header: header, Read: true}
	block.Transactions, err = l.client.Entries(ctx, header)
	return block, err
}

func (l live) heightOf(ctx context.Context, kept client.Kept, hash []byte) (int64, error) {
	height, found, err := l.client.HeightOf(ctx, hash)
	if err == nil && !found {
		err = fault.New(fault.NotFound,
			"Block not found: the chain has none of that hash, or does not keep it any more (it keeps those from height %d on)", kept.First)
	}
	return height, err
}

func (l live) header(ctx context.Context, kept client.Kept, height int64) (client.Header, error) {
	if height >= kept.First {
		headers, err := l.client.Headers(ctx, height, 1)
		if err != nil {
			return client.Header{}, err
		}
		if len(headers) == 1 && headers[0].Height == height {
			return headers[0], nil
		}
	}
	if height > kept.Last {
		return client.Header{}, fault.New(fault.NotFound, "Block not found: the chain is at height %d", kept.Last)
	}
	return client.Header{}, fault.New(fault.NotFound, "Block not found: the chain does not keep it any more, only those from height %d on", kept.First)
}
