package registry

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/lucid-blockchain/lucid/internal/livechain"
)

// Op is what a transaction does with a name.
type Op string

// The operations.
const (
	Register Op = "register" // takes a name that is free
	Set      Op = "set"      // changes what a name stands for
	Transfer Op = "transfer" // gives a name to another address
)

const (
	// maxValue is the longest value of a name, in bytes.
	maxValue = 1024
	// domain keeps signatures apart from those of any other chain's transactions.
	domain = "lucid.registry.v1/transaction\x00"
)

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Body is what is signed.
type Body struct {
	ChainID  string `json:"chain_id"`
	Sequence uint64 `json:"sequence"` // how many of the signer's transactions came before
	Op       Op     `json:"op"`
	Name     string `json:"name"`
	// Value is what the name stands for from now on: of Register and Set.
	Value string `json:"value,omitempty"`
	// To is the new owner: of Transfer.
	To livechain.Address `json:"to,omitzero"`
}

// Tx is a signed body. Its encoding is this JSON without spaces, in this order
// of members: there is one for each transaction.
type Tx struct {
	Body      Body              `json:"body"`
	PublicKey ed25519.PublicKey `json:"public_key"`
	Signature []byte            `json:"signature"`
}

// From is the signer's address.
func (t Tx) From() livechain.Address { return livechain.AddressOf(t.PublicKey) }

// Sign encodes a body with its signature.
func Sign(body Body, key ed25519.PrivateKey) ([]byte, error) {
	digest, err := body.digest()
	if err != nil {
		return nil, err
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the key is no Ed25519 key")
	}
	return encode(Tx{Body: body, PublicKey: public, Signature: ed25519.Sign(key, digest)})
}

func (b Body) digest() ([]byte, error) {
	raw, err := encode(b)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(append([]byte(domain), raw...))
	return digest[:], nil
}

func encode(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a transaction: %w", err)
	}
	return raw, nil
}

// parse reads a transaction that is well formed and signed, or returns a refusal.
func parse(raw []byte) (Tx, error) {
	var t Tx
	if err := json.Unmarshal(raw, &t); err != nil {
		return t, refuse(CodeMalformed, "the transaction is no JSON of its kind")
	}
	again, err := encode(t)
	if err != nil || !bytes.Equal(raw, again) {
		return t, refuse(CodeMalformed, "the transaction is not in its one encoding")
	}
	digest, err := t.Body.digest()
	if err != nil || len(t.PublicKey) != ed25519.PublicKeySize || !ed25519.Verify(t.PublicKey, digest, t.Signature) {
		return t, refuse(CodeSignature, "the signature does not fit")
	}
	return t, t.Body.check()
}

// check holds what needs no state.
func (b Body) check() error {
	switch {
	case !namePattern.MatchString(b.Name):
		return refuse(CodeMalformed, "a name is 1 to 63 lower-case letters, digits and dashes, and neither begins nor ends with a dash")
	case len(b.Value) > maxValue || !utf8.ValidString(b.Value):
		return refuse(CodeMalformed, "a value is text of at most %d bytes", maxValue)
	}
	none := livechain.Address{}
	switch b.Op {
	case Register, Set:
		if b.To != none {
			return refuse(CodeMalformed, "%s names no new owner", b.Op)
		}
	case Transfer:
		if b.To == none || b.Value != "" {
			return refuse(CodeMalformed, "%s names a new owner and no value", b.Op)
		}
	default:
		return refuse(CodeMalformed, "there is no such operation")
	}
	return nil
}
