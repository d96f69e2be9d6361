//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/test/platform"
)

// TestSignInByMail signs somebody in as a person would: a code by mail, a session
// for it, and the session's end on every pod.
func TestSignInByMail(t *testing.T) {
	p := platform.MustOpen(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address := "e2e-" + uuid.NewString() + "@example.com"
	user, err := p.SignIn(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	var me struct {
		ID            uuid.UUID `json:"id"`
		Email         string    `json:"email"`
		WalletAddress string    `json:"wallet_address"`
		IsVerified    bool      `json:"is_verified"`
	}
	if err := user.Call(ctx, http.MethodGet, "/users/me", nil, &me); err != nil {
		t.Fatal(err)
	}
	if me.Email != address || !me.IsVerified || len(me.WalletAddress) != 42 {
		t.Errorf("the user is %+v, want the verified owner of %s with a wallet", me, address)
	}
	var sessions []struct {
		ID      string `json:"id"`
		Current bool   `json:"current"`
	}
	if err := user.Call(ctx, http.MethodGet, "/auth/sessions", nil, &sessions); err != nil {
		t.Fatal(err)
	}
	if len(sessions) != 1 || !sessions[0].Current {
		t.Fatalf("sessions are %+v, want this one alone", sessions)
	}
	// Every pod gets to know the session before it ends. A Service chooses the pod
	// of a connection, so each request has one of its own.
	for range 20 {
		if err := user.Call(ctx, http.MethodGet, "/templates", nil, nil, "Connection", "close"); err != nil {
			t.Fatal(err)
		}
	}
	if err := user.Call(ctx, http.MethodDelete, "/auth/sessions/"+sessions[0].ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	platform.Eventually(t, 5*time.Second, "no pod takes the revoked session", func(ctx context.Context) error {
		for range 20 {
			if err := refused(ctx, user); err != nil {
				return err
			}
		}
		return nil
	})
}

func refused(ctx context.Context, user *platform.User) error {
	answer, err := user.Do(ctx, http.MethodGet, "/templates", nil, "Connection", "close")
	if err != nil {
		return err
	}
	if answer.Status != http.StatusUnauthorized || answer.Error.Code != "UNAUTHORIZED" {
		return fmt.Errorf("status %d, code %s", answer.Status, answer.Error.Code)
	}
	return nil
}

// TestCodeIsGoodOnce: neither a second use nor a guess opens the door.
func TestCodeIsGoodOnce(t *testing.T) {
	p := platform.MustOpen(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address := "e2e-" + uuid.NewString() + "@example.com"
	if _, err := p.SignIn(ctx, address); err != nil {
		t.Fatal(err)
	}
	used, err := p.MailedCode(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := p.Stranger().Do(ctx, http.MethodPost, "/auth/verify", map[string]string{"email": address, "code": used})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != http.StatusBadRequest || answer.Error.Message != "Invalid verification code" {
		t.Errorf("a used code: %d %s", answer.Status, answer.Error.Message)
	}
}
