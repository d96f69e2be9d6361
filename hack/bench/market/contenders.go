package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// rawTrade is the pgbench script: the pool row moved on and the trade row
// written by one statement, with the curve's arithmetic, and nothing else: no
// balance, no ledger entry, no key. READ COMMITTED, the fastest there is.
const rawTrade = `\set amount random(1000000, 10000000)
WITH p AS (
  UPDATE raw_pools SET cnpy_reserve = cnpy_reserve + :amount,
    token_reserve = token_reserve - (:amount::numeric * token_reserve / (cnpy_reserve + :amount))::int8,
    total_volume_cnpy = total_volume_cnpy + :amount, version = version + 1, updated_at = now()
  RETURNING id, version, cnpy_reserve, token_reserve)
INSERT INTO raw_trades (id, pool_id, seq, user_id, side, cnpy_amount, token_amount, fee_cnpy,
  cnpy_reserve_after, token_reserve_after, idempotency_key, request_hash, created_at)
SELECT gen_random_uuid(), id, version, id, 'buy', :amount, 1, 0, cnpy_reserve, token_reserve, NULL, '', now() FROM p;
`

// pgbench runs PostgreSQL's own client with prepared statements.
func (e *environment) pgbench(ctx context.Context, clients int, length time.Duration) (sample, error) {
	// Each run starts on the pool as it opened: the reserves must not run out,
	// nor the dead row versions of one run slow the next.
	for _, statement := range []string{
		"TRUNCATE raw_pools, raw_trades", "INSERT INTO raw_pools SELECT * FROM pools", "VACUUM ANALYZE raw_pools",
	} {
		if err := e.store.Exec(ctx, statement); err != nil {
			return sample{}, err
		}
	}
	settleDown()
	prefix := filepath.Join(e.scratch, "latency")
	command := exec.CommandContext(ctx, e.server.Binary("pgbench"), "-h", e.server.SocketDir(), "-p", e.server.Port(),
		"-U", "postgres", "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "2",
		"-T", strconv.Itoa(int(length.Seconds())), "-f", e.script(), "-l", "--log-prefix="+prefix, database)
	output, err := command.CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("pgbench: %w: %s", err, output)
	}
	return readPgbench(string(output), prefix)
}

// readPgbench takes the rate from the summary, connection time excluded, and
// the 99th percentile from the log, which has microseconds in its third column.
func readPgbench(summary, prefix string) (s sample, err error) {
	_, rest, found := strings.Cut(summary, "tps = ")
	if !found {
		return s, fmt.Errorf("pgbench printed no rate: %s", summary)
	}
	if s.perSecond, err = strconv.ParseFloat(strings.Fields(rest)[0], 64); err != nil {
		return s, fmt.Errorf("read pgbench's rate: %w", err)
	}
	logs, err := filepath.Glob(prefix + ".*")
	if err != nil {
		return s, fmt.Errorf("find pgbench's logs: %w", err)
	}
	var latencies []time.Duration
	for _, path := range logs {
		if latencies, err = readLatencies(path, latencies); err != nil {
			return s, err
		}
		if err := os.Remove(path); err != nil {
			return s, fmt.Errorf("remove pgbench's log: %w", err)
		}
	}
	s.p99 = percentile99(latencies)
	return s, nil
}

func readLatencies(path string, latencies []time.Duration) ([]time.Duration, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open pgbench's log: %w", err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		columns := strings.Fields(lines.Text())
		if len(columns) < 3 {
			continue
		}
		micros, err := strconv.Atoi(columns[2])
		if err != nil {
			return nil, fmt.Errorf("read pgbench's log: %w", err)
		}
		latencies = append(latencies, time.Duration(micros)*time.Microsecond)
	}
	return latencies, lines.Err()
}

// market has all clients on one market, as in one API pod.
func (e *environment) market(ctx context.Context, clients int, length time.Duration) (sample, error) {
	return e.drive(ctx, clients, length, func(int) *market.Market { return e.shared })
}

// oneByOne gives each client a market of its own with batches of one: what a
// transaction per trade costs, conflicts and retries included.
func (e *environment) oneByOne(ctx context.Context, clients int, length time.Duration) (sample, error) {
	running, stop := context.WithCancel(context.Background())
	markets := make([]*market.Market, clients)
	var done sync.WaitGroup
	for i := range markets {
		m := market.New(e.store, market.Options{BatchSize: 1})
		markets[i] = m
		done.Go(func() { _ = m.Run(running) }) // Run has no error of its own
	}
	s, err := e.drive(ctx, clients, length, func(client int) *market.Market { return markets[client] })
	stop()
	done.Wait()
	return s, err
}

// drive lets clients trade as fast as they are answered.
func (e *environment) drive(ctx context.Context, clients int, length time.Duration, of func(int) *market.Market) (sample, error) {
	settleDown()
	latencies, failures := make([][]time.Duration, clients), make([]error, clients)
	var done sync.WaitGroup
	begun := time.Now()
	for i := range clients {
		done.Go(func() {
			latencies[i], failures[i] = e.client(ctx, of(i), e.users[i], begun.Add(length))
		})
	}
	done.Wait()
	took := time.Since(begun)
	var all []time.Duration
	for _, l := range latencies {
		all = append(all, l...)
	}
	return sample{perSecond: float64(len(all)) / took.Seconds(), p99: percentile99(all)}, errors.Join(failures...)
}

// client buys and sells in turn, each order under a key of its own.
func (e *environment) client(ctx context.Context, m *market.Market, user uuid.UUID, until time.Time) ([]time.Duration, error) {
	var latencies []time.Duration
	held := money.Amount(0)
	for time.Now().Before(until) {
		o := market.Order{PoolID: e.chain, UserID: user, Side: market.Buy, IdempotencyKey: uuid.NewString()}
		stake := 10 * money.Unit
		o.CNPY = &stake
		if held > 0 {
			o.Side, o.CNPY, o.Tokens = market.Sell, nil, &held
		}
		begun := time.Now()
		trade, err := m.Trade(ctx, o)
		if err != nil {
			return latencies, fmt.Errorf("trade: %w", err)
		}
		latencies = append(latencies, time.Since(begun))
		e.acknowledged.Add(1)
		held = map[market.Side]money.Amount{market.Buy: trade.Tokens}[o.Side]
	}
	return latencies, nil
}
