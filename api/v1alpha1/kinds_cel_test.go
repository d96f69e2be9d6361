package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/kubetest"
)

func newGateway(namespace, name string) *lucidv1.LucidGateway {
	return &lucidv1.LucidGateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       lucidv1.LucidGatewaySpec{Database: lucidv1.Database{SecretRef: lucidv1.SecretKeyReference{Name: "db"}}},
	}
}

func TestLucidGatewayDefaults(t *testing.T) {
	k := kubetest.Open(t)
	g := newGateway(k.Namespace, "defaults")
	if err := k.Client.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	s := g.Spec
	got := fmt.Sprintf("%d %d %s %s %s %s", *s.Replicas, len(s.Surfaces), s.Surfaces[0].State, s.Database.SecretRef.Key, s.Auth.Identity, s.Market.CNPYUSDRate)
	if want := "2 3 Enabled url Production 1.00"; got != want {
		t.Errorf("defaults %s, want %s", got, want)
	}
}

func TestMailDefaults(t *testing.T) {
	k := kubetest.Open(t)
	g := newGateway(k.Namespace, "mail-defaults")
	g.Spec.Auth.Mail = &lucidv1.Mail{Host: "smtp.example.com", From: "no-reply@example.com"}
	if err := k.Client.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if mail := g.Spec.Auth.Mail; mail.Port != 587 || mail.TLS != lucidv1.MailStartTLS {
		t.Errorf("defaults %d %s, want submission by StartTLS", mail.Port, mail.TLS)
	}
}

func TestCORSRules(t *testing.T) {
	k := kubetest.Open(t)
	const app = lucidv1.Origin("https://app.example.com")
	cases := []struct {
		reason      string
		origins     []lucidv1.Origin
		credentials lucidv1.CredentialsMode
		says        string
	}{
		{"one front end", []lucidv1.Origin{app}, "", ""},
		{"with its visitors' cookies", []lucidv1.Origin{app, "http://localhost:5173"}, lucidv1.CredentialsInclude, ""},
		{"by address", []lucidv1.Origin{"http://192.0.2.1:8080", "http://[::1]:3000"}, "", ""},
		{"every page of the web", []lucidv1.Origin{"*"}, lucidv1.CredentialsOmit, ""},
		{"every page of the web, for its visitors", []lucidv1.Origin{"*"}, lucidv1.CredentialsInclude, "act for its visitors"},
		{"one of every", []lucidv1.Origin{"*", app}, "", "stands alone"},
		{"nobody", []lucidv1.Origin{}, "", "allowedOrigins"},
		{"no scheme", []lucidv1.Origin{"app.example.com"}, "", "must be scheme://host"},
		{"a path", []lucidv1.Origin{app + "/"}, "", "must be scheme://host"},
		{"upper case, which no browser sends", []lucidv1.Origin{"https://App.example.com"}, "", "must be scheme://host"},
		{"a pattern", []lucidv1.Origin{"https://*.example.com"}, "", "must be scheme://host"},
		{"another scheme", []lucidv1.Origin{"ftp://example.com"}, "", "must be scheme://host"},
		{"the scheme's own port, which no browser sends", []lucidv1.Origin{app + ":443"}, "", "own port"},
		{"the other scheme's", []lucidv1.Origin{app + ":80"}, "", ""},
		{"the same twice", []lucidv1.Origin{app, app}, "", "Duplicate value"},
		{"no such mode", []lucidv1.Origin{app}, "SameOrigin", "supported values"},
	}
	for i, tc := range cases {
		g := newGateway(k.Namespace, fmt.Sprintf("cors-%d", i))
		g.Spec.CORS = &lucidv1.CORS{AllowedOrigins: tc.origins, Credentials: tc.credentials}
		expect(t, k.Client.Create(t.Context(), g, client.DryRunAll), tc.says, tc.reason)
		if tc.says == "" && tc.credentials == "" && g.Spec.CORS.Credentials != lucidv1.CredentialsOmit {
			t.Errorf("%s: credentials are %q by default", tc.reason, g.Spec.CORS.Credentials)
		}
	}
}

