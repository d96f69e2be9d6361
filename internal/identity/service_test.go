package identity_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

const alice = "alice@example.com"

// platformKey is the one that all pods of a gateway share.
var platformKey = []byte(strings.Repeat("k", keystore.KeySize))

// pod makes the service as each pod has it.
func pod(t *testing.T, s *store.Store) *identity.Service {
	t.Helper()
	wallets, err := keystore.New(s, platformKey)
	if err != nil {
		t.Fatal(err)
	}
	service, err := identity.NewService(s, platformKey, wallets, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// postman keeps what it is given to deliver, or fails with err.
type postman struct {
	delivered []mail.Message
	err       error
}

func (p *postman) Send(_ context.Context, m mail.Message) error {
	p.delivered = append(p.delivered, m)
	return p.err
}

func send(t *testing.T, service *identity.Service, address string) string {
	t.Helper()
	code, err := service.SendCode(t.Context(), address, home, nil)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// signIn gets a session of an address.
func signIn(t *testing.T, service *identity.Service, address string) identity.Grant {
	t.Helper()
	grant, err := service.Verify(t.Context(), address, send(t, service, address), home)
	if err != nil {
		t.Fatal(err)
	}
	return grant
}

// at is a client at an address.
func at(ip string) identity.Client {
	return identity.Client{IP: netip.MustParseAddr(ip), UserAgent: "test"}
}

// home is where people are if nothing else is said.
var home = at("192.0.2.1")

// later moves the times that the database has for an address into the past, as
// time would.
func later(t *testing.T, s *store.Store, passed time.Duration) {
	t.Helper()
	err := s.Exec(t.Context(), `UPDATE mailed_codes SET expires_at = expires_at - $1::int8 * INTERVAL '1 second',
		sent_at = sent_at - $1::int8 * INTERVAL '1 second'`, int64(passed.Seconds()))
	if err != nil {
		t.Fatal(err)
	}
}

// other is a code that is not this one.
func other(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

func refused(t *testing.T, err error, kind fault.Kind, message, reason string) {
	t.Helper()
	refusal, ok := fault.As(err)
	if !ok || refusal.Kind != kind || refusal.Message != message {
		t.Errorf("%s: %v, want %s %q", reason, err, kind, message)
	}
}

func invalid(t *testing.T, err error, reason string) {
	t.Helper()
	refused(t, err, fault.Malformed, "Invalid verification code", reason)
}

func TestSignInMakesTheUserOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		service := pod(t, s)
		first := signIn(t, service, alice)
		user, err := service.Profile(t.Context(), first.User)
		if err != nil {
			t.Fatal(err)
		}
		if user.Email == nil || *user.Email != alice || !user.IsVerified || user.VerificationTier != "verified" {
			t.Errorf("the new user is %+v, want a verified owner of the address", user)
		}
		second := signIn(t, pod(t, s), alice)
		if second.User != first.User || second.ID == first.ID || second.Token == first.Token {
			t.Errorf("signing in again: %+v after %+v, want the same user and another session", second, first)
		}
		if lasts := second.ExpiresAt.Sub(second.CreatedAt); lasts != identity.SessionLifetime {
			t.Errorf("a session lasts %s", lasts)
		}
	})
}

// TestVerifyingKeepsAHigherTier: proving an address again takes nothing away.
func TestVerifyingKeepsAHigherTier(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	user := signIn(t, service, alice).User
	if err := s.Exec(t.Context(), "UPDATE users SET verification_tier = 'premium' WHERE id = $1", user); err != nil {
		t.Fatal(err)
	}
	signIn(t, service, alice)
	if got, err := service.Profile(t.Context(), user); err != nil || got.VerificationTier != "premium" {
		t.Errorf("tier %s, %v", got.VerificationTier, err)
	}
}

func TestCodeIsMailedAndNotKept(t *testing.T) {
	s := storetest.Open(t)
	by := &postman{}
	code, err := pod(t, s).SendCode(t.Context(), alice, home, by)
	if err != nil {
		t.Fatal(err)
	}
	if len(by.delivered) != 1 || by.delivered[0].To != alice {
		t.Fatalf("delivered %+v", by.delivered)
	}
	if !regexp.MustCompile(`\b` + code + `\b`).MatchString(by.delivered[0].Text) {
		t.Errorf("the code %s is not in the mail: %s", code, by.delivered[0].Text)
	}
	rows, err := s.Query(t.Context(), "SELECT mailed_codes::text FROM mailed_codes")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(row, code) {
			t.Errorf("the code %s is in the database: %s", code, row)
		}
	}
}

