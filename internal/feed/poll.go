package feed

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/market"
)

// watcher is a subscription with whom it is for.
type watcher struct {
	subscriber *Subscriber
	*subscription
}

// poll looks once at everything that somebody subscribed to, with one query for
// all trades, one for all pools and one for all chains, and reports whether there
// is more to be read at once.
func (f *Feed) poll(ctx context.Context) (more bool, err error) {
	byTopic := map[Topic][]watcher{}
	for _, s := range f.connected() {
		for _, one := range s.current() {
			byTopic[one.topic] = append(byTopic[one.topic], watcher{s, one})
		}
	}
	more, tradesErr := f.pollTrades(ctx, append(byTopic[Trades], byTopic[Candles]...))
	return more, errors.Join(tradesErr, f.pollChanges(ctx, Pools, byTopic[Pools]), f.pollChanges(ctx, Chains, byTopic[Chains]))
}

func (f *Feed) pollTrades(ctx context.Context, watchers []watcher) (more bool, err error) {
	places := map[market.Place]bool{}
	for _, w := range watchers {
		places[w.place] = true
	}
	if len(places) == 0 {
		return false, nil
	}
	list := make([]market.Place, 0, len(places))
	for place := range places {
		list = append(list, place)
	}
	found, err := f.source.TradesAfter(ctx, list, perPoll)
	if err != nil {
		return false, err
	}
	for _, w := range watchers {
		trades := found[w.place]
		if len(trades) == 0 {
			continue
		}
		moved, err := f.deliver(ctx, w, trades)
		if err != nil {
			return false, err
		}
		more = more || moved && len(trades) == perPoll
	}
	return more, nil
}

// deliver queues what fits and moves the subscription's place that far.
func (f *Feed) deliver(ctx context.Context, w watcher, trades []market.Trade) (moved bool, err error) {
	if w.topic == Candles {
		return f.deliverCandles(ctx, w, trades)
	}
	for _, t := range trades {
		e := Event{Topic: Trades, ID: eventID(Trades, t.PoolID, t.Seq), At: t.CreatedAt, Data: t}
		if !w.subscriber.offer(e, f.slowAfter) {
			return moved, nil
		}
		w.place.Seq, moved = t.Seq, true
	}
	return moved, nil
}

// deliverCandles shows the candles that the trades fell into, as they are by now.
func (f *Feed) deliverCandles(ctx context.Context, w watcher, trades []market.Trade) (moved bool, err error) {
	first, last := trades[0], trades[len(trades)-1]
	from, until := first.CreatedAt, last.CreatedAt.Add(time.Microsecond)
	if until.Before(from) { // clocks of two pods
		from, until = last.CreatedAt, first.CreatedAt.Add(time.Microsecond)
	}
	// After a long time away the newest candles are what matters.
	const most = 500
	if earliest := until.Add(-most * w.every.Length()); from.Before(earliest) {
		from = earliest
	}
	candles, err := f.source.Candles(ctx, market.CandleRequest{PoolID: w.place.PoolID, Interval: w.every, Start: &from, End: &until})
	if err != nil {
		return false, err
	}
	for _, c := range candles {
		if c.Trades == 0 {
			continue
		}
		e := Event{
			Topic: Candles, ID: eventID(Candles, w.place.PoolID, last.Seq), At: last.CreatedAt,
			Data: Candle{PoolID: w.place.PoolID, Interval: w.every, Candle: c},
		}
		if !w.subscriber.offer(e, f.slowAfter) {
			return false, nil // all of them come again
		}
	}
	w.place.Seq = last.Seq
	return true, nil
}

// change is a pool or a chain that changed.
type change struct {
	id, chain uuid.UUID
	state
	data any
}

// state tells one state of a pool or a chain from another. Its time alone does
// not: while a pool's last trade bears the time of a clock that is ahead, so do
// those that follow.
type state struct {
	at             time.Time
	version, terms int64
}

// changes are those since a moment, latest first.
func (f *Feed) changes(ctx context.Context, topic Topic, since time.Time) ([]change, error) {
	if topic == Pools {
		pools, err := f.source.PoolsSince(ctx, since, mostChanged)
		list := make([]change, len(pools))
		for i, p := range pools {
			list[i] = change{id: p.ID, chain: p.ChainID, state: state{p.UpdatedAt, p.Trades, p.Terms}, data: p}
		}
		return list, err
	}
	chains, err := f.source.ChainsSince(ctx, since, mostChanged)
	list := make([]change, len(chains))
	for i, c := range chains {
		list[i] = change{id: c.ID, chain: c.ID, state: state{c.UpdatedAt, c.Version, 0}, data: c}
	}
	return list, err
}

// pollChanges shows each subscriber the latest state of what changed.
func (f *Feed) pollChanges(ctx context.Context, topic Topic, watchers []watcher) error {
	if len(watchers) == 0 {
		return nil
	}
	since := watchers[0].since
	for _, w := range watchers {
		if w.since.Before(since) {
			since = w.since
		}
	}
	changes, err := f.changes(ctx, topic, since)
	if err != nil {
		return err
	}
	for _, w := range watchers {
		f.show(w, changes)
	}
	return nil
}

// show delivers what the subscriber has not seen, oldest first, and moves on to
// where nothing new can appear any more.
func (f *Feed) show(w watcher, changes []change) {
	for i := len(changes) - 1; i >= 0; i-- {
		c := changes[i]
		if !c.at.After(w.since) || w.seen[c.id] == c.state || w.of != uuid.Nil && w.of != c.id && w.of != c.chain {
			continue
		}
		e := Event{Topic: w.topic, ID: eventID(w.topic, c.id, c.at.UnixMicro()), At: c.at, Data: c.data}
		if !w.subscriber.offer(e, f.slowAfter) {
			return
		}
		w.seen[c.id] = c.state
	}
	if len(changes) == 0 {
		return
	}
	latest := changes[0].at
	if now := time.Now(); latest.After(now) {
		latest = now // by a clock that is ahead; the others' changes are still to come
	}
	if horizon := latest.Add(-overlap); horizon.After(w.since) {
		w.since = horizon
		for id, shown := range w.seen {
			if !shown.at.After(horizon) {
				delete(w.seen, id)
			}
		}
	}
}
