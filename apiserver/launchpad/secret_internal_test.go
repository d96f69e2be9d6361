package launchpad

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// wire is a connection that remembers the memory it was handed, and after so many
// bytes takes no more.
type wire struct {
	takes  int
	sent   bytes.Buffer
	handed [][]byte
}

var errGone = errors.New("the client is gone")

func (w *wire) Write(p []byte) (int, error) {
	w.handed = append(w.handed, p)
	n := min(len(p), w.takes)
	w.takes -= n
	w.sent.Write(p[:n])
	if n < len(p) {
		return n, errGone
	}
	return n, nil
}

// However the sending goes, what held the secret is zero afterwards: the body and
// the buffer of whoever sends it.
func TestSecretBodyIsWiped(t *testing.T) {
	const head = "head\r\n\r\n"
	for _, test := range []struct {
		reason       string
		takes, size  int
		want         error
		sentOfSecret int
	}{
		{"it fits the buffer beside the head", 1 << 20, 30, nil, 30},
		{"it just fills the buffer", 1 << 20, 64 - len(head), nil, 64 - len(head)},
		{"it is longer than the buffer", 1 << 20, 200, nil, 200},
		{"the client is gone", 0, 30, errGone, 0},
		{"the client goes in the midst of the secret", len(head) + 5, 30, errGone, 5},
		{"the client goes in the midst of a long one", len(head) + 100, 200, errGone, 100},
	} {
		content := []byte(strings.Repeat("S", test.size))
		connection := &wire{takes: test.takes}
		writer := bufio.NewWriterSize(connection, 64)
		_, _ = writer.WriteString(head)
		body := newSecretBody(content)
		_, err := body.WriteTo(writer)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.reason, err, test.want)
		}
		if got := strings.Count(connection.sent.String(), "S"); got != test.sentOfSecret {
			t.Errorf("%s: %d of the secret's bytes were sent, want %d", test.reason, got, test.sentOfSecret)
		}
		if err := body.Close(); err != nil || bytes.Contains(content, []byte("S")) {
			t.Errorf("%s: the body still has the secret: %v", test.reason, err)
		}
		for _, memory := range append(connection.handed, writer.AvailableBuffer()[:64]) {
			if bytes.Contains(memory, []byte("S")) {
				t.Errorf("%s: the buffer still has the secret: %q", test.reason, memory)
			}
		}
	}
}

// A body that somebody reads is whole, and one that is never sent is wiped too.
func TestSecretBodyThatIsNotSent(t *testing.T) {
	content := []byte("secret")
	body := newSecretBody(content)
	if read, err := io.ReadAll(body); err != nil || string(read) != "secret" {
		t.Errorf("read %q, %v", read, err)
	}
	var plain bytes.Buffer
	if n, err := newSecretBody([]byte("secret")).WriteTo(&plain); err != nil || n != 6 || plain.String() != "secret" {
		t.Errorf("what is no buffer of a connection takes %q, %v", plain.String(), err)
	}
	if err := body.Close(); err != nil || !bytes.Equal(content, make([]byte, 6)) {
		t.Errorf("left is %q, %v", content, err)
	}
}
