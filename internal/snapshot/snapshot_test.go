package snapshot

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
)

func valid() *Snapshot {
	return &Snapshot{
		Generation: 7, Gateway: "lucid/main", Identity: Development, CNPYUSDRate: "1.00",
		Surfaces:       []Surface{{Name: "gateway", Host: "api.example.org"}, {Name: "launchpad"}},
		TrustedProxies: []string{"10.0.0.0/8", "fd00::/8"},
		Maintenance:    &Maintenance{Mode: MaintenanceOn, RetryAfterSeconds: 30},
		Mail:           &mail.Settings{Host: "smtp.example.org", Port: 587, From: "no-reply@example.org", TLS: mail.StartTLS},
		Bridge: &counterchain.Settings{
			PaymentDeadlineSeconds: 3600, MinOrderCNPY: counterchain.DefaultMinOrder,
			Assets: []counterchain.Asset{{
				Network: "tron", Symbol: "USDT", Kind: counterchain.TRON, ChainID: 728126428, Decimals: 6,
				Contract: "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", Finality: counterchain.ByConfirmations, Confirmations: 20,
			}},
		},
		CORS:       &CORS{AllowedOrigins: []string{"https://app.example.org", "http://localhost:5173"}, Credentials: true},
		RateLimits: map[string][]ratelimit.Tier{"gateway": ratelimit.DefaultTiers("gateway"), "launchpad": {}},
	}
}

func encode(t *testing.T, s *Snapshot) []byte {
	t.Helper()
	raw, err := s.Encode()
	require.NoError(t, err)
	return raw
}

func TestRoundTrip(t *testing.T) {
	parsed, err := Parse(encode(t, valid()))
	require.NoError(t, err)
	assert.Equal(t, valid(), parsed)
}

func TestHash(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*Snapshot)
		same   bool
	}{
		"Nothing":     {"The same content has the same hash.", func(*Snapshot) {}, true},
		"Generation":  {"The generation is not content.", func(s *Snapshot) { s.Generation++ }, true},
		"Rate":        {"Every field is.", func(s *Snapshot) { s.CNPYUSDRate = "1.01" }, false},
		"Tier":        {"So are the limits.", func(s *Snapshot) { s.RateLimits["gateway"][0].Burst++ }, false},
		"Mail":        {"So is the mail server.", func(s *Snapshot) { s.Mail.Port++ }, false},
		"Bridge":      {"So is the bridge.", func(s *Snapshot) { s.Bridge.Assets[0].Confirmations++ }, false},
		"Origins":     {"So are the origins.", func(s *Snapshot) { s.CORS.AllowedOrigins[1] += "0" }, false},
		"Cookies":     {"And what they may do.", func(s *Snapshot) { s.CORS.Credentials = false }, false},
		"Maintenance": {"And maintenance.", func(s *Snapshot) { s.Maintenance = nil }, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			changed := valid()
			tc.change(changed)
			assert.Equal(t, tc.same, valid().Hash() == changed.Hash(), tc.reason)
			assert.Len(t, changed.Hash(), 64)
		})
	}
}

func TestHashIsStable(t *testing.T) {
	first := valid().Hash()
	for range 50 {
		require.Equal(t, first, valid().Hash(), "Maps must not shuffle the content.")
	}
}

func TestParseRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		raw    string
	}{
		"Empty":        {"No document.", ``},
		"NotJSON":      {"Not JSON.", `hello`},
		"UnknownField": {"A field this build can't enforce.", `{"gateway":"a/b","future":1}`},
		"Trailing":     {"Two documents.", `{"gateway":"a/b"} {}`},
		"BadWindow":    {"A window that is no duration.", `{"gateway":"a/b","rateLimits":{"docu":[{"window":1}]}}`},
		"Huge":         {"More than a ConfigMap holds.", `{"gateway":"` + strings.Repeat("a", maxSize) + `"}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(tc.raw))
			assert.Error(t, err, tc.reason)
		})
	}
}

func TestParseFillsIn(t *testing.T) {
	s, err := Parse([]byte(`{"gateway":"a/b","surfaces":[{"name":"docu","host":"Docu.Example.ORG"}]}`))
	require.NoError(t, err)
	assert.Equal(t, Production, s.Identity, "Leaving identity out must not open the door.")
	assert.Equal(t, "1.00", s.CNPYUSDRate)
	assert.Equal(t, "docu.example.org", s.Surfaces[0].Host)
	assert.Equal(t, int64(0), s.Generation)
}

// A pod that is older than the field refuses a document that names it.
func TestMailIsLeftOutWhereThereIsNone(t *testing.T) {
	s := valid()
	s.Mail, s.Bridge, s.CORS = nil, nil, nil
	assert.NotContains(t, string(encode(t, s)), "mail")
	assert.NotContains(t, string(encode(t, s)), "bridge")
	assert.NotContains(t, string(encode(t, s)), "cors")
}

func TestValidateReportsEverything(t *testing.T) {
	s := &Snapshot{
		Generation: -1, Gateway: "none", Identity: "Trusting", CNPYUSDRate: "0.0",
		Surfaces:       []Surface{{Name: "docu"}, {Name: "docu"}, {Name: "shop"}},
		TrustedProxies: []string{"10.0.0.0/8", "localhost"},
		Maintenance:    &Maintenance{Mode: "Perhaps", RetryAfterSeconds: -1},
		Mail:           &mail.Settings{Host: "smtp.example.org", Port: 587, From: "nobody", TLS: "SSL"},
		Bridge:         &counterchain.Settings{},
		CORS:           &CORS{AllowedOrigins: []string{"*", "app.example.org"}, Credentials: true},
		RateLimits: map[string][]ratelimit.Tier{
			"shop": {}, "docu": {{Name: "a", Requests: 0, Window: ratelimit.Duration(time.Second)}},
		},
	}
	refusal, ok := fault.As(s.Validate())
	require.True(t, ok)
	var names []string
	for _, field := range refusal.Fields {
		names = append(names, field.Name)
	}
	assert.Equal(t, []string{
		"generation", "gateway", "identity", "cnpyUSDRate", "surfaces[1].name", "surfaces[2].name",
		"maintenance.mode", "maintenance.retryAfterSeconds", "trustedProxies[1]", "mail.from", "mail.tls",
		"bridge.paymentDeadlineSeconds", "bridge.minOrderCNPY", "bridge.assets",
		"cors.allowedOrigins[1]", "cors.allowedOrigins", "cors.credentials",
		"rateLimits.docu[0].requests", "rateLimits.shop",
	}, names, "Every wrong field is reported at once, in a stable order.")
}

func TestCNPYUSDRate(t *testing.T) {
	for rate, want := range map[string]bool{
		"1": true, "1.00": true, "0.000001": true, "999999999999": true, "01": false, "-1": false,
		"1e3": false, "0": false, "0.000": false, "1.": false, ".5": false, "1.0000001": false,
	} {
		s := valid()
		s.CNPYUSDRate = rate
		assert.Equal(t, want, s.Validate() == nil, "rate %q", rate)
	}
}

func TestOrigins(t *testing.T) {
	for origin, want := range map[string]bool{
		"https://app.example.org": true, "http://localhost:5173": true, "https://192.0.2.1": true, "http://[::1]:3000": true, "*": true,
		"": false, "null": false, "app.example.org": false, "https://app.example.org/": false, "https://app.example.org/x": false,
		"https://App.example.org": false, "https://*.example.org": false, "https://user@example.org": false, "ftp://example.org": false,
		"https://example.org:443": false, "http://example.org:80": false, "http://example.org:443": true, "https://example.org:0": false,
		"https://example.org:65536000": false, "https://-example.org": false, "https://example.org\n": false,
	} {
		s := valid()
		s.CORS = &CORS{AllowedOrigins: []string{origin}}
		assert.Equal(t, want, s.Validate() == nil, "origin %q", origin)
	}
	s := valid()
	s.CORS.AllowedOrigins = nil
	assert.Error(t, s.Validate(), "Who lets nobody in leaves it out.")
	s.CORS.AllowedOrigins = slices.Repeat([]string{"https://app.example.org"}, maxOrigins+1)
	assert.Error(t, s.Validate(), "A request is compared with all of them.")

	var none *CORS
	assert.False(t, none.Allows("https://app.example.org"))
	assert.False(t, none.Trusts("https://app.example.org"))
	assert.False(t, none.Open())
}

func TestQuestions(t *testing.T) {
	s := valid()
	wait, on := s.InMaintenance()
	assert.True(t, on)
	assert.Equal(t, 30*time.Second, wait)
	s.Maintenance.Mode = MaintenanceOff
	_, on = s.InMaintenance()
	assert.False(t, on, "Declared off is off.")
	s.Maintenance = nil
	_, on = s.InMaintenance()
	assert.False(t, on, "Not declared is off.")

	assert.True(t, s.Enabled("gateway"))
	assert.False(t, s.Enabled("docu"), "A surface that is not listed is not served.")
	assert.Empty(t, s.Tiers("launchpad"), "An empty list takes the limits away.")
	assert.Equal(t, ratelimit.DefaultTiers("docu"), s.Tiers("docu"), "A surface that is not named has the defaults.")
	assert.Equal(t, "main-snapshot", ConfigMapName("main"))
}

func FuzzParse(f *testing.F) {
	raw, err := valid().Encode()
	require.NoError(f, err)
	f.Add(raw)
	f.Add([]byte(`{"gateway":"a/b","rateLimits":{"docu":null}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Parse(raw)
		if err != nil {
			return
		}
		encoded, err := s.Encode()
		require.NoError(t, err)
		again, err := Parse(encoded)
		require.NoError(t, err, "What was accepted is accepted again.")
		require.Equal(t, s.Hash(), again.Hash())
		for surface := range s.RateLimits {
			_, err := ratelimit.Compile(s.Tiers(surface), ratelimit.Options{MaxKeys: 64})
			require.NoError(t, err, "What was accepted compiles.")
		}
		require.True(t, json.Valid(encoded))
	})
}
