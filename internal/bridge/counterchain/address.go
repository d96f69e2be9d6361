package counterchain

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/mr-tron/base58"
)

// tronPrefix is the first byte of every TRON address, which makes it begin with
// a T in base 58 (docs/domain.md §6).
const tronPrefix = 0x41

// The sizes of a TRON address: prefix and account, then the checksum; and the
// number of its characters.
const (
	tronPayload  = 1 + common.AddressLength
	tronChecksum = 4
	tronLength   = 34
)

// The ways in which a text can't be an address. Their texts finish the sentence
// "field …" and may be shown to the caller.
var (
	ErrNotEVM       = errors.New("must be 0x and 40 hex digits")
	ErrEVMChecksum  = errors.New("has a wrong checksum (EIP-55): some character of it is not the one that was meant")
	ErrNotTRON      = errors.New("must be a TRON address of 34 characters that begins with T")
	ErrTRONChecksum = errors.New("has a wrong checksum: some character of it is not the one that was meant")
	ErrZeroAddress  = errors.New("must not be the zero address, from which nothing comes back")
	errKind         = errors.New("must be EVM or TRON")
)

// ParseAddress reads an address of a chain of the given kind: 20 bytes, which
// both kinds have in common.
func ParseAddress(kind Kind, text string) (common.Address, error) {
	switch kind {
	case EVM:
		return parseEVM(text)
	case TRON:
		return parseTRON(text)
	default:
		return common.Address{}, errKind
	}
}

// FormatAddress writes an address as its chain does: with the checksum of EIP-55,
// or in TRON's base 58.
func FormatAddress(kind Kind, address common.Address) string {
	if kind != TRON {
		return address.Hex()
	}
	payload := append([]byte{tronPrefix}, address.Bytes()...)
	return base58.Encode(append(payload, checksum(payload)...))
}

// parseEVM follows EIP-55: letters of one case carry no checksum, letters of both
// are the checksum.
func parseEVM(text string) (common.Address, error) {
	digits, prefixed := strings.CutPrefix(text, "0x")
	if !prefixed || !common.IsHexAddress(text) {
		return common.Address{}, ErrNotEVM
	}
	address := common.HexToAddress(text)
	mixed := digits != strings.ToLower(digits) && digits != strings.ToUpper(digits)
	if mixed && address.Hex() != text {
		return common.Address{}, ErrEVMChecksum
	}
	return nonZero(address)
}

func parseTRON(text string) (common.Address, error) {
	// The length first: decoding costs the square of it.
	if len(text) != tronLength {
		return common.Address{}, ErrNotTRON
	}
	raw, err := base58.Decode(text)
	if err != nil || len(raw) != tronPayload+tronChecksum || raw[0] != tronPrefix {
		return common.Address{}, ErrNotTRON
	}
	payload := raw[:tronPayload]
	if !bytes.Equal(checksum(payload), raw[tronPayload:]) {
		return common.Address{}, ErrTRONChecksum
	}
	return nonZero(common.BytesToAddress(payload[1:]))
}

func nonZero(address common.Address) (common.Address, error) {
	if address == (common.Address{}) {
		return address, ErrZeroAddress
	}
	return address, nil
}

// checksum is that of Base58Check: four bytes of SHA-256 taken twice.
func checksum(payload []byte) []byte {
	first := sha256.Sum256(payload)
	second := sha256.Sum256(first[:])
	return second[:tronChecksum]
}
