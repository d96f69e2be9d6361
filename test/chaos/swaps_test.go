//go:build e2e

package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// swapping is holders who sell while something else happens.
type swapping struct {
	mutex      sync.Mutex
	hashes     map[string]int // of acknowledged swaps
	unanswered atomic.Int64   // which may have happened
	began      time.Time
}

func (s *swapping) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return fmt.Sprintf("%d swaps by now, %d without an answer", len(s.hashes), s.unanswered.Load())
}

func swapWhile(t *testing.T, p *platform.Platform, chain *lucidv1.Chain, people []*platform.User, something func(*swapping)) *swapping {
	s := &swapping{hashes: map[string]int{}, began: time.Now()}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, user := range people {
		all.Go(func() {
			for ctx.Err() == nil {
				s.sell(t, user, chain.Status.LedgerID)
			}
		})
	}
	something(s)
	stop()
	all.Wait()
	t.Logf("%.1f swaps a second over %s; %s", float64(len(s.hashes))/time.Since(s.began).Seconds(), time.Since(s.began).Round(time.Second), s)
	return s
}

// count is how many swaps have been acknowledged.
func (s *swapping) count() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.hashes)
}

// atLeast wants so many swaps a second, over ten seconds.
func (s *swapping) atLeast(t *testing.T, rate float64) {
	const over = 10 * time.Second
	platform.Eventually(t, time.Minute, "the first swaps", func(context.Context) error {
		if s.count() < sellers {
			return fmt.Errorf("%d swaps", s.count())
		}
		return nil
	})
	from, start := s.count(), time.Now()
	time.Sleep(over)
	seen := float64(s.count()-from) / time.Since(start).Seconds()
	t.Logf("%.1f swaps a second while nobody is missing", seen)
	if seen < rate {
		t.Errorf("%.1f swaps a second, want %.0f", seen, rate)
	}
}

func (s *swapping) sell(t *testing.T, user *platform.User, id string) {
	var sold struct {
		Hash *string `json:"transaction_hash"`
	}
	if err := user.Call(context.Background(), http.MethodPost, "/graduated-pools/swap", sale(id), &sold); err != nil || sold.Hash == nil {
		s.unanswered.Add(1)
		time.Sleep(200 * time.Millisecond)
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.hashes[*sold.Hash]++; s.hashes[*sold.Hash] > 1 {
		t.Errorf("two swaps are acknowledged with %s", *sold.Hash)
	}
}

// sale is an order for a few of the seller's tokens.
func sale(id string) map[string]any {
	return map[string]any{"chain_id": id, "side": "sell", "token_amount": "10", "min_out": "0.000001", "simulate": false}
}

// check reads what the indexer took from the blocks: each acknowledged swap once,
// and no more than may have gone unanswered besides.
func (s *swapping) check(t *testing.T, p *platform.Platform, chain *lucidv1.Chain) {
	var seen map[string]int
	platform.Eventually(t, time.Minute, "every swap indexed", func(ctx context.Context) error {
		seen = indexed(ctx, t, p, chain)
		for hash := range s.hashes {
			if seen[hash] != 1 {
				return fmt.Errorf("swap %s is there %d times; %d of %d", hash, seen[hash], len(seen), len(s.hashes))
			}
		}
		return nil
	})
	more := int64(len(seen) - len(s.hashes))
	t.Logf("%d swaps on the chain, %d acknowledged, %d of the %d unanswered happened", len(seen), len(s.hashes), more, s.unanswered.Load())
	if more < 0 || more > s.unanswered.Load() {
		t.Errorf("%d swaps happened that nobody asked for", more-s.unanswered.Load())
	}
}

func indexed(ctx context.Context, t *testing.T, p *platform.Platform, chain *lucidv1.Chain) map[string]int {
	reader, seen := p.NewUser(), map[string]int{}
	for page := 1; ; page++ {
		path := fmt.Sprintf("/graduated-pools/%s/transactions?limit=100&page=%d", chain.Status.LedgerID, page)
		answer, err := reader.Do(ctx, http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		var rows []struct {
			Hash string `json:"transaction_hash"`
		}
		if err := answer.Into(&rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			seen[row.Hash]++
		}
		if page >= answer.Pagination.Pages {
			return seen
		}
	}
}
