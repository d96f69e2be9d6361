package keystore

import (
	"context"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// MinIterations is what OWASP's Password Storage Cheat Sheet asks of
	// PBKDF2-HMAC-SHA256 (docs/domain.md §6).
	MinIterations = 600_000
	// MaxIterations bounds what a header may ask for: some seconds of one core.
	MaxIterations = 10_000_000

	// waitingPerSlot is some three seconds of queue.
	waitingPerSlot = 32
)

// ErrPassword says that a password does not open a sealed secret: it is another
// password, the secret is another owner's or has been changed. These can't be
// told apart.
var ErrPassword = errors.New("the password does not open the sealed key")

// PasswordOptions is how passwords are turned into keys. The zero value is fit
// for production.
type PasswordOptions struct {
	// Iterations of PBKDF2 for what is sealed from now on, from MinIterations to
	// MaxIterations; MinIterations when 0. What was sealed with fewer is sealed
	// anew when it is next opened.
	Iterations int
	// Waiting bounds how many may wait for their turn; 32 for each that runs when 0.
	Waiting int
	// Registerer takes the metrics; they are kept to themselves when nil.
	Registerer prometheus.Registerer

	lowest int
}

// TestingT is what only a test has; *testing.T and *testing.B are some.
type TestingT interface {
	Helper()
	Cleanup(func())
}

// Lowered returns the options with fewer iterations than are safe. It asks for
// a test so that no other code comes by it.
func (o PasswordOptions) Lowered(t TestingT, iterations int) PasswordOptions {
	t.Helper()
	o.lowest, o.Iterations = iterations, iterations
	return o
}

// Passwords seals secrets under passwords: PBKDF2-HMAC-SHA256 with a random
// salt, then AES-256-GCM. Deriving a key takes a core for a tenth of a second, so
// at most half of them do it at a time, and few wait: requests that need no
// password are not starved. It is safe for concurrent use; make one per process.
type Passwords struct {
	iterations int
	slots      *slots
}

// NewPasswords checks the options.
func NewPasswords(o PasswordOptions) (*Passwords, error) {
	if o.lowest == 0 {
		o.lowest = MinIterations
	}
	if o.Iterations == 0 {
		o.Iterations = MinIterations
	}
	if o.Iterations < o.lowest || o.Iterations > MaxIterations {
		return nil, fmt.Errorf("password iterations must be between %d and %d", o.lowest, MaxIterations)
	}
	running := max(1, runtime.GOMAXPROCS(0)/2)
	if o.Waiting == 0 {
		o.Waiting = waitingPerSlot * running
	}
	return &Passwords{iterations: o.Iterations, slots: newSlots(running, o.Waiting, o.Registerer)}, nil
}

// Seal encrypts secret for its owner under a password. When too many are busy
// already it is an Unavailable fault.
func (p *Passwords) Seal(ctx context.Context, password string, secret, owner []byte) (out []byte, err error) {
	err = p.slots.do(ctx, func() error {
		out, err = p.seal(password, secret, owner)
		return err
	})
	return out, err
}

// Open decrypts what Seal made for the same owner with the same password, else it
// returns ErrPassword; ErrSealed for what no password could open. renewed is the
// secret sealed anew, where the iterations have risen since; else it is nil.
// Clear the secret when it has been used. Unavailable faults are as Seal's.
func (p *Passwords) Open(ctx context.Context, password string, raw, owner []byte) (secret, renewed []byte, err error) {
	parts, err := parse(raw)
	if err != nil || parts.version() != versionPassword {
		return nil, nil, ErrSealed
	}
	err = p.slots.do(ctx, func() error {
		secret, renewed, err = p.open(password, parts, owner)
		return err
	})
	return secret, renewed, err
}

func (p *Passwords) open(password string, parts sealed, owner []byte) (secret, renewed []byte, err error) {
	key, err := derive(password, parts)
	if err != nil {
		return nil, nil, err
	}
	risen := parts.iterations() < p.iterations
	if secret, err = parts.open(key, owner); err != nil {
		if risen {
			// The right password takes another derivation: the time must not tell it
			// where the answer may not, as of a wallet that is locked by now.
			_, _ = p.seal(password, nil, owner)
		}
		return nil, nil, ErrPassword
	}
	if !risen {
		return secret, nil, nil
	}
	if renewed, err = p.seal(password, secret, owner); err != nil {
		clear(secret)
		return nil, nil, err
	}
	return secret, renewed, nil
}

func (p *Passwords) seal(password string, secret, owner []byte) ([]byte, error) {
	header := make([]byte, passwordHeaderSize)
	header[0] = versionPassword
	binary.BigEndian.PutUint32(header[1:], uint32(p.iterations))
	if _, err := rand.Read(header[1+iterationsSize:]); err != nil {
		return nil, fmt.Errorf("make a salt: %w", err)
	}
	key, err := derive(password, sealed{header: header})
	if err != nil {
		return nil, err
	}
	return seal(key, header, secret, owner)
}

// derive turns a password into a key, as the header says.
func derive(password string, parts sealed) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha256.New, password, parts.salt(), parts.iterations(), KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	defer clear(key)
	return newAEAD(key)
}
