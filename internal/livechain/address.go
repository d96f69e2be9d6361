// Package livechain is the blockchain that a graduated chain becomes. This
// package holds what its parts share; amm is the pool's arithmetic, tx the
// signed transactions, state the Merkle store, app the ABCI application,
// genesis its first document, node the process and client the way to ask it.
package livechain

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// AddressLength is the length of an address in bytes.
const AddressLength = 20

// Address names an account of a live chain (docs/domain.md §4).
type Address [AddressLength]byte

// AddressOf is the first 20 bytes of SHA-256 of an Ed25519 public key.
func AddressOf(key ed25519.PublicKey) Address {
	digest := sha256.Sum256(key)
	return Address(digest[:AddressLength])
}

// ModuleAddress names an account that no key opens: it belongs to the rules of
// the chain, such as the fees that have been collected. The prefix keeps it
// apart from the digest of any 32-byte key.
func ModuleAddress(name string) Address {
	digest := sha256.Sum256([]byte("lucid.chain.module.v1/account of the module " + name))
	return Address(digest[:AddressLength])
}

// ParseAddress reads 0x and 40 hex digits of either case.
func ParseAddress(s string) (Address, error) {
	digits, found := strings.CutPrefix(s, "0x")
	raw, err := hex.DecodeString(digits)
	if !found || err != nil || len(raw) != AddressLength {
		return Address{}, fmt.Errorf("an address is 0x followed by 40 hex digits")
	}
	return Address(raw), nil
}

// String writes 0x and 40 lower-case hex digits.
func (a Address) String() string { return "0x" + hex.EncodeToString(a[:]) }

// MarshalText writes the form of String.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the form of ParseAddress.
func (a *Address) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAddress(string(text))
	return err
}
