package mail

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/lucid-blockchain/lucid/internal/store"
)

// server is a real SMTP server that keeps what it is sent.
type server struct {
	*smtp.Server
	password string // who does not have it may send nothing; empty lets everybody

	mu       sync.Mutex
	received []received
}

type received struct {
	from, user string
	to         []string
	data       string
	protected  bool
}

// session is one connection to a server.
type session struct {
	server *server
	conn   *smtp.Conn
	mail   received
}

func (s *session) AuthMechanisms() []string {
	if s.server.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if password != s.server.password {
			return smtp.ErrAuthFailed
		}
		s.mail.user = username
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.password != "" && s.mail.user == "" {
		return smtp.ErrAuthRequired
	}
	s.mail.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "unknown@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	s.mail.to = append(s.mail.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.data = string(content)
	_, s.mail.protected = s.conn.TLSConnectionState()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.received = append(s.server.received, s.mail)
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// kind is how a server protects its connections.
type kind string

const (
	plainServer    kind = "plain"
	startTLSServer kind = "StartTLS"
	tlsServer      kind = "TLS"
)

// start runs a server and returns it with a client for it.
func start(t *testing.T, how kind, password string) (*server, SMTP) {
	t.Helper()
	s := &server{password: password}
	s.Server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	s.Domain = "localhost"
	certificate, authorities := identify(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	switch how {
	case startTLSServer:
		s.TLSConfig = config
	case tlsServer:
		listener = tls.NewListener(listener, config)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(listener) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
		// A server that nobody called may not have come to know its listener yet.
		_ = listener.Close()
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Errorf("the server: %v", err)
		}
	})
	return s, SMTP{
		Settings:  Settings{Host: "127.0.0.1", Port: int32(port), From: "no-reply@lucid.example", TLS: None},
		TLSConfig: &tls.Config{RootCAs: authorities, ServerName: "localhost", MinVersion: tls.VersionTLS12},
	}
}

// identify makes a certificate for localhost and the pool that trusts it.
func identify(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pool
}

