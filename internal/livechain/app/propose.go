package app

import (
	"context"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// PrepareProposal puts each sender's transactions into the order of their nonces,
// and leaves those behind a gap to a later block. A node hears of transactions on
// several paths at once, so that two of one sender may have overtaken each other,
// and a block that has them the wrong way round would refuse the second for good.
func (a *Application) PrepareProposal(_ context.Context, req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	p := proposal{size: req.MaxTxBytes, queues: map[livechain.Address][]candidate{}}
	for _, raw := range req.Txs {
		// What is no transaction is left out: nothing but a refusal would come of it.
		if d := a.known.read(raw); d.err == nil {
			p.queue(raw, d.tx)
		}
	}
	for _, sender := range p.senders {
		account, err := committed{a.store}.account(sender)
		if err != nil {
			return nil, err
		}
		p.inOrder(sender, account.GetNonce())
	}
	return &abci.ResponsePrepareProposal{Txs: p.take()}, nil
}

// candidate is a transaction of a sender who is known by its place.
type candidate struct {
	nonce uint64
	raw   []byte
}

// proposal is a block in the making.
type proposal struct {
	size    int64               // bytes that the block may still hold
	places  []livechain.Address // whose transaction came at each place
	senders []livechain.Address // each once, as they came
	queues  map[livechain.Address][]candidate
}

func (p *proposal) queue(raw []byte, t *tx.Tx) {
	sender := t.Sender()
	if len(p.queues[sender]) == 0 {
		p.senders = append(p.senders, sender)
	}
	p.places = append(p.places, sender)
	p.queues[sender] = append(p.queues[sender], candidate{t.Nonce, raw})
}

// inOrder keeps a sender's transactions from the next nonce on, up to a gap. Those
// that come too late are kept as well: the block refuses them, and they are gone.
func (p *proposal) inOrder(sender livechain.Address, next uint64) {
	queue := p.queues[sender]
	slices.SortStableFunc(queue, func(a, b candidate) int {
		switch {
		case a.nonce < b.nonce:
			return -1
		case a.nonce > b.nonce:
			return 1
		}
		return 0
	})
	for i, c := range queue {
		if c.nonce > next {
			p.queues[sender] = queue[:i]
			return
		}
		if c.nonce == next {
			next++
		}
	}
}

// take goes through the places and gives each the next of its sender's, as long as
// the block has room.
func (p *proposal) take() [][]byte {
	var taken [][]byte
	for _, sender := range p.places {
		queue := p.queues[sender]
		if len(queue) == 0 {
			continue
		}
		// A transaction's bytes and what the block adds to each, at most.
		const overhead = 8
		if p.size -= int64(len(queue[0].raw)) + overhead; p.size < 0 {
			break
		}
		taken = append(taken, queue[0].raw)
		p.queues[sender] = queue[1:]
	}
	return taken
}
