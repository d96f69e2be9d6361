package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/node"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const (
	patience = 2 * time.Minute
	often    = 10 * time.Millisecond
	// perRequest is how many transactions are sent at once, the most that a node
	// takes.
	perRequest = 10
)

// network is a chain whose validators run in this process.
type network struct {
	nodes   []node.Config
	clients []*rpchttp.HTTP
	group   *errgroup.Group
	stop    context.CancelFunc
	dir     string
}

// measure runs a chain of one application and returns how many transactions a
// second it has committed, from the first one sent to the block of the last one.
func measure(ctx context.Context, f flags, c contender, validators int) (rate float64, err error) {
	n, err := start(ctx, f, c, validators)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, n.end()) }()
	height, err := n.height(ctx)
	if err != nil {
		return 0, err
	}
	var spent time.Duration
	for wave := range f.waves {
		load, err := loadOf(c, wave)
		if err != nil {
			return 0, err
		}
		began := time.Now()
		if err := n.send(ctx, load); err != nil {
			return 0, err
		}
		if height, err = n.committed(ctx, height, accounts*perAccount); err != nil {
			return 0, err
		}
		spent += time.Since(began)
	}
	if err := n.carriedOut(ctx, height); err != nil {
		return 0, err
	}
	return float64(f.waves*accounts*perAccount) / spent.Seconds(), nil
}

func loadOf(c contender, wave int) ([][][]byte, error) {
	load := make([][][]byte, accounts)
	for account := range load {
		var err error
		if load[account], err = c.transactions(account, wave); err != nil {
			return nil, err
		}
	}
	return load, nil
}

func start(ctx context.Context, f flags, c contender, validators int) (*network, error) {
	dir, err := os.MkdirTemp(f.dir, "lucid-bench-chain-")
	if err != nil {
		return nil, err
	}
	n := &network{dir: dir}
	if err := n.configure(validators); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	running, stop := context.WithCancel(ctx)
	n.stop = stop
	n.group, running = errgroup.WithContext(running)
	for _, config := range n.nodes {
		n.group.Go(func() error { return c.run(running, config) })
	}
	for _, config := range n.nodes {
		client, err := rpchttp.New("http://"+config.RPCAddress, "/websocket")
		if err != nil {
			return nil, errors.Join(err, n.end())
		}
		n.clients = append(n.clients, client)
	}
	return n, errors.Join(n.awaitAll(running, 2))
}

// configure writes the keys, one list of peers and the genesis.
func (n *network) configure(validators int) error {
	var set []genesis.Validator
	var peers []byte
	list := filepath.Join(n.dir, "peers")
	addresses, err := free(2 * validators)
	if err != nil {
		return err
	}
	for i := range validators {
		nodeKey, validatorKey, err := node.GenerateKeys()
		if err != nil {
			return err
		}
		public, err := node.ValidatorPublicKey(validatorKey)
		if err != nil {
			return err
		}
		id, err := node.NodeID(nodeKey)
		if err != nil {
			return err
		}
		config := node.Config{
			Home: n.file("home-%d", i), NodeKeyFile: n.file("node-%d", i), ValidatorKeyFile: n.file("validator-%d", i),
			GenesisFile: n.file("genesis"), RPCAddress: addresses[2*i], P2PAddress: addresses[2*i+1], PeersFile: list, Logger: logr.Discard(),
		}
		if err := errors.Join(write(config.NodeKeyFile, nodeKey), write(config.ValidatorKeyFile, validatorKey)); err != nil {
			return err
		}
		set = append(set, genesis.Validator{Name: fmt.Sprintf("validator-%d", i), PublicKey: public, Power: 10})
		peers = fmt.Appendf(peers, "%s@%s\n", id, config.P2PAddress)
		n.nodes = append(n.nodes, config)
	}
	document, _, err := genesis.BuildGenesis(input(set))
	return errors.Join(err, write(list, peers), write(n.file("genesis"), document))
}

func input(set []genesis.Validator) genesis.Input {
	const sold = accounts * 1_000_000 * money.Unit
	return genesis.Input{
		ChainID: chainID, GenesisTime: time.Now(), Holders: holders(), Treasury: livechain.Address{1},
		CNPYRaised: 40_000 * money.Unit, CNPYReserve: 50_000 * money.Unit, TokenReserve: 800_000_000*money.Unit - sold,
		InitialSupply: 800_000_000 * money.Unit, TotalSupply: 1_000_000_000 * money.Unit, FeeBasisPoints: 100, Validators: set,
	}
}

