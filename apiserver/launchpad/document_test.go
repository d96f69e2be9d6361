package launchpad_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/launchpad"
	"github.com/lucid-blockchain/lucid/apiserver/openapi"
	"github.com/lucid-blockchain/lucid/apiserver/openapi/conformance"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
)

// documented is the surface's document.
func documented() *openapi.Document { return launchpad.New(launchpad.Domain{}).Document() }

var routeParameter = regexp.MustCompile(`:(\w+)`)

// served lists the surface's routes, spelled as the document spells them.
var served = sync.OnceValue(func() []string {
	app := fiber.New()
	launchpad.New(launchpad.Domain{}).Register(app)
	var routes []string
	for _, r := range app.GetRoutes(true) {
		if r.Method != fiber.MethodHead { // Fiber's own companion of GET
			routes = append(routes, r.Method+" "+routeParameter.ReplaceAllString(r.Path, "{$1}"))
		}
	}
	slices.Sort(routes)
	return slices.Compact(routes)
})

// TestEveryRouteIsDocumented, and nothing else is.
func TestEveryRouteIsDocumented(t *testing.T) {
	var described []string
	for _, o := range documented().Operations() {
		described = append(described, o.Method+" "+o.Path)
	}
	for _, route := range served() {
		if !slices.Contains(described, route) {
			t.Errorf("%s is served and not in the document", route)
		}
	}
	for _, operation := range described {
		if !slices.Contains(served(), operation) {
			t.Errorf("%s is in the document and not served", operation)
		}
	}
}

