package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

func gateway(surfaces ...lucidv1.SurfaceName) *lucidv1.LucidGateway {
	gw := &lucidv1.LucidGateway{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "lucid"}}
	for _, name := range surfaces {
		gw.Spec.Surfaces = append(gw.Spec.Surfaces, lucidv1.Surface{Name: name, State: lucidv1.SurfaceEnabled})
	}
	return gw
}

// rlp is a policy on gateway "lucid" that is as many seconds old as age says and
// allows as many requests, so that its tiers can be told from others'.
func rlp(name string, age int, sections ...lucidv1.SurfaceName) lucidv1.RateLimitPolicy {
	p := lucidv1.RateLimitPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: name,
		CreationTimestamp: metav1.NewTime(time.Unix(int64(1000-age), 0)),
	}}
	for _, section := range sections {
		p.Spec.TargetRefs = append(p.Spec.TargetRefs, lucidv1.PolicyTargetReference{
			Group: lucidv1.GroupVersion.Group, Kind: "LucidGateway", Name: "lucid", SectionName: section,
		})
	}
	p.Spec.Tiers = []lucidv1.Tier{{Name: "all", Requests: int64(age), Window: "1m"}}
	return p
}

func TestResolve(t *testing.T) {
	const gw, lp = lucidv1.SurfaceGateway, lucidv1.SurfaceLaunchpad
	foreign := rlp("foreign", 99, "")
	foreign.Namespace = "other"
	deleted := rlp("deleted", 99, "")
	deleted.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	broken := rlp("broken", 99, "")
	broken.Spec.Tiers[0].Window = "1w"

	cases := map[string]struct {
		reason   string
		policies []lucidv1.RateLimitPolicy
		inForce  map[string]int64  // surface → requests of the tiers in force
		refused  map[string]string // policy → reason
	}{
		"none": {reason: "Without policies the surfaces keep their defaults.", inForce: map[string]int64{}},
		"whole gateway": {reason: "A policy without a section governs every surface.",
			policies: []lucidv1.RateLimitPolicy{rlp("a", 5, "")}, inForce: map[string]int64{"gateway": 5, "launchpad": 5}},
		"older wins": {reason: "Of two on one target the older is established, whatever the order of the list.",
			policies: []lucidv1.RateLimitPolicy{rlp("a", 5, ""), rlp("b", 6, "")},
			inForce:  map[string]int64{"gateway": 6, "launchpad": 6}, refused: map[string]string{"a": lucidv1.ReasonConflicted}},
		"tie": {reason: "Of two of one age the first by name wins.",
			policies: []lucidv1.RateLimitPolicy{rlp("b", 5, gw), rlp("a", 5, gw)},
			inForce:  map[string]int64{"gateway": 5}, refused: map[string]string{"b": lucidv1.ReasonConflicted}},
		"more specific": {reason: "A surface's own policy wins there even if younger; both are accepted.",
			policies: []lucidv1.RateLimitPolicy{rlp("whole", 9, ""), rlp("own", 1, gw)},
			inForce:  map[string]int64{"gateway": 1, "launchpad": 9}},
		"different surfaces": {reason: "Policies on different surfaces do not meet.",
			policies: []lucidv1.RateLimitPolicy{rlp("a", 5, gw), rlp("b", 6, lp)},
			inForce:  map[string]int64{"gateway": 5, "launchpad": 6}},
		"partly": {reason: "A policy can lose one target and keep another.",
			policies: []lucidv1.RateLimitPolicy{rlp("a", 5, gw, lp), rlp("b", 6, lp)},
			inForce:  map[string]int64{"gateway": 5, "launchpad": 6}, refused: map[string]string{"a": lucidv1.ReasonConflicted}},
		"unknown surface": {reason: "A surface that is not served can't be governed.",
			policies: []lucidv1.RateLimitPolicy{rlp("a", 5, lucidv1.SurfaceDocu)},
			inForce:  map[string]int64{}, refused: map[string]string{"a": lucidv1.ReasonTargetNotFound}},
		"invalid steps aside": {reason: "A policy that can't be used does not keep a younger, good one out.",
			policies: []lucidv1.RateLimitPolicy{broken, rlp("good", 1, "")},
			inForce:  map[string]int64{"gateway": 1, "launchpad": 1}, refused: map[string]string{"broken": lucidv1.ReasonInvalid}},
		"elsewhere": {reason: "Policies of other namespaces and those on their way out make no claim.",
			policies: []lucidv1.RateLimitPolicy{foreign, deleted}, inForce: map[string]int64{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			claims := Resolve(gateway(lp, gw), tc.policies)
			got := map[string]int64{}
			for surface, tiers := range Limits(claims) {
				got[surface] = tiers[0].Requests
			}
			assert.Equal(t, tc.inForce, got, tc.reason)
			refused := map[string]string{}
			for _, claim := range claims {
				if !claim.Accepted() {
					refused[claim.Policy.Name] = claim.Refusal.Reason
				}
			}
			if tc.refused == nil {
				tc.refused = map[string]string{}
			}
			assert.Equal(t, tc.refused, refused, tc.reason)
		})
	}
}

