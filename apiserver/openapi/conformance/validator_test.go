package conformance

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lucid-blockchain/lucid/apiserver/openapi"
)

const things = `
openapi: 3.1.0
info: {title: Things, version: "1"}
x-common-headers: {X-Trace: {schema: {type: string, maxLength: 3}}}
x-unrouted-responses:
  "204": {description: A preflight.}
  "404": {$ref: "#/components/responses/Refused"}
  "405": {$ref: "#/components/responses/Refused"}
paths:
  /things:
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, maximum: 9}}
        - {name: tag, in: query, schema: {type: array, items: {$ref: "#/components/schemas/Tag"}}}
        - {name: open, in: query, schema: {type: boolean}}
        - {name: must, in: query, required: true, schema: {type: string}}
        - {name: X-Kind, in: header, schema: {type: string, maxLength: 3}}
      responses: {"200": {$ref: "#/components/responses/Thing"}, "204": {description: Nothing.}}
    post:
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}
      responses: {"200": {$ref: "#/components/responses/Thing"}}
  /things/{id}:
    get:
      responses: {"200": {$ref: "#/components/responses/Thing"}}
  /things/all:
    get:
      responses: {"200": {description: Text., content: {text/plain: {schema: {type: string, minLength: 2}}}}}
components:
  schemas:
    Tag: {type: string, enum: [a, b]}
    Thing:
      type: object
      additionalProperties: false
      required: [name]
      properties: {name: {type: string}, at: {type: [string, "null"], format: date-time}}
  responses:
    Thing:
      description: A thing.
      headers: {X-Left: {required: true, description: Left., schema: {type: integer}}}
      content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}
    Refused:
      description: Refused.
      content: {application/json: {schema: {type: object, required: [error]}}}
`