// TestOperationsAreComplete: placeholders are described, ids are unique, tags
// are known, and whoever needs to say who calls can be told that they didn't.
func TestOperationsAreComplete(t *testing.T) {
	placeholders := regexp.MustCompile(`\{(\w+)\}`)
	ids := map[string]bool{}
	for _, o := range documented().Operations() {
		name := o.Method + " " + o.Path
		var want, got []string
		for _, found := range placeholders.FindAllStringSubmatch(o.Path, -1) {
			want = append(want, found[1])
		}
		for _, p := range o.Parameters {
			if p.In == "path" {
				got = append(got, p.Name)
				if !p.Required {
					t.Errorf("%s: %s is part of the path and not required", name, p.Name)
				}
			}
			if p.Description == "" || p.Schema == nil {
				t.Errorf("%s: parameter %s has no description or no schema", name, p.Name)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s: path parameters %v, described %v", name, want, got)
		}
		if o.ID == "" || ids[o.ID] || o.Summary == "" || len(o.Tags) != 1 {
			t.Errorf("%s: operationId %q, summary %q, tags %v", name, o.ID, o.Summary, o.Tags)
		}
		ids[o.ID] = true
		if o.Path == "/health" {
			continue // exempt from identity, limits and maintenance
		}
		for _, status := range []string{"401", "429", "503"} {
			if _, there := o.Responses.Get(status); !there {
				t.Errorf("%s: the chain can answer %s, the document doesn't say so", name, status)
			}
		}
	}
}

// TestDocumentsExamples: every example in the document is one of its schema.
func TestDocumentsExamples(t *testing.T) {
	validator, err := conformance.New(documented())
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range validator.Examples() {
		t.Error(problem)
	}
}

// TestDocumentHasTheSeedsExamples: every answer that the seed prints is an
// example of the document, word for word.
func TestDocumentHasTheSeedsExamples(t *testing.T) {
	endpoints, _ := readSeed(t)
	compared := 0
	for _, endpoint := range endpoints {
		for _, printed := range append(endpoint.Failures, endpoint.Success) {
			if printed.Abbreviated {
				continue // as a "full chain object", which is an example of GET
			}
			compared++
			if !slices.ContainsFunc(examplesOf(t, endpoint.Name(), printed.Status), func(example any) bool {
				return reflect.DeepEqual(example, decoded(t, printed.Body))
			}) {
				t.Errorf("%s: the printed %d %q is no example of the document", endpoint.Name(), printed.Status, printed.Label)
			}
		}
	}
	t.Logf("%d printed answers are examples of the document", compared)
}

// examplesOf are the examples of an operation's answers of one status.
func examplesOf(t *testing.T, operation string, status int) []any {
	t.Helper()
	var examples []any
	for _, o := range documented().Operations() {
		response, there := o.Responses.Get(strconv.Itoa(status))
		if o.Method+" "+o.Path != operation || !there {
			continue
		}
		for _, media := range response.Content {
			for _, example := range media.Value.All() {
				text, err := example.Value.Value.JSON()
				if err != nil {
					t.Fatal(err)
				}
				examples = append(examples, decoded(t, text))
			}
		}
	}
	return examples
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// operations are those under /api/v1, with paths on which they can be asked.
func operations(t *testing.T, chain string, ask func(o *openapi.Operation, path string)) {
	t.Helper()
	asked := 0
	for _, o := range documented().Operations() {
		path, there := strings.CutPrefix(strings.NewReplacer("{id}", chain, "{address}", seedAddress, "{block}", "1", "{hash}", strings.Repeat("0", 64)).Replace(o.Path), "/api/v1")
		if there {
			ask(o, path)
			asked++
		}
	}
	t.Logf("%d operations", asked)
}

// TestQueriesAreDocumented sends each operation every parameter that the document has
// for it and one that it doesn't have: that one is refused, and of an operation
// without a body nothing else is.
func TestQueriesAreDocumented(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	operations(t, p.launched(user, "Queried", ""), func(o *openapi.Operation, path string) {
		query := "unheard_of=1"
		for _, parameter := range o.Parameters {
			if parameter.In == "query" {
				query += "&" + parameter.Name + "=" + sampleOf(parameter)
			}
		}
		got := details(t, p.as(user, o.Method, path+"?"+query, ""))
		want := map[string]string{"unheard_of": "is not a known parameter"}
		if got["unheard_of"] != want["unheard_of"] || o.RequestBody == nil && !maps.Equal(got, want) {
			t.Errorf("%s %s?%s: %v", o.Method, o.Path, query, got)
		}
	})
}

// TestBodiesAreDocumented sends each operation a member that the document doesn't have
// for it, also where there is no body at all.
func TestBodiesAreDocumented(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	chain := p.launched(user, "Unembodied", "")
	operations(t, chain, func(o *openapi.Operation, path string) {
		got := details(t, p.as(user, o.Method, path, `{"unheard_of": 1}`))
		want := map[string]string{"unheard_of": "is not a known field"}
		if got["unheard_of"] != want["unheard_of"] || o.RequestBody == nil && !maps.Equal(got, want) {
			t.Errorf("%s %s: %v", o.Method, o.Path, got)
		}
		if o.RequestBody != nil {
			return
		}
		for body, message := range map[string]string{"{": "Invalid JSON payload", "[]": "Invalid JSON payload"} {
			expect(t, p.as(user, o.Method, path, body), http.StatusBadRequest, "BAD_REQUEST", message)
		}
		form := p.as(user, o.Method, path, "a=b", "Content-Type", "application/x-www-form-urlencoded")
		expect(t, form, http.StatusBadRequest, "BAD_REQUEST", "Content-Type must be application/json")
	})
	for _, body := range []string{"", "{}"} {
		if answer := p.as(user, http.MethodPost, "/auth/logout", body); answer.Status != http.StatusOK {
			t.Errorf("%q says nothing: %d %s", body, answer.Status, answer.Body)
		}
	}
	stranger := p.Do(http.MethodDelete, "/api/v1/chains/"+chain+"?x=1", `{"unheard_of": 1}`)
	expect(t, stranger, http.StatusUnauthorized, "UNAUTHORIZED", "Authentication required")
}

// sampleOf is a value that a parameter's schema allows.
func sampleOf(p *openapi.Parameter) string {
	schema := p.Schema
	if schema.Items != nil {
		schema = schema.Items
	}
	switch {
	case len(schema.Enum) > 0:
		return schema.Enum[0].String()
	case schema.Format == "uuid":
		return seedChain
	case p.Name == "end":
		return "2024-01-15T11:00:00Z" // behind the start
	case schema.Format == "date-time":
		return "2024-01-15T10:00:00Z"
	case slices.Equal(schema.Type, []string{"boolean"}):
		return "true"
	case slices.Equal(schema.Type, []string{"integer"}):
		return "1"
	case strings.HasSuffix(schema.Ref, "/ChainStatus"):
		return "draft"
	case strings.HasSuffix(schema.Ref, "/Side"), strings.HasSuffix(schema.Ref, "/GraduatedKind"):
		return "buy"
	case strings.HasSuffix(schema.Ref, "/Address"):
		return seedAddress
	}
	return "any"
}

// TestDocumentIsServed to everybody, as JSON and as a page, and only once to
// clients that keep it.
func TestDocumentIsServed(t *testing.T) {
	client := surfacetest.Serve(t, launchpad.New(launchpad.Domain{}), nil)
	document := client.Do(http.MethodGet, "/openapi.json", "")
	var head struct{ OpenAPI string }
	if err := json.Unmarshal(document.Body, &head); err != nil || document.Status != http.StatusOK || head.OpenAPI != "3.1.0" {
		t.Errorf("%d, OpenAPI %q, %v", document.Status, head.OpenAPI, err)
	}
	page := client.Do(http.MethodGet, "/docs", "")
	for _, want := range []string{
		"<!doctype html>", `id="createChain"`, `id="schema-Chain"`, "$LUCID_LAUNCHPAD_URL/api/v1/chains", "must contain only uppercase letters",
	} {
		if !strings.Contains(string(page.Body), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, foreign := range []string{"<script", "src=", "@import", "url(", " style="} {
		if strings.Contains(string(page.Body), foreign) {
			t.Errorf("the page is not on its own: %s", foreign)
		}
	}
	for path, first := range map[string]surfacetest.Answer{"/openapi.json": document, "/docs": page} {
		if policy := first.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if first.Header.Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s: Cache-Control %q", path, first.Header.Get("Cache-Control"))
		}
		again := client.Do(http.MethodGet, path, "", "If-None-Match", first.Header.Get("ETag"))
		if again.Status != http.StatusNotModified || len(again.Body) > 0 {
			t.Errorf("%s: status %d with %d bytes for who has it", path, again.Status, len(again.Body))
		}
	}
}
