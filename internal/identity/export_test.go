package identity

import "time"

// SetClock lets a test move the time of the memory.
func (s *Sessions) SetClock(now func() time.Time) { s.now = now }

// Crowd fills the queue of tokens that were not seen to be good.
func (s *Sessions) Crowd() (disperse func()) {
	for range cap(s.strangers) {
		s.strangers <- struct{}{}
	}
	return func() {
		for range cap(s.strangers) {
			<-s.strangers
		}
	}
}