func TestLucidGatewayRules(t *testing.T) {
	k := kubetest.Open(t)
	mailed := func(change func(*lucidv1.Mail)) func(*lucidv1.LucidGateway) {
		return func(g *lucidv1.LucidGateway) {
			g.Spec.Auth.Mail = &lucidv1.Mail{Host: "smtp.example.com", From: "no-reply@example.com"}
			change(g.Spec.Auth.Mail)
		}
	}
	surfaces := func(s ...lucidv1.Surface) func(*lucidv1.LucidGateway) {
		return func(g *lucidv1.LucidGateway) { g.Spec.Surfaces = s }
	}
	docu := lucidv1.Surface{Name: lucidv1.SurfaceDocu}
	cases := []struct {
		reason string
		mutate func(*lucidv1.LucidGateway)
		says   string
	}{
		{"the least that makes a gateway", func(*lucidv1.LucidGateway) {}, ""},
		{"the longest name", func(g *lucidv1.LucidGateway) { g.Name = strings.Repeat("a", 40) }, ""},
		{"children's names are made of it", func(g *lucidv1.LucidGateway) { g.Name = strings.Repeat("a", 41) }, "at most 40 characters"},
		{"a Service's name begins with a letter", func(g *lucidv1.LucidGateway) { g.Name = "1a" }, "begins with a letter"},
		{"one pod", func(g *lucidv1.LucidGateway) { g.Spec.Replicas = ptr.To[int32](1) }, ""},
		{"no pod", func(g *lucidv1.LucidGateway) { g.Spec.Replicas = ptr.To[int32](0) }, "greater than or equal to 1"},
		{"more than a cluster holds", func(g *lucidv1.LucidGateway) { g.Spec.Replicas = ptr.To[int32](1001) }, "less than or equal to 1000"},
		{"one surface", surfaces(docu), ""},
		{"one surface twice", surfaces(docu, docu), "Duplicate value"},
		{"no such surface", surfaces(lucidv1.Surface{Name: "shop"}), "supported values"},
		{"a surface with a host", surfaces(lucidv1.Surface{Name: lucidv1.SurfaceDocu, Host: "docs.example.com"}), ""},
		{"a host in upper case", surfaces(lucidv1.Surface{Name: lucidv1.SurfaceDocu, Host: "Docs"}), "host must be"},
		{"a host with a path", surfaces(lucidv1.Surface{Name: lucidv1.SurfaceDocu, Host: "a/b"}), "host must be"},
		{"one of two surfaces off", surfaces(docu, lucidv1.Surface{Name: lucidv1.SurfaceGateway, State: lucidv1.SurfaceDisabled}), ""},
		{"nothing served", surfaces(lucidv1.Surface{Name: lucidv1.SurfaceDocu, State: lucidv1.SurfaceDisabled}), "at least one with state Enabled"},
		{"a database is needed", func(g *lucidv1.LucidGateway) { g.Spec.Database.SecretRef.Name = "" }, "secretRef"},
		{"another key", func(g *lucidv1.LucidGateway) { g.Spec.Database.SecretRef.Key = "DATABASE_URL" }, ""},
		{"no Secret has such a key", func(g *lucidv1.LucidGateway) { g.Spec.Database.SecretRef.Key = "a b" }, "key must consist"},
		{"development", func(g *lucidv1.LucidGateway) { g.Spec.Auth.Identity = lucidv1.IdentityDevelopment }, ""},
		{"no such mode", func(g *lucidv1.LucidGateway) { g.Spec.Auth.Identity = "None" }, "supported values"},
		{"the least that makes a mail server", mailed(func(*lucidv1.Mail) {}), ""},
		{"a mail server by its address", mailed(func(m *lucidv1.Mail) { m.Host = "fd00::25" }), ""},
		{"a mail server of one label", mailed(func(m *lucidv1.Mail) { m.Host = "mailcatcher" }), ""},
		{"no mail server", mailed(func(m *lucidv1.Mail) { m.Host = "" }), "auth.mail.host"},
		{"a mail server with its port", mailed(func(m *lucidv1.Mail) { m.Host = "smtp.example.com:25" }), "host must be"},
		{"a port that there is not", mailed(func(m *lucidv1.Mail) { m.Port = 65536 }), "less than or equal to 65535"},
		{"a sender with a name", mailed(func(m *lucidv1.Mail) { m.From = "Lucid <no-reply@example.com>" }), "from must be"},
		{"a sender without a domain", mailed(func(m *lucidv1.Mail) { m.From = "no-reply" }), "from must be"},
		{"a sender with a plus", mailed(func(m *lucidv1.Mail) { m.From = "No.Reply+lucid@mail.example.com" }), ""},
		{"no sender", mailed(func(m *lucidv1.Mail) { m.From = "" }), "auth.mail.from"},
		{"no such protection", mailed(func(m *lucidv1.Mail) { m.TLS = "SSL" }), "supported values"},
		{"credentials under TLS", mailed(func(m *lucidv1.Mail) {
			m.TLS, m.CredentialsSecretRef = lucidv1.MailTLSFirst, &lucidv1.LocalObjectReference{Name: "mail"}
		}), ""},
		{"no protection and nothing to protect", mailed(func(m *lucidv1.Mail) { m.TLS = lucidv1.MailNoTLS }), ""},
		{"credentials in the clear", mailed(func(m *lucidv1.Mail) {
			m.TLS, m.CredentialsSecretRef = lucidv1.MailNoTLS, &lucidv1.LocalObjectReference{Name: "mail"}
		}), "in the clear"},
		{"credentials of no Secret", mailed(func(m *lucidv1.Mail) { m.CredentialsSecretRef = &lucidv1.LocalObjectReference{} }), "credentialsSecretRef.name"},
		{"a price below one", func(g *lucidv1.LucidGateway) { g.Spec.Market.CNPYUSDRate = "0.000001" }, ""},
		{"a price of nothing", func(g *lucidv1.LucidGateway) { g.Spec.Market.CNPYUSDRate = "0.0" }, "cnpyUSDRate must be"},
		{"a price finer than shown", func(g *lucidv1.LucidGateway) { g.Spec.Market.CNPYUSDRate = "0.0000001" }, "cnpyUSDRate must be"},
		{"a price that is no number", func(g *lucidv1.LucidGateway) { g.Spec.Market.CNPYUSDRate = "1e3" }, "cnpyUSDRate must be"},
		{"networks of both kinds", func(g *lucidv1.LucidGateway) { g.Spec.TrustedProxies = []lucidv1.CIDR{"10.0.0.0/8", "fd00::/8"} }, ""},
		{"an address is no network", func(g *lucidv1.LucidGateway) { g.Spec.TrustedProxies = []lucidv1.CIDR{"10.0.0.1"} }, "CIDR"},
		{"closed for an hour", func(g *lucidv1.LucidGateway) {
			g.Spec.Maintenance = &lucidv1.Maintenance{Mode: lucidv1.MaintenanceOn, RetryAfterSeconds: 3600}
		}, ""},
		{"closed for longer than a day", func(g *lucidv1.LucidGateway) {
			g.Spec.Maintenance = &lucidv1.Maintenance{Mode: lucidv1.MaintenanceOn, RetryAfterSeconds: 86401}
		}, "less than or equal to 86400"},
	}
	for i, tc := range cases {
		g := newGateway(k.Namespace, fmt.Sprintf("rule-%d", i))
		tc.mutate(g)
		expect(t, k.Client.Create(t.Context(), g, client.DryRunAll), tc.says, tc.reason)
	}
}

