package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

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
	// waiting bounds the transactions that are sent and in no block yet. A mempool
	// takes 5 000.
	waiting = 4_800
)

// network is a chain whose validators run in this process.
type network struct {
	nodes   []node.Config
	clients []*rpchttp.HTTP
	group   *errgroup.Group
	stop    context.CancelFunc
	dir     string
}

// figures are of one run.
type figures struct {
	rate float64       // transactions a second
	cpu  time.Duration // of all validators and of whoever sends, for one transaction
}

// measure runs a chain of one application and returns how many transactions a
// second all its validators have carried out, from the first one sent to the last
// one's block.
func measure(ctx context.Context, f flags, c contender, validators int) (got figures, err error) {
	load, err := loadOf(f, c)
	if err != nil {
		return got, err
	}
	n, err := start(ctx, f, c, validators)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, n.end()) }()
	height, err := n.height(ctx)
	if err != nil {
		return got, err
	}
	count := accounts * f.each
	began, used := time.Now(), cpuTime()
	last, err := n.carry(ctx, load, height, count)
	if err != nil {
		return got, err
	}
	got.rate = float64(count) / time.Since(began).Seconds()
	got.cpu = (cpuTime() - used) / time.Duration(count)
	return got, n.carriedOut(ctx, last)
}

// cpuTime is what this process has used of all cores.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// loadOf signs before the clock runs.
func loadOf(f flags, c contender) ([][][]byte, error) {
	load := make([][][]byte, accounts)
	for account := range load {
		var err error
		if load[account], err = c.transactions(account, f.each); err != nil {
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

// height is the last one that every validator is done with: it works on the next.
// Only then is there room for others in its mempool.
func (n *network) height(ctx context.Context) (int64, error) {
	least := int64(math.MaxInt64)
	for _, client := range n.clients {
		found, err := client.ConsensusState(ctx)
		if err != nil {
			return 0, err
		}
		var round struct {
			Step string `json:"height/round/step"`
		}
		if err := json.Unmarshal(found.RoundState, &round); err != nil {
			return 0, err
		}
		var next int64
		if _, err := fmt.Sscanf(round.Step, "%d/", &next); err != nil {
			return 0, err
		}
		least = min(least, next-1)
	}
	return least, nil
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

// carry sends the load and waits until blocks after height hold all of it. It
// returns the last of them.
func (n *network) carry(ctx context.Context, load [][][]byte, height int64, count int) (last int64, err error) {
	group, ctx := errgroup.WithContext(ctx)
	room := semaphore.NewWeighted(waiting)
	for account, list := range load {
		client := n.clients[account%len(n.clients)]
		group.Go(func() error { return send(ctx, client, list, room) })
	}
	group.Go(func() error {
		last, err = n.committed(ctx, height, count, room)
		return err
	})
	return last, group.Wait()
}

// send gives an account's transactions to a node in order, as there is room.
func send(ctx context.Context, client *rpchttp.HTTP, list [][]byte, room *semaphore.Weighted) error {
	for some := range slices.Chunk(list, perRequest) {
		if err := room.Acquire(ctx, int64(len(some))); err != nil {
			return err
		}
		if err := sendSome(ctx, client, some); err != nil {
			return err
		}
	}
	return nil
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
// are in, and makes room for as many more. It reads headers only, which cost both
// applications the same, and returns the last block's height.
func (n *network) committed(ctx context.Context, height int64, want int, room *semaphore.Weighted) (int64, error) {
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
			room.Release(int64(block.NumTxs))
		}
		height = latest
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
