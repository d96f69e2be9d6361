package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/google/uuid"
)

// Mail is the part of a caught mail that the suites look at.
type Mail struct {
	ID      int      `json:"id"`
	To      []string `json:"to"`
	Subject string   `json:"subject"`
	Text    string   `json:"text"`
}

// codePattern finds the code in a mail.
var codePattern = regexp.MustCompile(`\b[0-9]{6}\b`)

// Stranger is somebody whom the platform does not know.
func (p *Platform) Stranger() *User { return p.UserWithID(uuid.Nil) }

// Mails returns what was mailed to an address, newest first.
func (p *Platform) Mails(ctx context.Context, address string) ([]Mail, error) {
	if p.MailURL == "" {
		return nil, errors.New("LUCID_MAIL_URL is not set: where is the mail catcher?")
	}
	target := p.MailURL + "/api/v1/messages?to=" + url.QueryEscape(address)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var caught struct {
		Messages []Mail `json:"messages"`
	}
	if err := json.NewDecoder(response.Body).Decode(&caught); err != nil {
		return nil, fmt.Errorf("read the caught mails: status %d: %w", response.StatusCode, err)
	}
	return caught.Messages, nil
}

// MailedCode waits for the mail with a code and returns the code.
func (p *Platform) MailedCode(ctx context.Context, address string) (code string, err error) {
	err = Poll(ctx, 200*time.Millisecond, func(ctx context.Context) error {
		mails, err := p.Mails(ctx, address)
		if err != nil {
			return err
		}
		if len(mails) == 0 {
			return fmt.Errorf("no mail to %s", address)
		}
		if code = codePattern.FindString(mails[0].Text); code == "" {
			return fmt.Errorf("no code in %q", mails[0].Text)
		}
		return nil
	})
	return code, err
}

// SignIn signs an address in by the code that is mailed to it.
func (p *Platform) SignIn(ctx context.Context, address string) (*User, error) {
	user := p.Stranger()
	if err := user.Call(ctx, http.MethodPost, "/auth/email", map[string]string{"email": address}, nil); err != nil {
		return nil, err
	}
	code, err := p.MailedCode(ctx, address)
	if err != nil {
		return nil, err
	}
	var grant struct {
		Token string `json:"token"`
	}
	err = user.Call(ctx, http.MethodPost, "/auth/verify", map[string]string{"email": address, "code": code}, &grant)
	user.Token = grant.Token
	return user, err
}
