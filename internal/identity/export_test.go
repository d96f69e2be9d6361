package identity

import "time"

// SetClock lets a test move the time of the memory.
func (s *Sessions) SetClock(now func() time.Time) { s.now = now }