func newPolicy(namespace, name string) *lucidv1.RateLimitPolicy {
	return &lucidv1.RateLimitPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: lucidv1.RateLimitPolicySpec{
			TargetRefs: []lucidv1.PolicyTargetReference{{Group: lucidv1.GroupVersion.Group, Kind: "LucidGateway", Name: "main"}},
			Tiers:      []lucidv1.Tier{{Name: "all", Requests: 10, Window: "1m"}},
		},
	}
}

func TestRateLimitPolicyRules(t *testing.T) {
	k := kubetest.Open(t)
	cases := []struct {
		reason string
		mutate func(refs []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, spec *lucidv1.RateLimitPolicySpec)
		says   string
	}{
		{"the least that makes a policy", func(_ []lucidv1.PolicyTargetReference, _ *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {}, ""},
		{"a surface of a gateway", func(r []lucidv1.PolicyTargetReference, _ *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			r[0].SectionName = lucidv1.SurfaceDocu
		}, ""},
		{"a policy without target", func(_ []lucidv1.PolicyTargetReference, _ *lucidv1.Tier, s *lucidv1.RateLimitPolicySpec) {
			s.TargetRefs = nil
		}, "targetRefs"},
		{"another kind", func(r []lucidv1.PolicyTargetReference, _ *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			r[0].Kind = "Gateway"
		}, `supported values: "LucidGateway"`},
		{"another group", func(r []lucidv1.PolicyTargetReference, _ *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			r[0].Group = "gateway.networking.k8s.io"
		}, `supported values: "lucid-blockchain.org"`},
		{"one target twice", func(r []lucidv1.PolicyTargetReference, _ *lucidv1.Tier, s *lucidv1.RateLimitPolicySpec) {
			s.TargetRefs = append(s.TargetRefs, r[0])
		}, "must not name the same target"},
		{"a gateway and a surface of it", func(r []lucidv1.PolicyTargetReference, _ *lucidv1.Tier, s *lucidv1.RateLimitPolicySpec) {
			other := r[0]
			other.SectionName = lucidv1.SurfaceDocu
			s.TargetRefs = append(s.TargetRefs, other)
		}, ""},
		{"a policy without limits", func(_ []lucidv1.PolicyTargetReference, _ *lucidv1.Tier, s *lucidv1.RateLimitPolicySpec) {
			s.Tiers = nil
		}, "tiers"},
		{"two tiers of a name", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, s *lucidv1.RateLimitPolicySpec) {
			s.Tiers = append(s.Tiers, *tier)
		}, "Duplicate value"},
		{"a name that is no label", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Name = "All"
		}, "name must be a DNS label"},
		{"no requests", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Requests = 0
		}, "requests"},
		{"more than counted", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Requests = 10_000_001
		}, "less than or equal to 10000000"},
		{"a long window", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Window = "23h59m60s"
		}, ""},
		{"longer than a day", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Window = "24h1s"
		}, "window must be"},
		{"no time at all", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Window = "0s"
		}, "window must be"},
		{"a fraction", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Window = "1.5m"
		}, "window must be"},
		{"a path with a star", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Match.Paths = []string{"/", "/api/v1/sessions/*/chunks", "/api/*"}
		}, ""},
		{"a star within a segment", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Match.Paths = []string{"/api/v*"}
		}, "use * for a whole segment only"},
		{"a path without root", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Match.Paths = []string{"api"}
		}, "must begin with /"},
		{"a method", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Match.Methods = []lucidv1.Method{"GET", "POST"}
		}, ""},
		{"no such method", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Match.Methods = []lucidv1.Method{"get"}
		}, "supported values"},
		{"a role", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Match.Roles = []string{"node_operator"}
		}, ""},
		{"a role in upper case", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Match.Roles = []string{"Admin"}
		}, "roles must be"},
		{"counted by a header", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Key = lucidv1.TierKey{Type: lucidv1.KeyHeader, Header: "X-API-Key"}
		}, ""},
		{"by a header without name", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Key = lucidv1.TierKey{Type: lucidv1.KeyHeader}
		}, "header must be set"},
		{"a header that nobody reads", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Key = lucidv1.TierKey{Type: lucidv1.KeyUser, Header: "X-API-Key"}
		}, "only for these"},
		{"no header is called so", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Key = lucidv1.TierKey{Type: lucidv1.KeyHeader, Header: "X API"}
		}, "name of a header"},
		{"only counted", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Enforcement, tier.Headers = lucidv1.EnforcementShadow, lucidv1.HeadersDraft
		}, ""},
		{"no such enforcement", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Enforcement = "Maybe"
		}, "supported values"},
		{"no such headers", func(_ []lucidv1.PolicyTargetReference, tier *lucidv1.Tier, _ *lucidv1.RateLimitPolicySpec) {
			tier.Headers = "All"
		}, "supported values"},
	}
	for i, tc := range cases {
		p := newPolicy(k.Namespace, fmt.Sprintf("rule-%d", i))
		tc.mutate(p.Spec.TargetRefs, &p.Spec.Tiers[0], &p.Spec)
		expect(t, k.Client.Create(t.Context(), p, client.DryRunAll), tc.says, tc.reason)
	}
}

