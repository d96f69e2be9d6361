// Package conformance holds what a surface answers against its OpenAPI document:
// an undocumented route, status, header, member or type is an error, and so is a
// request that the surface took although the document forbids it. It is for
// tests; nothing that serves requests imports it.
package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/lucid-blockchain/lucid/apiserver/openapi"
)

// Exchange is a request and its answer.
type Exchange struct {
	Method        string
	Path          string // without the query
	Query         map[string][]string
	RequestHeader http.Header
	RequestBody   []byte
	Status        int
	Header        http.Header
	Body          []byte
}

// Validator knows one document. It is safe for concurrent use.
type Validator struct {
	document tree
	routes   []route
	compiler *jsonschema.Compiler

	mu       sync.Mutex // compiling is not safe for concurrent use
	compiled map[string]*jsonschema.Schema
}

// location is the document's name among the compiler's resources.
const location = "lucid:///openapi.json"

// New reads a document. It refuses one whose references lead nowhere or whose
// schemas are none.
func New(d *openapi.Document) (*Validator, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.JSON()))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	v := &Validator{document: tree{root: document}, compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	v.compiler.AssertFormat()
	v.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := v.compiler.AddResource(location, document); err != nil {
		return nil, fmt.Errorf("take the document in: %w", err)
	}
	for _, operation := range d.Operations() {
		v.routes = append(v.routes, newRoute(operation))
	}
	// The most literal path wins, as with the router.
	slices.SortStableFunc(v.routes, func(a, b route) int { return a.placeholders() - b.placeholders() })
	return v, v.compileAll()
}

// Check lists how an exchange differs from the document.
func (v *Validator) Check(x Exchange) []string {
	matched, known := v.find(x.Method, x.Path)
	if matched == nil {
		return v.checkUnrouted(x, known)
	}
	problems := v.checkAnswer(x, matched.at("responses"))
	if x.Status >= 200 && x.Status < 300 {
		problems = append(problems, v.checkRequest(x, *matched)...)
	}
	return problems
}

// find returns the route of a request; where there is none it says whether the
// path is known by other methods.
func (v *Validator) find(method, path string) (found *route, known bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i, r := range v.routes {
		if !r.matches(path) {
			continue
		}
		if known = true; r.Method == method {
			return &v.routes[i], true
		}
	}
	return nil, known
}

// checkUnrouted is for requests that no operation is there for: they must be
// refused in one of the ways that the document names for that. A browser's
// preflight asks on an operation's behalf and may be answered.
func (v *Validator) checkUnrouted(x Exchange, known bool) []string {
	const unrouted = "/x-unrouted-responses"
	if x.Status < 400 && x.Method != http.MethodOptions {
		return []string{"the document has no such operation"}
	}
	if x.Status == http.StatusNotFound && known {
		return []string{"the document has the path, and the answer is that there is none"}
	}
	return v.checkAnswer(x, unrouted)
}

// checkAnswer holds status, headers and body against a set of responses.
func (v *Validator) checkAnswer(x Exchange, responses string) []string {
	response, at, ok := v.document.get(responses, strconv.Itoa(x.Status))
	if !ok {
		return []string{fmt.Sprintf("the document has no status %d here", x.Status)}
	}
	problems := v.checkHeaders(x.Header, response, at)
	content, _ := response["content"].(map[string]any)
	if x.Method == http.MethodHead {
		return problems
	}
	if content == nil {
		if len(x.Body) > 0 {
			problems = append(problems, fmt.Sprintf("the document has no body with status %d", x.Status))
		}
		return problems
	}
	media, _, err := mime.ParseMediaType(x.Header.Get("Content-Type"))
	if _, known := content[media]; err != nil || !known {
		return append(problems, fmt.Sprintf("the document has no body of type %q with status %d", x.Header.Get("Content-Type"), x.Status))
	}
	return append(problems, v.checkBody("answer", x.Body, media, pointer(at, "content", media, "schema"))...)
}

// commonHeaders is where a document says which headers any answer may have: OpenAPI
// knows only those of single responses.
const commonHeaders = "/x-common-headers"

// telling are the headers that mean something to a client of the surface: HTTP's own
// are the server's business. Those with a dash at the end are families.
var telling = []string{
	"X-", "Ratelimit", "Ratelimit-", "Idempotency-", "Retry-After", "Location", "Etag", "Www-Authenticate", "Set-Cookie",
}

func tells(name string) bool {
	return slices.ContainsFunc(telling, func(known string) bool {
		return name == known || strings.HasSuffix(known, "-") && strings.HasPrefix(name, known)
	})
}

// checkHeaders looks for what must be there, at the values of what is, and for what
// nobody has described.
func (v *Validator) checkHeaders(header http.Header, response map[string]any, at string) []string {
	own, _ := response["headers"].(map[string]any)
	problems := append(v.checkDeclared(header, own, pointer(at, "headers")),
		v.checkDeclared(header, v.document.object(commonHeaders), commonHeaders)...)
	described := map[string]bool{}
	for _, declared := range []map[string]any{own, v.document.object(commonHeaders)} {
		for name := range declared {
			described[http.CanonicalHeaderKey(name)] = true
		}
	}
	for name := range header {
		if name = http.CanonicalHeaderKey(name); tells(name) && !described[name] {
			problems = append(problems, "the document has no header "+name+" here")
		}
	}
	return problems
}

