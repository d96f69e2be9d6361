// Package economy holds the properties that the whole ledger has whatever its users
// do: launches, trades, the faucet and the bridge together, in random sequences.
package economy

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

var (
	sequences = flag.Int("sequences", 10_000, "how many random sequences to run")
	seed      = flag.Uint64("seed", 0, "of the sequences; by the clock when 0")
)

const (
	// stepsPerSequence are what one sequence does; every kind of step is many
	// times in ten thousand of them.
	stepsPerSequence = 6
	// villages trade at the same time, each with people and pools of its own, so
	// that each knows exactly what its balances must be.
	villages = 64
)

// economy is one database with the services that move value on it.
type economy struct {
	store  *store.Store
	pods   [2]*market.Market // all trade the same pools
	chains *chain.Service
	steps  sync.Map // of *atomic.Int64, by the name of what was done
}

func (e *economy) count(step string) {
	n, _ := e.steps.LoadOrStore(step, &atomic.Int64{})
	n.(*atomic.Int64).Add(1)
}

func (e *economy) counted() map[string]int64 {
	counted := map[string]int64{}
	e.steps.Range(func(name, n any) bool {
		counted[name.(string)] = n.(*atomic.Int64).Load()
		return true
	})
	return counted
}

// enough fails where something was hardly ever done: then the run proves little
// about it. A short run is for going after a failure.
func (e *economy) enough(t *testing.T) {
	if *sequences < 1_000 {
		return
	}
	counted, steps := e.counted(), int64(*sequences)*stepsPerSequence
	least := map[string]int64{
		"launches of linear curves": steps / 1000, "closings": steps / 2000, "of them refused": steps / 100,
		"of them asked again": steps / 20, "of them with a used key": steps / 50,
	}
	for _, s := range new(village).steps() {
		least[s.name] = steps * int64(s.share) / 100 / 4
	}
	for name, want := range least {
		if counted[name] < want {
			t.Errorf("%d %s in %d steps, want at least %d", counted[name], name, steps, want)
		}
	}
}

func (e *economy) counts() string {
	counted := e.counted()
	var words []string
	for _, name := range slices.Sorted(maps.Keys(counted)) {
		words = append(words, fmt.Sprintf("%d %s", counted[name], name))
	}
	return strings.Join(words, ", ")
}

// TestWhateverHappens runs random sequences and has the ledger proved while they
// run and afterwards. Within a sequence each step is held against what the village
// knows: no balance but the expected ones changes, no pool's product falls, nobody
// profits by buying and selling at once, and a request that comes again changes
// nothing. A sequence is its village's whatever else happens, and a village is
// nobody else's, so that a seed gives each of them again.
func TestWhateverHappens(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("%d sequences of %d steps, -seed=%d", *sequences, stepsPerSequence, *seed)
	e := open(t)
	trading, done := context.WithCancel(t.Context())
	proofs := make(chan int, 1)
	go func() { proofs <- e.proveUntil(t, trading) }()
	var all sync.WaitGroup
	for i := range villages {
		all.Go(func() {
			v, err := e.settle(t.Context(), i)
			if err != nil {
				t.Errorf("village %d: %v", i, err)
				return
			}
			for n := i; n < *sequences && !t.Failed(); n += villages {
				v.random = rand.New(rand.NewPCG(*seed, uint64(n)))
				if err := v.sequence(t.Context()); err != nil {
					t.Errorf("sequence %d: %v", n, err)
				}
			}
		})
	}
	all.Wait()
	done()
	t.Logf("proved %d times while it moved; steps: %s", <-proofs, e.counts())
	e.prove(t)
	if !t.Failed() {
		e.enough(t)
	}
}

func open(t *testing.T) *economy {
	t.Helper()
	s := storetest.Open(t)
	keys, err := keystore.New(s, make([]byte, keystore.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	e := &economy{store: s}
	for i := range e.pods {
		e.pods[i] = run(t, s)
	}
	e.chains = &chain.Service{Store: s, Market: e.pods[0], Keys: keys}
	return e
}

// run starts a market that stops with the test.
func run(t *testing.T, s *store.Store) *market.Market {
	m := market.New(s, market.Options{})
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- m.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("the market stopped: %v", err)
		}
	})
	return m
}

// prove has the ledger's rules checked on a consistent snapshot.
func (e *economy) prove(t *testing.T) {
	report, err := ledger.Verify(context.WithoutCancel(t.Context()), e.store)
	if err != nil {
		t.Errorf("verify: %v", err)
		return
	}
	for _, p := range report.Problems {
		t.Errorf("%s: %s: %s", p.Check, p.Subject, p.Detail)
	}
}

func (e *economy) proveUntil(t *testing.T, ctx context.Context) (times int) {
	for {
		select {
		case <-ctx.Done():
			return times
		case <-time.After(20 * time.Second):
			e.prove(t)
			times++
		}
	}
}

// book is a village's order book on a counter chain of its own.
func (e *economy) book(w bridge.Witness, now func() time.Time) *bridge.Service {
	return bridge.New(e.store, bridge.Options{Witnesses: func() []bridge.Witness { return []bridge.Witness{w} }, Now: now})
}

// settle founds a village: three people with CNPY and two pools.
func (e *economy) settle(ctx context.Context, i int) (*village, error) {
	v := newVillage(e, i)
	for range 3 {
		v.people = append(v.people, v.anyID())
	}
	for _, step := range []deed{v.faucet, v.faucet, v.faucet, v.launch, v.launch} {
		if _, err := step(ctx); err != nil {
			return nil, err
		}
	}
	return v, v.look(ctx)
}