func TestConflictIsToldOnBothSides(t *testing.T) {
	claims := Resolve(gateway(lucidv1.SurfaceGateway), []lucidv1.RateLimitPolicy{
		rlp("young", 1, ""), rlp("old", 3, ""), rlp("own", 2, lucidv1.SurfaceGateway),
	})
	require.Len(t, claims, 3)
	old, own, young := claims[0], claims[1], claims[2]
	assert.Equal(t, "ns/young", old.Overrides[0].String())
	assert.Contains(t, young.Refusal.Message, "ns/old")
	assert.Equal(t, "ns/own", old.OverriddenBy["gateway"].String())
	assert.Equal(t, "ns/old", own.Overrides[0].String())
	assert.Empty(t, old.InForce, "the only surface has a policy of its own")
}

func TestTiersReportEverythingWrong(t *testing.T) {
	p := rlp("a", 1, "")
	p.Spec.Tiers = []lucidv1.Tier{
		{Name: "under_score", Requests: 1, Window: "1m"},
		{Name: "b", Requests: 0, Window: "1m", Match: lucidv1.TierMatch{Paths: []string{"/a*"}}},
	}
	_, refusal := Tiers(&p)
	require.NotNil(t, refusal)
	for _, field := range []string{"spec.tiers[0].name", "spec.tiers[1].requests", "spec.tiers[1].match.paths[0]"} {
		assert.Contains(t, refusal.Message, field)
	}
}

func TestCompile(t *testing.T) {
	gw := gateway(lucidv1.SurfaceGateway)
	doc, _ := Compile(gw, nil)
	require.NoError(t, doc.Validate(), "a bare gateway makes a valid snapshot")
	assert.Equal(t, snapshot.Production, doc.Identity, "nothing opens the doors by leaving it out")
	assert.Nil(t, doc.CORS, "nor to pages of other origins")

	gw.Spec.Auth.Identity = lucidv1.IdentityDevelopment
	gw.Spec.Market.CNPYUSDRate = "2.5"
	gw.Spec.TrustedProxies = []lucidv1.CIDR{"10.0.0.0/8"}
	gw.Spec.Maintenance = &lucidv1.Maintenance{Mode: lucidv1.MaintenanceOn, RetryAfterSeconds: 60}
	gw.Spec.CORS = &lucidv1.CORS{AllowedOrigins: []lucidv1.Origin{"https://app.example.com"}, Credentials: lucidv1.CredentialsInclude}
	p := rlp("a", 7, "")
	p.Spec.Tiers[0] = lucidv1.Tier{
		Name: "all", Requests: 7, Window: "1h30m", Burst: 9, Concurrency: 3,
		Match:       lucidv1.TierMatch{Paths: []string{"/x/*"}, Methods: []lucidv1.Method{"GET"}, Roles: []string{"anonymous"}},
		Key:         lucidv1.TierKey{Type: lucidv1.KeyHeader, Header: "X-Key"},
		Enforcement: lucidv1.EnforcementShadow, Headers: lucidv1.HeadersDraft,
	}
	full, _ := Compile(gw, []lucidv1.RateLimitPolicy{p})
	require.NoError(t, full.Validate())
	assert.NotEqual(t, doc.Hash(), full.Hash())
	want := ratelimit.Tier{
		Name: "all", Requests: 7, Window: ratelimit.Duration(90 * time.Minute), Burst: 9, Concurrency: 3,
		Match:       ratelimit.Match{Paths: []string{"/x/*"}, Methods: []string{"GET"}, Roles: []string{"anonymous"}},
		Key:         ratelimit.Key{Type: ratelimit.KeyHeader, Header: "X-Key"},
		Enforcement: ratelimit.Shadow, Headers: ratelimit.Draft,
	}
	assert.Equal(t, want, full.RateLimits["gateway"][0], "every field of a tier reaches the pods")
	assert.Equal(t, &snapshot.CORS{AllowedOrigins: []string{"https://app.example.com"}, Credentials: true}, full.CORS)
	raw, err := full.Encode()
	require.NoError(t, err)
	back, err := snapshot.Parse(raw)
	require.NoError(t, err)
	assert.Equal(t, full.Hash(), back.Hash(), "what was published compares equal to what is wanted")
}

