package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// tokenSize is the length of a session's secret in bytes, tokenLength that of
// its text.
const (
	tokenSize   = 32
	tokenLength = 43
)

// token is the secret of a session. Its text is base64url without padding.
type token [tokenSize]byte

func newToken() token {
	var t token
	_, _ = rand.Read(t[:]) // never fails
	return t
}

// parseToken reads a text strictly: one secret has one text, so that what is no
// token of ours costs no query.
func parseToken(text []byte) (token, bool) {
	var t token
	if len(text) != tokenLength {
		return t, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(t[:], text)
	return t, err == nil && n == tokenSize
}

// String is what the user gets, once.
func (t token) String() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

// hash is what the database keeps. The secret is random in full, so a fast hash
// is as good as a slow one.
func (t token) hash() [sha256.Size]byte { return sha256.Sum256(t[:]) }
