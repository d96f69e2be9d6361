// Package feed tells subscribers what happens on the market as it happens, on
// every pod whatever pod it happened on: it tails the database. A subscriber
// gets each trade of its pools once and in order, can go on where it left off,
// and is dropped rather than waited for (docs/market.md, Live feed).
package feed

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
)

const (
	// pollEvery bounds how late an event is.
	pollEvery = 200 * time.Millisecond
	// slowAfter is how long a subscriber's queue may be full.
	slowAfter = 5 * time.Second
	// perPoll bounds how many trades of one place are read at a time.
	perPoll = 200
	// queueSize is how many events wait for a subscriber at most; what does not fit
	// waits in the database.
	queueSize = 256
	// mostChanged bounds one look at pools or chains.
	mostChanged = 1_000
	// overlap is looked at again each time: a transaction stamps its rows when it
	// begins and shows them when it commits.
	overlap = 10 * time.Second
	// mostSubscriptions of one subscriber.
	mostSubscriptions = 50
	// mostSubscribers of one user.
	mostSubscribers = 20
	// farewell is how long a stopping feed waits for its subscribers to tell their
	// clients why.
	farewell = time.Second
)

// Topic is what can be subscribed to.
type Topic string

// The topics.
const (
	Trades  Topic = "trades"  // of one pool
	Candles Topic = "candles" // of one pool and interval, as they move
	Pools   Topic = "pools"   // that changed: one pool, or all
	Chains  Topic = "chains"  // that changed and are public: one chain, or all
)

// Topics lists them.
var Topics = []Topic{Trades, Candles, Pools, Chains}

// Request is a subscription to make. Trades and candles are of one pool; for
// pools and chains no id means all of them.
type Request struct {
	Topic    Topic
	ID       uuid.UUID       // a pool's or its chain's
	Interval market.Interval // of candles; an hour when empty
	// LastEventID goes on behind an event that was received earlier, from whatever
	// pod; empty begins now.
	LastEventID string
}

// Event is something that happened. Data is a market.Trade, a Candle, a
// market.Pool or a chain.Chain; or a Subscription, which comes before anything
// that was subscribed to.
type Event struct {
	Topic Topic
	ID    string // to go on behind
	At    time.Time
	Data  any
}

// Subscription is a request that was granted.
type Subscription struct {
	ID uuid.UUID
	Request
	CreatedAt time.Time
}

// Candle is a pool's candle as it is by now.
type Candle struct {
	PoolID   uuid.UUID
	Interval market.Interval
	market.Candle
}

// Source is what a feed tails.
type Source interface {
	// Place returns a pool's last trade.
	Place(ctx context.Context, id uuid.UUID) (market.Place, error)
	// TradesAfter returns up to most trades behind each place, in order.
	TradesAfter(ctx context.Context, places []market.Place, most int) (map[market.Place][]market.Trade, error)
	Candles(ctx context.Context, r market.CandleRequest) ([]market.Candle, error)
	// PoolsSince and ChainsSince return what changed after a moment, latest first.
	PoolsSince(ctx context.Context, since time.Time, most int) ([]market.Pool, error)
	ChainsSince(ctx context.Context, since time.Time, most int) ([]chain.Chain, error)
}

// Tail is the database as a Source.
type Tail struct {
	*market.Market
	Chains *chain.Service
}

// ChainsSince implements Source.
func (t Tail) ChainsSince(ctx context.Context, since time.Time, most int) ([]chain.Chain, error) {
	return t.Chains.ChainsSince(ctx, since, most)
}

// Why a subscriber was dropped.
var (
	ErrSlow    = fault.New(fault.Unavailable, "The connection is too slow; subscribe again with the last event's id")
	ErrStopped = fault.New(fault.Unavailable, "The server is stopping; subscribe again with the last event's id")
)

// Feed serves subscribers while Run runs.
type Feed struct {
	source    Source
	log       logr.Logger
	slowAfter time.Duration
	marks     map[Topic]*mark // of pools and chains

	mu          sync.Mutex
	stopped     bool
	subscribers map[*Subscriber]struct{} // that are served
	users       map[uuid.UUID]int        // how many of them each user has
}

// New makes a feed.
func New(source Source, log logr.Logger) *Feed {
	return &Feed{
		source: source, log: log, slowAfter: slowAfter, marks: map[Topic]*mark{Pools: {}, Chains: {}},
		subscribers: map[*Subscriber]struct{}{}, users: map[uuid.UUID]int{},
	}
}

// Run tails the source until ctx ends, and then drops everybody.
func (f *Feed) Run(ctx context.Context) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			f.stop(farewell)
			return nil
		case <-ticker.C:
		}
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = f.poll(ctx); err != nil && ctx.Err() == nil {
				f.log.Error(err, "the feed could not be read, trying again")
			}
		}
	}
}

// stop drops everybody and waits until they are closed, but not for long.
func (f *Feed) stop(patience time.Duration) {
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()
	for _, s := range f.connected() {
		s.drop(ErrStopped)
	}
	for end := time.Now().Add(patience); len(f.connected()) > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
}

func (f *Feed) connected() []*Subscriber {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.subscribers))
}

// Connect makes a subscriber for a user, who has to Close it. Faults: Unavailable
// (the feed stops), Unprocessable (too many of one user).
func (f *Feed) Connect(user uuid.UUID) (*Subscriber, error) {
	s := &Subscriber{
		feed: f, user: user, events: make(chan Event, queueSize), done: make(chan struct{}), subscriptions: map[uuid.UUID]*subscription{},
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.stopped:
		return nil, ErrStopped
	case f.users[user] >= mostSubscribers:
		return nil, fault.New(fault.Unprocessable, "There are at most %d live connections per user", mostSubscribers)
	}
	f.subscribers[s] = struct{}{}
	f.users[user]++
	return s, nil
}

func (f *Feed) forget(s *Subscriber) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, there := f.subscribers[s]; !there {
		return
	}
	delete(f.subscribers, s)
	if f.users[s.user]--; f.users[s.user] == 0 {
		delete(f.users, s.user)
	}
}
