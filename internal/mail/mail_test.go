package mail

import (
	"strings"
	"testing"

	"github.com/lucid-blockchain/lucid/internal/fault"
)

func TestParseAddress(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, test := range []struct{ reason, text, want string }{
		{"a common address", "user@example.com", "user@example.com"},
		{"is folded", "User.Name+Tag@Example.COM", "user.name+tag@example.com"},
		{"signs that a local part may have", "o'brien_#1!@example.com", "o'brien_#1!@example.com"},
		{"an internationalised domain as it travels", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"the longest local part", long + "@example.com", long + "@example.com"},
		{"a longer one", long + "a@example.com", ""},
		{"longer than any address", "a@" + strings.Repeat("b.", 130) + "com", ""},
		{"nothing", "", ""},
		{"no sign", "example.com", ""},
		{"no local part", "@example.com", ""},
		{"no domain", "user@", ""},
		{"a domain of one label", "user@localhost", ""},
		{"two signs", "a@b@example.com", ""},
		{"two dots", "a..b@example.com", ""},
		{"a dot at the end", "a.@example.com", ""},
		{"a domain with a dot at the end", "a@example.com.", ""},
		{"a domain with a hyphen at the end", "a@example-.com", ""},
		{"a name", "Alice <alice@example.com>", ""},
		{"brackets", "<alice@example.com>", ""},
		{"a list", "a@example.com,b@example.com", ""},
		{"a comment", "a(x)@example.com", ""},
		{"quotes", `"a b"@example.com`, ""},
		{"an address literal", "a@[127.0.0.1]", ""},
		{"a space around it", " a@example.com", ""},
		{"a header smuggled in", "a@example.com\r\nBcc: b@example.com", ""},
		{"a command smuggled in", "a@example.com>\r\nDATA", ""},
		{"letters beyond ASCII", "jürgen@example.com", ""},
		{"a NUL", "a\x00@example.com", ""},
	} {
		got, ok := ParseAddress(test.text)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s: %q is read as %q, %v", test.reason, test.text, got, ok)
		}
	}
}

// FuzzParseAddress: what is taken is read again as itself, and can't say more
// than an address to a mail server.
func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"user@example.com", "A.b+c@D.e", "a@b@c.d", `"a"@b.c`, "a@[1.2.3.4]", "a@example.com\r\nRCPT TO:<b@c.d>", "ä@b.c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, ok := ParseAddress(text)
		if !ok {
			if address != "" {
				t.Errorf("%q is refused and read as %q", text, address)
			}
			return
		}
		if again, ok := ParseAddress(address); !ok || again != address {
			t.Errorf("%q is read as %q, and that as %q", text, address, again)
		}
		if strings.Count(address, "@") != 1 || strings.ContainsAny(address, " \t\r\n<>,;:\"\\()[]\x00") || len(address) > maxAddress {
			t.Errorf("%q is taken as %q", text, address)
		}
	})
}

func TestSettingsRules(t *testing.T) {
	for _, test := range []struct {
		reason   string
		settings Settings
		wrong    string
	}{
		{"a usual server", Settings{"smtp.example.com", 587, "no-reply@example.com", StartTLS}, ""},
		{"an address of either kind", Settings{"10.0.0.1", 465, "no-reply@example.com", TLS}, ""},
		{"an address of the newer kind", Settings{"fd00::1", 25, "no-reply@example.com", None}, ""},
		{"all that can be wrong, told at once", Settings{"SMTP", 0, "Lucid <a@b.c>", "Maybe"}, "mail.host mail.port mail.from mail.tls"},
		{"a host with a port", Settings{"a:25", 25, "a@b.c", None}, "mail.host"},
		{"no host", Settings{"", 25, "a@b.c", None}, "mail.host"},
		{"a port that is none", Settings{"a", 65536, "a@b.c", None}, "mail.port"},
	} {
		var wrong []string
		if refusal, ok := fault.As(test.settings.Validate("mail")); ok {
			for _, field := range refusal.Fields {
				wrong = append(wrong, field.Name)
			}
		}
		if got := strings.Join(wrong, " "); got != test.wrong {
			t.Errorf("%s: wrong are %q, want %q", test.reason, got, test.wrong)
		}
	}
}