func document(t *testing.T, text string) *openapi.Document {
	t.Helper()
	d, err := openapi.Load(fstest.MapFS{"1.yaml": {Data: []byte(text)}}, "$URL")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// good is an exchange that the document allows; change makes another of it.
func good(change func(*Exchange)) Exchange {
	x := Exchange{
		Method: http.MethodPost, Path: "/things", Status: 200, RequestBody: []byte(`{"name": "n", "at": null}`),
		RequestHeader: http.Header{"Content-Type": {"application/json"}},
		Header:        http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Left": {"3"}},
		Body:          []byte(`{"name": "n"}`),
	}
	change(&x)
	return x
}

// bare takes the header away that only answers of 200 have.
func bare(x *Exchange) { x.Header.Del("X-Left") }

func get(query map[string][]string) func(*Exchange) {
	return func(x *Exchange) {
		x.Method, x.RequestBody, x.Query = http.MethodGet, nil, query
	}
}

// TestCheck: what can differ is found, one thing at a time.
func TestCheck(t *testing.T) {
	v, err := New(document(t, things))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		reason string
		change func(*Exchange)
		want   []string // a part of each problem
	}{
		{"nothing; null counts as absent", func(*Exchange) {}, nil},
		{"a slash at the end", func(x *Exchange) { x.Path = "/things/" }, nil},
		{"an undocumented member", func(x *Exchange) { x.Body = []byte(`{"name": "n", "secret": 1}`) }, []string{"'secret' not allowed"}},
		{"a missing member", func(x *Exchange) { x.Body = []byte(`{}`) }, []string{"missing property 'name'"}},
		{"a wrong type", func(x *Exchange) { x.Body = []byte(`{"name": 7}`) }, []string{"answer /name: got number, want string"}},
		{"a wrong format", func(x *Exchange) { x.Body = []byte(`{"name": "n", "at": "noon"}`) }, []string{"'noon' is not valid date-time"}},
		{"no JSON", func(x *Exchange) { x.Body = []byte(`{`) }, []string{"is not JSON"}},
		{"an undocumented status", func(x *Exchange) { x.Status = 201 }, []string{"no status 201"}},
		{"an undocumented type", func(x *Exchange) { x.Header.Set("Content-Type", "text/html") }, []string{`type "text/html"`}},
		{"a missing header", func(x *Exchange) { x.Header.Del("X-Left") }, []string{"header X-Left is missing"}},
		{"a wrong header", func(x *Exchange) { x.Header.Set("X-Left", "few") }, []string{"header X-Left /: got string, want integer"}},
		{"an undocumented header", func(x *Exchange) { x.Header.Set("X-Secret", "1") }, []string{"no header X-Secret"}},
		{"whatever the case of it", func(x *Exchange) { x.Header.Set("x-SECRET", "1") }, []string{"no header X-Secret"}},
		{"a header of HTTP that tells the client something", func(x *Exchange) {
			for _, name := range []string{"ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "Set-Cookie", "WWW-Authenticate"} {
				x.Header.Set(name, "1")
			}
		}, []string{
			"no header Etag", "no header Location", "no header Ratelimit here", "no header Ratelimit-Policy", "no header Retry-After",
			"no header Set-Cookie", "no header Www-Authenticate",
		}},
		{"the server's own business", func(x *Exchange) { x.Header.Set("Date", "today"); x.Header.Set("Vary", "*") }, nil},
		{"a header that any answer may have", func(x *Exchange) { x.Header.Set("X-Trace", "abc") }, nil},
		{"and that is wrong", func(x *Exchange) { x.Header.Set("X-Trace", "abcd") }, []string{"header X-Trace /: maxLength"}},
		{"a body that should not be", func(x *Exchange) { get(map[string][]string{"must": {""}})(x); bare(x); x.Status = 204 }, []string{"no body with status 204"}},
		{"a request that should have been refused", func(x *Exchange) { x.RequestBody = []byte(`{"nome": "n"}`) }, []string{"missing property 'name'", "'nome' not allowed"}},
		{"no body where one is required", func(x *Exchange) { x.RequestBody = nil }, []string{"did without a body"}},
		{"a body of another type", func(x *Exchange) { x.RequestHeader.Set("Content-Type", "text/plain") }, []string{`took a body of type "text/plain"`}},
		{"a body without a type is JSON", func(x *Exchange) { x.RequestHeader.Del("Content-Type") }, nil},
		{"a body that is none", func(x *Exchange) { x.RequestBody = []byte("name") }, []string{"took a body that is not JSON"}},
		{"parameters of all kinds", get(map[string][]string{"limit": {"9"}, "tag": {"a", "b"}, "open": {"true"}, "must": {"x"}}), nil},
		{"parameters that should have been refused", get(map[string][]string{"limit": {"10"}, "tag": {"c"}, "open": {"maybe"}, "must": {"x", "y"}, "more": {"1"}}), []string{
			"maximum: got 10, want 9", "value must be one of 'a', 'b'", "got string, want boolean", "got null, want string", `took parameter "more"`,
		}},
		{"a required parameter left out", get(nil), []string{`did without parameter "must"`}},
		{"a header of the request", func(x *Exchange) {
			get(map[string][]string{"must": {""}})(x)
			x.RequestHeader.Set("X-Kind", "long")
		}, []string{"maxLength: got 4, want 3"}},
		{"a GET asked for by its head", func(x *Exchange) {
			get(map[string][]string{"must": {""}})(x)
			x.Method, x.Body = http.MethodHead, nil
		}, nil},
		{"a placeholder", func(x *Exchange) { get(nil)(x); x.Path = "/things/7" }, nil},
		{"a body for who wants none", func(x *Exchange) { get(nil)(x); x.Path, x.RequestBody = "/things/7", []byte(`{"a": 1}`) }, []string{"took a body"}},
		{"an empty object is as good as no body", func(x *Exchange) { get(nil)(x); x.Path, x.RequestBody = "/things/7", []byte(`{}`) }, nil},
		{"the literal path wins, and text is text", func(x *Exchange) {
			get(nil)(x)
			bare(x)
			x.Path, x.Body = "/things/all", []byte("x")
			x.Header.Set("Content-Type", "text/plain")
		}, []string{"minLength: got 1, want 2"}},
		{"an unknown path that is answered", func(x *Exchange) { x.Path = "/other" }, []string{"no such operation"}},
		{"a preflight", func(x *Exchange) { bare(x); x.Method, x.Status, x.Body = "OPTIONS", 204, nil }, nil},
		{"a preflight that is answered otherwise", func(x *Exchange) { bare(x); x.Method, x.Status = "OPTIONS", 200 }, []string{"no status 200"}},
		{"an unknown path that is refused", func(x *Exchange) { bare(x); x.Path, x.Status, x.Body = "/other", 404, []byte(`{"error": 1}`) }, nil},
		{"refused in no known way", func(x *Exchange) { bare(x); x.Path, x.Status, x.Body = "/other", 404, []byte(`{}`) }, []string{"missing property 'error'"}},
		{"an unknown method", func(x *Exchange) { bare(x); x.Method, x.Status, x.Body = "PUT", 405, []byte(`{"error": 1}`) }, nil},
		{"a known path is not found", func(x *Exchange) { bare(x); x.Method, x.Status, x.Body = "PUT", 404, []byte(`{"error": 1}`) }, []string{"is that there is none"}},
	} {
		got := v.Check(good(test.change))
		slices.Sort(got)
		if !matching(got, test.want) {
			t.Errorf("%s: %q, want %q", test.reason, got, test.want)
		}
	}
}

