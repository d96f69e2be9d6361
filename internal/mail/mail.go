// Package mail sends what the platform has to say to people by SMTP.
package mail

import (
	"context"
	netmail "net/mail"
	"net/netip"
	"regexp"
	"strings"

	"github.com/lucid-blockchain/lucid/internal/fault"
)

// Message is one mail to one person, as text and as HTML of the same content.
type Message struct {
	To      string // an address without a name
	Subject string
	Text    string
	HTML    string
}

// Sender delivers messages, or hands them to whoever does.
type Sender interface {
	// Send returns once the message was taken over. Its error is for the log.
	Send(ctx context.Context, m Message) error
}

// Policy says how the connection to the mail server is protected.
type Policy string

// The policies.
const (
	// StartTLS opens in the clear and goes on only once TLS is agreed (RFC 3207).
	StartTLS Policy = "StartTLS"
	// TLS is protected from the first byte (RFC 8314).
	TLS Policy = "TLS"
	// None is for a server in the same cluster: whoever sees the wire reads all.
	None Policy = "None"
)

// Settings name the mail server. They hold no secret.
type Settings struct {
	Host string `json:"host"` // DNS name or address
	Port int32  `json:"port"`
	From string `json:"from"` // address of the sender, without a name
	TLS  Policy `json:"tls"`
}

// Credentials are what the mail server asks for; empty where it asks nothing.
type Credentials struct{ Username, Password string }

// None reports that there are no credentials.
func (c Credentials) None() bool { return c == Credentials{} }

// hostPattern is a DNS name, in one case.
var hostPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

const (
	maxHost    = 253
	maxAddress = 254 // RFC 5321, section 4.5.3.1.3, without the brackets
	maxLocal   = 64  // RFC 5321, section 4.5.3.1.1
	maxPort    = 65535
)

// Validate reports every wrong field at once, under the path at, as a
// *fault.Fault of kind Invalid.
func (s Settings) Validate(at string) error {
	var wrong []fault.Field
	require := func(ok bool, name string, value any, rule, reason string) {
		if !ok {
			wrong = append(wrong, fault.Field{Name: at + "." + name, Value: value, Rule: rule, Reason: reason})
		}
	}
	require(validHost(s.Host), "host", s.Host, "format", "must be a lower-case DNS name or an IP address")
	require(s.Port >= 1 && s.Port <= maxPort, "port", s.Port, "range", "must be from 1 to 65535")
	_, ok := ParseAddress(s.From)
	require(ok, "from", s.From, "format", "must be an e-mail address without a name")
	require(s.TLS == StartTLS || s.TLS == TLS || s.TLS == None, "tls", s.TLS, "enum", "must be StartTLS, TLS or None")
	if len(wrong) == 0 {
		return nil
	}
	return fault.InvalidFields(wrong...)
}

func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return len(host) <= maxHost && hostPattern.MatchString(host)
}

// ParseAddress reads a person's address and returns the form it is kept in: folded
// to lower case, since nobody's mailbox differs by that and nobody types it
// twice the same way. It takes ASCII addresses of the common form (RFC 5321
// Dot-string at a domain of two labels or more): no name, comment, quotes or
// address literal.
func ParseAddress(text string) (string, bool) {
	if len(text) > maxAddress || !plain(text) {
		return "", false
	}
	parsed, err := netmail.ParseAddress(text)
	if err != nil || parsed.Address != text {
		return "", false
	}
	folded := strings.ToLower(text)
	local, domain, _ := strings.Cut(folded, "@")
	if len(local) > maxLocal || !strings.Contains(domain, ".") || !hostPattern.MatchString(domain) {
		return "", false
	}
	return folded, true
}

// plain reports whether a text is of visible ASCII characters, and none with
// which more than an address could be said.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f || strings.IndexByte(`"<>()[],;:\`, text[i]) >= 0 {
			return false
		}
	}
	return true
}
