package snapshot

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// AnyOrigin stands for all origins, and stands alone.
const AnyOrigin = "*"

// CORS names the origins whose pages browsers may let call the surfaces.
type CORS struct {
	AllowedOrigins []string `json:"allowedOrigins"` // as browsers send them, or AnyOrigin
	// Credentials lets these pages act with the visitor's cookie.
	Credentials bool `json:"credentials,omitempty"`
}

// Open reports that pages of every origin are let in.
func (c *CORS) Open() bool { return c != nil && slices.Contains(c.AllowedOrigins, AnyOrigin) }

// Allows reports whether pages of an origin may read answers. It may be called on
// nil, which allows nobody.
func (c *CORS) Allows(origin string) bool {
	return c != nil && origin != "" && (c.Open() || slices.Contains(c.AllowedOrigins, origin))
}

// Trusts reports whether pages of an origin may act with a visitor's cookie.
func (c *CORS) Trusts(origin string) bool {
	return c != nil && c.Credentials && !c.Open() && c.Allows(origin)
}

// maxOrigins bounds what a request is compared with.
const maxOrigins = 32

var originPattern = regexp.MustCompile(
	`^https?://([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*|[[][0-9a-f:]+[]])(:[1-9][0-9]{0,4})?$`)

// wellFormedOrigin is what a browser can send: it leaves the scheme's own port out.
func wellFormedOrigin(origin string) bool {
	standard := strings.HasPrefix(origin, "https:") && strings.HasSuffix(origin, ":443") ||
		strings.HasPrefix(origin, "http:") && strings.HasSuffix(origin, ":80")
	return origin == AnyOrigin || originPattern.MatchString(origin) && !standard
}

func (c *checker) cors(settings *CORS) {
	if settings == nil {
		return
	}
	const at = "cors.allowedOrigins"
	count := len(settings.AllowedOrigins)
	c.require(count >= 1 && count <= maxOrigins, at, count, "max_items", "must name 1 to 32 origins")
	for i, origin := range settings.AllowedOrigins {
		c.require(wellFormedOrigin(origin), fmt.Sprintf("%s[%d]", at, i), origin, "format",
			"must be an origin such as https://app.example.com, or *")
	}
	c.require(!settings.Open() || count == 1, at, AnyOrigin, "exclusive", "must hold nothing beside *")
	c.require(!settings.Open() || !settings.Credentials, "cors.credentials", settings.Credentials, "forbidden",
		"must not be given to every origin")
}
