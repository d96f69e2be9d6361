package text_test

import (
	"testing"

	"github.com/lucid-blockchain/lucid/internal/text"
)

func TestPrintable(t *testing.T) {
	for _, test := range []struct {
		reason    string
		text      string
		multiline bool
		want      bool
	}{
		{"nothing is text too", "", false, true},
		{"any script", "Zürich 東京 🚀", false, true},
		{"a line break is for several lines only", "a\nb", false, false},
		{"line breaks and tabs", "a\r\n\tb", true, true},
		{"PostgreSQL stores no NUL", "a\x00b", true, false},
		{"an escape sequence would move a terminal's cursor", "\x1b[2J", true, false},
		{"a control character above ASCII", "a\u0085b", true, false},
		{"broken UTF-8", "a\xff", true, false},
	} {
		if got := text.Printable(test.text, test.multiline); got != test.want {
			t.Errorf("%s: Printable(%q, %t) = %t", test.reason, test.text, test.multiline, got)
		}
	}
}

func TestAlphanumeric(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "johnDoe42": true, "azAZ09": true, "john doe": false, "john_doe": false, "@john": false,
		"[]": false, "jöhn": false, "`{": false, "９": false,
	} {
		if got := text.Alphanumeric(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}
