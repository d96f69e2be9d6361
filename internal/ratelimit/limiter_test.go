package ratelimit

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultTiersMatch(t *testing.T) {
	user := uuid.New()
	cases := map[string]struct {
		reason  string
		surface string
		request *Request
		tier    string
		limit   int64
	}{
		"Metrics":         {"admin comes before public, which also covers meta.", SurfaceGateway, get("/api/v1/meta/metrics", "192.0.2.1"), "admin", 20000},
		"Admin":           {"Everything below admin belongs to it.", SurfaceGateway, byUser("/api/v1/admin/a/b", user), "admin", 20000},
		"Blocks":          {"The list of blocks is named without a star.", SurfaceGateway, byUser("/api/v1/chain/blocks", user), "blocks", 1000},
		"Block":           {"One block is below it.", SurfaceGateway, byUser("/api/v1/chain/blocks/17", user), "blocks", 1000},
		"OtherChain":      {"Other chain routes are authenticated.", SurfaceGateway, byUser("/api/v1/chain/info", user), "authenticated", 2000},
		"Info":            {"Meta routes are public.", SurfaceGateway, get("/api/v1/meta/info", "192.0.2.1"), "public", 200},
		"Login":           {"Login is public.", SurfaceGateway, get("/api/v1/auth/login", "192.0.2.1"), "public", 200},
		"Users":           {"Registration is public.", SurfaceGateway, get("/api/v1/users", "192.0.2.1"), "public", 200},
		"User":            {"A user's own resource is authenticated.", SurfaceGateway, byUser("/api/v1/users/7", user), "authenticated", 2000},
		"TrailingSlash":   {"A trailing slash is no way into another tier.", SurfaceGateway, get("/api/v1/users/", "192.0.2.1"), "public", 200},
		"TrailingSlashes": {"Nor are many of them: the router drops them all.", SurfaceGateway, get("/api/v1/users///", "192.0.2.1"), "public", 200},
		"NotInSeed":       {"What no list names is still limited.", SurfaceGateway, get("/api/v1/auth/refresh", "192.0.2.1"), "authenticated", 2000},
		"LaunchpadUser":   {"Users have the larger budget.", SurfaceLaunchpad, byUser("/api/v1/chains", user, "user"), "authenticated", 2000},
		"LaunchpadGuest":  {"Guests have the smaller one.", SurfaceLaunchpad, get("/api/v1/chains", "192.0.2.1"), "public", 200},
		"Email":           {"A mail is dearer than an answer, whoever asks for it.", SurfaceLaunchpad, post("/api/v1/auth/email", user), "sign-in", 20},
		"Verify":          {"A guess is too.", SurfaceLaunchpad, post("/api/v1/auth/verify//", user), "sign-in", 20},
		"Logout":          {"Who guesses keeps nobody from signing out.", SurfaceLaunchpad, post("/api/v1/auth/logout", user), "authenticated", 2000},
		"NewWallet":       {"A password costs a core's time.", SurfaceLaunchpad, post("/api/v1/wallets", user), "passwords", 20},
		"Decrypt":         {"So it does here.", SurfaceLaunchpad, post("/api/v1/wallets/7/decrypt", user), "passwords", 20},
		"Unlock":          {"Unlocking takes none.", SurfaceLaunchpad, post("/api/v1/wallets/7/unlock", user), "authenticated", 2000},
		"Wallets":         {"Nor does looking.", SurfaceLaunchpad, byUser("/api/v1/wallets", user, "user"), "authenticated", 2000},
		"Swap":            {"Orders on graduated pools mostly have none.", SurfaceLaunchpad, post("/api/v1/graduated-pools/swap", user), "authenticated", 2000},
		"DocuGuest":       {"So they have on docu.", SurfaceDocu, get("/api/v1/did", "192.0.2.1"), "public", 200},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := compile(t, newFakeClock(), DefaultTiers(tc.surface)...)
			d := l.Allow(tc.request)
			assert.Equal(t, tc.tier, d.Tier, tc.reason)
			assert.Equal(t, tc.limit, d.Limit, tc.reason)
			assert.Equal(t, tc.limit-1, d.Remaining, tc.reason)
		})
	}
	assert.Empty(t, DefaultTiers("unknown"), "A surface nobody knows has no tiers.")
}

