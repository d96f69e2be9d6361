package feed

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
)

// Subscriber is one connection. Its methods may be called at any time.
type Subscriber struct {
	feed   *Feed
	user   uuid.UUID
	events chan Event
	done   chan struct{} // closed when dropped

	mu            sync.Mutex
	cause         error
	fullSince     time.Time // zero while there is room
	subscriptions map[uuid.UUID]*subscription
}

// subscription is a request with the place that it has come to. Only the feed's
// loop moves the place.
type subscription struct {
	id    uuid.UUID
	topic Topic
	of    uuid.UUID // nil of pools and chains: all of them
	every market.Interval
	place market.Place        // of trades and candles
	since time.Time           // of pools and chains
	seen  map[uuid.UUID]state // what was delivered since
}

// Events delivers in order. It is never closed; see Done.
func (s *Subscriber) Events() <-chan Event { return s.events }

// Done is closed when the subscriber was dropped or closed.
func (s *Subscriber) Done() <-chan struct{} { return s.done }

// Err says why Done is closed; nil after Close.
func (s *Subscriber) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// Close ends all subscriptions; the user may make another subscriber.
func (s *Subscriber) Close() {
	s.drop(nil)
	s.feed.forget(s)
}

// drop ends all subscriptions and keeps the first cause. It leaves it to the
// subscriber to Close.
func (s *Subscriber) drop(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
	default:
		s.cause = cause
		close(s.done)
	}
}

// Subscribe makes a subscription; it is the next event, and all that belongs to
// it follows. Faults: Invalid (fields), NotFound (pool), Unprocessable (too many
// subscriptions), Unavailable (no room).
func (s *Subscriber) Subscribe(ctx context.Context, r Request) error {
	if len(s.current()) >= mostSubscriptions {
		return fault.New(fault.Unprocessable, "There are at most %d subscriptions on a connection", mostSubscriptions)
	}
	made, err := s.feed.subscription(ctx, r)
	if err != nil {
		return err
	}
	granted := Subscription{ID: made.id, Request: r, CreatedAt: time.Now()}
	granted.Interval = made.every
	if !s.offer(Event{Topic: r.Topic, ID: made.id.String(), At: granted.CreatedAt, Data: granted}, s.feed.slowAfter) {
		return ErrSlow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscriptions[made.id] = made
	return nil
}

// Unsubscribe ends one subscription; NotFound when there is none of that id.
func (s *Subscriber) Unsubscribe(id uuid.UUID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subscriptions[id] == nil {
		return fault.New(fault.NotFound, "Subscription not found")
	}
	delete(s.subscriptions, id)
	return nil
}

func (s *Subscriber) current() []*subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*subscription, 0, len(s.subscriptions))
	for _, one := range s.subscriptions {
		list = append(list, one)
	}
	return list
}

// offer queues an event if there is room, and reports whether there was. It never
// waits: the event is read from the database again later, and who leaves no room
// for long is dropped.
func (s *Subscriber) offer(e Event, patience time.Duration) bool {
	s.mu.Lock()
	select {
	case s.events <- e:
		s.fullSince = time.Time{}
		s.mu.Unlock()
		return true
	default:
	}
	if s.fullSince.IsZero() {
		s.fullSince = time.Now()
	}
	slow := time.Since(s.fullSince) >= patience
	s.mu.Unlock()
	if slow {
		s.drop(ErrSlow)
	}
	return false
}

// subscription checks a request and finds where it begins.
func (f *Feed) subscription(ctx context.Context, r Request) (*subscription, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make a subscription id: %w", err)
	}
	made := &subscription{id: id, topic: r.Topic, of: r.ID, seen: map[uuid.UUID]state{}}
	last, err := lastEvent(r)
	if err != nil {
		return nil, err
	}
	switch r.Topic {
	case Trades, Candles:
		return made, f.placed(ctx, made, r.Interval, last)
	case Pools, Chains:
		return made, f.timed(ctx, made, last)
	}
	return nil, fmt.Errorf("topic %q", r.Topic)
}

// placed begins behind the last trade, or behind the event that was given.
func (f *Feed) placed(ctx context.Context, made *subscription, interval market.Interval, last int64) (err error) {
	if made.topic == Candles {
		made.every = cmp.Or(interval, market.DefaultInterval)
	}
	if made.place, err = f.source.Place(ctx, made.of); err == nil && last >= 0 {
		made.place.Seq = min(last, made.place.Seq)
	}
	return err
}

// timed begins with what changes from now on, or after the event that was given.
func (f *Feed) timed(ctx context.Context, made *subscription, last int64) error {
	if last >= 0 {
		made.since = time.UnixMicro(last)
		return nil
	}
	since, changes, err := f.mark(ctx, made.topic)
	made.since = since
	for _, c := range changes {
		made.seen[c.id] = c.state
	}
	return err
}

// mark is what had changed at a moment, which is news to nobody who comes later.
type mark struct {
	mu      sync.Mutex
	at      time.Time
	changes []change
}

// mark returns what changed since shortly before now. Subscriptions that come
// together share one look at the database, however many they are: what changes
// between the look and a subscription is shown to it as well.
func (f *Feed) mark(ctx context.Context, topic Topic) (since time.Time, changes []change, err error) {
	m := f.marks[topic]
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.at) >= pollEvery {
		found, err := f.changes(ctx, topic, now.Add(-overlap))
		if err != nil {
			return now, nil, err
		}
		m.at, m.changes = now, found
	}
	return m.at.Add(-overlap), m.changes, nil
}

// lastEvent reads the number in an event's id; -1 for none.
func lastEvent(r Request) (int64, error) {
	if r.LastEventID == "" {
		return -1, nil
	}
	prefix, number, found := cutLast(r.LastEventID)
	n, err := strconv.ParseInt(number, 10, 64)
	if !found || err != nil || n < 0 || !strings.HasPrefix(prefix, string(r.Topic)+":") {
		return 0, fault.InvalidFields(fault.Field{Name: "lastEventId", Rule: "format", Reason: "must be the id of an event of this topic", Value: r.LastEventID})
	}
	return n, nil
}

func cutLast(id string) (prefix, number string, found bool) {
	at := strings.LastIndexByte(id, ':')
	if at < 0 {
		return "", "", false
	}
	return id[:at], id[at+1:], true
}

// eventID names an event so that lastEvent finds its place again.
func eventID(topic Topic, of uuid.UUID, n int64) string {
	return fmt.Sprintf("%s:%s:%d", topic, of, n)
}
