// Package keystore holds the Ed25519 keys that the platform keeps for people
// and treasuries. A private key leaves the process only sealed, and the key
// that seals it never enters the database.
package keystore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
)

// KeySize is the length of the platform key in bytes (AES-256).
const KeySize = 32

// sealVersion is the first byte of a sealed secret: how the rest is to be
// read, so that parameters can rise without touching what is stored.
const sealVersion = 1

// ErrSealed says that a sealed secret can't be opened: it was sealed under
// another key, for another owner, or has been changed.
var ErrSealed = errors.New("the sealed key can't be opened with this platform key")

// Sealer seals secrets under the platform key with AES-256-GCM: one version
// byte, a random 12-byte nonce, then ciphertext and tag. It is safe for
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
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("set up the platform key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("set up the platform key: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal encrypts secret for its owner. The owner is bound to the result: the
// sealed key of one wallet can't be passed off as another's.
func (s *Sealer) Seal(secret, owner []byte) ([]byte, error) {
	sealed := make([]byte, 1+s.aead.NonceSize(), 1+s.aead.NonceSize()+len(secret)+s.aead.Overhead())
	sealed[0] = sealVersion
	nonce := sealed[1:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	return s.aead.Seal(sealed, nonce, secret, bound(owner)), nil
}

// Open decrypts what Seal made for the same owner, else it returns ErrSealed.
func (s *Sealer) Open(sealed, owner []byte) ([]byte, error) {
	head := 1 + s.aead.NonceSize()
	if len(sealed) < head || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	secret, err := s.aead.Open(nil, sealed[1:head], sealed[head:], bound(owner))
	if err != nil {
		return nil, ErrSealed
	}
	return secret, nil
}

// bound is the additional data: the version is under the tag too.
func bound(owner []byte) []byte { return append([]byte{sealVersion}, owner...) }
