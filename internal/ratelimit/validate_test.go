package ratelimit

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/fault"
)

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*Tier)
		field  string
	}{
		"Valid":             {"Nothing is wrong.", func(*Tier) {}, ""},
		"NoBurst":           {"Burst may be left out.", func(t *Tier) { t.Burst = 0 }, ""},
		"Name":              {"A name is a metric label.", func(t *Tier) { t.Name = "Not A Label" }, "tiers[0].name"},
		"NoRequests":        {"No request at all is not a rate.", func(t *Tier) { t.Requests = 0 }, "tiers[0].requests"},
		"NegativeBurst":     {"A burst can't be negative.", func(t *Tier) { t.Burst = -1 }, "tiers[0].burst"},
		"TinyWindow":        {"A window has a least length.", func(t *Tier) { t.Window = 1 }, "tiers[0].window"},
		"HugeWindow":        {"And a greatest.", func(t *Tier) { t.Window = MaxWindow + 1 }, "tiers[0].window"},
		"TooFine":           {"What would overflow is refused.", func(t *Tier) { t.Window, t.Requests, t.Burst = MaxWindow-1, 999_983, MaxBurst }, "tiers[0].burst"},
		"LargeButDivisible": {"A day's quota in round numbers is fine.", func(t *Tier) { t.Window, t.Requests, t.Burst = MaxWindow, MaxRequests, MaxBurst }, ""},
		"Concurrency":       {"Negative concurrency means nothing.", func(t *Tier) { t.Concurrency = -1 }, "tiers[0].concurrency"},
		"Enforcement":       {"Modes are an enum.", func(t *Tier) { t.Enforcement = "Maybe" }, "tiers[0].enforcement"},
		"Headers":           {"So are header styles.", func(t *Tier) { t.Headers = "Loud" }, "tiers[0].headers"},
		"Path":              {"Globs are checked.", func(t *Tier) { t.Match.Paths = []string{"/ok", "bad"} }, "tiers[0].match.paths[1]"},
		"Method":            {"Methods are upper case.", func(t *Tier) { t.Match.Methods = []string{"get"} }, "tiers[0].match.methods[0]"},
		"Role":              {"Roles are words.", func(t *Tier) { t.Match.Roles = []string{"a b"} }, "tiers[0].match.roles[0]"},
		"KeyType":           {"Keys are an enum.", func(t *Tier) { t.Key.Type = "Cookie" }, "tiers[0].key.type"},
		"HeaderMissing":     {"A header key needs its name.", func(t *Tier) { t.Key = Key{Type: KeyHeader} }, "tiers[0].key.header"},
		"HeaderSurplus":     {"An IP key has none.", func(t *Tier) { t.Key.Header = "X-Key" }, "tiers[0].key.header"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tier := tierOf(60, time.Minute, 10)
			tc.change(&tier)
			err := Validate("tiers", []Tier{tier})
			_, compileErr := Compile([]Tier{tier}, Options{})
			if tc.field == "" {
				require.NoError(t, err, tc.reason)
				require.NoError(t, compileErr, tc.reason)
				return
			}
			assert.Equal(t, []string{tc.field}, fieldsOf(t, err), tc.reason)
			assert.Error(t, compileErr, "Compile refuses what Validate refuses.")
		})
	}
}

func TestValidateReportsEverything(t *testing.T) {
	bad := tierOf(0, 0, 1)
	bad.Name = ""
	err := Validate("rateLimits.docu", []Tier{bad, bad})
	assert.Equal(t, []string{
		"rateLimits.docu[0].name", "rateLimits.docu[0].requests", "rateLimits.docu[0].window",
		"rateLimits.docu[1].name", "rateLimits.docu[1].requests", "rateLimits.docu[1].window",
		"rateLimits.docu[1].name",
	}, fieldsOf(t, err), "Every wrong field is reported at once, the repeated name too.")

	err = Validate("tiers", make([]Tier, MaxTiers+1))
	assert.Contains(t, fieldsOf(t, err), "tiers")
}

