package live

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

func generation(n int64) *snapshot.Snapshot {
	return &snapshot.Snapshot{
		Generation: n, Gateway: "lucid/main", Identity: snapshot.Development, CNPYUSDRate: "1.00",
		TrustedProxies: []string{"10.1.2.3/8"},
	}
}

func TestOffer(t *testing.T) {
	cases := map[string]struct {
		reason string
		origin string
		next   *snapshot.Snapshot
		taken  bool
	}{
		"Newer":     {"A higher generation is newer.", "a", generation(6), true},
		"Older":     {"A generation never goes back.", "a", generation(4), false},
		"Same":      {"The same again is no change.", "a", generation(5), false},
		"Corrected": {"A file may be edited without counting up.", "a", edited(5), true},
		"Recreated": {"A new object starts over.", "b", generation(1), true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var h Holder
			_, err := h.Offer("a", generation(5))
			require.NoError(t, err)
			taken, err := h.Offer(tc.origin, tc.next)
			require.NoError(t, err)
			assert.Equal(t, tc.taken, taken, tc.reason)
			want := int64(5)
			if tc.taken {
				want = tc.next.Generation
			}
			assert.Equal(t, want, h.Current().Snapshot.Generation)
		})
	}
}

func edited(n int64) *snapshot.Snapshot {
	s := generation(n)
	s.CNPYUSDRate = "2.00"
	return s
}

func TestBrokenSnapshotChangesNothing(t *testing.T) {
	var h Holder
	_, err := h.Offer("a", generation(1))
	require.NoError(t, err)
	for _, breakIt := range []func(*snapshot.Snapshot){
		func(s *snapshot.Snapshot) { s.RateLimits = map[string][]ratelimit.Tier{"docu": {{}}} },
		func(s *snapshot.Snapshot) { s.TrustedProxies = []string{"everywhere"} },
	} {
		broken := generation(2)
		breakIt(broken)
		taken, err := h.Offer("a", broken)
		assert.False(t, taken)
		assert.Error(t, err)
		assert.Equal(t, int64(1), h.Current().Snapshot.Generation, "The pod keeps serving with what it has.")
	}
}

func TestLimitersInheritBuckets(t *testing.T) {
	var h Holder
	_, err := h.Offer("a", generation(1))
	require.NoError(t, err)
	request := &ratelimit.Request{Method: "GET", Path: "/api/v1/meta/info", IP: netip.MustParseAddr("192.0.2.1")}
	h.Current().Limiter("gateway").Allow(request)
	_, err = h.Offer("a", generation(2))
	require.NoError(t, err)
	d := h.Current().Limiter("gateway").Allow(request)
	assert.Equal(t, int64(198), d.Remaining, "A new snapshot gives nobody a new budget.")
	assert.Nil(t, h.Current().Limiter("shop"))
}

func TestTrusts(t *testing.T) {
	var h Holder
	assert.Nil(t, h.Current(), "Nothing before the first snapshot.")
	_, err := h.Offer("a", generation(1))
	require.NoError(t, err)
	assert.True(t, h.Current().Trusts(netip.MustParseAddr("10.200.0.1")), "The prefix counts, not its host bits.")
	assert.False(t, h.Current().Trusts(netip.MustParseAddr("192.0.2.1")))
}

func TestWatch(t *testing.T) {
	var h Holder
	early := h.Watch()
	assert.Empty(t, early)
	for n := range int64(3) {
		_, err := h.Offer("a", generation(n))
		require.NoError(t, err)
	}
	late := h.Watch()
	for _, watcher := range []<-chan struct{}{early, late} {
		select {
		case <-watcher:
		case <-time.After(time.Second):
			t.Fatal("no news of the change")
		}
		assert.Empty(t, watcher, "Changes collapse into one.")
	}
}
