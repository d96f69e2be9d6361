package identity_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func find(t *testing.T, sessions *identity.Sessions, token string) (identity.Holder, bool) {
	t.Helper()
	holder, found, err := sessions.Find(t.Context(), []byte(token))
	if err != nil {
		t.Fatal(err)
	}
	return holder, found
}

// sessionsOf is the memory of sessions as another pod has it.
func sessionsOf(t *testing.T, s *store.Store) *identity.Sessions {
	t.Helper()
	sessions, err := identity.NewSessions(s, platformKey)
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

func TestFindKnowsItsTokensAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		grant := signIn(t, pod(t, s), alice)
		sessions := sessionsOf(t, s)
		for range 2 { // asked and remembered
			if holder, found := find(t, sessions, grant.Token); !found || holder.User != grant.User || holder.Session != grant.ID {
				t.Errorf("the session is %+v, %v", holder, found)
			}
		}
		for reason, token := range map[string]string{
			"nothing": "", "no token of ours": "a.b.c",
			"made up": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		} {
			if _, found := find(t, sessions, token); found {
				t.Errorf("%s is taken", reason)
			}
		}
	})
}

func TestFindRemembers(t *testing.T) {
	s := storetest.Open(t)
	grant := signIn(t, pod(t, s), alice)
	sessions := sessionsOf(t, s)
	now := time.Now()
	sessions.SetClock(func() time.Time { return now })
	find(t, sessions, grant.Token)
	s.Close()
	now = now.Add(899 * time.Millisecond)
	if _, found := find(t, sessions, grant.Token); !found {
		t.Error("a session that was seen within the second costs no query")
	}
	now = now.Add(time.Millisecond)
	if _, found, err := sessions.Find(t.Context(), []byte(grant.Token)); found || !store.IsUnavailable(err) {
		t.Errorf("after that the database decides: %v, %v", found, err)
	}
}

