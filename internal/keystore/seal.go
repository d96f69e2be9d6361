// Package keystore seals the Ed25519 keys that Lucid keeps: under the platform
// key for people and treasuries, under a password for whoever made a wallet with
// one. A private key leaves the process only sealed, and neither the platform
// key nor a password ever enters the database.
package keystore

import (
	"crypto/cipher"
	"encoding/base64"
	"fmt"
)

// KeySize is the length of the platform key in bytes (AES-256).
const KeySize = 32

// Sealer seals secrets under the platform key with AES-256-GCM. It is safe for
// concurrent use.
type Sealer struct{ aead cipher.AEAD }

// ParseKey reads a platform key from base64, as its Secret holds it.
func ParseKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != KeySize {
		// The text itself stays out of the error.
		return nil, fmt.Errorf("the platform key must be %d bytes in base64", KeySize)
	}
	return key, nil
}

// NewSealer makes a sealer of a platform key of KeySize bytes.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("the platform key must have %d bytes", KeySize)
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead: aead}, nil
}

// Seal encrypts secret for its owner. The owner is bound to the result: the
// sealed key of one wallet can't be passed off as another's.
func (s *Sealer) Seal(secret, owner []byte) ([]byte, error) {
	return seal(s.aead, []byte{versionPlatform}, secret, owner)
}

// Open decrypts what Seal made for the same owner, else it returns ErrSealed.
func (s *Sealer) Open(raw, owner []byte) ([]byte, error) {
	parts, err := parse(raw)
	if err != nil || parts.version() != versionPlatform {
		return nil, ErrSealed
	}
	return parts.open(s.aead, owner)
}