func codeMail(t *testing.T, to string) Message {
	t.Helper()
	message, err := Code(to, "042137", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func TestSendByEachPolicy(t *testing.T) {
	for _, test := range []struct {
		reason    string
		server    kind
		policy    Policy
		protected bool
	}{
		{"in the clear", plainServer, None, false},
		{"agreed on", startTLSServer, StartTLS, true},
		{"from the first byte", tlsServer, TLS, true},
		{"in the clear though the server could do better", startTLSServer, None, false},
	} {
		s, client := start(t, test.server, "")
		client.Settings.TLS = test.policy
		if err := client.Send(t.Context(), codeMail(t, "user@example.com")); err != nil {
			t.Errorf("%s: %v", test.reason, err)
			continue
		}
		if len(s.received) != 1 {
			t.Fatalf("%s: %d mails", test.reason, len(s.received))
		}
		got := s.received[0]
		if got.from != "no-reply@lucid.example" || len(got.to) != 1 || got.to[0] != "user@example.com" || got.protected != test.protected {
			t.Errorf("%s: received %+v", test.reason, got)
		}
	}
}

func TestCredentials(t *testing.T) {
	for _, test := range []struct {
		reason      string
		server      kind
		policy      Policy
		credentials Credentials
		delivered   bool
	}{
		{"the right ones", startTLSServer, StartTLS, Credentials{"lucid", "secret"}, true},
		{"the right ones, protected from the first byte", tlsServer, TLS, Credentials{"lucid", "secret"}, true},
		{"wrong ones", startTLSServer, StartTLS, Credentials{"lucid", "guess"}, false},
		{"none", startTLSServer, StartTLS, Credentials{}, false},
		{"never in the clear", plainServer, None, Credentials{"lucid", "secret"}, false},
	} {
		s, client := start(t, test.server, "secret")
		client.Settings.TLS, client.Credentials = test.policy, test.credentials
		err := client.Send(t.Context(), codeMail(t, "user@example.com"))
		if (err == nil) != test.delivered || (len(s.received) == 1) != test.delivered {
			t.Errorf("%s: %v, %d mails", test.reason, err, len(s.received))
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", test.reason, err)
		}
	}
}

// TestRefusalsAreErrors: nothing is sent where what was declared can't be had.
func TestRefusalsAreErrors(t *testing.T) {
	for reason, spoil := range map[string]func(*SMTP, *Message){
		"no TLS where it is demanded":        func(c *SMTP, _ *Message) { c.Settings.TLS = StartTLS },
		"TLS that the server does not speak": func(c *SMTP, _ *Message) { c.Settings.TLS = TLS },
		"no server":                          func(c *SMTP, _ *Message) { c.Settings.Port = 1 },
		"no host":                            func(c *SMTP, _ *Message) { c.Settings.Host = "" },
		"no sender":                          func(c *SMTP, _ *Message) { c.Settings.From = "" },
		"no recipient":                       func(_ *SMTP, m *Message) { m.To = "" },
		"a mailbox that there is not":        func(_ *SMTP, m *Message) { m.To = "unknown@example.com" },
	} {
		s, client := start(t, plainServer, "")
		message := codeMail(t, "user@example.com")
		spoil(&client, &message)
		err := client.Send(t.Context(), message)
		var failed *DeliveryError
		if !errors.As(err, &failed) || len(s.received) != 0 {
			t.Errorf("%s: %v, %d mails", reason, err, len(s.received))
		}
		if store.IsUnavailable(err) {
			t.Errorf("%s is taken for a database that is away", reason)
		}
	}
}

func TestUnknownCertificateIsRefused(t *testing.T) {
	for policy, how := range map[Policy]kind{StartTLS: startTLSServer, TLS: tlsServer} {
		s, client := start(t, how, "")
		client.Settings.TLS, client.TLSConfig = policy, nil
		if err := client.Send(t.Context(), codeMail(t, "user@example.com")); err == nil || len(s.received) != 0 {
			t.Errorf("%s: a certificate that nobody signed is taken", policy)
		}
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client := SMTP{Settings: Settings{
		Host: "127.0.0.1", Port: int32(listener.Addr().(*net.TCPAddr).Port), From: "no-reply@lucid.example", TLS: None,
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := client.Send(ctx, codeMail(t, "user@example.com")); err == nil {
		t.Error("a server that says nothing took the mail")
	}
}

func TestMessageIsWellFormed(t *testing.T) {
	s, client := start(t, plainServer, "")
	if err := client.Send(t.Context(), codeMail(t, "user@example.com")); err != nil {
		t.Fatal(err)
	}
	parsed, err := netmail.ReadMessage(strings.NewReader(s.received[0].data))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": "<no-reply@lucid.example>", "To": "<user@example.com>",
		"Subject": "042137 is your Lucid verification code", "Auto-Submitted": "auto-generated",
	} {
		if got := parsed.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if _, err := parsed.Header.Date(); err != nil || parsed.Header.Get("Message-ID") == "" {
		t.Errorf("date %v, id %q", err, parsed.Header.Get("Message-ID"))
	}
	if kind := parsed.Header.Get("Content-Type"); !strings.HasPrefix(kind, "multipart/alternative") {
		t.Errorf("content type %q", kind)
	}
	body, err := io.ReadAll(parsed.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"text/plain", "text/html", "    042137"} {
		if !strings.Contains(string(body), part) {
			t.Errorf("no %q in %s", part, body)
		}
	}
}

func TestCodeSaysWhatThereIsToKnow(t *testing.T) {
	message := codeMail(t, "user@example.com")
	for part, text := range map[string]string{"text": message.Text, "HTML": message.HTML} {
		for _, want := range []string{"042137", "10 minutes", "Never tell it"} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s does not say %q", part, want)
			}
		}
	}
	if message.To != "user@example.com" {
		t.Errorf("to %q", message.To)
	}
}