func (n *network) file(name string, args ...any) string {
	return filepath.Join(n.dir, fmt.Sprintf(name, args...))
}

func write(path string, content []byte) error { return os.WriteFile(path, content, 0o600) }

// free are addresses that nobody listens on yet, held until all are known so that
// none comes twice.
func free(count int) ([]string, error) {
	addresses := make([]string, count)
	for i := range addresses {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = listener.Close() }()
		addresses[i] = listener.Addr().String()
	}
	return addresses, nil
}

func (n *network) end() error {
	n.stop()
	return errors.Join(n.group.Wait(), os.RemoveAll(n.dir))
}

func (n *network) height(ctx context.Context) (int64, error) {
	status, err := n.clients[0].Status(ctx)
	if err != nil {
		return 0, err
	}
	return status.SyncInfo.LatestBlockHeight, nil
}

// awaitAll waits until every node has a height.
func (n *network) awaitAll(ctx context.Context, height int64) error {
	for _, client := range n.clients {
		for end := time.Now().Add(patience); ; time.Sleep(often) {
			status, err := client.Status(ctx)
			if err == nil && status.SyncInfo.LatestBlockHeight >= height {
				break
			}
			if time.Now().After(end) || ctx.Err() != nil {
				return errors.Join(fmt.Errorf("no block %d within %s", height, patience), err, n.end())
			}
		}
	}
	return nil
}

// send gives each account's transactions, in order, to one of the nodes.
func (n *network) send(ctx context.Context, load [][][]byte) error {
	group, ctx := errgroup.WithContext(ctx)
	for account, list := range load {
		client := n.clients[account%len(n.clients)]
		group.Go(func() error {
			for len(list) > 0 {
				some := list[:min(perRequest, len(list))]
				if err := sendSome(ctx, client, some); err != nil {
					return err
				}
				list = list[len(some):]
			}
			return nil
		})
	}
	return group.Wait()
}

func sendSome(ctx context.Context, client *rpchttp.HTTP, some [][]byte) error {
	batch := client.NewBatch()
	for _, raw := range some {
		if _, err := batch.BroadcastTxSync(ctx, raw); err != nil {
			return err
		}
	}
	answers, err := batch.Send(ctx)
	if err != nil {
		return err
	}
	return accepted(answers)
}

// committed counts what the blocks after height hold until that many transactions
// are in. It reads headers only, which cost both applications the same, and returns
// the last block's height.
func (n *network) committed(ctx context.Context, height int64, want int) (int64, error) {
	for end := time.Now().Add(patience); want > 0; time.Sleep(often) {
		if time.Now().After(end) {
			return height, fmt.Errorf("%d transactions are in no block within %s", want, patience)
		}
		latest, err := n.height(ctx)
		if err != nil {
			return height, err
		}
		if latest == height {
			continue
		}
		found, err := n.clients[0].BlockchainInfo(ctx, height+1, latest)
		if err != nil {
			return height, err
		}
		for _, block := range found.BlockMetas {
			want -= block.NumTxs
			height = max(height, block.Header.Height)
		}
	}
	return height, nil
}

// carriedOut fails on a transaction in the blocks up to height that was refused.
func (n *network) carriedOut(ctx context.Context, height int64) error {
	for at := int64(1); at <= height; at++ {
		results, err := n.clients[0].BlockResults(ctx, &at)
		if err != nil {
			return err
		}
		for _, result := range results.TxsResults {
			if result.Code != 0 {
				return fmt.Errorf("a transaction of block %d was refused: %s", at, result.Log)
			}
		}
	}
	return nil
}

// accepted fails on the first transaction that the node has not taken.
func accepted(answers []any) error {
	for _, answer := range answers {
		taken, ok := answer.(*coretypes.ResultBroadcastTx)
		if !ok {
			return fmt.Errorf("a transaction was answered with %v", answer)
		}
		if taken.Code != 0 {
			return fmt.Errorf("a transaction was refused: %s", taken.Log)
		}
	}
	return nil
}