func pod(name string, isReady corev1.ConditionStatus) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: isReady}}},
	}
}

func lease(name, generation string) coordinationv1.Lease {
	return coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Name: name, Annotations: map[string]string{snapshot.GenerationAnnotation: generation},
	}}
}

func TestObserve(t *testing.T) {
	leaving := pod("leaving", corev1.ConditionTrue)
	leaving.DeletionTimestamp = &metav1.Time{}
	cases := map[string]struct {
		reason   string
		pods     []corev1.Pod
		leases   []coordinationv1.Lease
		want     Progress
		complete bool
	}{
		"no pods": {reason: "Nobody enforces anything.", want: Progress{Generation: 4}},
		"all":     {reason: "A later generation counts too.", pods: []corev1.Pod{pod("a", "True"), pod("b", "True")}, leases: []coordinationv1.Lease{lease("a", "4"), lease("b", "5")}, want: Progress{4, 2, 2, 5}, complete: true},
		"one behind": {reason: "Every ready pod has to report.",
			pods: []corev1.Pod{pod("a", "True"), pod("b", "True")}, leases: []coordinationv1.Lease{lease("a", "4"), lease("b", "3")}, want: Progress{4, 2, 1, 4}},
		"no report": {reason: "Silence is not agreement.", pods: []corev1.Pod{pod("a", "True")}, want: Progress{4, 1, 0, 0}},
		"garbage":   {reason: "A report that can't be read is none.", pods: []corev1.Pod{pod("a", "True")}, leases: []coordinationv1.Lease{lease("a", "x")}, want: Progress{4, 1, 0, 0}},
		"unready": {reason: "Pods that get no traffic do not count, nor do Leases that outlived their pod.",
			pods: []corev1.Pod{pod("a", "True"), pod("b", "False"), leaving, {}}, leases: []coordinationv1.Lease{lease("a", "4"), lease("gone", "4")}, want: Progress{4, 1, 1, 4}, complete: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Observe(4, tc.pods, tc.leases)
			assert.Equal(t, tc.want, got, tc.reason)
			assert.Equal(t, tc.complete, got.Complete(), tc.reason)
		})
	}
}

func TestGatewaysOf(t *testing.T) {
	p := rlp("a", 1, lucidv1.SurfaceGateway, lucidv1.SurfaceDocu)
	requests := GatewaysOf(t.Context(), &p)
	require.Len(t, requests, 1, "two sections of one gateway are one request")
	assert.Equal(t, "ns/lucid", requests[0].String())
	assert.Equal(t, []ctrl.Request(nil), GatewaysOf(t.Context(), &corev1.Pod{}))
}
