package keystoretest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

// awkward has what is escaped, what is no UTF-8 and both digits that tell base64
// from its URL form.
var awkward = []byte{0xfb, 0xff, 0xbf, '"', '\\', '\b', '\f', 0, 'A', 'z', 0xc3, 0xbc, 0x7f, '<', '\n', 0xfe, 0xff, 0xfe, 0xfb, 0xf0}

func TestTracesFindsEveryForm(t *testing.T) {
	text, err := json.Marshal(map[string]any{"level": "info", "key": awkward})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		reason, form string
		in           string
	}{
		{"as it is", "raw", string(awkward)},
		{"as Go quotes it", "escaped", fmt.Sprintf("%q", awkward)},
		{"as Go quotes it for ASCII", "escaped", fmt.Sprintf("%+q", awkward)},
		{"as a JSON logger escapes it, who has but one way for what is invisible", "escaped",
			`\ufffd\ufffd\ufffd\"\\\u0008\u000c\u0000Az` + "ü\x7f" + `<\n\ufffd\ufffd\ufffd\ufffd\ufffd`},
		{"as JSON quotes what Go has quoted", "escaped", strconv.Quote(fmt.Sprintf("%q", awkward))},
		{"small hex digits", "hex", hex.EncodeToString(awkward)},
		{"big ones", "hex", fmt.Sprintf("%X", awkward)},
		{"padded base64", "base64", base64.StdEncoding.EncodeToString(awkward)},
		{"base64 without padding", "base64", base64.RawStdEncoding.EncodeToString(awkward)},
		{"what JSON makes of bytes", "base64", string(text)},
		{"in the midst of more, one byte in", "base64", base64.StdEncoding.EncodeToString(slices.Concat([]byte("x"), awkward, []byte("yz")))},
		{"two bytes in", "base64", base64.StdEncoding.EncodeToString(slices.Concat([]byte("xy"), awkward, []byte("z")))},
		{"for URLs", "base64url", base64.URLEncoding.EncodeToString(awkward)},
		{"for URLs, in the midst of more", "base64url", base64.RawURLEncoding.EncodeToString(slices.Concat([]byte("x"), awkward))},
		{"the numbers, as Go prints them", "decimal", fmt.Sprintf("%d", awkward)},
		{"the numbers in JSON", "decimal", "[" + decimal(awkward, ",") + "]"},
		{"the numbers in a source text", "decimal", fmt.Sprintf("{%s}", decimal(awkward, ", "))},
	} {
		if found := Traces([]byte("before "+test.in+" behind"), awkward); !slices.Contains(found, test.form) {
			t.Errorf("%s: found %q, want %s", test.reason, found, test.form)
		}
	}
	for form, planted := range Planted(awkward) {
		if found := Traces([]byte(planted), awkward); !slices.Contains(found, form) {
			t.Errorf("planted %s: found %q", form, found)
		}
	}
}

// What has another secret in it has none of ours, in no form.
func TestTracesFindsNothingElse(t *testing.T) {
	other := bytes.Clone(awkward)
	other[len(other)-1]--
	for form, planted := range Planted(other) {
		if found := Traces([]byte(planted), awkward); found != nil {
			t.Errorf("%s of another secret: found %q", form, found)
		}
	}
}

func TestHeapDumpShowsWhatIsInMemory(t *testing.T) {
	kept := bytes.Repeat([]byte("kept"), 8)
	for i := range kept {
		kept[i] ^= byte(i) // so that the program itself does not have it
	}
	wiped := bytes.Clone(kept)
	wiped[0] ^= 1
	clear(wiped)
	dump := HeapDump(t)
	if found := Traces(dump, kept); !slices.Contains(found, "raw") {
		t.Errorf("what is in memory: found %q", found)
	}
	kept[0] ^= 1
	if found := Traces(dump, kept); found != nil {
		t.Errorf("what was wiped: found %q", found)
	}
	runtime.KeepAlive(wiped)
}
