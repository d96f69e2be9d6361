package client

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	"github.com/cometbft/cometbft/types"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// Kept is which blocks a node has.
type Kept struct {
	Network     string // what the chain calls itself
	First, Last int64  // heights; 0 before the first block
	Time        time.Time
	CatchingUp  bool
}

// Kept asks for the heights that can be read.
func (c *Client) Kept(ctx context.Context) (Kept, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	seen, err := c.rpc.Status(ctx)
	if err != nil {
		return Kept{}, unreachable(err)
	}
	return Kept{
		Network: seen.NodeInfo.Network, First: seen.SyncInfo.EarliestBlockHeight, Last: seen.SyncInfo.LatestBlockHeight,
		Time: seen.SyncInfo.LatestBlockTime.UTC(), CatchingUp: seen.SyncInfo.CatchingUp,
	}, nil
}

// Header is what a block says of itself. Hashes are upper-case hex.
type Header struct {
	Height       int64
	Hash         string
	Parent       string // of the block before it; empty for the first
	Time         time.Time
	DataHash     string // Merkle root of the transactions
	AppHash      string // Merkle root of the records after the block before
	Proposer     livechain.Address
	Transactions int
}

func headerOf(meta *types.BlockMeta) Header {
	h := meta.Header
	header := Header{
		Height: h.Height, Hash: meta.BlockID.Hash.String(), Parent: h.LastBlockID.Hash.String(), Time: h.Time.UTC(),
		DataHash: h.DataHash.String(), AppHash: h.AppHash.String(), Transactions: meta.NumTxs,
	}
	copy(header.Proposer[:], h.ProposerAddress)
	return header
}

// Headers returns those of at most n blocks from a height downwards, without a
// gap. A node that is behind begins lower, one that has pruned ends earlier.
func (c *Client) Headers(ctx context.Context, from int64, n int) ([]Header, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	least := max(from-int64(n)+1, 1)
	headers := make([]Header, 0, n)
	for next := from; next >= least; {
		res, err := c.rpc.BlockchainInfo(ctx, least, next)
		if saysRPC(err, "can't be greater than max height") {
			return headers, nil
		}
		if err != nil {
			return nil, unreachable(err)
		}
		for _, meta := range res.BlockMetas {
			if meta == nil {
				return headers, nil
			}
			if len(headers) > 0 && meta.Header.Height != next {
				return nil, unreachable(fmt.Errorf("height %d where %d was expected", meta.Header.Height, next))
			}
			headers = append(headers, headerOf(meta))
			next = meta.Header.Height - 1
		}
		if len(res.BlockMetas) == 0 {
			return headers, nil
		}
	}
	return headers, nil
}

// HeightOf finds a block by its hash; found is false when the node has none.
func (c *Client) HeightOf(ctx context.Context, hash []byte) (height int64, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.rpc.HeaderByHash(ctx, hash)
	if err != nil {
		return 0, false, unreachable(err)
	}
	if res.Header == nil {
		return 0, false, nil
	}
	return res.Header.Height, true, nil
}

// Entry is a transaction in a block, of whichever application.
type Entry struct {
	Index     int
	Hash      string // upper-case hex
	Raw       []byte
	Tx        *tx.Tx // nil where it is none of Lucid's own
	Code      uint32
	Codespace string
	Events    []Event
}

// Event is something that a transaction did, as its application tells it.
type Event struct {
	Type       string
	Attributes []Attribute
}

// Attribute is a name and a value of an event; a name may come more than once.
type Attribute struct{ Name, Value string }

// Kind is what the transaction's message is called.
func (e Entry) Kind() string {
	if e.Tx == nil {
		return "unknown"
	}
	return tx.Name(e.Tx.Message)
}

// Worked reports whether the message was carried out.
func (e Entry) Worked() bool { return e.Code == uint32(app.CodeOK) }

// Reason says why it was not, in Lucid's words; empty where it was.
func (e Entry) Reason() string {
	switch {
	case e.Worked():
		return ""
	case e.Codespace == app.Codespace:
		return app.Code(e.Code).String()
	}
	return "refused by the chain's application"
}

func entryOf(index int, raw types.Tx, result *abci.ExecTxResult) Entry {
	e := Entry{Index: index, Hash: HashOf(raw), Raw: raw, Code: result.Code, Codespace: result.Codespace}
	if signed, err := tx.Decode(raw); err == nil {
		e.Tx = signed
	}
	for _, event := range result.Events {
		shown := Event{Type: event.Type, Attributes: make([]Attribute, len(event.Attributes))}
		for i, a := range event.Attributes {
			shown.Attributes[i] = Attribute{a.Key, a.Value}
		}
		e.Events = append(e.Events, shown)
	}
	return e
}

// Entries returns all transactions of a block in their order.
func (c *Client) Entries(ctx context.Context, of Header) ([]Entry, error) {
	if of.Transactions == 0 {
		return nil, nil
	}
	block, results, err := c.contents(ctx, of.Height, of.Hash)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(results.TxsResults))
	for i, result := range results.TxsResults {
		entries[i] = entryOf(i, block.Block.Txs[i], result)
	}
	return entries, nil
}