func TestMatch(t *testing.T) {
	user := uuid.New()
	cases := map[string]struct {
		reason  string
		match   Match
		request *Request
		want    bool
	}{
		"Everything":    {"An empty match covers all.", Match{}, get("/x", "::1"), true},
		"Method":        {"The method is listed.", Match{Methods: []string{"GET"}}, get("/x", "::1"), true},
		"OtherMethod":   {"It is not.", Match{Methods: []string{"POST"}}, get("/x", "::1"), false},
		"Head":          {"GET covers HEAD, which costs as much.", Match{Methods: []string{"GET"}}, &Request{Method: "HEAD", Path: "/"}, true},
		"HeadForPost":   {"POST does not.", Match{Methods: []string{"POST"}}, &Request{Method: "HEAD", Path: "/"}, false},
		"Role":          {"The caller has one of the roles.", Match{Roles: []string{"admin", "user"}}, byUser("/x", user, "user"), true},
		"OtherRole":     {"The caller has none of them.", Match{Roles: []string{"admin"}}, byUser("/x", user, "user"), false},
		"Anonymous":     {"Nobody is anonymous.", Match{Roles: []string{RoleAnonymous}}, get("/x", "::1"), true},
		"NotAnonymous":  {"Somebody is not, whatever roles they claim.", Match{Roles: []string{RoleAnonymous}}, byUser("/x", user, "user"), false},
		"AllListsMatch": {"Path and method must both match.", Match{Paths: []string{"/x"}, Methods: []string{"POST"}}, get("/x", "::1"), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tier := tierOf(1, time.Second, 1)
			tier.Match = tc.match
			d := compile(t, newFakeClock(), tier).Allow(tc.request)
			assert.Equal(t, tc.want, d.Tier != "", tc.reason)
		})
	}
}

func TestKeys(t *testing.T) {
	alice, bob := uuid.New(), uuid.New()
	with := func(name, value string) *Request {
		r := get("/", "192.0.2.9")
		r.Headers = headers{name: value}
		return r
	}
	cases := map[string]struct {
		reason string
		key    Key
		a, b   *Request
		shared bool
	}{
		"SameAddress":     {"One address is one client.", Key{Type: KeyIP}, get("/", "192.0.2.1"), get("/", "192.0.2.1"), true},
		"OtherAddress":    {"Another is another.", Key{Type: KeyIP}, get("/", "192.0.2.1"), get("/", "192.0.2.2"), false},
		"MappedAddress":   {"A mapped IPv4 address is that IPv4 client.", Key{Type: KeyIP}, get("/", "::ffff:192.0.2.1"), get("/", "192.0.2.1"), true},
		"MappedNeighbour": {"Mapped addresses are not lumped together as one /64.", Key{Type: KeyIP}, get("/", "::ffff:192.0.2.1"), get("/", "::ffff:192.0.2.2"), false},
		"SameSubnet":      {"An IPv6 client owns its /64.", Key{Type: KeyIP}, get("/", "2001:db8::1"), get("/", "2001:db8::ffff"), true},
		"OtherSubnet":     {"The next /64 is somebody else.", Key{Type: KeyIP}, get("/", "2001:db8::1"), get("/", "2001:db8:0:1::1"), false},
		"OtherUser":       {"Users are counted apart behind one address.", Key{Type: KeyUser}, byUser("/", alice), byUser("/", bob), false},
		"UserMoves":       {"A user is one user at every address.", Key{Type: KeyUser}, byUser("/", alice), &Request{Path: "/", User: alice}, true},
		"GuestsByIP":      {"Without a user the address counts.", Key{Type: KeyUser}, get("/", "192.0.2.1"), get("/", "192.0.2.2"), false},
		"OtherHeader":     {"Header values are counted apart.", Key{Type: KeyHeader, Header: "X-Key"}, with("X-Key", "a"), with("X-Key", "b"), false},
		"SameHeader":      {"The same value is the same client.", Key{Type: KeyHeader, Header: "X-Key"}, with("X-Key", "a"), with("X-Key", "a"), true},
		"NoHeader":        {"Leaving the header out falls back to the address.", Key{Type: KeyHeader, Header: "X-Key"}, with("Y", "a"), get("/", "192.0.2.9"), true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tier := tierOf(1, time.Minute, 1)
			tier.Key = tc.key
			l := compile(t, newFakeClock(), tier)
			require.False(t, refused(l, tc.a), "A first request passes.")
			assert.Equal(t, tc.shared, refused(l, tc.b), tc.reason)
		})
	}
}

func refused(l *Limiter, r *Request) bool {
	d := l.Allow(r)
	return d.Refused
}

