package node

import "testing"

func TestLag(t *testing.T) {
	for _, c := range []struct {
		reason  string
		own     int64
		working []int64
		ready   bool
	}{
		{"nobody to compare with", 0, nil, true},
		{"a chain that starts", 0, []int64{1, 1, 1}, true},
		{"peers that have not said where they are", 7, []int64{0, 0}, true},
		{"a block or two apart, as on a busy chain", 7, []int64{8, 11}, true},
		{"one peer is further ahead than that", 7, []int64{8, 12}, false},
		{"the others are behind", 70, []int64{8, 12}, true},
	} {
		if why := lag(c.own, c.working); (why == "") != c.ready {
			t.Errorf("%s: at %d with peers on %v: %q", c.reason, c.own, c.working, why)
		}
	}
}
