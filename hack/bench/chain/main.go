// Command chain measures a live chain's application against CometBFT's own example
// of one: swaps per second that one validator and four have committed, against
// pairs stored by kvstore. Same node, same settings, same block limits, same number
// and size of transactions, same run; all validators share this machine. The order
// of the two turns round with each round. It fails when a transaction is lost or
// refused, or when the target is missed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
)

// target is which part of kvstore's rate the swaps have to reach.
const target = 0.7

type flags struct {
	rounds, each int
	validators   int
	dir          string
	floor        float64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var f flags
	flag.IntVar(&f.rounds, "rounds", 3, "rounds; each runs both applications once")
	flag.IntVar(&f.each, "each", 1500, fmt.Sprintf("transactions of each of the %d accounts per run", accounts))
	flag.IntVar(&f.validators, "validators", 0, "only with this many validators (default: with 1 and with 4)")
	flag.StringVar(&f.dir, "dir", "", "directory on the disk to measure (default: the system's temporary directory)")
	flag.Float64Var(&f.floor, "floor", 1, "part of the target that must be reached; less for a noisy machine")
	flag.Parse()
	err := bench(ctx, f)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-chain:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, f flags) error {
	fmt.Printf("%d rounds of %d transactions each.\n", f.rounds, accounts*f.each)
	missed, sizes := 0, []int{1, 4}
	if f.validators > 0 {
		sizes = []int{f.validators}
	}
	for _, validators := range sizes {
		ratio, err := compare(ctx, f, validators)
		if err != nil {
			return err
		}
		if ratio < target*f.floor {
			missed++
		}
	}
	if missed > 0 {
		return fmt.Errorf("the target of %.2f was missed %d times", target, missed)
	}
	return nil
}

// compare runs both applications in turn, in the opposite order every other round,
// and returns the ratio of their medians.
func compare(ctx context.Context, f flags, validators int) (float64, error) {
	got := map[string][]figures{}
	for round := range f.rounds {
		order := []contender{swaps{}, pairs{}}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, c := range order {
			run, err := measure(ctx, f, c, validators)
			if err != nil {
				return 0, fmt.Errorf("%s on %d validators: %w", c.name(), validators, err)
			}
			got[c.name()] = append(got[c.name()], run)
			fmt.Printf("  %d validators, round %d: %-14s %7.0f/s, CPU time for each %4d µs\n",
				validators, round+1, c.name(), run.rate, run.cpu.Microseconds())
		}
	}
	ours, theirs := got[swaps{}.name()], got[pairs{}.name()]
	ratio := median(ours, rate) / median(theirs, rate)
	fmt.Printf("%d validators: %.0f swaps/s against %.0f pairs/s of kvstore, ratio %.2f (target %.2f); CPU time of a swap %.2f of a pair's\n",
		validators, median(ours, rate), median(theirs, rate), ratio, target, median(ours, cpu)/median(theirs, cpu))
	return ratio, nil
}

func rate(run figures) float64 { return run.rate }
func cpu(run figures) float64  { return float64(run.cpu) }

func median(runs []figures, of func(figures) float64) float64 {
	sorted := make([]float64, len(runs))
	for i, run := range runs {
		sorted[i] = of(run)
	}
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
