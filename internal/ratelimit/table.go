package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	shardCount = 64 // power of two; enough that cores rarely meet
	blockSize  = 128
	// evictionSample is how many buckets are looked at to find room for a new one.
	evictionSample = 16
)

// defaultMaxKeys bounds a tier to about 25 MB.
const defaultMaxKeys = 1 << 18

// keyHash stands for a key. 128 bits under a random seed: two keys sharing a
// bucket is out of anybody's reach, and no copy of the key is kept.
type keyHash struct{ hi, lo uint64 }

// place is where an admitted request is counted as in flight.
type place struct {
	key  keyHash
	slot uint32
}

// table holds a tier's buckets. It outlives the limiter that made it when the
// next policy has the same tier with the same numbers.
type table struct {
	numbers  numbers
	refill   refill
	now      func() time.Time
	epoch    time.Time
	seeds    [2]maphash.Seed
	capacity uint32 // buckets per shard
	shards   [shardCount]shard
}

// numbers are what a bucket's content depends on.
type numbers struct {
	requests int64
	window   Duration
	burst    int64
	key      Key
}

func numbersOf(t Tier) numbers {
	return numbers{requests: t.Requests, window: t.Window, burst: t.Burst, key: t.Key}
}

// shard is a part of the keys under its own lock. Buckets live in blocks, so
// that growing copies none of them.
type shard struct {
	mu     sync.Mutex
	index  map[keyHash]uint32
	blocks [][]bucket
	used   uint32
	hand   uint32 // where the search for room goes on
	_      [64]byte
}

func newTable(t Tier, maxKeys int, now func() time.Time) *table {
	tb := &table{
		numbers: numbersOf(t), refill: newRefill(t), now: now, epoch: now(),
		seeds:    [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		capacity: uint32(max(1, maxKeys/shardCount)),
	}
	for i := range tb.shards {
		tb.shards[i].index = map[keyHash]uint32{}
	}
	return tb
}

func (t *table) hashBytes(value []byte) keyHash {
	return keyHash{maphash.Bytes(t.seeds[0], value), maphash.Bytes(t.seeds[1], value)}
}

func (t *table) shard(key keyHash) *shard { return &t.shards[key.lo%shardCount] }

// decide takes a token of key and a slot of concurrency, both or neither, and
// fills in d. Concurrency 0 counts nothing.
func (t *table) decide(key keyHash, concurrency int32, d *Decision) {
	now := t.now()
	at := int64(now.Sub(t.epoch))
	s := t.shard(key)
	s.mu.Lock()
	slot := t.find(s, key, at)
	b := s.at(slot)
	t.refill.advance(b, at)
	switch {
	case concurrency > 0 && b.inFlight >= concurrency:
		d.Over = OverConcurrency
	case !t.refill.take(b):
		d.Over = OverRate
	case concurrency > 0:
		b.inFlight++
		d.held, d.where = t, place{key: key, slot: slot}
	}
	remaining, untilToken, untilFull := t.refill.remaining(b), t.refill.untilToken(b), t.refill.untilFull(b)
	s.mu.Unlock()

	d.Limit, d.Remaining, d.RetryAfter = t.numbers.burst, remaining, untilToken
	d.Requests, d.Window = t.numbers.requests, time.Duration(t.numbers.window)
	d.Reset = now.Add(untilFull)
	if d.Over == OverConcurrency {
		d.RetryAfter = max(time.Second, untilToken)
	}
}

// release gives back a slot of concurrency. A bucket that was evicted meanwhile
// has nothing to give back to.
func (t *table) release(where place) {
	s := t.shard(where.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.at(where.slot); b.key == where.key && b.inFlight > 0 {
		b.inFlight--
	}
}

// find returns the slot of key, a full bucket for a new one.
func (t *table) find(s *shard, key keyHash, at int64) uint32 {
	if slot, known := s.index[key]; known {
		return slot
	}
	slot := s.used
	if s.used < t.capacity {
		if int(slot/blockSize) == len(s.blocks) {
			s.blocks = append(s.blocks, make([]bucket, min(blockSize, t.capacity-slot)))
		}
		s.used++
	} else {
		slot = t.evict(s, at)
	}
	*s.at(slot) = bucket{key: key, level: t.refill.capacity, last: at}
	s.index[key] = slot
	return slot
}

// evict makes room: the first bucket of a sample that is idle, else the one
// used longest ago that has nothing in flight.
func (t *table) evict(s *shard, at int64) uint32 {
	victim := s.hand % s.used
	for range min(evictionSample, s.used) {
		slot := s.hand % s.used
		s.hand = slot + 1
		candidate, best := s.at(slot), s.at(victim)
		if t.refill.idle(candidate, at) {
			victim = slot
			break
		}
		if staler(candidate, best) {
			victim = slot
		}
	}
	delete(s.index, s.at(victim).key)
	return victim
}

// staler reports that a is the better one of two busy buckets to forget.
func staler(a, b *bucket) bool {
	if (a.inFlight == 0) != (b.inFlight == 0) {
		return a.inFlight == 0
	}
	return a.last < b.last
}

func (s *shard) at(slot uint32) *bucket { return &s.blocks[slot/blockSize][slot%blockSize] }

// keys counts the buckets, for the metric and for tests.
func (t *table) keys() int {
	total := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		total += len(s.index)
		s.mu.Unlock()
	}
	return total
}
