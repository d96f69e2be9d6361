package launchpad

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/internal/wallet"
)

// noKey holds the place of a private key's digits in an answer.
const noKey = "0x0000000000000000000000000000000000000000000000000000000000000000"

// answerKey answers with a wallet and its private key: 0x and the 64 hex digits of
// its seed (RFC 8032, the private key). The key must not be left in memory, but
// strings can't be wiped and encoders keep what they wrote for their next text, so
// its digits enter when all the rest has been encoded.
func answerKey(c *fiber.Ctx, w wallet.Wallet, key ed25519.PrivateKey) error {
	view := viewWallet(w)
	view.PrivateKey = noKey
	content, err := json.Marshal(envelope{Data: view})
	if err != nil {
		return fmt.Errorf("encode the wallet: %w", err)
	}
	// Quotes are escaped within texts, so that no name or description has this.
	_, digits, _ := bytes.Cut(content, []byte(`"private_key":"0x`))
	hex.Encode(digits, key[:ed25519.SeedSize]) // not key.Seed(), a copy
	c.Status(fiber.StatusOK).Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Response().SetBodyStream(newSecretBody(content), len(content))
	return nil
}

// forgetBody wipes the body of a request that holds a password. The server would
// keep it for a request to come.
func forgetBody(c *fiber.Ctx) { clear(c.Request().Body()) }

// secretBody is an answer's body that is sent once and then gone from memory, also
// from the server's buffer of what is to be sent.
type secretBody struct {
	*bytes.Reader
	content []byte
}

func newSecretBody(content []byte) *secretBody {
	return &secretBody{Reader: bytes.NewReader(content), content: content}
}

// WriteTo is what the server calls to have the body sent.
func (b *secretBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.Reader.WriteTo(w)
	buffer, ok := w.(*bufio.Writer)
	if !ok {
		return n, err
	}
	if flushed := sendAndWipe(buffer); err == nil {
		err = flushed
	}
	return n, err
}

// Close is called when the body has been sent, or will not be.
func (b *secretBody) Close() error {
	clear(b.content)
	return nil
}

// sendAndWipe sends what a buffer holds and wipes it, also when that fails: then
// the caller must not use it again before its next Reset, as after any error.
func sendAndWipe(w *bufio.Writer) error {
	err := w.Flush()
	if err != nil {
		w.Reset(io.Discard) // else it keeps what could not be sent
	}
	free := w.AvailableBuffer()
	clear(free[:cap(free)])
	return err
}