func TestVirtualPoolRules(t *testing.T) {
	k := kubetest.Open(t)
	cases := []struct {
		reason string
		mutate func(*lucidv1.VirtualPool)
		says   string
	}{
		{"the least that makes a pool", func(*lucidv1.VirtualPool) {}, ""},
		{"a pool bears its chain's name", func(p *lucidv1.VirtualPool) { p.Name = "other" }, "must be that of spec.chainRef"},
		{"paused, without fee", func(p *lucidv1.VirtualPool) {
			p.Spec.Trading, p.Spec.FeeBasisPoints = lucidv1.TradingPaused, ptr.To[int32](0)
		}, ""},
		{"a user can't close a pool", func(p *lucidv1.VirtualPool) { p.Spec.Trading = "Closed" }, "supported values"},
		{"a fee above 10 %", func(p *lucidv1.VirtualPool) { p.Spec.FeeBasisPoints = ptr.To[int32](1001) }, "less than or equal to 1000"},
		{"a fee below nothing", func(p *lucidv1.VirtualPool) { p.Spec.FeeBasisPoints = ptr.To[int32](-1) }, "greater than or equal to 0"},
		{"no limits, and that is said", func(p *lucidv1.VirtualPool) { p.Spec.Limits = &lucidv1.TradeLimits{} }, ""},
		{"both limits", func(p *lucidv1.VirtualPool) {
			p.Spec.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "0.000001", AntiSnipe: &lucidv1.AntiSnipe{Seconds: 86400, MaxBuyCNPY: "1000000000000"}}
		}, ""},
		{"the window alone", func(p *lucidv1.VirtualPool) {
			p.Spec.Limits = &lucidv1.TradeLimits{AntiSnipe: &lucidv1.AntiSnipe{Seconds: 1, MaxBuyCNPY: "50.5"}}
		}, ""},
		{"a maximum of nothing", func(p *lucidv1.VirtualPool) { p.Spec.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "0"} }, "maxBuyCNPY must be a decimal above 0"},
		{"a maximum below nothing", func(p *lucidv1.VirtualPool) { p.Spec.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "-1"} }, "maxBuyCNPY must be a decimal"},
		{"a seventh decimal", func(p *lucidv1.VirtualPool) { p.Spec.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "1.0000001"} }, "maxBuyCNPY must be a decimal"},
		{"more CNPY than can be", func(p *lucidv1.VirtualPool) { p.Spec.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "1000000000000.1"} }, "at most 1000000000000"},
		{"a window without end", func(p *lucidv1.VirtualPool) {
			p.Spec.Limits = &lucidv1.TradeLimits{AntiSnipe: &lucidv1.AntiSnipe{Seconds: 86401, MaxBuyCNPY: "1"}}
		}, "less than or equal to 86400"},
		{"a window without length", func(p *lucidv1.VirtualPool) {
			p.Spec.Limits = &lucidv1.TradeLimits{AntiSnipe: &lucidv1.AntiSnipe{MaxBuyCNPY: "1"}}
		}, "seconds"},
		{"a window without limit", func(p *lucidv1.VirtualPool) {
			p.Spec.Limits = &lucidv1.TradeLimits{AntiSnipe: &lucidv1.AntiSnipe{Seconds: 1}}
		}, "maxBuyCNPY"},
		{"nobody may buy in the window", func(p *lucidv1.VirtualPool) {
			p.Spec.Limits = &lucidv1.TradeLimits{AntiSnipe: &lucidv1.AntiSnipe{Seconds: 1, MaxBuyCNPY: "0"}}
		}, "maxBuyCNPY must be a decimal above 0"},
	}
	newPool := func() *lucidv1.VirtualPool {
		return &lucidv1.VirtualPool{
			ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: "pool"},
			Spec:       lucidv1.VirtualPoolSpec{ChainRef: lucidv1.LocalObjectReference{Name: "pool"}},
		}
	}
	for _, tc := range cases {
		p := newPool()
		tc.mutate(p)
		expect(t, k.Client.Create(t.Context(), p, client.DryRunAll), tc.says, tc.reason)
	}
	p := newPool()
	if err := k.Client.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if p.Spec.Trading != lucidv1.TradingEnabled || p.Spec.FeeBasisPoints != nil {
		t.Errorf("defaults %+v, want trading with the chain's fee", p.Spec)
	}
	p.Spec.ChainRef.Name = "other"
	expect(t, k.Client.Update(t.Context(), p), "chainRef is immutable", "a pool belongs to one chain")
}
