package middleware

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDeadline(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     time.Duration
		end    bool
		want   error
	}{
		"Running":  {"Nothing has happened.", time.Hour, false, nil},
		"Answered": {"The request is over.", time.Hour, true, context.Canceled},
		"Late":     {"The time is up.", -time.Second, false, context.DeadlineExceeded},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			untouched := &deadline{at: time.Now().Add(tc.in)}
			watched := &deadline{at: time.Now().Add(tc.in)}
			done := watched.Done()
			for _, d := range []*deadline{untouched, watched} {
				if tc.end {
					d.end()
				}
				assert.ErrorIs(t, d.Err(), tc.want, tc.reason)
				d.end()
				assert.Error(t, d.Err(), "In the end every request is over.")
			}
			<-done
		})
	}
}

func TestDeadlineReachesItsChildren(t *testing.T) {
	d := &deadline{at: time.Now().Add(20 * time.Millisecond)}
	child, cancel := context.WithTimeout(d, time.Hour)
	defer cancel()
	at, bounded := child.Deadline()
	assert.True(t, bounded)
	assert.Equal(t, d.at, at, "The earlier end counts.")
	<-child.Done()
	assert.ErrorIs(t, child.Err(), context.DeadlineExceeded)
	assert.Nil(t, d.Value("key"))
	d.end()
}
