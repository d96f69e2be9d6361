package identity

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// How codes are bounded (docs/identity.md, What a code withstands). Strangers have
// limits of their own, so that nobody can keep an owner out by asking or guessing in
// their name; together they are few enough for a million codes. The hour is in the
// queries as well.
const (
	// CodeLength is the number of digits.
	CodeLength = 6
	// CodeLifetime is how long a code can be used.
	CodeLifetime = 10 * time.Minute
	// ownGuesses at a code has the client that asked for it, strangeGuesses all
	// others together.
	ownGuesses, strangeGuesses = 5, 3
	sendPause                  = 30 * time.Second
	sendWindow                 = time.Hour
	// sendsInWindow has one client for one address, sendsToAddress all clients
	// together from which its owner did not sign in lately, and sendsByClient one
	// client for all addresses.
	sendsInWindow, sendsToAddress, sendsByClient = 5, 8, 60
)

// The refusals of a code, in the seed's words. A code that is wrong, dead or was
// never sent is refused alike: nobody learns whom the platform knows.
var (
	errCodeInvalid = fault.New(fault.Malformed, "Invalid verification code")
	errCodeExpired = fault.New(fault.Malformed, "Verification code has expired")
)

// SendCode makes a code for an address, which replaces an older one of the same
// client, and has it delivered by the sender; nil delivers it nowhere. It returns
// the code, for development. Who asks too often is refused with a fault of kind
// Exhausted. The address must be one that mail.ParseAddress returned.
func (s *Service) SendCode(ctx context.Context, address string, from Client, by mail.Sender) (string, error) {
	code, err := newCode()
	if err != nil {
		return "", err
	}
	if err := s.keepCode(ctx, address, from, code); err != nil {
		return "", err
	}
	if by == nil {
		return code, nil
	}
	message, err := mail.Code(address, code, CodeLifetime)
	if err != nil {
		return "", err
	}
	// After the commit, since a transaction may run several times. A mail that
	// fails counts like one that arrives: the mail server is to be spared as well.
	if err := by.Send(ctx, message); err != nil {
		return "", err
	}
	return code, nil
}

func (s *Service) keepCode(ctx context.Context, address string, from Client, code string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	client := s.hashClient(from)
	err = s.store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		by, err := q.MailsOf(ctx, db.MailsOfParams{Client: client, Email: address})
		if err != nil {
			return err
		}
		codes, err := q.MailedCodes(ctx, address)
		if err != nil {
			return err
		}
		if wait := untilNextCode(codes, by, client); wait > 0 {
			refusal := fault.New(fault.Exhausted, "Too many verification codes requested, please try again later")
			refusal.RetryAfter = wait
			return refusal
		}
		return q.InsertMailedCode(ctx, db.InsertMailedCodeParams{
			ID: id, Email: address, Client: client, CodeHash: s.hashCode(address, code),
			SentAt: by.At, ExpiresAt: by.At.Add(CodeLifetime),
		})
	})
	if err != nil {
		return fmt.Errorf("keep the code: %w", err)
	}
	return nil
}

// untilNextCode is how long a client has to wait for a mail to an address that had
// these.
func untilNextCode(codes []db.MailedCodesRow, by db.MailsOfRow, client []byte) time.Duration {
	var own, strange []time.Time
	for _, c := range codes {
		if bytes.Equal(c.Client, client) {
			own = append(own, c.SentAt)
		}
		if !c.Proven {
			strange = append(strange, c.SentAt)
		}
	}
	wait := max(untilNextSend(own, by.At), untilRoom(by.SentAt, sendsByClient, by.At))
	if by.Proven {
		return wait
	}
	return max(wait, untilRoom(strange, sendsToAddress, by.At))
}

// redeem uses up a code of an address inside of a transaction: the client's own
// before those that others asked for. A wrong guess is a refusal and no error: its
// count has to be committed.
func (s *Service) redeem(ctx context.Context, q *db.Queries, address string, from Client, code string) (refusal *fault.Fault, err error) {
	client := s.hashClient(from)
	codes, err := q.MailedCodes(ctx, address)
	if err != nil {
		return nil, err
	}
	own, others := current(codes, client)
	hash := s.hashCode(address, code)
	match, err := guess(ctx, q, own, hash, true)
	if err == nil && match == nil {
		match, err = guess(ctx, q, others, hash, false)
	}
	switch {
	case err != nil:
		return nil, err
	case match == nil:
		return errCodeInvalid, nil
	case match.Expired:
		return errCodeExpired, nil
	}
	// Who read the mail owns the address, so the limits begin anew as well.
	if err := q.DeleteMailedCodes(ctx, address); err != nil {
		return nil, err
	}
	return nil, q.PutProvenClient(ctx, db.PutProvenClientParams{Email: address, Client: client})
}

// current are the newest codes of each client, a client's own apart from others'.
func current(codes []db.MailedCodesRow, client []byte) (own, others []db.MailedCodesRow) {
	seen := map[string]bool{}
	for _, c := range slices.Backward(codes) {
		if seen[string(c.Client)] {
			continue
		}
		seen[string(c.Client)] = true
		if bytes.Equal(c.Client, client) {
			own = append(own, c)
		} else {
			others = append(others, c)
		}
	}
	return own, others
}

// guess counts a guess at each of the codes that may still be guessed at, and
// returns the one that it hits.
func guess(ctx context.Context, q *db.Queries, codes []db.MailedCodesRow, hash []byte, own bool) (hit *db.MailedCodesRow, err error) {
	var tried []uuid.UUID
	for i, c := range codes {
		if own && c.Guesses >= ownGuesses || !own && c.StrangeGuesses >= strangeGuesses {
			continue
		}
		tried = append(tried, c.ID)
		if hmac.Equal(c.CodeHash, hash) {
			hit = &codes[i]
		}
	}
	if len(tried) == 0 {
		return nil, nil
	}
	return hit, q.CountGuess(ctx, db.CountGuessParams{Own: own, Ids: tried})
}

// hashCode binds a code to its address; neither can hold the separator.
func (s *Service) hashCode(address, code string) []byte {
	mac := hmac.New(sha256.New, s.codeKey)
	mac.Write([]byte(address + "\x00" + code))
	return mac.Sum(nil)
}

// hashClient names a client's network without keeping its address.
func (s *Service) hashClient(from Client) []byte {
	mac := hmac.New(sha256.New, s.clientKey)
	network := ratelimit.Network(from.IP).As16()
	mac.Write(network[:])
	return mac.Sum(nil)
}

// newCode is a uniform draw from the million codes.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("draw a code: %w", err)
	}
	return fmt.Sprintf("%0*d", CodeLength, n), nil
}

// untilNextSend is how long a client has to wait for its next mail to an address,
// after mails at the given times in order; 0 when it may have one now.
func untilNextSend(sent []time.Time, now time.Time) time.Duration {
	wait := untilRoom(sent, sendsInWindow, now)
	if len(sent) > 0 {
		wait = max(wait, sent[len(sent)-1].Add(sendPause).Sub(now))
	}
	return wait
}

// untilRoom is how long it takes until fewer than so many mails count.
func untilRoom(sent []time.Time, most int, now time.Time) time.Duration {
	recent := inWindow(sent, now)
	if len(recent) < most {
		return 0
	}
	return recent[len(recent)-most].Add(sendWindow).Sub(now)
}

// inWindow are the times that still count.
func inWindow(sent []time.Time, now time.Time) []time.Time {
	var recent []time.Time
	for _, at := range sent {
		if now.Sub(at) < sendWindow {
			recent = append(recent, at)
		}
	}
	return recent
}
