package mail

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// timeout bounds one delivery, from the dial to the server's word that it took
// the message: somebody waits in front of a form.
const timeout = 10 * time.Second

// SMTP delivers through the mail server of its settings, one connection a
// message. It is safe for concurrent use.
type SMTP struct {
	Settings    Settings
	Credentials Credentials
	// TLSConfig is for servers whose certificate no public authority signed; nil
	// takes the machine's authorities and the settings' host.
	TLSConfig *tls.Config
}

// DeliveryError says why a mail was not taken over. It hides its cause from
// errors.As, because a mail server that can't be reached is not the database:
// only the latter makes a surface say that it is unavailable.
type DeliveryError struct{ reason string }

// Error implements error. The text may hold the server's words.
func (e *DeliveryError) Error() string { return "deliver the mail: " + e.reason }

// Send implements Sender.
func (s SMTP) Send(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	message, err := s.message(m)
	if err != nil {
		return &DeliveryError{reason: err.Error()}
	}
	client, err := gomail.NewClient(s.Settings.Host, s.options()...)
	if err != nil {
		return &DeliveryError{reason: err.Error()}
	}
	if err := client.DialAndSendWithContext(ctx, message); err != nil {
		return &DeliveryError{reason: err.Error()}
	}
	return nil
}

// options of one connection. Without TLS no credentials are sent, whatever is
// set; with StartTLS a server that does not offer it gets nothing at all.
func (s SMTP) options() []gomail.Option {
	options := []gomail.Option{
		gomail.WithPort(int(s.Settings.Port)), gomail.WithTimeout(timeout),
		gomail.WithTLSConfig(s.tlsConfig()),
	}
	switch s.Settings.TLS {
	case TLS:
		options = append(options, gomail.WithSSL())
	case None:
		return append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if !s.Credentials.None() {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(s.Credentials.Username), gomail.WithPassword(s.Credentials.Password))
	}
	return options
}

func (s SMTP) tlsConfig() *tls.Config {
	if s.TLSConfig != nil {
		return s.TLSConfig
	}
	return &tls.Config{ServerName: s.Settings.Host, MinVersion: tls.VersionTLS12}
}

// message writes the MIME message: text and HTML as alternatives, marked as
// sent by a machine so that nobody's autoresponder answers (RFC 3834).
func (s SMTP) message(m Message) (*gomail.Msg, error) {
	message := gomail.NewMsg()
	if err := message.From(s.Settings.From); err != nil {
		return nil, fmt.Errorf("set the sender: %w", err)
	}
	if err := message.To(m.To); err != nil {
		return nil, fmt.Errorf("set the recipient: %w", err)
	}
	message.Subject(m.Subject)
	message.SetDate()
	message.SetMessageID()
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(gomail.TypeTextPlain, m.Text)
	message.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return message, nil
}