// TestMadeUpTokensCostNoQuery: a flood of them is turned away where nothing can
// be asked at all.
func TestMadeUpTokensCostNoQuery(t *testing.T) {
	s := storetest.Open(t)
	grant := signIn(t, pod(t, s), alice)
	sessions := sessionsOf(t, s)
	s.Close()
	random := make([]byte, 32)
	for range 1000 {
		_, _ = rand.Read(random)
		if _, found := find(t, sessions, base64.RawURLEncoding.EncodeToString(random)); found {
			t.Fatal("a random token is taken")
		}
	}
	for at := range grant.Token {
		changed := []byte(grant.Token)
		if changed[at] = 'A'; grant.Token[at] == 'A' {
			changed[at] = 'E'
		}
		if _, found := find(t, sessions, string(changed)); found {
			t.Errorf("a token with another letter at %d is taken", at)
		}
	}
	other, err := identity.NewSessions(s, []byte(strings.Repeat("x", keystore.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	if _, found := find(t, other, grant.Token); found {
		t.Error("a token of another platform is taken")
	}
}

// TestOverIsRemembered: somebody who goes on with a session that is over does not
// cost a query each time either.
func TestOverIsRemembered(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	grant := signIn(t, service, alice)
	sessions := sessionsOf(t, s)
	now := time.Now()
	sessions.SetClock(func() time.Time { return now })
	if err := service.Sessions.Revoke(t.Context(), grant.User, grant.ID); err != nil {
		t.Fatal(err)
	}
	find(t, sessions, grant.Token)
	s.Close()
	if _, found := find(t, sessions, grant.Token); found {
		t.Error("a revoked session is taken")
	}
	now = now.Add(time.Second)
	if _, _, err := sessions.Find(t.Context(), []byte(grant.Token)); !store.IsUnavailable(err) {
		t.Errorf("after a second the database decides again: %v", err)
	}
}

// TestKnownSessionsDoNotQueue: however many unknown tokens wait to be looked up, a
// session that was good before waits behind none of them.
func TestKnownSessionsDoNotQueue(t *testing.T) {
	s := storetest.Open(t)
	known, fresh := signIn(t, pod(t, s), alice), signIn(t, pod(t, s), "bob@example.com")
	sessions := sessionsOf(t, s)
	now := time.Now()
	sessions.SetClock(func() time.Time { return now })
	find(t, sessions, known.Token)
	now = now.Add(time.Minute)
	disperse := sessions.Crowd()
	if _, found := find(t, sessions, known.Token); !found {
		t.Error("a session that was good a minute ago is not found")
	}
	waited := make(chan bool)
	go func() {
		_, found, err := sessions.Find(t.Context(), []byte(fresh.Token))
		waited <- found && err == nil
	}()
	select {
	case <-waited:
		t.Error("an unknown token does not wait for its turn")
	case <-time.After(50 * time.Millisecond):
	}
	disperse()
	if !<-waited {
		t.Error("a session that is new to this pod is not found once it is its turn")
	}
}

// TestRevocationHoldsEverywhere: at once on the pod that was asked, and on others
// before a second is over.
func TestRevocationHoldsEverywhere(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	here, there := service.Sessions, sessionsOf(t, s)
	now := time.Now()
	there.SetClock(func() time.Time { return now })
	grant := signIn(t, service, alice)
	find(t, here, grant.Token)
	find(t, there, grant.Token)
	if err := here.Revoke(t.Context(), grant.User, grant.ID); err != nil {
		t.Fatal(err)
	}
	if _, found := find(t, here, grant.Token); found {
		t.Error("the pod that revoked a session takes it")
	}
	now = now.Add(time.Second)
	if _, found := find(t, there, grant.Token); found {
		t.Error("another pod takes a session a second after it was revoked")
	}
	refused(t, here.Revoke(t.Context(), grant.User, grant.ID), fault.NotFound, "Session not found", "revoked already")
}

func TestExpiredSessionIsNone(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	grant := signIn(t, service, alice)
	sessions := sessionsOf(t, s)
	now := time.Now()
	sessions.SetClock(func() time.Time { return now })
	if err := s.Exec(t.Context(), "UPDATE sessions SET expires_at = now() + INTERVAL '300 milliseconds'"); err != nil {
		t.Fatal(err)
	}
	if _, found := find(t, sessions, grant.Token); !found {
		t.Error("a session is good until its end")
	}
	time.Sleep(350 * time.Millisecond)
	now = now.Add(350 * time.Millisecond)
	if _, found := find(t, sessions, grant.Token); found {
		t.Error("and is not remembered beyond it")
	}
	if _, total, err := sessions.List(t.Context(), grant.User, identity.Page{Number: 1, Size: 10}); total != 0 || err != nil {
		t.Errorf("nor listed: %d, %v", total, err)
	}
}

func TestForeignSessionCannotBeRevoked(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	grant := signIn(t, service, alice)
	stranger := signIn(t, service, "mallory@example.com")
	refused(t, service.Sessions.Revoke(t.Context(), stranger.User, grant.ID), fault.NotFound, "Session not found", "somebody else's")
	refused(t, service.Sessions.Revoke(t.Context(), grant.User, uuid.New()), fault.NotFound, "Session not found", "nobody's")
	if _, found := find(t, sessionsOf(t, s), grant.Token); !found {
		t.Error("the session is gone all the same")
	}
}

func TestListIsMineAndNewestFirst(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	var mine []identity.Grant
	for i := range 3 {
		code := send(t, service, alice)
		grant, err := service.Verify(t.Context(), alice, code, identity.Client{IP: home.IP, UserAgent: fmt.Sprintf("device %d", i)})
		if err != nil {
			t.Fatal(err)
		}
		mine = append(mine, grant)
	}
	signIn(t, service, "bob@example.com")
	sessions, total, err := service.Sessions.List(t.Context(), mine[0].User, identity.Page{Number: 1, Size: 2})
	if err != nil || total != 3 || len(sessions) != 2 {
		t.Fatalf("%d of %d sessions, %v", len(sessions), total, err)
	}
	if sessions[0].ID != mine[2].ID || sessions[1].ID != mine[1].ID || sessions[0].UserAgent != "device 2" {
		t.Errorf("first page %+v", sessions)
	}
	rest, _, err := service.Sessions.List(t.Context(), mine[0].User, identity.Page{Number: 2, Size: 2})
	if err != nil || len(rest) != 1 || rest[0].ID != mine[0].ID {
		t.Errorf("second page %+v, %v", rest, err)
	}
}

func TestLastUseIsKept(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	grant := signIn(t, service, alice)
	if err := s.Exec(t.Context(), "UPDATE sessions SET last_used_at = now() - INTERVAL '1 day'"); err != nil {
		t.Fatal(err)
	}
	find(t, sessionsOf(t, s), grant.Token)
	sessions, _, err := service.Sessions.List(t.Context(), grant.User, identity.Page{Number: 1, Size: 1})
	if err != nil || len(sessions) != 1 || time.Since(sessions[0].LastUsedAt) > time.Hour {
		t.Errorf("sessions %+v, %v, want used just now", sessions, err)
	}
}

// TestManyRequestsAskOnce: requests that come together share one look-up, and
// none of them is harmed by another that gives up.
func TestManyRequestsAskOnce(t *testing.T) {
	s := storetest.Open(t)
	grant := signIn(t, pod(t, s), alice)
	sessions := sessionsOf(t, s)
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			if _, found, err := sessions.Find(t.Context(), []byte(grant.Token)); !found || err != nil {
				t.Errorf("one of many: %v, %v", found, err)
			}
		})
	}
	group.Wait()
}