func TestFailedMailIsToldAndCounts(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	broken := errors.New("mail server on fire")
	if _, err := service.SendCode(t.Context(), alice, home, &postman{err: broken}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := service.SendCode(t.Context(), alice, home, nil); !fault.Is(err, fault.Exhausted) {
		t.Errorf("a mail server that fails is spared as well: %v", err)
	}
}

func TestCodeIsGoodOnceForItsAddress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		one, two := pod(t, s), pod(t, s)
		code := send(t, one, alice)
		_, err := two.Verify(t.Context(), "bob@example.com", code, home)
		invalid(t, err, "another address")
		_, err = two.Verify(t.Context(), alice, other(code), home)
		invalid(t, err, "a wrong code")
		if _, err = two.Verify(t.Context(), alice, code, home); err != nil {
			t.Errorf("a code that another pod sent, after a wrong guess: %v", err)
		}
		_, err = one.Verify(t.Context(), alice, code, home)
		invalid(t, err, "a second use")
	})
}

func TestNewCodeReplacesTheOld(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	old := send(t, service, alice)
	later(t, s, time.Minute)
	fresh := send(t, service, alice)
	for old == fresh { // one in a million
		later(t, s, time.Hour)
		fresh = send(t, service, alice)
	}
	_, err := service.Verify(t.Context(), alice, old, home)
	invalid(t, err, "the old code")
	if _, err := service.Verify(t.Context(), alice, fresh, home); err != nil {
		t.Errorf("the new one: %v", err)
	}
}

func TestCodeExpires(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	code := send(t, service, alice)
	later(t, s, identity.CodeLifetime)
	_, err := service.Verify(t.Context(), alice, other(code), home)
	invalid(t, err, "who guesses does not learn that there was a code")
	_, err = service.Verify(t.Context(), alice, code, home)
	refused(t, err, fault.Malformed, "Verification code has expired", "the right code, too late")
}

func TestFiveGuessesKillACode(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	code := send(t, service, alice)
	for i := range 5 {
		_, err := service.Verify(t.Context(), alice, other(code), home)
		invalid(t, err, fmt.Sprintf("guess %d", i+1))
	}
	_, err := service.Verify(t.Context(), alice, code, home)
	invalid(t, err, "the right code after five wrong ones")
	later(t, s, time.Minute)
	if _, err := service.Verify(t.Context(), alice, send(t, service, alice), home); err != nil {
		t.Errorf("a new code makes good: %v", err)
	}
}

// TestPodsCountGuessesTogether: many guesses at once, on several pods, are no more
// guesses than five. Each guess is different, so that a counter which is read
// before it is written would let one of them in.
func TestPodsCountGuessesTogether(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		pods := []*identity.Service{pod(t, s), pod(t, s), pod(t, s)}
		code := send(t, pods[0], alice)
		var group sync.WaitGroup
		for i := range 24 {
			group.Go(func() {
				_, err := pods[i%len(pods)].Verify(t.Context(), alice, other(code), home)
				invalid(t, err, "a guess among many")
			})
		}
		group.Wait()
		rows, err := s.Query(t.Context(), "SELECT guesses FROM mailed_codes WHERE email = $1", alice)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var attempts int
		if !rows.Next() || rows.Scan(&attempts) != nil || attempts != 5 {
			t.Errorf("%d attempts are counted, want 5", attempts)
		}
	})
}

// TestOneCodeIsOneSession: of many uses of the right code at once one wins.
func TestOneCodeIsOneSession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		pods := []*identity.Service{pod(t, s), pod(t, s)}
		code := send(t, pods[0], alice)
		var group sync.WaitGroup
		var won atomic.Int32
		for i := range 8 {
			group.Go(func() {
				if _, err := pods[i%2].Verify(t.Context(), alice, code, home); err == nil {
					won.Add(1)
				} else {
					invalid(t, err, "a use that came late")
				}
			})
		}
		group.Wait()
		if won.Load() != 1 {
			t.Errorf("%d sessions for one code", won.Load())
		}
	})
}