func (v *Validator) checkDeclared(header http.Header, declared map[string]any, at string) []string {
	var problems []string
	for name := range declared {
		definition, where, ok := v.document.get(at, name)
		value := header.Get(name)
		switch {
		case !ok:
			problems = append(problems, "header "+name+" is defined nowhere")
		case value != "":
			problems = append(problems, v.validate("header "+name, pointer(where, "schema"), v.typed(value, pointer(where, "schema")))...)
		case definition["required"] == true:
			problems = append(problems, "header "+name+" is missing")
		}
	}
	return problems
}

// Message lists how a JSON text breaks one of the document's schemas: a message of a
// WebSocket belongs to no operation's answer.
func (v *Validator) Message(schema string, text []byte) []string {
	return v.checkBody("message", text, "application/json", pointer("/components/schemas", schema))
}

func (v *Validator) checkBody(what string, body []byte, media, schema string) []string {
	if !strings.HasSuffix(media, "json") {
		return v.validate(what, schema, string(body))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return []string{fmt.Sprintf("the %s is not JSON: %v", what, err)}
	}
	return v.validate(what, schema, value)
}

// validate lists where a value breaks the schema at a place of the document.
func (v *Validator) validate(what, schema string, value any) []string {
	compiled, err := v.compile(schema)
	if err != nil {
		return []string{err.Error()}
	}
	err = compiled.Validate(value)
	if err == nil {
		return nil
	}
	var broken *jsonschema.ValidationError
	if !errors.As(err, &broken) {
		return []string{err.Error()}
	}
	var problems []string
	for _, leaf := range leaves(broken) {
		problems = append(problems, fmt.Sprintf("%s %s: %s", what, "/"+strings.Join(leaf.InstanceLocation, "/"), leaf.ErrorKind.LocalizedString(english)))
	}
	return problems
}

// missing begins what the schema's compiler says of a member that is not there.
const missing = "missing propert"

var english = message.NewPrinter(language.English)

// leaves are the causes that have no further cause.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

func (v *Validator) compile(schema string) (*jsonschema.Schema, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.compiled[schema]; ok {
		return known, nil
	}
	compiled, err := v.compiler.Compile(location + "#" + schema)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", schema, err)
	}
	v.compiled[schema] = compiled
	return compiled, nil
}

// compileAll finds out at once what no test might happen to touch.
func (v *Validator) compileAll() error {
	for _, r := range v.routes {
		for status := range v.document.object(r.at("responses")) {
			response, at, ok := v.document.get(r.at("responses"), status)
			if !ok {
				return fmt.Errorf("%s %s: status %s is defined nowhere", r.Method, r.Path, status)
			}
			content, _ := response["content"].(map[string]any)
			for media := range content {
				if _, err := v.compile(pointer(at, "content", media, "schema")); err != nil {
					return err
				}
			}
		}
		for _, parameter := range v.parameters(r) {
			if _, err := v.compile(parameter.schema); err != nil {
				return err
			}
		}
	}
	for name := range v.document.object("/components/schemas") {
		if _, err := v.compile(pointer("/components/schemas", name)); err != nil {
			return err
		}
	}
	return nil
}

// Examples checks every example of the document against its schema.
func (v *Validator) Examples() []string {
	var problems []string
	for _, r := range v.routes {
		if body, at, ok := v.document.get(r.pointer, "requestBody"); ok {
			problems = append(problems, r.prefixed("body", v.checkExamples(body, at))...)
		}
		for status := range v.document.object(r.at("responses")) {
			response, at, _ := v.document.get(r.at("responses"), status)
			problems = append(problems, r.prefixed(status, v.checkExamples(response, at))...)
		}
	}
	slices.Sort(problems)
	return problems
}

func (v *Validator) checkExamples(holder map[string]any, at string) []string {
	content, _ := holder["content"].(map[string]any)
	var problems []string
	for media := range content {
		schema := pointer(at, "content", media, "schema")
		body := v.document.object(pointer(at, "content", media))
		if example, ok := body["example"]; ok {
			problems = append(problems, v.validate("example", schema, example)...)
		}
		several, _ := body["examples"].(map[string]any)
		for name := range several {
			example, _ := several[name].(map[string]any)
			problems = append(problems, v.checkExample(name, schema, example)...)
		}
	}
	return problems
}

// checkExample allows an example that says it is abbreviated to lack members.
func (v *Validator) checkExample(name, schema string, example map[string]any) []string {
	problems := v.validate("example "+name, schema, example["value"])
	if example["x-abbreviated"] != true {
		return problems
	}
	if len(problems) == 0 {
		return []string{"example " + name + " is said to be abbreviated, and lacks nothing"}
	}
	return slices.DeleteFunc(problems, func(problem string) bool { return strings.Contains(problem, ": "+missing) })
}

// Text says which exchange the problems are of.
func (x Exchange) Text() string {
	return fmt.Sprintf("%s %s answered %d %s", x.Method, x.Path, x.Status, json.RawMessage(x.Body))
}