func TestHeaderCannotAimAtAnAddress(t *testing.T) {
	tier := tierOf(1, time.Minute, 1)
	tier.Key = Key{Type: KeyHeader, Header: "X-Key"}
	l := compile(t, newFakeClock(), tier)
	victim := get("/", "192.0.2.1")
	forged := get("/", "192.0.2.2")
	raw := victim.IP.As16()
	forged.Headers = headers{"X-Key": string(raw[:])}
	require.False(t, refused(l, forged))
	assert.False(t, refused(l, victim), "A header spelled like an address must not empty that address's bucket.")
}

func TestDecisionNumbers(t *testing.T) {
	clock := newFakeClock()
	l := compile(t, clock, tierOf(60, time.Minute, 2))
	r := get("/", "192.0.2.1")

	d := l.Allow(r)
	assert.Equal(t, int64(2), d.Limit)
	assert.Equal(t, int64(1), d.Remaining)
	assert.Equal(t, time.Duration(0), d.RetryAfter, "A token is left.")
	assert.Equal(t, clock.now().Add(time.Second), d.Reset, "One token flows back in a second.")

	d = l.Allow(r)
	assert.Equal(t, int64(0), d.Remaining)
	assert.Equal(t, time.Second, d.RetryAfter, "The bucket is empty now.")

	clock.advance(250 * time.Millisecond)
	d = l.Allow(r)
	assert.True(t, d.Refused)
	assert.Equal(t, OverRate, d.Over)
	assert.Equal(t, "rate", d.Over.String())
	assert.Equal(t, 750*time.Millisecond, d.RetryAfter)
	assert.Equal(t, clock.now().Add(1750*time.Millisecond), d.Reset)
}

func TestEnforcement(t *testing.T) {
	cases := map[string]struct {
		reason  string
		mode    Enforcement
		refused bool
		over    Reason
		headers HeaderStyle
		tier    string
	}{
		"Enforce": {"An enforced tier refuses.", Enforce, true, OverRate, XRateLimit, "tier"},
		"Shadow":  {"A shadow tier notes what it would refuse, unseen by the client.", Shadow, false, OverRate, None, "tier"},
		"Off":     {"A tier that is off counts nothing but still ends the search.", Off, false, WithinLimit, None, "tier"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tier := tierOf(1, time.Minute, 1)
			tier.Enforcement = tc.mode
			strict := tierOf(1, time.Minute, 1)
			strict.Name = "next"
			l := compile(t, newFakeClock(), tier, strict)
			l.Allow(get("/", "::1"))
			d := l.Allow(get("/", "::1"))
			assert.Equal(t, tc.refused, d.Refused, tc.reason)
			assert.Equal(t, tc.over, d.Over, tc.reason)
			assert.Equal(t, tc.headers, d.Headers, tc.reason)
			assert.Equal(t, tc.tier, d.Tier, tc.reason)
		})
	}
}

func TestConcurrency(t *testing.T) {
	tier := tierOf(1000, time.Second, 1000)
	tier.Concurrency = 2
	l := compile(t, newFakeClock(), tier)
	r := get("/", "192.0.2.1")

	first, second, third := l.Allow(r), l.Allow(r), l.Allow(r)
	require.False(t, first.Refused)
	require.False(t, second.Refused)
	assert.Equal(t, OverConcurrency, third.Over, "Two are in flight.")
	assert.Equal(t, "concurrency", third.Over.String())
	assert.Equal(t, time.Second, third.RetryAfter, "Nobody knows when one ends.")
	assert.Equal(t, int64(998), third.Remaining, "A refusal costs no token.")
	assert.False(t, refused(l, get("/", "192.0.2.2")), "Another client has its own slots.")

	third.Release()
	assert.True(t, refused(l, r), "A refused request holds no slot that it could give back.")
	first.Release()
	first.Release()
	assert.False(t, refused(l, r), "One slot came back.")
	assert.True(t, refused(l, r), "Releasing twice gives back once.")
	second.Release()
	assert.False(t, refused(l, r))
}

