package snapshot

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
)

var (
	gatewayPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
	ratePattern    = regexp.MustCompile(`^(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?$`)
	zeroPattern    = regexp.MustCompile(`^0(\.0*)?$`)
)

// maxRetryAfter bounds the advice given in maintenance to one day.
const maxRetryAfter = 86400

var surfaces = []string{ratelimit.SurfaceGateway, ratelimit.SurfaceLaunchpad, ratelimit.SurfaceDocu}

// Validate reports every wrong field at once, as a *fault.Fault of kind Invalid.
func (s *Snapshot) Validate() error {
	var c checker
	c.require(s.Generation >= 0, "generation", s.Generation, "range", "must not be negative")
	c.require(gatewayPattern.MatchString(s.Gateway), "gateway", s.Gateway, "format", "must be namespace/name")
	c.require(s.Identity == Development || s.Identity == Production, "identity", s.Identity, "enum",
		"must be Development or Production")
	c.require(ratePattern.MatchString(s.CNPYUSDRate) && !zeroPattern.MatchString(s.CNPYUSDRate),
		"cnpyUSDRate", s.CNPYUSDRate, "format", "must be a decimal above 0 with at most 6 decimals")
	c.surfaces(s.Surfaces)
	c.maintenance(s.Maintenance)
	c.proxies(s.TrustedProxies)
	c.mail(s.Mail)
	c.bridge(s.Bridge)
	c.cors(s.CORS)
	c.rateLimits(s.RateLimits)
	if len(c.fields) == 0 {
		return nil
	}
	return fault.InvalidFields(c.fields...)
}

// checker collects what is wrong.
type checker struct{ fields []fault.Field }

func (c *checker) require(ok bool, name string, value any, rule, reason string) {
	if !ok {
		c.fields = append(c.fields, fault.Field{Name: name, Value: value, Rule: rule, Reason: reason})
	}
}

func (c *checker) surfaces(list []Surface) {
	seen := map[string]bool{}
	for i, surface := range list {
		at := fmt.Sprintf("surfaces[%d].name", i)
		c.require(slices.Contains(surfaces, surface.Name), at, surface.Name, "enum", "must be gateway, launchpad or docu")
		c.require(!seen[surface.Name], at, surface.Name, "unique", "is listed twice")
		seen[surface.Name] = true
	}
}

func (c *checker) maintenance(m *Maintenance) {
	if m == nil {
		return
	}
	c.require(m.Mode == MaintenanceOn || m.Mode == MaintenanceOff, "maintenance.mode", m.Mode, "enum", "must be On or Off")
	c.require(m.RetryAfterSeconds >= 0 && m.RetryAfterSeconds <= maxRetryAfter,
		"maintenance.retryAfterSeconds", m.RetryAfterSeconds, "range", "must be from 0 to 86400")
}

func (c *checker) proxies(list []string) {
	for i, proxy := range list {
		_, err := netip.ParsePrefix(proxy)
		c.require(err == nil, fmt.Sprintf("trustedProxies[%d]", i), proxy, "format", "must be a CIDR such as 10.0.0.0/8")
	}
}

func (c *checker) mail(settings *mail.Settings) {
	if settings == nil {
		return
	}
	c.join(settings.Validate("mail"))
}

func (c *checker) bridge(settings *counterchain.Settings) {
	if settings == nil {
		return
	}
	c.join(settings.Validate("bridge"))
}

// join adds what another package found wrong.
func (c *checker) join(err error) {
	if found, isFault := fault.As(err); isFault {
		c.fields = append(c.fields, found.Fields...)
	}
}

func (c *checker) rateLimits(limits map[string][]ratelimit.Tier) {
	names := make([]string, 0, len(limits))
	for name := range limits {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		at := "rateLimits." + name
		c.require(slices.Contains(surfaces, name), at, name, "enum", "must be gateway, launchpad or docu")
		c.join(ratelimit.Validate(at, limits[name]))
	}
}
