package identity

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/big"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// How codes are bounded (docs/domain.md §9). A code that was guessed at too
// often is dead, so that an address gives away at most sendsInWindow ×
// codeAttempts guesses at a million codes an hour, however many pods there are.
const (
	// CodeLength is the number of digits.
	CodeLength = 6
	// CodeLifetime is how long a code can be used.
	CodeLifetime  = 10 * time.Minute
	codeAttempts  = 5
	sendPause     = 30 * time.Second
	sendWindow    = time.Hour
	sendsInWindow = 5
)

// The refusals of a code, in the seed's words. A code that is wrong, dead or was
// never sent is refused alike: nobody learns whom the platform knows.
var (
	errCodeInvalid = fault.New(fault.Malformed, "Invalid verification code")
	errCodeExpired = fault.New(fault.Malformed, "Verification code has expired")
)

// SendCode makes a code for an address, which replaces an older one, and has it
// delivered by the sender; nil delivers it nowhere. It returns the code, for
// development. Who asks too often is refused with a fault of kind Exhausted. The
// address must be one that mail.ParseAddress returned.
func (s *Service) SendCode(ctx context.Context, address string, by mail.Sender) (string, error) {
	code, err := newCode()
	if err != nil {
		return "", err
	}
	if err := s.keepCode(ctx, address, code); err != nil {
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

func (s *Service) keepCode(ctx context.Context, address, code string) error {
	err := s.store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		row, err := q.EmailCodeAt(ctx, address)
		if err != nil {
			return err
		}
		if wait := untilNextSend(row.SentAt, row.At); wait > 0 {
			refusal := fault.New(fault.Exhausted, "Too many verification codes requested, please try again later")
			refusal.RetryAfter = wait
			return refusal
		}
		return q.PutEmailCode(ctx, db.PutEmailCodeParams{
			Email: address, CodeHash: s.hashCode(address, code),
			SentAt: append(inWindow(row.SentAt, row.At), row.At), ExpiresAt: row.At.Add(CodeLifetime),
		})
	})
	if err != nil {
		return fmt.Errorf("keep the code: %w", err)
	}
	return nil
}

// redeem uses up the code of an address inside of a transaction. A wrong guess is
// a refusal and no error: its count has to be committed.
func (s *Service) redeem(ctx context.Context, q *db.Queries, address, code string) (refusal *fault.Fault, err error) {
	row, err := q.TryEmailCode(ctx, db.TryEmailCodeParams{Email: address, Most: codeAttempts})
	if store.NotFound(err) {
		return errCodeInvalid, nil
	}
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(row.CodeHash, s.hashCode(address, code)) {
		return errCodeInvalid, nil
	}
	if row.Expired {
		return errCodeExpired, nil
	}
	// Who read the mail owns the address, so the limits begin anew as well.
	return nil, q.DeleteEmailCode(ctx, address)
}

// hashCode binds a code to its address; neither can hold the separator.
func (s *Service) hashCode(address, code string) []byte {
	mac := hmac.New(sha256.New, s.codeKey)
	mac.Write([]byte(address + "\x00" + code))
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

// untilNextSend is how long an address has to wait for its next mail, after mails
// at the given times in order; 0 when it may have one now.
func untilNextSend(sent []time.Time, now time.Time) time.Duration {
	recent := inWindow(sent, now)
	if len(recent) == 0 {
		return 0
	}
	wait := recent[len(recent)-1].Add(sendPause).Sub(now)
	if len(recent) >= sendsInWindow {
		wait = max(wait, recent[len(recent)-sendsInWindow].Add(sendWindow).Sub(now))
	}
	return max(wait, 0)
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