func TestSwapKeepsBuckets(t *testing.T) {
	base := tierOf(60, time.Minute, 3)
	cases := map[string]struct {
		reason string
		change func(*Tier)
		kept   bool
	}{
		"Unchanged":   {"The same tier goes on.", func(*Tier) {}, true},
		"Enforcement": {"Who is counted did not change.", func(t *Tier) { t.Enforcement = Shadow }, true},
		"Match":       {"Neither did it with other paths.", func(t *Tier) { t.Match.Paths = []string{"/*"} }, true},
		"Requests":    {"Another rate starts afresh.", func(t *Tier) { t.Requests = 61 }, false},
		"Burst":       {"So does another burst.", func(t *Tier) { t.Burst = 4 }, false},
		"Window":      {"And another window.", func(t *Tier) { t.Window = Duration(time.Second) }, false},
		"Key":         {"And another key.", func(t *Tier) { t.Key = Key{Type: KeyUser} }, false},
		"Name":        {"And another name.", func(t *Tier) { t.Name = "renamed" }, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			clock := newFakeClock()
			before := compile(t, clock, base)
			before.Allow(get("/a", "::1"))
			changed := base
			tc.change(&changed)
			d := recompile(t, clock, before, changed).Allow(get("/a", "::1"))
			want := d.Limit - 1
			if tc.kept {
				want--
			}
			assert.Equal(t, want, d.Remaining, tc.reason)
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	clock := newFakeClock()
	const maxKeys = 4096
	l, err := Compile([]Tier{tierOf(60, time.Minute, 10)}, Options{Now: clock.now, MaxKeys: maxKeys})
	require.NoError(t, err)
	for i := range 20 * maxKeys {
		l.Allow(get("/", fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&0xff, i&0xff)))
		clock.advance(time.Microsecond)
	}
	usage := l.Usage()
	assert.Equal(t, "tier", usage[0].Tier)
	assert.LessOrEqual(t, usage[0].Keys, maxKeys, "A flood of addresses must not grow the table.")
	assert.Greater(t, usage[0].Keys, maxKeys/2, "The table must be used.")
}

func TestEvictionPrefersIdleBuckets(t *testing.T) {
	clock := newFakeClock()
	tier := tierOf(1, time.Second, 5)
	tb := newTable(tier.WithDefaults(), shardCount*evictionSample, clock.now)
	key := func(n uint64) keyHash { return keyHash{hi: n, lo: 0} } // all in one shard
	drain := func(n uint64, times int) {
		for range times {
			var d Decision
			tb.decide(key(n), 0, &d)
		}
	}
	for n := range uint64(evictionSample) {
		drain(n, 1) // each is full again after a second
	}
	drain(3, 4) // key 3 takes five
	clock.advance(2 * time.Second)
	for n := range uint64(evictionSample - 1) {
		drain(100+n, 5)
	}
	var d Decision
	tb.decide(key(3), 0, &d)
	assert.Equal(t, int64(1), d.Remaining, "The one busy bucket must have survived fifteen newcomers: two tokens came back, one went.")
}

func TestEvictionSparesInFlight(t *testing.T) {
	clock := newFakeClock()
	tb := newTable(tierOf(1, time.Hour, 2).WithDefaults(), shardCount*2, clock.now)
	var held, other Decision
	tb.decide(keyHash{hi: 1}, 1, &held)
	clock.advance(time.Second)
	tb.decide(keyHash{hi: 2}, 0, &other)
	tb.decide(keyHash{hi: 3}, 0, &other)
	var again Decision
	tb.decide(keyHash{hi: 1}, 1, &again)
	assert.Equal(t, OverConcurrency, again.Over, "A key with a request in flight is older but must not be forgotten.")
	held.Release()
}

func TestReleaseAfterEviction(t *testing.T) {
	tb := newTable(tierOf(1, time.Hour, 2).WithDefaults(), shardCount, newFakeClock().now)
	var first, second, third Decision
	tb.decide(keyHash{hi: 1}, 1, &first)
	tb.decide(keyHash{hi: 2}, 1, &second)
	first.Release()
	tb.decide(keyHash{hi: 2}, 1, &third)
	assert.Equal(t, OverConcurrency, third.Over, "The slot given back belonged to another key.")
}

func TestConcurrentUse(t *testing.T) {
	const workers, each, burst = 16, 500, 1000
	tier := tierOf(1, time.Hour, burst)
	tier.Concurrency = workers
	l := compile(t, newFakeClock(), tier)
	var mu sync.Mutex
	var group sync.WaitGroup
	total := 0
	for range workers {
		group.Go(func() {
			passed := 0
			for range each {
				d := l.Allow(get("/", "192.0.2.1"))
				if !d.Refused {
					passed++
				}
				d.Release()
			}
			mu.Lock()
			total += passed
			mu.Unlock()
		})
	}
	group.Wait()
	assert.Equal(t, burst, total, "Exactly the burst passes while the clock stands still.")
}

func TestUnmatchedIsUnlimited(t *testing.T) {
	tier := tierOf(1, time.Hour, 1)
	tier.Match.Paths = []string{"/limited"}
	l := compile(t, newFakeClock(), tier)
	assert.Equal(t, 10, admitted(l, get("/free", "::1"), 10))
	d := l.Allow(get("/free", "::1"))
	d.Release()
	assert.Equal(t, None, d.Headers, "There is no budget to tell.")
	assert.Empty(t, WithinLimit.String())
}