func fieldsOf(t *testing.T, err error) []string {
	t.Helper()
	refusal, ok := fault.As(err)
	require.True(t, ok, "want a fault, got %v", err)
	assert.Equal(t, fault.Invalid, refusal.Kind)
	var names []string
	for _, field := range refusal.Fields {
		names = append(names, field.Name)
		assert.NotEmpty(t, field.Reason)
		assert.NotContains(t, field.Reason, "%!")
	}
	return names
}

func TestTierJSON(t *testing.T) {
	raw := `{"name":"public","match":{"paths":["/api/*"]},"key":{"type":"IP"},"requests":100,"window":"1m0s","burst":200}`
	var tier Tier
	require.NoError(t, json.Unmarshal([]byte(raw), &tier))
	assert.Equal(t, Duration(time.Minute), tier.Window)
	out, err := json.Marshal(tier)
	require.NoError(t, err)
	assert.JSONEq(t, raw, string(out))

	for _, bad := range []string{`60`, `"1 minute"`, `""`, `null1`} {
		err := json.Unmarshal([]byte(`{"window":`+bad+`}`), &tier)
		assert.Error(t, err, "a window of %s", bad)
	}
}

func TestGlob(t *testing.T) {
	cases := []struct {
		reason, pattern, path string
		want                  bool
	}{
		{"A literal is itself.", "/health", "/health", true},
		{"And nothing longer.", "/health", "/healthz", false},
		{"A last star is what is below.", "/api/*", "/api/a", true},
		{"At any depth.", "/api/*", "/api/a/b/c", true},
		{"But not the collection itself.", "/api/*", "/api", false},
		{"A star inside is one segment.", "/s/*/chunks", "/s/1/chunks", true},
		{"Not two.", "/s/*/chunks", "/s/1/2/chunks", false},
		{"Not none.", "/s/*/chunks", "/s//chunks", false},
		{"Nor with more behind.", "/s/*/chunks", "/s/1/chunks/2", false},
		{"Unless there is a star for it.", "/s/*/chunks/*", "/s/1/chunks/2/3", true},
		{"Two stars in a row need two segments.", "/s/*/*", "/s/1", false},
		{"And take them.", "/s/*/*", "/s/1/2", true},
		{"The root star is everything below the root.", "/*", "/x", true},
		{"The root matches itself.", "/", "/", true},
		{"Case matters, as in routing.", "/api/*", "/API/x", false},
	}
	for _, tc := range cases {
		g, err := compileGlob(tc.pattern)
		require.NoError(t, err)
		assert.Equal(t, tc.want, g.matches(tc.path), "%s %s on %s", tc.reason, tc.pattern, tc.path)
	}
	for _, bad := range []string{"", "api", "/a//b", "/a/", "/a*", "/a/*b/c", "/**", "/a?b", "/a b", "/" + strings.Repeat("x", 600)} {
		_, err := compileGlob(bad)
		assert.Error(t, err, "pattern %q", bad)
	}
}

// FuzzGlob compares the matcher with one that is too simple to be wrong.
func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"/api/v1/meta/*", "/api/v1/meta/info"}, {"/s/*/chunks", "/s/1/chunks"}, {"/*", "/"}, {"/*/*", "/a/"}, {"/a/*/b/*", "/a//b/c"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		g, err := compileGlob(pattern)
		if err != nil {
			return
		}
		path = RoutedPath(path)
		if got, want := g.matches(path), naiveMatch(pattern, path); got != want {
			t.Fatalf("%q on %q: %v, want %v", pattern, path, got, want)
		}
	})
}

func naiveMatch(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, segment := range want {
		switch {
		case i >= len(have):
			return false
		case segment == "*" && i == len(want)-1:
			return strings.Join(have[i:], "/") != ""
		case segment == "*" && have[i] == "", segment != "*" && segment != have[i]:
			return false
		}
	}
	return len(want) == len(have)
}