// Inclusion is CometBFT's proof that a block holds a transaction: the leaf is the
// SHA-256 of its bytes, in the Merkle tree of RFC 6962 under the header's data
// hash.
type Inclusion struct {
	Root         []byte
	Index, Total int64
	Leaf         []byte
	Aunts        [][]byte // from the leaf's neighbour up
}

// Located is a transaction and the block that holds it. Time and Proof are missing
// where the node does not keep the block any more.
type Located struct {
	Entry
	Height    int64
	BlockHash string // upper-case hex
	Time      time.Time
	Proof     *Inclusion
}

// Locate finds a transaction by its hash, and checks the proof that it is there
// against the block's header. NotFound when no block holds it.
func (c *Client) Locate(ctx context.Context, hash []byte) (Located, error) {
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.rpc.Tx(bounded, hash, true)
	if saysRPC(err, "not found") {
		return Located{}, fault.New(fault.NotFound, "No block of the chain holds that transaction")
	}
	if err != nil {
		return Located{}, unreachable(err)
	}
	found := Located{Entry: entryOf(int(res.Index), res.Tx, &res.TxResult), Height: res.Height}
	headers, err := c.Headers(ctx, res.Height, 1)
	if err != nil {
		return Located{}, err
	}
	if len(headers) == 0 || headers[0].Height != res.Height || len(res.Proof.RootHash) == 0 {
		return found, nil
	}
	found.Time, found.BlockHash = headers[0].Time, headers[0].Hash
	root, err := hex.DecodeString(headers[0].DataHash)
	if err == nil {
		err = res.Proof.Validate(root)
	}
	if err != nil {
		return Located{}, unproven(err)
	}
	proof := res.Proof.Proof
	found.Proof = &Inclusion{Root: root, Index: proof.Index, Total: proof.Total, Leaf: res.Proof.Data.Hash(), Aunts: proof.Aunts}
	return found, nil
}

// AccountAt is Account after the block of a height, and that height; 0 asks for
// the last one. NotFound where the chain does not keep that state.
func (c *Client) AccountAt(ctx context.Context, address livechain.Address, height int64) (app.Account, int64, error) {
	var account app.Account
	at, err := c.queryOf(ctx, "/account/"+address.String(), rpcclient.ABCIQueryOptions{Height: height}, &account)
	return account, at, err
}

// AccountProof is an account after the block of a height, with what proves it to
// somebody who trusts the chain's validators: the trie's nodes lead from the
// header's app hash to the record, and the commit is signed by the validators.
type AccountProof struct {
	Account    app.Account
	Exists     bool // false: it is proven that nobody has used the address
	Height     int64
	Key, Value []byte   // of the record, as stored
	Nodes      [][]byte // from the root down
	Header     int64    // height of the header that the proof leads to
	// Signed is that header and its commit in the JSON of CometBFT's RPC.
	Signed json.RawMessage
}

// ProveAccount asks for an account with its proof. It checks that the nodes lead
// from the header to the account, not who has signed the header: that is for whom
// the proof is for (see Light).
func (c *Client) ProveAccount(ctx context.Context, address livechain.Address, height int64) (AccountProof, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer, err := c.ask(ctx, "/account/"+address.String(), rpcclient.ABCIQueryOptions{Height: height, Prove: true})
	if err != nil {
		return AccountProof{}, err
	}
	signed, err := c.signedHeader(ctx, answer.Height+1)
	if err != nil {
		return AccountProof{}, err
	}
	if len(signed.AppHash) != len(state.Root{}) {
		return AccountProof{}, unproven(fmt.Errorf("an app hash of %d bytes", len(signed.AppHash)))
	}
	account, exists, err := app.ProvenAccount(state.Root(signed.AppHash), address, answer.ProofOps, signed.Time)
	if err != nil {
		return AccountProof{}, unproven(err)
	}
	proof := AccountProof{
		Account: account, Exists: exists, Height: answer.Height, Key: answer.Key, Value: answer.Value, Header: signed.Height,
	}
	for _, op := range answer.ProofOps.GetOps() {
		proof.Nodes = append(proof.Nodes, op.Data)
	}
	if proof.Signed, err = cmtjson.Marshal(signed); err != nil {
		return AccountProof{}, fmt.Errorf("encode a header: %w", err)
	}
	return proof, nil
}

// signedHeader waits for a header: the one after the last height comes with the
// next block, and an endpoint may be several nodes.
func (c *Client) signedHeader(ctx context.Context, height int64) (types.SignedHeader, error) {
	for {
		if err := c.awaitBlock(ctx, height); err != nil {
			return types.SignedHeader{}, err
		}
		res, err := c.rpc.Commit(ctx, &height)
		switch {
		case err == nil && res.Header != nil && res.Commit != nil && res.Height == height:
			return res.SignedHeader, nil
		case err != nil && !saysRPC(err, "current blockchain height"):
			return types.SignedHeader{}, unreachable(err)
		}
		select {
		case <-ctx.Done():
			return types.SignedHeader{}, unreachable(errors.Join(ctx.Err(), err))
		case <-time.After(nextBlockEvery):
		}
	}
}
