package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// sample is one run of one contender.
type sample struct {
	perSecond float64
	p99       time.Duration
}

// result collects a contender's runs.
type result struct {
	name    string
	run     func(ctx context.Context, clients int, length time.Duration) (sample, error)
	samples []sample
}

func (r *result) median() float64 {
	return middle(r.samples, func(s sample) float64 { return s.perSecond })
}

func middle(samples []sample, of func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

func (r *result) spread() (lowest, highest float64) {
	lowest, highest = r.samples[0].perSecond, r.samples[0].perSecond
	for _, s := range r.samples {
		lowest, highest = min(lowest, s.perSecond), max(highest, s.perSecond)
	}
	return lowest, highest
}

// report prints a table and says whether the target was reached.
func report(t target, f flags, results []*result) bool {
	fmt.Printf("\n%d clients\n%-15s %10s %22s %12s %10s\n", t.clients, "contender", "trades/s", "spread", "p99", "×pgbench")
	base := results[0].median()
	for _, r := range results {
		low, high := r.spread()
		p99 := time.Duration(middle(r.samples, func(s sample) float64 { return float64(s.p99) }))
		fmt.Printf("%-15s %10.0f %10.0f … %9.0f %12s %10.2f\n",
			r.name, r.median(), low, high, p99.Round(10*time.Microsecond), r.median()/base)
	}
	ratio, wanted := results[1].median()/base, t.ratio*f.floor
	reached := ratio >= wanted
	fmt.Printf("market / pgbench = %.2f, target ≥ %.2f: %s\n", ratio, wanted, map[bool]string{true: "reached", false: "MISSED"}[reached])
	return reached
}

// percentile99 sorts latencies in place.
func percentile99(latencies []time.Duration) time.Duration {
	if len(latencies) == 0 {
		return 0
	}
	slices.Sort(latencies)
	return latencies[(len(latencies)*99)/100]
}
