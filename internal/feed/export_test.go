package feed

import (
	"testing"
	"time"
)

// Patient sets how long a subscriber's queue may be full.
func (f *Feed) Patient(_ testing.TB, patience time.Duration) *Feed {
	f.slowAfter = patience
	return f
}

// LastEvent reads the number in the id of an event of a topic.
func LastEvent(topic Topic, id string) (int64, error) {
	return lastEvent(Request{Topic: topic, LastEventID: id})
}
