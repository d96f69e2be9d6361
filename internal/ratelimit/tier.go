package ratelimit

import (
	"encoding/json"
	"fmt"
	"time"
)

// KeyType says whose requests share a bucket.
type KeyType string

// The kinds of key. A User or Header key falls back to the client's IP when the
// request has no user or no such header, so that leaving it out is no way around.
const (
	KeyIP     KeyType = "IP"     // client address; an IPv6 client is its /64
	KeyUser   KeyType = "User"   // authenticated user
	KeyHeader KeyType = "Header" // value of a request header
)

// Enforcement says what happens to a request over the limit.
type Enforcement string

// The modes of enforcement.
const (
	Enforce Enforcement = "Enforce" // refuse it
	Shadow  Enforcement = "Shadow"  // count it, let it pass, show nothing to the client
	Off     Enforcement = "Off"     // neither count nor refuse; the tier still ends the search
)

// HeaderStyle selects the response headers that tell a client its budget.
// Retry-After is sent with every 429 whatever the style.
type HeaderStyle string

// The header styles.
const (
	XRateLimit HeaderStyle = "XRateLimit" // X-RateLimit-Limit, -Remaining, -Reset
	Draft      HeaderStyle = "Draft"      // RateLimit-Policy, RateLimit (IETF httpapi draft)
	None       HeaderStyle = "None"
)

// RoleAnonymous is the role of a request without an identity.
const RoleAnonymous = "anonymous"

// Duration is a time.Duration written as in GEP-2257, such as "1m" or "500ms".
type Duration time.Duration

// MarshalJSON writes the duration as a string.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON reads a duration from a string.
func (d *Duration) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return fmt.Errorf("a duration is a string such as \"1m\": %w", err)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("parse duration: %w", err)
	}
	*d = Duration(parsed)
	return nil
}

// Match selects the requests of a tier. An empty list matches everything; the
// lists that are given must all match.
type Match struct {
	// Paths are globs as in seed gateway, Rate Limiting: a * stands for one whole
	// segment, and as the last segment for all that is below.
	Paths []string `json:"paths,omitempty"`
	// Methods are HTTP methods in upper case. GET covers HEAD.
	Methods []string `json:"methods,omitempty"`
	// Roles are the caller's; "anonymous" is a caller without identity.
	Roles []string `json:"roles,omitempty"`
}

// Key says whose requests share a bucket.
type Key struct {
	Type   KeyType `json:"type"`
	Header string  `json:"header,omitempty"` // name, for type Header
}

// Tier is one limit: which requests, counted for whom, how many.
type Tier struct {
	// Name is unique within a surface; it is a metric label and decides which
	// buckets a new policy inherits from the one before.
	Name  string `json:"name"`
	Match Match  `json:"match"`
	Key   Key    `json:"key"`
	// Requests per Window is the sustained rate.
	Requests int64    `json:"requests"`
	Window   Duration `json:"window"`
	// Burst is the bucket's capacity; 0 means Requests.
	Burst int64 `json:"burst,omitempty"`
	// Concurrency is how many requests of one key may be in flight; 0 is no limit.
	Concurrency int32 `json:"concurrency,omitempty"`
	// Enforcement and Headers default to Enforce and XRateLimit.
	Enforcement Enforcement `json:"enforcement,omitempty"`
	Headers     HeaderStyle `json:"headers,omitempty"`
}

// WithDefaults returns the tier with its optional fields filled in.
func (t Tier) WithDefaults() Tier {
	if t.Key.Type == "" {
		t.Key.Type = KeyIP
	}
	if t.Burst == 0 {
		t.Burst = t.Requests
	}
	if t.Enforcement == "" {
		t.Enforcement = Enforce
	}
	if t.Headers == "" {
		t.Headers = XRateLimit
	}
	return t
}