// matching reports whether each problem has one of the parts and each part one
// problem.
func matching(problems, parts []string) bool {
	if len(problems) != len(parts) {
		return false
	}
	for _, part := range parts {
		if !slices.ContainsFunc(problems, func(problem string) bool { return strings.Contains(problem, part) }) {
			return false
		}
	}
	return true
}

func TestNewRefusesWhatIsNoSchema(t *testing.T) {
	for _, broken := range []string{
		strings.Replace(things, "enum: [a, b]", "pattern: '['", 1),
		strings.Replace(things, `"#/components/schemas/Tag"`, `"#/components/schemas/Tug"`, 1),
		strings.Replace(things, "format: date-time}", "pattern: '('}", 1),
	} {
		if _, err := New(document(t, broken)); err == nil {
			t.Error("a schema that is none is taken")
		}
	}
}

func TestExamples(t *testing.T) {
	text := strings.ReplaceAll(things, `content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}`,
		`content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}, example: {"name": 1}, examples: {fine: {value: {"name": "n"}}, odd: {value: {}}}}}`)
	v, err := New(document(t, text))
	if err != nil {
		t.Fatal(err)
	}
	// In the body of POST and in the answers of three operations: two each.
	if problems := v.Examples(); len(problems) != 8 {
		t.Errorf("%d problems: %q", len(problems), problems)
	}
}

// An example may lack members, if it says so, and be wrong in nothing else.
func TestAbbreviatedExamples(t *testing.T) {
	const body, brief = `
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}`, `
        content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}, examples: {brief: EXAMPLE}}}`
	for _, test := range []struct {
		reason, example string
		want            []string
	}{
		{"a member is left out", `{x-abbreviated: true, value: {"at": null}}`, nil},
		{"without a word", `{value: {"at": null}}`, []string{"missing property 'name'"}},
		{"nothing is left out", `{x-abbreviated: true, value: {"name": "n"}}`, []string{"lacks nothing"}},
		{"something else is wrong", `{x-abbreviated: true, value: {"at": "noon"}}`, []string{"'noon' is not valid date-time"}},
	} {
		text := strings.Replace(things, body, strings.Replace(brief, "EXAMPLE", test.example, 1), 1)
		v, err := New(document(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Examples(); text == things || !matching(got, test.want) {
			t.Errorf("%s: %q, want %q", test.reason, got, test.want)
		}
	}
}

// What comes by another way than as an answer is held against a schema by its name.
func TestMessage(t *testing.T) {
	v, err := New(document(t, things))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		`{"name": "n"}`: nil, `{"nome": 1}`: {"missing property 'name'", "'nome' not allowed"}, `{`: {"is not JSON"},
	} {
		if got := v.Message("Thing", []byte(text)); !matching(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestText(t *testing.T) {
	if got := good(func(*Exchange) {}).Text(); got != `POST /things answered 200 {"name": "n"}` {
		t.Errorf("%q", got)
	}
}
