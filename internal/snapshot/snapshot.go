// Package snapshot is the document that configures the API pods of one gateway:
// written by the operator into a ConfigMap, read by every pod, small however
// many chains there are. Without Kubernetes the same document comes from a file.
package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
)

// Key is the ConfigMap's data key that holds the document.
const Key = "snapshot.json"

// ConfigMapName returns the name of a gateway's snapshot object.
func ConfigMapName(gateway string) string { return gateway + "-snapshot" }

// The report of the snapshot a pod runs: a coordination Lease named after the
// pod, found by the label and read from the annotation.
const (
	GatewayLabel         = "lucid-blockchain.org/gateway"
	GenerationAnnotation = "lucid-blockchain.org/snapshot-generation"
)

// maxSize is what a ConfigMap can hold.
const maxSize = 1 << 20

// IdentityMode says how callers prove who they are.
type IdentityMode string

// The identity modes.
const (
	// Development takes the X-User-ID header at its word.
	Development IdentityMode = "Development"
	// Production ignores that header.
	Production IdentityMode = "Production"
)

// MaintenanceOn is the mode in which every surface refuses service.
const MaintenanceOn = "On"

// MaintenanceOff is the normal mode.
const MaintenanceOff = "Off"

// Snapshot is the configuration of a gateway's API pods. Generation orders the
// versions of one live object; it is not part of the content.
type Snapshot struct {
	Generation     int64        `json:"generation"`
	Gateway        string       `json:"gateway"` // namespace/name
	Surfaces       []Surface    `json:"surfaces"`
	Identity       IdentityMode `json:"identity"`
	Maintenance    *Maintenance `json:"maintenance"`
	CNPYUSDRate    string       `json:"cnpyUSDRate"` // exact decimal, more than 0
	TrustedProxies []string     `json:"trustedProxies"`
	// Mail is nil where none can be sent. It is left out then, so that pods which
	// are older than the field go on reading the document.
	Mail *mail.Settings `json:"mail,omitempty"`
	// Bridge is nil where there is none, and left out like Mail. Endpoints are not
	// in it: pods have them by reference to their Secrets.
	Bridge *counterchain.Settings `json:"bridge,omitempty"`
	// CORS is nil where pages of other origins are not let in, and left out like Mail.
	CORS *CORS `json:"cors,omitempty"`
	// RateLimits holds the tiers of each surface in order. A surface that is not
	// named has ratelimit.DefaultTiers; one with an empty list has no limits.
	RateLimits map[string][]ratelimit.Tier `json:"rateLimits"`
}

// Surface is one enabled surface.
type Surface struct {
	Name string `json:"name"`
	Host string `json:"host,omitempty"`
}

// Maintenance closes every surface but its health route.
type Maintenance struct {
	Mode              string `json:"mode"` // On or Off
	RetryAfterSeconds int64  `json:"retryAfterSeconds,omitempty"`
}

// InMaintenance reports whether service is refused, and for how long clients
// should stay away; zero leaves that to them.
func (s *Snapshot) InMaintenance() (time.Duration, bool) {
	if s.Maintenance == nil || s.Maintenance.Mode != MaintenanceOn {
		return 0, false
	}
	return time.Duration(s.Maintenance.RetryAfterSeconds) * time.Second, true
}

// Enabled reports whether the gateway serves the named surface.
func (s *Snapshot) Enabled(surface string) bool {
	for _, candidate := range s.Surfaces {
		if candidate.Name == surface {
			return true
		}
	}
	return false
}

// Tiers returns the tiers of a surface, the defaults when none are declared.
func (s *Snapshot) Tiers(surface string) []ratelimit.Tier {
	if tiers, declared := s.RateLimits[surface]; declared {
		return tiers
	}
	return ratelimit.DefaultTiers(surface)
}

// Hash identifies the content: two snapshots that differ only in generation
// have the same one. It is 64 lower-case hex digits.
func (s *Snapshot) Hash() string {
	content := *s
	content.Generation = 0
	raw, err := json.Marshal(&content)
	if err != nil {
		// Every field is a plain value, so that encoding can't fail; should a
		// field ever break that, an empty hash equals no other.
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// Encode writes the document as it goes into the ConfigMap.
func (s *Snapshot) Encode() ([]byte, error) {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the snapshot: %w", err)
	}
	return append(raw, '\n'), nil
}

// Parse reads and validates a document. Unknown fields are refused: a pod that
// is older than the operator must not pretend to enforce what it can't read.
func Parse(raw []byte) (*Snapshot, error) {
	if len(raw) > maxSize {
		return nil, errors.New("the snapshot is larger than 1 MiB")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	var s Snapshot
	if err := decoder.Decode(&s); err != nil {
		return nil, fmt.Errorf("decode the snapshot: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decode the snapshot: more than one JSON value")
	}
	s.normalize()
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return &s, nil
}

// normalize fills in what a hand-written file may leave out.
func (s *Snapshot) normalize() {
	if s.Identity == "" {
		s.Identity = Production
	}
	if s.CNPYUSDRate == "" {
		s.CNPYUSDRate = "1.00"
	}
	for i := range s.Surfaces {
		s.Surfaces[i].Host = strings.ToLower(s.Surfaces[i].Host)
	}
}
