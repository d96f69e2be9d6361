package ratelimit

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAllowDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates by itself")
	}
	l, err := Compile(DefaultTiers(SurfaceGateway), Options{})
	require.NoError(t, err)
	for _, r := range []*Request{
		get("/api/v1/meta/info", "192.0.2.1"),
		get("/api/v1/sessions/7/chunks", "2001:db8::1"),
		byUser("/api/v1/chain/blocks/1", uuid.New(), "user"),
	} {
		allocations := testing.AllocsPerRun(1000, func() {
			d := l.Allow(r)
			d.Release()
		})
		assert.Zero(t, allocations, "a decision on %s", r.Path)
	}
}

// TestMemoryPerKey holds goal G5: at most 130 bytes per key at a million keys.
func TestMemoryPerKey(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("a million keys")
	}
	const keys = 1_000_000
	l, err := Compile([]Tier{tierOf(60, time.Minute, 60)}, Options{MaxKeys: 2 * keys})
	require.NoError(t, err)
	before := heap()
	r := Request{Method: "GET", Path: "/"}
	for i := range uint32(keys) {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], i)
		r.IP = netip.AddrFrom4(raw)
		l.Allow(&r)
	}
	perKey := float64(heap()-before) / keys
	t.Logf("%.0f bytes per key", perKey)
	assert.Equal(t, keys, l.Usage()[0].Keys)
	assert.Less(t, perKey, 130.0)
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func BenchmarkAllow(b *testing.B) {
	cases := map[string]struct {
		surface string
		request *Request
	}{
		"Public":        {SurfaceGateway, get("/api/v1/meta/info", "192.0.2.1")},
		"Authenticated": {SurfaceGateway, byUser("/api/v1/wallets/7", uuid.New(), "user")},
		"Launchpad":     {SurfaceLaunchpad, byUser("/api/v1/chains", uuid.New(), "user")},
	}
	for name, tc := range cases {
		b.Run(name, func(b *testing.B) {
			l, err := Compile(DefaultTiers(tc.surface), Options{})
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				d := l.Allow(tc.request)
				d.Release()
			}
		})
	}
}

// BenchmarkAllowManyKeys has more keys than the processor's caches hold.
func BenchmarkAllowManyKeys(b *testing.B) {
	l, err := Compile([]Tier{tierOf(60, time.Minute, 60)}, Options{})
	require.NoError(b, err)
	b.ReportAllocs()
	r := Request{Method: "GET", Path: "/"}
	var raw [4]byte
	for i := uint32(0); b.Loop(); i++ {
		binary.BigEndian.PutUint32(raw[:], i*2654435761>>14)
		r.IP = netip.AddrFrom4(raw)
		l.Allow(&r)
	}
}

func BenchmarkAllowParallel(b *testing.B) {
	l, err := Compile(DefaultTiers(SurfaceGateway), Options{})
	require.NoError(b, err)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := byUser("/api/v1/wallets/7", uuid.New(), "user")
		for pb.Next() {
			l.Allow(r)
		}
	})
}
