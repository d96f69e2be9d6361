package identity_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

const tooMany = "Too many verification codes requested, please try again later"

var (
	stranger  = at("198.51.100.7")
	elsewhere = at("203.0.113.5")
)

func sendFrom(t *testing.T, service *identity.Service, address string, from identity.Client) string {
	t.Helper()
	code, err := service.SendCode(t.Context(), address, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// misguess guesses wrongly so many times.
func misguess(t *testing.T, service *identity.Service, times int, from identity.Client, codes ...string) {
	t.Helper()
	wrong := "000000"
	for _, code := range codes {
		if code == wrong {
			wrong = other(wrong)
		}
	}
	for range times {
		_, err := service.Verify(t.Context(), alice, wrong, from)
		invalid(t, err, "a stranger's guess")
	}
}

// TestStrangersDoNotKillACode: neither guesses nor mails of others take an owner's
// code away.
func TestStrangersDoNotKillACode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		service := pod(t, s)
		code := send(t, service, alice)
		misguess(t, service, 20, stranger, code)
		theirs := sendFrom(t, service, alice, stranger)
		misguess(t, service, 20, stranger, code, theirs)
		if _, err := service.Verify(t.Context(), alice, code, home); err != nil {
			t.Errorf("the owner's code after strangers did their worst: %v", err)
		}
		_, err := service.Verify(t.Context(), alice, theirs, stranger)
		invalid(t, err, "once the owner is in, the codes of others are worth nothing")
	})
}

// TestCodeMayBeUsedElsewhere: who changes from one network to another in between
// is still let in, while the guesses of strangers are few.
func TestCodeMayBeUsedElsewhere(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	code := send(t, service, alice)
	misguess(t, service, 2, stranger, code)
	if _, err := service.Verify(t.Context(), alice, code, elsewhere); err != nil {
		t.Errorf("the third guess from outside: %v", err)
	}
	code = send(t, service, alice)
	misguess(t, service, 3, stranger, code)
	_, err := service.Verify(t.Context(), alice, code, elsewhere)
	invalid(t, err, "the fourth guess from outside")
	misguess(t, service, 4, home, code)
	if _, err = service.Verify(t.Context(), alice, code, home); err != nil {
		t.Errorf("the fifth guess of who asked: %v", err)
	}
}

// TestOneStrangerCannotUseUpTheMails: what one client asks for in an owner's name
// is their own pause and their own hour.
func TestOneStrangerCannotUseUpTheMails(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	for range 5 {
		sendFrom(t, service, alice, stranger)
		later(t, s, 31*time.Second)
	}
	_, err := service.SendCode(t.Context(), alice, stranger, nil)
	refused(t, err, fault.Exhausted, tooMany, "the stranger's sixth mail")
	send(t, service, alice)
}

// TestOwnerWhoWasHereIsNotKeptOut: many strangers together can use up an address's
// mails, but not those of the network from which its owner signed in.
func TestOwnerWhoWasHereIsNotKeptOut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		service := pod(t, s)
		signIn(t, service, alice)
		for i := range 8 {
			sendFrom(t, service, alice, at(fmt.Sprintf("198.51.100.%d", i)))
		}
		_, err := service.SendCode(t.Context(), alice, elsewhere, nil)
		refused(t, err, fault.Exhausted, tooMany, "a ninth mail for strangers")
		if refusal, _ := fault.As(err); refusal.RetryAfter < 59*time.Minute || refusal.RetryAfter > time.Hour {
			t.Errorf("the ninth mail may come after %s", refusal.RetryAfter)
		}
		if _, err := service.Verify(t.Context(), alice, send(t, service, alice), home); err != nil {
			t.Errorf("the owner at home: %v", err)
		}
		if err := s.Exec(t.Context(), "UPDATE proven_clients SET proven_at = now() - INTERVAL '30 days'"); err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			sendFrom(t, service, alice, at(fmt.Sprintf("198.51.100.%d", i)))
		}
		_, err = service.SendCode(t.Context(), alice, home, nil)
		refused(t, err, fault.Exhausted, tooMany, "who was here a month ago is a stranger again")
	})
}

// TestGuessesAreFew holds the documented number against a patient attacker with
// many addresses: sixty-four guesses at codes in an hour, however they are spread.
func TestGuessesAreFew(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	const clients = 6
	for round := range 12 {
		var codes []string
		for i := range clients {
			code, err := service.SendCode(t.Context(), alice, at(fmt.Sprintf("198.51.100.%d", i)), nil)
			if err == nil {
				codes = append(codes, code)
			} else {
				refused(t, err, fault.Exhausted, tooMany, fmt.Sprintf("round %d", round))
			}
		}
		for i := range clients {
			misguess(t, service, 6, at(fmt.Sprintf("198.51.100.%d", i)), codes...)
		}
		later(t, s, 40*time.Second)
	}
	rows, err := s.Query(t.Context(), "SELECT count(*), sum(guesses + strange_guesses) FROM mailed_codes")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var mails, guesses int
	if !rows.Next() || rows.Scan(&mails, &guesses) != nil {
		t.Fatal("nothing counted")
	}
	if mails != 8 || guesses != 8*(5+3) {
		t.Errorf("%d guesses at the codes of %d mails, want 64 at 8", guesses, mails)
	}
}

// TestOneClientMailsFew: nobody makes the platform write to everybody.
func TestOneClientMailsFew(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	for i := range 60 {
		sendFrom(t, service, fmt.Sprintf("victim-%d@example.com", i), stranger)
	}
	_, err := service.SendCode(t.Context(), alice, stranger, nil)
	refused(t, err, fault.Exhausted, tooMany, "a sixty-first address")
	if refusal, _ := fault.As(err); refusal.RetryAfter < 59*time.Minute || refusal.RetryAfter > time.Hour {
		t.Errorf("the next mail may come after %s", refusal.RetryAfter)
	}
	send(t, service, alice)
	later(t, s, time.Hour)
	sendFrom(t, service, alice, stranger)
}

// TestClientIsANetwork: what one subscriber has of IPv6 is one client, and no
// address of a client is kept.
func TestClientIsANetwork(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	sendFrom(t, service, alice, at("2001:db8::1"))
	_, err := service.SendCode(t.Context(), alice, at("2001:db8::ffff"), nil)
	refused(t, err, fault.Exhausted, tooMany, "another address of the same network")
	sendFrom(t, service, alice, at("2001:db8:0:1::1"))
	sendFrom(t, service, alice, at("::ffff:192.0.2.1"))
	_, err = service.SendCode(t.Context(), alice, home, nil)
	refused(t, err, fault.Exhausted, tooMany, "the same address, written otherwise")
}
