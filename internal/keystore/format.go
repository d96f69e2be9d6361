package keystore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// A sealed secret is a header, a nonce, then ciphertext and tag. The header's
// first byte is the version: which key opens the rest, and what else the header
// holds, so that parameters can rise without touching what is stored.
//
//	1 │ nonce (12) │ ciphertext and tag                        the platform key
//	2 │ iterations (4) │ salt (16) │ nonce (12) │ ciphertext   a password
//
// Iterations are big endian. The header and the owner are authenticated with
// the ciphertext, so none of it can be changed or moved to another owner.
const (
	versionPlatform = 1
	versionPassword = 2

	iterationsSize = 4
	saltSize       = 16
	nonceSize      = 12
	tagSize        = 16

	passwordHeaderSize = 1 + iterationsSize + saltSize
)

// ErrSealed says that a sealed secret can't be opened: it was sealed under
// another key, for another owner, has been changed, or is no sealed secret.
var ErrSealed = errors.New("the sealed key can't be opened")

// sealed is a sealed secret taken apart; the parts share its memory.
type sealed struct {
	header, nonce, ciphertext []byte
}

// parse takes a sealed secret apart, whatever it is; what has no known form is
// ErrSealed.
func parse(raw []byte) (sealed, error) {
	size := 1
	switch {
	case len(raw) == 0:
		return sealed{}, ErrSealed
	case raw[0] == versionPassword:
		size = passwordHeaderSize
	case raw[0] != versionPlatform:
		return sealed{}, ErrSealed
	}
	if len(raw) < size+nonceSize+tagSize {
		return sealed{}, ErrSealed
	}
	s := sealed{header: raw[:size], nonce: raw[size : size+nonceSize], ciphertext: raw[size+nonceSize:]}
	// Who changes the count in the database must not keep a core busy for hours.
	if s.version() == versionPassword && (s.iterations() < 1 || s.iterations() > MaxIterations) {
		return sealed{}, ErrSealed
	}
	return s, nil
}

func (s sealed) version() byte { return s.header[0] }

// iterations and salt are those of a password's header.
func (s sealed) iterations() int {
	return int(binary.BigEndian.Uint32(s.header[1 : 1+iterationsSize]))
}

func (s sealed) salt() []byte { return s.header[1+iterationsSize:] }

// open decrypts for the owner it was sealed for, else it returns ErrSealed.
func (s sealed) open(key cipher.AEAD, owner []byte) ([]byte, error) {
	secret, err := key.Open(nil, s.nonce, s.ciphertext, bound(s.header, owner))
	if err != nil {
		return nil, ErrSealed
	}
	return secret, nil
}

// seal encrypts secret for its owner under a header.
func seal(key cipher.AEAD, header, secret, owner []byte) ([]byte, error) {
	out := make([]byte, len(header)+nonceSize, len(header)+nonceSize+len(secret)+tagSize)
	copy(out, header)
	nonce := out[len(header):]
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	return key.Seal(out, nonce, secret, bound(header, owner)), nil
}

// bound is the additional data. A header's version says how long it is, so no
// two pairs of header and owner come out the same.
func bound(header, owner []byte) []byte {
	return append(append(make([]byte, 0, len(header)+len(owner)), header...), owner...)
}

// newAEAD is AES-256-GCM under a key of KeySize bytes.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("set up AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("set up GCM: %w", err)
	}
	return aead, nil
}
