package ratelimit

import "time"

// bucket is the state of one key. Level is in units of rate.cost per token, and
// last is when it was true, in nanoseconds since the table's epoch.
type bucket struct {
	key      keyHash
	level    int64
	last     int64
	inFlight int32
}

// refill is a tier's arithmetic, immutable and shared by all its buckets.
type refill struct {
	rate
	capacity int64 // units of a full bucket
	fillTime int64 // nanoseconds from empty to full, rounded up
}

func newRefill(t Tier) refill {
	r := refill{rate: rateOf(t)}
	r.capacity = t.Burst * r.cost
	r.fillTime = divideUp(r.capacity, r.perNano)
	return r
}

// advance brings the bucket to now. A clock that stands still or steps back
// refills nothing and takes nothing away.
func (r *refill) advance(b *bucket, now int64) {
	elapsed := now - b.last
	if elapsed <= 0 {
		return
	}
	b.last = now
	// Comparing time before multiplying keeps the product within capacity.
	if elapsed >= r.fillTime {
		b.level = r.capacity
		return
	}
	b.level = min(r.capacity, b.level+elapsed*r.perNano)
}

// take removes one token if there is one.
func (r *refill) take(b *bucket) bool {
	if b.level < r.cost {
		return false
	}
	b.level -= r.cost
	return true
}

// idle reports that forgetting the bucket at now loses nothing: a new one would
// be just as full.
func (r *refill) idle(b *bucket, now int64) bool {
	return b.inFlight == 0 && time.Duration(now-b.last) >= r.untilFull(b)
}

func (r *refill) remaining(b *bucket) int64 { return b.level / r.cost }

// untilToken is the shortest time after which one token is there.
func (r *refill) untilToken(b *bucket) time.Duration {
	if b.level >= r.cost {
		return 0
	}
	return time.Duration(divideUp(r.cost-b.level, r.perNano))
}

// untilFull is the shortest time after which the bucket is full.
func (r *refill) untilFull(b *bucket) time.Duration {
	return time.Duration(divideUp(r.capacity-b.level, r.perNano))
}

func divideUp(a, b int64) int64 {
	quotient := a / b
	if a%b != 0 {
		quotient++
	}
	return quotient
}
