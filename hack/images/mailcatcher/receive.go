package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // mails in other charsets than UTF-8
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-smtp"
)

const (
	maxSize       = 1 << 20
	maxRecipients = 50
	idle          = time.Minute
)

// newReceiver is the SMTP server that fills a mailbox.
func newReceiver(box *mailbox) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{box: box}, nil
	}))
	server.Domain = "mailcatcher"
	server.MaxMessageBytes, server.MaxRecipients = maxSize, maxRecipients
	server.ReadTimeout, server.WriteTimeout = idle, idle
	return server
}

// session is one connection; it takes any number of mails, one after the other.
type session struct {
	box  *mailbox
	from string
	to   []string
}

// Mail begins a mail.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data takes the mail itself.
func (s *session) Data(r io.Reader) error {
	m, err := parse(r)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "not understood as a mail"}
	}
	m.From, m.To, m.ReceivedAt = s.from, s.to, time.Now().UTC()
	s.box.add(m)
	return nil
}

// Reset forgets an unfinished mail.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout ends the connection.
func (s *session) Logout() error { return nil }

// parse takes subject, text and HTML out of a MIME message (RFC 5322, RFC 2045).
func parse(r io.Reader) (message, error) {
	reader, err := mail.CreateReader(r)
	if err != nil && !gomessage.IsUnknownCharset(err) {
		return message{}, fmt.Errorf("reading the header: %w", err)
	}
	defer func() { _ = reader.Close() }()
	var m message
	if m.Subject, err = reader.Header.Subject(); err != nil {
		return message{}, fmt.Errorf("reading the subject: %w", err)
	}
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil && !gomessage.IsUnknownCharset(err) {
			return message{}, fmt.Errorf("reading a part: %w", err)
		}
		if err := m.take(part); err != nil {
			return message{}, err
		}
	}
}

// take keeps what is text; attachments are passed over.
func (m *message) take(part *mail.Part) error {
	header, ok := part.Header.(*mail.InlineHeader)
	if !ok {
		return nil
	}
	content, err := io.ReadAll(part.Body)
	if err != nil {
		return fmt.Errorf("reading a text: %w", err)
	}
	// Lines end as readers expect them, not as they travel.
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	switch kind, _, _ := header.ContentType(); kind {
	case "text/html":
		m.HTML += text
	case "text/plain", "":
		m.Text += text
	}
	return nil
}
