package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"github.com/lucid-blockchain/lucid/internal/mail"
)

// running serves both ports until the test ends and returns their addresses.
func running(t *testing.T) (smtpPort int, webURL string) {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	post, web := listen(), listen()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, post, web) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("an orderly end: %v", err)
		}
	})
	return post.Addr().(*net.TCPAddr).Port, "http://" + web.Addr().String()
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s: status %d: %v", url, response.StatusCode, err)
	}
	return string(content)
}

func messages(t *testing.T, url string) []message {
	t.Helper()
	var list struct{ Messages []message }
	if err := json.Unmarshal([]byte(get(t, url)), &list); err != nil {
		t.Fatal(err)
	}
	return list.Messages
}

// TestPlatformsMailIsCaught sends what the platform sends, as it sends it.
func TestPlatformsMailIsCaught(t *testing.T) {
	port, web := running(t)
	client := mail.SMTP{Settings: mail.Settings{Host: "127.0.0.1", Port: int32(port), From: "no-reply@lucid.local", TLS: mail.None}}
	for i, to := range []string{"a@example.com", "b@example.com"} {
		m, err := mail.Code(to, fmt.Sprintf("00000%d", i), 10*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	all := messages(t, web+"/api/v1/messages")
	if len(all) != 2 || all[0].To[0] != "b@example.com" || all[0].ID != 2 {
		t.Fatalf("caught %+v, want both, newest first", all)
	}
	one := messages(t, web+"/api/v1/messages?to=A@example.com")
	if len(one) != 1 || one[0].From != "no-reply@lucid.local" || one[0].Subject != "000000 is your Lucid verification code" {
		t.Errorf("to one address: %+v", one)
	}
	if !strings.Contains(one[0].Text, "    000000\n") || !strings.Contains(one[0].HTML, "<p") || one[0].ReceivedAt.IsZero() {
		t.Errorf("text %q, HTML %q", one[0].Text, one[0].HTML)
	}
	if page := get(t, web+"/"); !strings.Contains(page, "000001 is your") || !strings.Contains(page, "to a@example.com") {
		t.Errorf("the page: %s", page)
	}
	get(t, web+"/healthz")
	request := httptest.NewRequest(http.MethodDelete, web+"/api/v1/messages", nil)
	request.RequestURI = ""
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != http.StatusNoContent {
		t.Fatalf("emptying: %v", err)
	}
	response.Body.Close()
	if left := messages(t, web+"/api/v1/messages"); left == nil || len(left) != 0 {
		t.Errorf("left are %+v, want an empty list", left)
	}
}

// TestScriptsStayText: what strangers mail is shown, not run.
func TestScriptsStayText(t *testing.T) {
	port, web := running(t)
	content := "Subject: <script>1</script>\r\nContent-Type: text/html\r\n\r\n<script>2</script>\r\n"
	if err := smtp.SendMail(fmt.Sprintf("127.0.0.1:%d", port), nil, "x@example.com", []string{"a@example.com"}, []byte(content)); err != nil {
		t.Fatal(err)
	}
	if page := get(t, web+"/"); strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;2") {
		t.Errorf("the page: %s", page)
	}
}

func TestBrokenMailIsRefused(t *testing.T) {
	port, web := running(t)
	content := "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nno header at all\r\n"
	err := smtp.SendMail(fmt.Sprintf("127.0.0.1:%d", port), nil, "x@example.com", []string{"a@example.com"}, []byte(content))
	if err == nil || !strings.HasPrefix(err.Error(), "554") {
		t.Errorf("a broken mail: %v", err)
	}
	if left := messages(t, web+"/api/v1/messages"); len(left) != 0 {
		t.Errorf("caught %+v", left)
	}
}

func TestMailboxKeepsTheLast(t *testing.T) {
	box := &mailbox{keep: 3}
	for i := range 5 {
		box.add(message{Subject: fmt.Sprint(i + 1)})
	}
	got := box.list("")
	if len(got) != 3 || got[0].Subject != "5" || got[2].Subject != "3" || got[0].ID != 5 {
		t.Errorf("kept %+v", got)
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct{ reason, mail, subject, text, html string }{
		{"plain", "Subject: Hi\r\n\r\nhello\r\n", "Hi", "hello\n", ""},
		{"an encoded subject", "Subject: =?utf-8?q?H=C3=A9?=\r\n\r\nx", "Hé", "x", ""},
		{"base64", "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n", "", "hello", ""},
		{"another charset", "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nh=E9\r\n", "", "hé\n", ""},
		{"a charset that nobody knows", "Content-Type: text/plain; charset=klingon\r\n\r\nx", "", "x", ""},
		{"alternatives", "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nt\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>h\r\n--b--\r\n", "", "t", "<p>h"},
		{"attachments are passed over", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nt\r\n--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nsecret\r\n--b--\r\n", "", "t", ""},
	} {
		m, err := parse(strings.NewReader(test.mail))
		if err != nil || m.Subject != test.subject || m.Text != test.text || m.HTML != test.html {
			t.Errorf("%s: %+v, %v", test.reason, m, err)
		}
	}
}

// FuzzParse: no mail, however broken, ends the program.
func FuzzParse(f *testing.F) {
	f.Add("Subject: Hi\r\n\r\nhello\r\n")
	f.Add("Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nt\r\n--b--\r\n")
	f.Add("Content-Transfer-Encoding: base64\r\n\r\n=\r\n")
	f.Fuzz(func(t *testing.T, raw string) {
		m, err := parse(strings.NewReader(raw))
		if err != nil && (m.Subject != "" || m.Text != "" || m.HTML != "") {
			t.Errorf("%q is refused and read all the same", raw)
		}
	})
}
