package openapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
)

const small = `
openapi: 3.1.0
info: {title: Small, version: "1", description: "Says *hello* to <b>nobody</b>."}
servers: [{url: /}]
security: [{key: []}]
tags: [{name: First Things, description: One.}]
paths:
  /things/{id}:
    parameters: [{$ref: "#/components/parameters/ID"}]
    put:
      operationId: putThing
      tags: [First Things]
      summary: Put a thing
      requestBody:
        content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}, example: {"name": "it's"}}}
      responses:
        "200": {$ref: "#/components/responses/Thing"}
    get:
      operationId: getThing
      tags: [First Things]
      summary: Get a thing
      security: []
      responses:
        "200": {$ref: "#/components/responses/Thing"}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key, description: A key.}
  parameters:
    ID: {name: id, in: path, required: true, description: Which., schema: {type: string}}
  headers:
    ETag: {description: Names the version., schema: {type: string}}
  responses:
    Thing:
      description: The thing.
      headers: {ETag: {$ref: "#/components/headers/ETag"}}
      content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}, example: {"name": "a<b", "price": 1.50}}}
`

const schemas = `
tags: [{name: Later Things, description: None.}]
components:
  schemas:
    Thing:
      type: object
      required: [name]
      properties:
        name: {type: string, minLength: 1, maxLength: 9, pattern: ^a}
        price: {type: [number, "null"], minimum: 0, default: 50000.0}
        parts: {type: array, items: {type: object, properties: {kind: {type: string, enum: [x, y]}}}}
        alias: &text {type: string, format: uuid}
        other: *text
`

func load(t *testing.T, files map[string]string) (*Document, error) {
	t.Helper()
	system := fstest.MapFS{}
	for name, content := range files {
		system[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return Load(system, "$URL")
}

func mustLoad(t *testing.T) *Document {
	t.Helper()
	d, err := load(t, map[string]string{"1.yaml": small, "2.yaml": schemas})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLoadMergesFiles(t *testing.T) {
	d := mustLoad(t)
	text := string(d.JSON())
	if !json.Valid(d.JSON()) {
		t.Fatalf("no JSON: %s", text)
	}
	for _, want := range []string{
		`{"openapi":"3.1.0","info":`, // in the order of the file
		`"tags":[{"name":"First Things","description":"One."},{"name":"Later Things","description":"None."}]`,
		`"default":50000.0`,          // with the digits of the file
		`"other":{"type":"string"`,   // an alias is what it stands for
		`"example":{"name":"a<b","p`, // readable
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	operations := d.Operations()
	if len(operations) != 2 || operations[0].Method != http.MethodGet || operations[1].Path != "/things/{id}" {
		t.Fatalf("operations: %+v", operations)
	}
	if parameters := operations[0].Parameters; len(parameters) != 1 || parameters[0].Name != "id" {
		t.Errorf("the path's parameters are the operation's too: %+v", parameters)
	}
	if response, ok := operations[0].Responses.Get("200"); !ok || response.Description != "The thing." {
		t.Errorf("references are followed: %+v", response)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, test := range []struct {
		reason string
		files  map[string]string
		want   string
	}{
		{"nothing", nil, "has no files"},
		{"no YAML", map[string]string{"1.yaml": "a: ["}, "1.yaml"},
		{"no mapping", map[string]string{"1.yaml": "- a"}, "not one mapping"},
		{"an empty file", map[string]string{"1.yaml": ""}, "not one mapping"},
		{"an older edition", map[string]string{"1.yaml": "openapi: 3.0.3"}, `OpenAPI "3.0.3"`},
		{"the same schema twice", map[string]string{"1.yaml": small, "2.yaml": schemas, "3.yaml": schemas}, "/components/schemas/Thing is in another file already"},
		{"the same method twice", map[string]string{"1.yaml": small, "2.yaml": "paths: {'/things/{id}': {get: {}}}"}, "/paths//things/{id}/get is in"},
		{"a member twice", map[string]string{"1.yaml": "openapi: 3.1.0\nopenapi: 3.1.0"}, "openapi"},
		{"a number that JSON doesn't know", map[string]string{"1.yaml": "openapi: 3.1.0\nx-n: 0x10"}, "not how JSON writes it"},
		{"paths that are none", map[string]string{"1.yaml": "openapi: 3.1.0\npaths: []"}, "must be a mapping"},
		{"a response that is not there", map[string]string{"1.yaml": `
openapi: 3.1.0
paths: {/a: {get: {responses: {"200": {$ref: "#/components/responses/No"}}}}}`}, "GET /a: #/components/responses/No is not there"},
		{"a parameter that is not there", map[string]string{"1.yaml": `
openapi: 3.1.0
paths: {/a: {get: {parameters: [{$ref: "#/components/schemas/No"}], responses: {}}}}`}, "is not there"},
		{"a header that is not there", map[string]string{"1.yaml": `
openapi: 3.1.0
paths: {/a: {get: {responses: {"200": {headers: {X: {$ref: "#/components/headers/No"}}}}}}}`}, "is not there"},
	} {
		if _, err := load(t, test.files); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.reason, err, test.want)
		}
	}
}

func TestPage(t *testing.T) {
	page := string(mustLoad(t).page)
	for _, want := range []string{
		`<a href="#first-things">First Things</a>`, `<article id="getThing">`, `href="#schema-Thing"`,
		"<em>hello</em>",                     // CommonMark
		"Open to everybody.", "Needs one of", // by the operation's own security
		`curl &#34;$URL/things/$id&#34;`,
		`curl -X PUT`, `it&#39;\&#39;&#39;s`, // a quote inside of a shell's quotes
		"parts[].kind", "one of x, y", "matches ^a", "at most 9 characters", "at least 0", "default 50000.0",
		"number or null", "string (uuid)", "&#34;a&lt;b&#34;",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if hash := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(contentSecurityPolicy, "'sha256-"+hash+"'") {
		t.Error("the policy forbids the page's own style")
	}
	if strings.Contains(page, "<b>nobody</b>") {
		t.Error("HTML of a description gets through")
	}
}

func TestDescribe(t *testing.T) {
	null := &Schema{Type: oneOrMany{"null"}}
	thing := &Schema{Ref: "#/components/schemas/Thing"}
	for want, schema := range map[string]*Schema{
		"":                        nil,
		"Thing or null":           {OneOf: []*Schema{thing, null}},
		"null or Thing":           {AnyOf: []*Schema{null, thing}},
		"array of Thing or null":  {Type: oneOrMany{"array", "null"}, Items: thing},
		"string (date) or number": {OneOf: []*Schema{{Type: oneOrMany{"string"}, Format: "date"}, {Type: oneOrMany{"number"}}}},
	} {
		if got := describe(schema); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := link(&Schema{Items: thing}); got != "Thing" {
		t.Errorf("an array links to what it holds: %q", got)
	}
}
