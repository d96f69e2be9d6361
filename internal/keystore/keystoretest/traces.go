// Package keystoretest looks for secrets where they must not be: in logs, in
// answers and in the memory of a process.
package keystoretest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// form is one way to write a secret down. Any of the needles gives it away.
type form struct {
	name    string
	needles []string
	folded  bool // upper and lower case alike
}

// Traces names every form in which the secret is in a text or in memory: as it
// is, escaped, or in hex, base64 or decimal digits. It is nil where there is none.
func Traces(in, secret []byte) []string {
	var found []string
	folded := fold(in)
	for _, f := range forms(secret) {
		where := in
		if f.folded {
			where = folded
		}
		for _, needle := range f.needles {
			if bytes.Contains(where, []byte(needle)) {
				found = append(found, f.name)
				break
			}
		}
	}
	return found
}

func forms(secret []byte) []form {
	return []form{
		{name: "raw", needles: []string{string(secret)}},
		{name: "escaped", needles: escaped(string(secret))},
		{name: "hex", needles: []string{hex.EncodeToString(secret)}, folded: true},
		{name: "base64", needles: aligned(base64.RawStdEncoding, secret)},
		{name: "base64url", needles: aligned(base64.RawURLEncoding, secret)},
		{name: "decimal", needles: []string{decimal(secret, " "), decimal(secret, ","), decimal(secret, ", ")}},
	}
}

// escaped is a text as JSON and Go would quote it, and as JSON would quote what
// Go has quoted, without the quotes. What needs no escape is raw.
func escaped(text string) []string {
	var all []string
	for _, quoted := range append(inJSON(text), strconv.Quote(text), strconv.QuoteToASCII(text)) {
		if quoted = inner(quoted); quoted != text {
			all = append(all, quoted, inner(inJSON(quoted)[0]))
		}
	}
	return all
}

// inJSON is a text in JSON, which has two ways to write a backspace and a form feed.
func inJSON(text string) []string {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // to memory, of a string: it never fails
	short := strings.TrimSpace(quoted.String())
	return []string{short, strings.NewReplacer(`\\`, `\\`, `\b`, `\u0008`, `\f`, `\u000c`).Replace(short)}
}

func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// aligned is what a secret looks like in base64 wherever it begins in the encoded
// bytes, without the digits that it shares with its neighbours.
func aligned(encoding *base64.Encoding, secret []byte) []string {
	all := make([]string, 3)
	for before := range all {
		digits := encoding.EncodeToString(append(make([]byte, before), secret...))
		all[before] = digits[(before*8+5)/6 : (before+len(secret))*8/6]
	}
	return all
}

func decimal(secret []byte, separator string) string {
	all := make([]string, len(secret))
	for i, b := range secret {
		all[i] = strconv.Itoa(int(b))
	}
	return strings.Join(all, separator)
}

// fold makes ASCII letters small and leaves all other bytes, text or not.
func fold(in []byte) []byte {
	out := bytes.Clone(in)
	for i, b := range out {
		if b >= 'A' && b <= 'Z' {
			out[i] = b + 'a' - 'A'
		}
	}
	return out
}

// HeapDump is what the process has in its memory at this moment, garbage that
// has not been collected yet included.
func HeapDump(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "heap")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	debug.WriteHeapDump(file.Fd())
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	dump, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

// Planted is a text that has the secret in every form that Traces knows, for a
// test to show that it would find one.
func Planted(secret []byte) map[string]string {
	return map[string]string{
		"raw": string(secret), "escaped": fmt.Sprintf("%q", secret), "hex": strings.ToUpper(hex.EncodeToString(secret)),
		"base64": base64.StdEncoding.EncodeToString(secret), "base64url": base64.URLEncoding.EncodeToString(secret),
		"decimal": fmt.Sprintf("%d", secret),
	}
}
