// Package explorer reads live chains (docs/chain-api.md): what a chain is, its
// blocks, transactions and accounts are asked of the chain itself, with their
// proofs; the history of an address is what graduated.Indexer has written.
package explorer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/store"
)

// Engine is what makes the blocks of every live chain, whatever its consensus
// label names the policy.
const Engine = "CometBFT"

// Service reads live chains. It is safe for concurrent use.
type Service struct {
	Store *store.Store
	Now   func() time.Time // time.Now when nil
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

// Page is a page number from 1 and a size.
type Page struct {
	Number int
	Size   int
}

func (p Page) skip() int64 { return int64(p.Number-1) * int64(p.Size) }

// live is a chain and the way to it.
type live struct {
	id                          uuid.UUID
	network, genesisHash, label string
	client                      *client.Client
}

// Named finds the live chain that calls itself so. Unavailable where there is
// none: who asks by name expects it to be there.
func (s *Service) Named(ctx context.Context, network string) (uuid.UUID, error) {
	id, err := s.Store.Queries().LiveChainOfNetwork(ctx, network)
	if store.NotFound(err) {
		return uuid.Nil, fault.New(fault.Unavailable, "The chain %s is not live", network)
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("find the chain %s: %w", network, err)
	}
	return id, nil
}

// reach finds the way to a live chain. The endpoint may have moved since the last
// call, so it is read each time.
func (s *Service) reach(ctx context.Context, chain uuid.UUID) (live, error) {
	row, err := s.Store.Queries().GetLiveChain(ctx, chain)
	if store.NotFound(err) {
		return live{}, fault.New(fault.NotFound, "The chain is not live: it has blocks from its graduation on")
	}
	if err != nil {
		return live{}, fmt.Errorf("read the live chain: %w", err)
	}
	if row.ChainID == nil || row.GenesisHash == nil || row.RpcEndpoint == nil {
		return live{}, silent(errors.New("the chain has graduated without an endpoint"))
	}
	c, err := client.New(*row.RpcEndpoint)
	if err != nil {
		return live{}, silent(err)
	}
	return live{id: row.ID, network: *row.ChainID, genesisHash: *row.GenesisHash, label: row.ConsensusMechanism, client: c}, nil
}

// silent says of a chain what is said of one that does not answer.
func silent(cause error) error {
	return fault.New(fault.Unavailable, "The chain does not answer at present").Because(cause)
}

// kept asks which blocks there are, and holds the endpoint to be the chain's.
func (l live) kept(ctx context.Context) (client.Kept, error) {
	kept, err := l.client.Kept(ctx)
	if err == nil && kept.Network != l.network {
		err = silent(fmt.Errorf("%s answers where %s was expected", kept.Network, l.network))
	}
	return kept, err
}

// Network is what a live chain is at this moment.
type Network struct {
	ChainID     uuid.UUID
	Network     string // what it calls itself
	Application string // what its application calls itself
	AppVersion  uint64
	GenesisHash string
	Consensus   string // the policy's label
	First       int64  // height of the oldest block that is kept
	Height      int64  // of the last block
	Time        time.Time
	BlockTime   time.Duration // on average, of the last blocks; 0 before there are two
	CatchingUp  bool          // the node that answered still fetches blocks
}

// Network asks a chain what it is. Faults: NotFound for a chain that is not live,
// Unavailable for one that does not answer; so for all of the service.
func (s *Service) Network(ctx context.Context, chain uuid.UUID) (Network, error) {
	l, err := s.reach(ctx, chain)
	if err != nil {
		return Network{}, err
	}
	kept, err := l.kept(ctx)
	if err != nil {
		return Network{}, err
	}
	status, err := l.client.Status(ctx)
	if err != nil {
		return Network{}, err
	}
	if status.GenesisHash != l.genesisHash {
		return Network{}, silent(fmt.Errorf("the endpoint's chain has the genesis %s, not the recorded one", status.GenesisHash))
	}
	pace, err := l.pace(ctx, kept)
	if err != nil {
		return Network{}, err
	}
	return Network{
		ChainID: l.id, Network: l.network, Application: status.Application, AppVersion: status.AppVersion,
		GenesisHash: l.genesisHash, Consensus: l.label, First: kept.First, Height: kept.Last, Time: kept.Time,
		BlockTime: pace, CatchingUp: kept.CatchingUp,
	}, nil
}

// pace is the time between blocks, over the last ones.
func (l live) pace(ctx context.Context, kept client.Kept) (time.Duration, error) {
	const span = 100
	from := max(kept.First, kept.Last-span)
	if from < 1 || from == kept.Last {
		return 0, nil
	}
	oldest, err := l.client.Headers(ctx, from, 1)
	if err != nil || len(oldest) == 0 {
		return 0, err
	}
	return kept.Time.Sub(oldest[0].Time) / time.Duration(kept.Last-oldest[0].Height), nil
}
