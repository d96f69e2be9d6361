package identity

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestUntilNextSend(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(waits ...time.Duration) []time.Time {
		var sent []time.Time
		for _, wait := range waits {
			sent = append(sent, now.Add(-wait))
		}
		return sent
	}
	for _, test := range []struct {
		reason string
		sent   []time.Time
		want   time.Duration
	}{
		{"the first mail waits for nothing", nil, 0},
		{"the second waits for the pause to pass", ago(10 * time.Second), 20 * time.Second},
		{"and no longer", ago(30 * time.Second), 0},
		{"four in an hour leave room for one", ago(50*time.Minute, 40*time.Minute, 30*time.Minute, time.Minute), 0},
		{"five wait for the oldest to be an hour old", ago(50*time.Minute, 40*time.Minute, 30*time.Minute, 20*time.Minute, time.Minute), 10 * time.Minute},
		{"the longer wait counts", ago(time.Hour-10*time.Second, 40*time.Minute, 30*time.Minute, 20*time.Minute, time.Second), 29 * time.Second},
		{"what is an hour old counts no more", ago(time.Hour, 40*time.Minute, 30*time.Minute, 20*time.Minute, time.Minute), 0},
		{"a clock that went back", ago(-time.Minute), 90 * time.Second},
	} {
		if got := untilNextSend(test.sent, now); got != test.want {
			t.Errorf("%s: wait %s, want %s", test.reason, got, test.want)
		}
	}
}

// TestSendsAreBounded lets somebody ask at arbitrary times: no hour ever holds
// more than five mails, and a wait that was named is long enough.
func TestSendsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		var kept, all []time.Time
		for _, pause := range rapid.SliceOfN(rapid.IntRange(0, 1500), 1, 60).Draw(t, "pauses") {
			now = now.Add(time.Duration(pause) * time.Second)
			if wait := untilNextSend(kept, now); wait > 0 {
				if untilNextSend(kept, now.Add(wait)) != 0 || untilNextSend(kept, now.Add(wait-1)) == 0 {
					t.Fatalf("wait %s after %v is not exact", wait, kept)
				}
				continue
			}
			kept = append(inWindow(kept, now), now)
			all = append(all, now)
		}
		if len(kept) > sendsInWindow {
			t.Fatalf("%d times are kept", len(kept))
		}
		for i, at := range all {
			later := slices.IndexFunc(all[i:], func(x time.Time) bool { return x.Sub(at) >= sendWindow })
			if later == -1 {
				later = len(all) - i
			}
			if later > sendsInWindow {
				t.Fatalf("%d mails within an hour of %s", later, at)
			}
			if i > 0 && at.Sub(all[i-1]) < sendPause {
				t.Fatalf("mails %s apart", at.Sub(all[i-1]))
			}
		}
	})
}

func TestNewCodeIsSixDigits(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		code, err := newCode()
		if err != nil {
			t.Fatal(err)
		}
		if len(code) != CodeLength {
			t.Fatalf("code %q", code)
		}
		for _, digit := range code {
			if digit < '0' || digit > '9' {
				t.Fatalf("code %q", code)
			}
		}
		seen[code] = true
	}
	// A thousand draws of a million repeat about half a code.
	if len(seen) < 950 {
		t.Errorf("%d different codes of 1000", len(seen))
	}
}

// TestHashBindsCodeAddressAndKey: a hash says nothing about another address, and
// nothing at all without the key.
func TestHashBindsCodeAddressAndKey(t *testing.T) {
	one, other := &Service{codeKey: []byte("one")}, &Service{codeKey: []byte("other")}
	hash := string(one.hashCode("a@example.com", "123456"))
	for reason, different := range map[string][]byte{
		"another code":    one.hashCode("a@example.com", "123457"),
		"another address": one.hashCode("b@example.com", "123456"),
		"another key":     other.hashCode("a@example.com", "123456"),
	} {
		if string(different) == hash {
			t.Errorf("%s has the same hash", reason)
		}
	}
	if string(one.hashCode("a@example.com", "123456")) != hash {
		t.Error("the same has another hash")
	}
}

var testKey = tokenKey("a key for tests")

func TestParseToken(t *testing.T) {
	secret := testKey.newToken()
	text := secret.String()
	if got, ok := testKey.parse([]byte(text)); !ok || got != secret {
		t.Errorf("%q is not read back", text)
	}
	for reason, wrong := range map[string]string{
		"nothing":                  "",
		"too short":                text[1:],
		"too long":                 text + "A",
		"a JSON Web Token":         "eyJhbGciOiJFZERTQSJ9.e30.AAAAAAAAAAAAAAAAAAA",
		"padding":                  text[:tokenLength-1] + "=",
		"bits that no secret has":  text[:tokenLength-1] + "_",
		"a line break, overlooked": text[:20] + "\n" + text[21:],
	} {
		if _, ok := testKey.parse([]byte(wrong)); ok {
			t.Errorf("%s is taken: %q", reason, wrong)
		}
	}
}

// FuzzParseToken: what is taken is the one text of its secret.
func FuzzParseToken(f *testing.F) {
	f.Add([]byte(testKey.newToken().String()))
	f.Add([]byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		secret, ok := testKey.parse(text)
		if ok && secret.String() != string(text) {
			t.Errorf("%q is read as %q", text, secret)
		}
	})
}

func TestDescribeFitsTheDatabase(t *testing.T) {
	long := make([]byte, 300)
	for i := range long {
		long[i] = "é"[i%2]
	}
	for reason, test := range map[string]struct{ given, want string }{
		"as it is":              {"Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)"},
		"no controls, no NUL":   {"a\x00b\r\nc\x1b", "abc"},
		"no broken UTF-8":       {"a\xffb", "ab"},
		"cut between letters":   {"x" + string(long), "x" + string(long[:198])},
		"nothing is a name too": {"", ""},
	} {
		if got := describe(test.given); got != test.want {
			t.Errorf("%s: %q", reason, got)
		}
	}
}
