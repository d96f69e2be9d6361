package feed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/feed"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

const unit = money.Unit

// world is a database with a market, and as many feeds as a test has pods.
type world struct {
	t      *testing.T
	store  *store.Store
	market *market.Market
	chains *chain.Service
	trader uuid.UUID
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s := storetest.Open(t)
	w := &world{t: t, store: s, market: market.New(s, market.Options{}), trader: uuid.New()}
	w.chains = &chain.Service{Store: s, Market: w.market}
	background(t, w.market.Run)
	w.fund(w.trader)
	return w
}

func background(t *testing.T, work func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := work(ctx); err != nil {
			t.Errorf("background work stopped: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func (w *world) fund(user uuid.UUID) {
	w.t.Helper()
	if err := w.store.Queries().EnsureUser(w.t.Context(), user); err != nil {
		w.t.Fatal(err)
	}
	if _, err := ledger.Faucet(w.t.Context(), w.store, user, 100_000*unit); err != nil {
		w.t.Fatal(err)
	}
}

// launch returns a pool that trades, and its chain.
func (w *world) launch(name string) market.Pool {
	w.t.Helper()
	made, err := w.chains.Create(w.t.Context(), chain.Spec{ChainName: name, TokenSymbol: "T", CreatedBy: w.trader})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.chains.Launch(w.t.Context(), made.ID, w.trader, nil); err != nil {
		w.t.Fatal(err)
	}
	pool, err := w.market.Pool(w.t.Context(), made.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return pool
}

func (w *world) buy(pool market.Pool, cnpy money.Amount) market.Trade {
	w.t.Helper()
	trade, err := w.market.Trade(w.t.Context(), market.Order{PoolID: pool.ID, UserID: w.trader, Side: market.Buy, CNPY: &cnpy})
	if err != nil {
		w.t.Fatal(err)
	}
	return trade
}

func (w *world) feed() *feed.Feed {
	return feed.New(feed.Tail{Market: w.market, Chains: w.chains}, logr.Discard())
}

// connect runs a pod's feed with one subscriber.
func (w *world) connect() (*feed.Subscriber, func()) {
	w.t.Helper()
	f := w.feed()
	stop := background(w.t, f.Run)
	s, err := f.Connect(w.trader)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	return s, stop
}

// subscribe must succeed, and be told of first.
func (w *world) subscribe(s *feed.Subscriber, r feed.Request) feed.Subscription {
	w.t.Helper()
	if err := s.Subscribe(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	granted, ok := w.next(s).Data.(feed.Subscription)
	if !ok || granted.Topic != r.Topic || granted.ID == uuid.Nil {
		w.t.Fatalf("granted %+v, want %+v", granted, r)
	}
	return granted
}

func (w *world) next(s *feed.Subscriber) feed.Event {
	w.t.Helper()
	select {
	case e := <-s.Events():
		return e
	case <-s.Done():
		w.t.Fatalf("dropped: %v", s.Err())
	case <-time.After(20 * time.Second):
		w.t.Fatal("no event")
	}
	return feed.Event{}
}

// none reports an event that must not come, given a moment for several polls.
func (w *world) none(s *feed.Subscriber) {
	w.t.Helper()
	select {
	case e := <-s.Events():
		w.t.Errorf("an event too many: %+v", e)
	case <-time.After(time.Second):
	}
}

// TestTradesOnceAndInOrder has two pods: what one of them trades, a subscriber of
// the other gets once and in order, and after a break from there on.
func TestTradesOnceAndInOrder(t *testing.T) {
	w := newWorld(t)
	pool, other := w.launch("Followed"), w.launch("Other")
	w.buy(pool, unit)
	s, stop := w.connect()
	w.subscribe(s, feed.Request{Topic: feed.Trades, ID: pool.ChainID})
	const trades = 300 // more than a poll's worth
	for i := range trades {
		w.buy(pool, money.Amount(i+1)*unit/100)
		if i%100 == 0 {
			w.buy(other, unit)
		}
	}
	var last feed.Event
	for i := range trades {
		last = w.next(s)
		if trade := last.Data.(market.Trade); trade.Seq != int64(i+2) || trade.PoolID != pool.ID || last.Topic != feed.Trades {
			t.Fatalf("event %d is trade %d of %s", i, trade.Seq, trade.PoolID)
		}
	}
	w.none(s)
	stop()
	if <-s.Done(); !errors.Is(s.Err(), feed.ErrStopped) {
		t.Errorf("a pod that stops says so: %v", s.Err())
	}
	w.buy(pool, unit)
	again, _ := w.connect()
	w.subscribe(again, feed.Request{Topic: feed.Trades, ID: pool.ID, LastEventID: last.ID})
	if trade := w.next(again).Data.(market.Trade); trade.Seq != trades+2 {
		t.Errorf("another pod goes on with trade %d, want %d", trade.Seq, trades+2)
	}
	w.none(again)
}

func TestCandlesAsTheyMove(t *testing.T) {
	w := newWorld(t)
	pool := w.launch("Charted")
	s, _ := w.connect()
	granted := w.subscribe(s, feed.Request{Topic: feed.Candles, ID: pool.ID})
	if granted.Interval != market.DefaultInterval {
		t.Errorf("candles are of %q, want an hour", granted.Interval)
	}
	for i := range 3 {
		trade := w.buy(pool, 5*unit)
		candle := w.next(s).Data.(feed.Candle)
		if candle.PoolID != pool.ID || candle.Trades < int64(i) || candle.Close.Cmp(pool.Curve.Price(trade.After)) != 0 {
			t.Errorf("candle after trade %d: %+v", i+1, candle)
		}
	}
}

func TestPoolsAndChainsThatChange(t *testing.T) {
	w := newWorld(t)
	pool, other := w.launch("First"), w.launch("Second")
	s, _ := w.connect()
	w.subscribe(s, feed.Request{Topic: feed.Pools, ID: pool.ID})
	w.buy(other, unit)
	w.buy(pool, unit)
	if e := w.next(s); e.Data.(market.Pool).ID != pool.ID || e.Data.(market.Pool).Trades != 1 {
		t.Errorf("one pool's changes: %+v", e)
	}
	w.none(s)
	all, _ := w.connect()
	w.subscribe(all, feed.Request{Topic: feed.Chains})
	draft, err := w.chains.Create(t.Context(), chain.Spec{ChainName: "Draft", TokenSymbol: "D", CreatedBy: w.trader})
	if err != nil {
		t.Fatal(err)
	}
	w.none(all)
	if _, err := w.chains.Launch(t.Context(), draft.ID, w.trader, nil); err != nil {
		t.Fatal(err)
	}
	shown := w.next(all)
	if c := shown.Data.(chain.Chain); c.ID != draft.ID || c.Status != chain.VirtualActive {
		t.Errorf("a draft is its creator's own, a launched chain everybody's: %+v", c)
	}
	again, _ := w.connect()
	w.subscribe(again, feed.Request{Topic: feed.Chains, ID: draft.ID, LastEventID: shown.ID})
	w.none(again)
}

// counted is a source that counts the looks at what changed.
type counted struct {
	feed.Tail
	looks atomic.Int32
	err   error
}

func (c *counted) PoolsSince(ctx context.Context, since time.Time, most int) ([]market.Pool, error) {
	c.looks.Add(1)
	if c.err != nil {
		return nil, c.err
	}
	return c.Tail.PoolsSince(ctx, since, most)
}

// TestSubscriptionsShareALook: who subscribes again and again costs the database
// no more than a poll does, and still hears what changes from then on.
func TestSubscriptionsShareALook(t *testing.T) {
	w := newWorld(t)
	pool := w.launch("Popular")
	source := &counted{Tail: feed.Tail{Market: w.market, Chains: w.chains}, err: errors.New("away")}
	f := feed.New(source, logr.Discard())
	s, err := f.Connect(w.trader)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Subscribe(t.Context(), feed.Request{Topic: feed.Pools}); !errors.Is(err, source.err) {
		t.Fatalf("no subscription without a mark: %v", err)
	}
	source.err = nil
	source.looks.Store(0)
	began := time.Now()
	for range 40 {
		granted := w.subscribe(s, feed.Request{Topic: feed.Pools, ID: pool.ID})
		if err := s.Unsubscribe(granted.ID); err != nil {
			t.Fatal(err)
		}
	}
	if looks, most := source.looks.Load(), int32(time.Since(began)/(200*time.Millisecond))+1; looks > most {
		t.Errorf("%d looks for 40 subscriptions, want at most %d", looks, most)
	}
	w.subscribe(s, feed.Request{Topic: feed.Pools, ID: pool.ID})
	w.buy(pool, unit)
	background(t, f.Run)
	if e := w.next(s); e.Data.(market.Pool).Trades != 1 {
		t.Errorf("what changed after the subscription: %+v", e)
	}
	w.none(s)
}

// TestClockAhead: one pod's clock is ahead, so the pool's time stands still until
// the others' clocks have come there. Each change is shown all the same, and so are
// other pools'.
func TestClockAhead(t *testing.T) {
	w := newWorld(t)
	pool, other := w.launch("First"), w.launch("Second")
	ahead := market.New(w.store, market.Options{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	background(t, ahead.Run)
	s, _ := w.connect()
	w.subscribe(s, feed.Request{Topic: feed.Pools})
	stake := unit
	if _, err := ahead.Trade(t.Context(), market.Order{PoolID: pool.ID, UserID: w.trader, Side: market.Buy, CNPY: &stake}); err != nil {
		t.Fatal(err)
	}
	for want := int64(1); want <= 3; want++ {
		if e := w.next(s); e.Data.(market.Pool).ID != pool.ID || e.Data.(market.Pool).Trades != want {
			t.Errorf("after trade %d: %+v", want, e)
		}
		w.buy(pool, unit)
	}
	if e := w.next(s); e.Data.(market.Pool).Trades != 4 {
		t.Errorf("after trade 4: %+v", e)
	}
	w.buy(other, unit)
	if e := w.next(s); e.Data.(market.Pool).ID != other.ID {
		t.Errorf("a pool whose clock is right: %+v", e)
	}
	w.none(s)
}

// TestSlowSubscribersAreDropped: nobody waits for who does not read.
func TestSlowSubscribersAreDropped(t *testing.T) {
	w := newWorld(t)
	pool := w.launch("Hot")
	f := w.feed().Patient(t, 300*time.Millisecond)
	background(t, f.Run)
	slow, err := f.Connect(w.trader)
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.Subscribe(t.Context(), feed.Request{Topic: feed.Trades, ID: pool.ID}); err != nil {
		t.Fatal(err)
	}
	const trades = 300
	for range trades {
		w.buy(pool, unit/10)
	}
	select {
	case <-slow.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("still connected")
	}
	if !errors.Is(slow.Err(), feed.ErrSlow) {
		t.Fatalf("dropped for %v", slow.Err())
	}
	slow.Close()
	got, last := 0, feed.Event{}
	for len(slow.Events()) > 0 {
		if last = <-slow.Events(); last.Topic == feed.Trades {
			got++
		}
	}
	back, err := f.Connect(w.trader)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	w.subscribe(back, feed.Request{Topic: feed.Trades, ID: pool.ID, LastEventID: last.ID})
	for seq := last.Data.(market.Trade).Seq + 1; seq <= trades; seq++ {
		if trade := w.next(back).Data.(market.Trade); trade.Seq != seq {
			t.Fatalf("trade %d, want %d", trade.Seq, seq)
		}
	}
}

func TestSubscriptionRefusals(t *testing.T) {
	w := newWorld(t)
	pool := w.launch("Asked")
	s, _ := w.connect()
	cases := map[string]struct {
		request feed.Request
		kind    fault.Kind
		field   string
	}{
		"NoSuchPool": {feed.Request{Topic: feed.Trades, ID: uuid.New()}, fault.NotFound, ""},
		"OtherTopic": {feed.Request{Topic: feed.Trades, ID: pool.ID, LastEventID: "chains:" + pool.ID.String() + ":5"}, fault.Invalid, "lastEventId"},
		"NoNumber":   {feed.Request{Topic: feed.Trades, ID: pool.ID, LastEventID: "trades:x"}, fault.Invalid, "lastEventId"},
		"NoEvent":    {feed.Request{Topic: feed.Chains, LastEventID: "5"}, fault.Invalid, "lastEventId"},
		"Negative":   {feed.Request{Topic: feed.Pools, LastEventID: "pools:x:-5"}, fault.Invalid, "lastEventId"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			refusal, ok := fault.As(s.Subscribe(t.Context(), tc.request))
			if !ok || refusal.Kind != tc.kind || tc.field != "" && refusal.Fields[0].Name != tc.field {
				t.Errorf("%+v", refusal)
			}
		})
	}
	first := w.subscribe(s, feed.Request{Topic: feed.Trades, ID: pool.ID})
	for range 49 {
		w.subscribe(s, feed.Request{Topic: feed.Pools})
	}
	if refusal, _ := fault.As(s.Subscribe(t.Context(), feed.Request{Topic: feed.Pools})); refusal == nil || refusal.Kind != fault.Unprocessable {
		t.Errorf("a 51st subscription: %+v", refusal)
	}
	if err := s.Unsubscribe(first.ID); err != nil {
		t.Error(err)
	}
	if refusal, _ := fault.As(s.Unsubscribe(first.ID)); refusal == nil || refusal.Kind != fault.NotFound {
		t.Errorf("unsubscribing twice: %+v", refusal)
	}
}

// TestSubscribersPerUser: who closes a connection may open another, however often
// it is closed.
func TestSubscribersPerUser(t *testing.T) {
	w := newWorld(t)
	f := w.feed()
	var open []*feed.Subscriber
	for range 20 {
		s, err := f.Connect(w.trader)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, s)
	}
	if _, err := f.Connect(w.trader); err == nil {
		t.Error("a 21st connection")
	}
	if s, err := f.Connect(uuid.New()); err != nil {
		t.Errorf("another user: %v", err)
	} else {
		s.Close()
	}
	open[0].Close()
	open[0].Close()
	if _, err := f.Connect(w.trader); err != nil {
		t.Errorf("in place of a closed one: %v", err)
	}
	if _, err := f.Connect(w.trader); err == nil {
		t.Error("closing twice made room for two")
	}
}

// FuzzLastEventID has ids of events come from anywhere.
func FuzzLastEventID(f *testing.F) {
	for _, seed := range []string{"", "trades:x:1", "trades:", ":::", "trades:a:99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		n, err := feed.LastEvent(feed.Trades, id)
		switch {
		case err != nil:
			if refusal, ok := fault.As(err); !ok || refusal.Kind != fault.Invalid {
				t.Errorf("%q: %v", id, err)
			}
		case id != "" && (n < 0 || !strings.HasSuffix(id, fmt.Sprint(n)) && !strings.Contains(id, ":0") && !strings.Contains(id, ":+")):
			t.Errorf("%q is %d", id, n)
		}
	})
}
