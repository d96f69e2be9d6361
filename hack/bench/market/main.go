// Command market measures the market against the database underneath it:
// trades per second with balances, ledger entries and idempotency keys against
// raw pgbench, which writes the same pool row and trade row in one statement
// and nothing else. Same server, same database, same run, fsync on; the order
// of the contenders turns round with each round. It fails when the ledger has
// lost or made anything, or when a target is missed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/lucid-blockchain/lucid/internal/ledger"
)

// target is by how much the market has to beat pgbench at a number of clients.
type target struct {
	clients int
	ratio   float64
}

var targets = []target{{16, 4}, {64, 10}}

type flags struct {
	rounds   int
	seconds  int
	dir      string
	floor    float64
	withNaif bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var f flags
	flag.IntVar(&f.rounds, "rounds", 5, "rounds; each runs every contender once")
	flag.IntVar(&f.seconds, "seconds", 4, "seconds per run")
	flag.StringVar(&f.dir, "dir", "", "directory on the disk to measure (default: the system's temporary directory)")
	flag.Float64Var(&f.floor, "floor", 1, "part of the targets that must be reached; 0.5 for a noisy machine")
	flag.BoolVar(&f.withNaif, "one-by-one", true, "also measure one transaction per trade, for the distance")
	flag.Parse()
	err := bench(ctx, f)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-market:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, f flags) error {
	env, err := setUp(ctx, f.dir)
	if err != nil {
		return err
	}
	defer env.tearDown()
	fmt.Printf("One hot pool, PostgreSQL %s with fsync, %d rounds of %d s per contender.\n", env.version, f.rounds, f.seconds)
	missed := 0
	for _, t := range targets {
		results, err := measure(ctx, env, f, t.clients)
		if err != nil {
			return err
		}
		if !report(t, f, results) {
			missed++
		}
	}
	if err := env.prove(ctx); err != nil {
		return err
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d targets missed", missed, len(targets))
	}
	return nil
}

// measure runs all contenders in turn, in the opposite order every other round.
func measure(ctx context.Context, env *environment, f flags, clients int) ([]*result, error) {
	results := []*result{
		{name: "pgbench", run: env.pgbench},
		{name: "market", run: env.market},
		{name: "pgbench again", run: env.pgbench},
	}
	if f.withNaif {
		results = append(results, &result{name: "one by one", run: env.oneByOne})
	}
	for round := range f.rounds {
		order := slices.Clone(results)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, r := range order {
			s, err := r.run(ctx, clients, time.Duration(f.seconds)*time.Second)
			if err != nil {
				return nil, fmt.Errorf("%s with %d clients: %w", r.name, clients, err)
			}
			r.samples = append(r.samples, s)
		}
	}
	return results, nil
}

// prove checks that every acknowledged trade is stored, once, and that the
// ledger adds up.
func (e *environment) prove(ctx context.Context) error {
	pool, err := e.shared.Pool(ctx, e.chain)
	if err != nil {
		return fmt.Errorf("read the pool: %w", err)
	}
	if pool.Trades != e.acknowledged.Load() {
		return fmt.Errorf("%d trades acknowledged, %d stored", e.acknowledged.Load(), pool.Trades)
	}
	verdict, err := ledger.Verify(ctx, e.store)
	if err != nil {
		return fmt.Errorf("verify the ledger: %w", err)
	}
	if !verdict.Clean() {
		return fmt.Errorf("the ledger is damaged: %+v", verdict.Problems)
	}
	fmt.Printf("\nIntegrity: %d trades acknowledged, %d stored, %d entries; %d ledger checks clean.\n",
		e.acknowledged.Load(), verdict.Trades, verdict.Entries, verdict.Checks)
	return nil
}