func TestSendsAreLimitedAcrossPods(t *testing.T) {
	s := storetest.Open(t)
	one, two := pod(t, s), pod(t, s)
	const message = "Too many verification codes requested, please try again later"
	for i := range 5 {
		send(t, one, alice)
		_, err := two.SendCode(t.Context(), alice, home, nil)
		refused(t, err, fault.Exhausted, message, fmt.Sprintf("right after mail %d", i+1))
		if refusal, _ := fault.As(err); refusal.RetryAfter <= 0 || (i < 4 && refusal.RetryAfter > 30*time.Second) {
			t.Errorf("mail %d may be followed after %s", i+1, refusal.RetryAfter)
		}
		later(t, s, 31*time.Second)
	}
	_, err := two.SendCode(t.Context(), alice, home, nil)
	refused(t, err, fault.Exhausted, message, "a sixth mail within the hour")
	if refusal, _ := fault.As(err); refusal.RetryAfter < 50*time.Minute || refusal.RetryAfter > time.Hour {
		t.Errorf("the sixth mail may come after %s", refusal.RetryAfter)
	}
	send(t, two, "bob@example.com")
	later(t, s, time.Hour)
	send(t, two, alice)
}

func TestSendsAtOnceAreOneMail(t *testing.T) {
	s := storetest.Open(t)
	pods := []*identity.Service{pod(t, s), pod(t, s)}
	var group sync.WaitGroup
	var sent atomic.Int32
	for i := range 8 {
		group.Go(func() {
			_, err := pods[i%2].SendCode(t.Context(), alice, home, nil)
			switch {
			case err == nil:
				sent.Add(1)
			case !fault.Is(err, fault.Exhausted):
				t.Errorf("asking at once: %v", err)
			}
		})
	}
	group.Wait()
	if sent.Load() != 1 {
		t.Errorf("%d codes for eight requests at once", sent.Load())
	}
}

// TestSuccessLiftsTheLimit: who reads the mail owns the address.
func TestSuccessLiftsTheLimit(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	for range 7 {
		signIn(t, service, alice)
	}
}

func TestLostDatabaseIsNoRefusal(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	grant := signIn(t, service, alice)
	s.Close()
	fresh := pod(t, s)
	for what, err := range map[string]error{
		"sending":  second(fresh.SendCode(t.Context(), alice, home, nil)),
		"verify":   second(fresh.Verify(t.Context(), alice, "123456", home)),
		"profile":  second(fresh.Profile(t.Context(), grant.User)),
		"update":   second(fresh.UpdateProfile(t.Context(), grant.User, identity.Change{})),
		"sweeping": fresh.Sweep(t.Context()),
		"revoking": fresh.Sessions.Revoke(t.Context(), grant.User, grant.ID),
	} {
		if !store.IsUnavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, err := fresh.Sessions.List(t.Context(), grant.User, identity.Page{Number: 1, Size: 1}); !store.IsUnavailable(err) {
		t.Errorf("listing: %v", err)
	}
	if _, found, err := fresh.Sessions.Find(t.Context(), []byte(grant.Token)); found || !store.IsUnavailable(err) {
		t.Errorf("finding: %v, %v: no session is taken unseen", found, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestSweepDeletesWhatIsOver(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	over := signIn(t, service, alice)
	kept := signIn(t, service, alice)
	if err := s.Exec(t.Context(), "UPDATE sessions SET expires_at = now() WHERE id = $1", over.ID); err != nil {
		t.Fatal(err)
	}
	signIn(t, service, "carol@example.com")
	if err := s.Exec(t.Context(), "UPDATE proven_clients SET proven_at = now() - INTERVAL '31 days' WHERE email <> $1", alice); err != nil {
		t.Fatal(err)
	}
	send(t, service, "bob@example.com")
	later(t, s, 2*time.Hour)
	send(t, service, alice)
	if err := service.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		"SELECT count(*) FROM sessions": 2, "SELECT count(*) FROM mailed_codes": 1, "SELECT count(*) FROM proven_clients": 1,
	} {
		rows, err := s.Query(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		var count int
		if !rows.Next() || rows.Scan(&count) != nil || count != want {
			t.Errorf("%s: %d, want %d", query, count, want)
		}
		rows.Close()
	}
	if _, found, err := service.Sessions.Find(t.Context(), []byte(kept.Token)); !found || err != nil {
		t.Errorf("the session that lasts: %v, %v", found, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	service := pod(t, storetest.Open(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := service.Run(ctx); err != nil {
		t.Errorf("an orderly end: %v", err)
	}
}

func TestNobodyElsesWalletIsShown(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	one, two := signIn(t, service, alice).User, signIn(t, service, "bob@example.com").User
	addresses := map[string]bool{}
	for _, user := range []uuid.UUID{one, two, one} {
		profile, err := service.Profile(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^0x[0-9a-f]{40}$`).MatchString(profile.WalletAddress) {
			t.Errorf("address %q", profile.WalletAddress)
		}
		addresses[profile.WalletAddress] = true
	}
	if len(addresses) != 2 {
		t.Errorf("two users have %d addresses", len(addresses))
	}
}
