package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// A session's secret is secretSize random bytes followed by a MAC of them; its
// text has tokenLength letters.
const (
	secretSize  = 20
	tokenSize   = 32
	tokenLength = 43
)

// token is the secret of a session. Its text is base64url without padding.
type token [tokenSize]byte

// tokenKey makes tokens and tells its own from made-up ones, so that nobody can
// keep the database busy with tokens that were never given out.
type tokenKey []byte

func (k tokenKey) newToken() token {
	var t token
	_, _ = rand.Read(t[:secretSize]) // never fails
	copy(t[secretSize:], k.mac(t[:secretSize]))
	return t
}

func (k tokenKey) mac(secret []byte) []byte {
	mac := hmac.New(sha256.New, k)
	mac.Write(secret)
	return mac.Sum(nil)[:tokenSize-secretSize]
}

// parse reads a text strictly: one secret has one text, and what is no token of
// ours costs no query.
func (k tokenKey) parse(text []byte) (token, bool) {
	var t token
	if len(text) != tokenLength {
		return t, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(t[:], text)
	if err != nil || n != tokenSize {
		return t, false
	}
	return t, hmac.Equal(t[secretSize:], k.mac(t[:secretSize]))
}

// String is what the user gets, once.
func (t token) String() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

// hash is what the database keeps. The secret is random enough for a fast hash to
// be as good as a slow one.
func (t token) hash() [sha256.Size]byte { return sha256.Sum256(t[:]) }
