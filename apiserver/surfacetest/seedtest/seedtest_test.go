package seedtest

import (
	"reflect"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	for _, test := range []struct {
		reason, script string
		want           [][]string
	}{
		{"nothing", "\n # a remark\n", nil},
		{"two commands", "a b\nc;d", [][]string{{"a", "b"}, {"c"}, {"d"}}},
		{"a line that goes on", "a \\\n  b", [][]string{{"a", "b"}}},
		{"quotes of both kinds", `a 'b "c" \' "d 'e' \" \x"`, [][]string{{"a", `b "c" \`, `d 'e' " \x`}}},
		{"quotes inside of a word", `a'b'"c"`, [][]string{{"abc"}}},
		{"an empty word", `a ''`, [][]string{{"a", ""}}},
		{"a quoted newline", "a '{\n}'", [][]string{{"a", "{\n}"}}},
		{"a hash inside of a word", "a#b #c", [][]string{{"a#b"}}},
		{"an escaped blank", `a\ b`, [][]string{{"a b"}}},
		{"a line that goes on in quotes", "\"a\\\nb\"", [][]string{{"ab"}}},
	} {
		got, err := Commands(test.script)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %q, %v, want %q", test.reason, got, err, test.want)
		}
	}
	for _, broken := range []string{`'a`, `"a`, `"a\"`, `a\`} {
		if got, err := Commands(broken); err == nil {
			t.Errorf("%s: %q", broken, got)
		}
	}
}

// FuzzCommands: no script panics, and quoting a command's words gives the same
// command again.
func FuzzCommands(f *testing.F) {
	f.Add("curl -X POST http://h/a \\\n  -H \"X: y\" \\\n  -d '{\n \"a\": 1}'\n# end")
	f.Add(`a\ b "c\"d" 'e' ''`)
	f.Fuzz(func(t *testing.T, script string) {
		commands, err := Commands(script)
		if err != nil {
			return
		}
		var quoted strings.Builder
		for _, words := range commands {
			for _, word := range words {
				quoted.WriteString("'" + strings.ReplaceAll(word, "'", `'\''`) + "' ")
			}
			quoted.WriteByte('\n')
		}
		again, err := Commands(quoted.String())
		if err != nil || !reflect.DeepEqual(commands, again) {
			t.Errorf("%q quoted is %q, %v", commands, again, err)
		}
	})
}

func TestParseCurl(t *testing.T) {
	got, err := ParseCurl([]string{"curl", "-X", "PUT", "http://h/a?b=c", "-H", "A: b: c", "-d", "{}"})
	want := Curl{Method: "PUT", URL: "http://h/a?b=c", Header: [][2]string{{"A", "b: c"}}, Body: "{}"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for reason, line := range map[string]string{
		"another program": "wget http://h", "nothing": "", "no URL": "curl -X GET", "an option without its value": "curl http://h -d",
		"an option that would be passed over": "curl http://h --compressed yes", "two URLs": "curl http://h http://i", "no header": "curl http://h -H A",
	} {
		if got, err := ParseCurl(strings.Fields(line)); err == nil {
			t.Errorf("%s: %+v", reason, got)
		}
	}
}

const document = "# Title\n" +
	"```bash\nX-Header: of no endpoint\n```\n" +
	"#### `POST /things/{id}`\n" +
	"**Request Body:**\n```json\n{\"not\": \"an answer\"}\n```\n" +
	"- **Success (201):**\n  ```json\n  {\n    \"id\": 1,\n    // ... full thing\n  }\n  ```\n" +
	"- **Error (400) - Invalid ID:**\n  ```json\n  {\"error\": 1}\n  ```\n" +
	"- **Error (404):**\n  ```json\n  {\"error\": 2}\n  ```\n" +
	"**Example Request:**\n```bash\n# first\ncurl -X POST http://h/things/1\n\ncurl http://h/things/2 \\\n  -d '{}'\n```\n" +
	"## Afterwards\n```bash\ncurl http://of.no/endpoint\n```\n"

func TestParse(t *testing.T) {
	endpoints, err := Parse(document)
	if err != nil || len(endpoints) != 1 {
		t.Fatalf("%+v, %v", endpoints, err)
	}
	e := endpoints[0]
	if e.Name() != "POST /things/{id}" || e.Success.Status != 201 || !e.Success.Abbreviated {
		t.Errorf("%+v", e)
	}
	if len(e.Failures) != 2 || e.Failures[0].Label != "Invalid ID" || e.Failures[1].Status != 404 {
		t.Errorf("refusals: %+v", e.Failures)
	}
	lines := strings.Split(document, "\n")
	for i, c := range e.Commands {
		if !strings.HasPrefix(lines[c.Line-1], "curl") || !strings.Contains(lines[c.Line-1], c.URL) {
			t.Errorf("command %d is not on line %d", i, c.Line)
		}
	}
	if len(e.Commands) != 2 || e.Commands[1].Body != "{}" {
		t.Errorf("commands: %+v", e.Commands)
	}
}

func TestParseRefuses(t *testing.T) {
	for reason, block := range map[string]string{
		"a block without end":         "```bash\ncurl http://h",
		"what is no curl":             "**Example Request:**\n```bash\ncurl -Z x http://h\n```",
		"a command that is not curl":  "```bash\nls\n```",
		"an open quote":               "```bash\ncurl 'http://h\n```",
		"an answer that is not JSON":  "- **Success (200):**\n```json\n{\n```",
		"an error that is not JSON":   "- **Error (400):**\n```json\n{,}\n```",
		"a command without any words": "```bash\ncurl \n```",
	} {
		if got, err := Parse("#### `GET /a`\n" + block + "\n"); err == nil {
			t.Errorf("%s: %+v", reason, got)
		}
	}
}
