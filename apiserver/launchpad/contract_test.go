package launchpad_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
)

// The ids that the seed's examples use.
const (
	seedChain    = "650e8400-e29b-41d4-a716-446655440001"
	seedTemplate = "550e8400-e29b-41d4-a716-446655440000"
	ourTemplate  = "550e8400-e29b-41d4-a716-446655441001"
)

// TestAnswersHaveTheSeedsShape holds every success answer that the seed prints
// against ours, member by member.
func TestAnswersHaveTheSeedsShape(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.launched(user, "Shapely", `, "creator_initial_purchase_cnpy": 1000, "template_id": "`+ourTemplate+`"`)
	pool := p.ok(user, http.StatusOK, http.MethodGet, "/chains/"+id+"/virtual-pool", "")["id"].(string)
	scrap := p.draft(user, "Scrap", "")
	for _, route := range []struct{ method, path, example, reason string }{
		{http.MethodGet, "/templates", "templates.json", "twelve members of a template"},
		{http.MethodGet, "/chains", "chains.json", "a launched chain and a draft have the same members"},
		{http.MethodGet, "/chains/" + id, "chain.json", "a launched chain"},
		{http.MethodGet, "/chains/" + scrap, "chain.json", "a draft, nulls included"},
		{http.MethodGet, "/virtual-pools", "virtual_pools.json", "24-hour fields included"},
		{http.MethodGet, "/virtual-pools/" + pool, "virtual_pool.json", "by the pool's id"},
		{http.MethodGet, "/virtual-pools/" + id, "virtual_pool.json", "by the chain's id (docs/domain.md §9)"},
		{http.MethodGet, "/chains/" + id + "/virtual-pool", "virtual_pool.json", "the chain's pool"},
		{http.MethodGet, "/chains/" + id + "/transactions", "transactions.json", "the creator's purchase"},
		{http.MethodDelete, "/chains/" + scrap, "chain_deleted.json", "a sentence and nothing else"},
	} {
		t.Run(route.method+" "+route.example, func(t *testing.T) {
			answer := p.as(user, route.method, route.path, "")
			if answer.Status != http.StatusOK {
				t.Fatalf("%s: status %d: %s", route.reason, answer.Status, answer.Body)
			}
			surfacetest.MatchesExample(t, answer, route.example)
		})
	}
	surfacetest.MatchesExample(t, p.Do(http.MethodGet, "/health", ""), "health.json")
	surfacetest.MatchesExample(t, p.as(user, http.MethodGet, "/virtual-pools?limit=0", ""), "validation_error.json")
	surfacetest.MatchesExample(t, p.as(user, http.MethodGet, "/chains/"+seedChain, ""), "error.json")
}

// TestNewChainIsAFullChain: the seed abbreviates the answer of POST /chains as
// "full chain object".
func TestNewChainIsAFullChain(t *testing.T) {
	p := newPlatform(t)
	answer := p.as(uuid.New(), http.MethodPost, "/chains", `{"chain_name": "Full", "token_symbol": "FULL"}`)
	if answer.Status != http.StatusCreated {
		t.Fatalf("status %d: %s", answer.Status, answer.Body)
	}
	surfacetest.MatchesExample(t, answer, "chain.json")
}

// curl is one example of the seed.
type curl struct {
	method, url, body string
	header            [][2]string
}

var (
	curlStart  = regexp.MustCompile(`curl -X (\w+) "?(http://localhost:3001[^"\s]*)"?`)
	curlHeader = regexp.MustCompile(`-H "([^:"]+): ([^"]+)"`)
	curlBody   = regexp.MustCompile(`(?s)-d '(.*?)'`)
)

// readCurls takes the seed's examples apart as a shell would.
func readCurls(t *testing.T, file string) []curl {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var found []curl
	for _, example := range strings.Split(string(text), "curl ")[1:] {
		example = "curl " + example
		start := curlStart.FindStringSubmatch(example)
		if start == nil {
			t.Fatalf("not understood: %s", example)
		}
		one := curl{method: start[1], url: start[2]}
		for _, header := range curlHeader.FindAllStringSubmatch(example, -1) {
			one.header = append(one.header, [2]string{header[1], header[2]})
		}
		if body := curlBody.FindStringSubmatch(example); body != nil {
			one.body = body[1]
		}
		found = append(found, one)
	}
	return found
}

// request is the example with ids of things that exist.
func (c curl) request(ids *strings.Replacer) *http.Request {
	request := httptest.NewRequest(c.method, ids.Replace(c.url), strings.NewReader(ids.Replace(c.body)))
	for _, header := range c.header {
		request.Header.Set(header[0], header[1])
	}
	return request
}

// TestSeedsCurlExamples runs the seed's commands as they are printed, with the
// ids of a chain that exists.
func TestSeedsCurlExamples(t *testing.T) {
	p := newPlatform(t)
	user := uuid.MustParse("550e8400-e29b-41d4-a716-446655440000")
	id := p.launched(user, "Exemplary", `, "creator_initial_purchase_cnpy": 100`)
	scrap := p.draft(user, "To be deleted", "")
	examples := readCurls(t, "curl_examples.txt")
	if len(examples) < 11 {
		t.Fatalf("only %d examples read", len(examples))
	}
	for _, example := range examples {
		target, status := id, http.StatusOK
		switch example.method {
		case http.MethodDelete:
			target = scrap // only a draft can be deleted
		case http.MethodPost:
			status = http.StatusCreated
		}
		ids := strings.NewReplacer(seedChain, target, seedTemplate, ourTemplate)
		if answer := p.Send(example.request(ids)); answer.Status != status {
			t.Errorf("%s %s: status %d, want %d: %s", example.method, example.url, answer.Status, status, answer.Body)
		}
	}
}
