package launchpad_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest/seedtest"
)

// The ids that the seed's examples use.
const (
	seedChain    = "650e8400-e29b-41d4-a716-446655440001"
	seedWallet   = "850e8400-e29b-41d4-a716-446655440001"
	seedTemplate = "550e8400-e29b-41d4-a716-446655440000"
	ourTemplate  = "550e8400-e29b-41d4-a716-446655441001"
	seedAddress  = "0x1234567890abcdef1234567890abcdef12345678"
)

// seedUser is the caller of every example. The seed gives the template of its
// examples the same id, and that is none of the five templates it lists; in
// templates, therefore, the id is substituted.
var seedUser = uuid.MustParse("550e8400-e29b-41d4-a716-446655440000")

// readSeed is the contract, testdata/launchpad-api.md, taken apart. The file is
// the seed word for word, without its last section on where to get support.
func readSeed(t *testing.T) (endpoints []seedtest.Endpoint, printed int) {
	t.Helper()
	text, err := os.ReadFile("testdata/launchpad-api.md")
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err = seedtest.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return endpoints, strings.Count(string(text), "curl ")
}

// scene is a platform on which an example can be run: what it speaks of is there
// under ids of its own.
type scene struct {
	*platform
	chain string // launched, with a trade of the seed's user
}

func newScene(t *testing.T) *scene {
	p := newPlatform(t)
	return &scene{platform: p, chain: p.launched(seedUser, "Exemplary", `, "creator_initial_purchase_cnpy": 100, "template_id": "`+ourTemplate+`"`)}
}

// of is the same scene, whose troubles are those of a test of its own.
func (s *scene) of(t *testing.T) *scene {
	shared := *s.platform
	shared.t = t
	return &scene{platform: &shared, chain: s.chain}
}

// staging says how one example is run.
type staging struct {
	// prepare makes what the example speaks of and returns the seed's ids and, by
	// turns, ours.
	prepare func(s *scene) []string
	// beyond are members of the answer that the seed promises elsewhere than in
	// the printed one, and why.
	beyond map[string]string
}

// withChain is for examples that are content with the scene's chain.
func withChain(s *scene) []string { return []string{seedChain, s.chain} }

// withTemplate leaves X-User-ID as it is, which has the same value.
func withTemplate(*scene) []string {
	return []string{`"template_id": "` + seedTemplate + `"`, `"template_id": "` + ourTemplate + `"`}
}

// withDraft is for what only a draft allows.
func withDraft(s *scene) []string {
	return []string{seedChain, s.draft(seedUser, "To be deleted", "")}
}

// included: the seed asks for a relation in the request and prints the answer
// without it.
var included = map[string]string{"template": "asked for by include=template"}

// stagings are by endpoint and the number of its example, from 1; what isn't here
// needs nothing.
var stagings = map[string]staging{
	"GET /api/v1/chains #1": {
		prepare: func(s *scene) []string {
			s.draft(seedUser, "A draft", `, "template_id": "`+ourTemplate+`"`)
			return nil
		},
		beyond: included,
	},
	"GET /api/v1/chains/{id} #1":              {prepare: withChain, beyond: included},
	"POST /api/v1/chains #1":                  {prepare: withTemplate},
	"DELETE /api/v1/chains/{id} #1":           {prepare: withDraft},
	"GET /api/v1/chains/{id}/virtual-pool #1": {prepare: withChain},
	// The seed goes on with the code of its example, which ours is not by chance.
	"POST /api/v1/auth/verify #1": {
		prepare: func(s *scene) []string { s.plantCode("user@example.com", "123456"); return nil },
		beyond: map[string]string{
			"token":      "the notes promise a token in the place of development's X-User-ID",
			"expires_at": "goes with the token",
		},
	},
	// The printed transaction contradicts the printed pool and itself: 1000 CNPY
	// with a fee of 10 move 990 into the reserve, and it shows 1000. Numbers are
	// not compared, members are.
	"GET /api/v1/chains/{id}/transactions #1": {prepare: withChain},

	"GET /api/v1/wallets #1": {prepare: withWallet},
	"GET /api/v1/wallets #2": {prepare: withWallet},
	"GET /api/v1/wallets #3": {prepare: func(s *scene) []string { s.ownedWallet(); return withChain(s) }},
	"GET /api/v1/wallets #4": {prepare: func(s *scene) []string { s.lockedWallet(); return nil }},
	// The seed's wallet of a chain is shown with a chain and a user, the example
	// names a chain alone: whose null any type will do.
	"POST /api/v1/wallets #2":              {prepare: withChain},
	"GET /api/v1/wallets/{id} #1":          {prepare: withWallet},
	"PUT /api/v1/wallets/{id} #1":          {prepare: withWallet},
	"PUT /api/v1/wallets/{id} #2":          {prepare: withWallet},
	"DELETE /api/v1/wallets/{id} #1":       {prepare: withWallet},
	"POST /api/v1/wallets/{id}/decrypt #1": {prepare: withWallet},
	"POST /api/v1/wallets/{id}/unlock #1":  {prepare: func(s *scene) []string { return []string{seedWallet, s.lockedWallet()} }},
}

// withWallet is a new wallet for each example: one of them deletes it.
func withWallet(s *scene) []string { return []string{seedWallet, s.ownedWallet()} }

// ownedWallet makes a wallet of the seed's user and the scene's chain.
func (s *scene) ownedWallet() string {
	s.t.Helper()
	return s.wallet(seedUser, fmt.Sprintf(`, "user_id": %q, "chain_id": %q, "wallet_name": "Scene"`, seedUser, s.chain))
}

// lockedWallet is one that was tried with five wrong passwords.
func (s *scene) lockedWallet() string {
	s.t.Helper()
	id := s.ownedWallet()
	for range 5 {
		s.decrypt(seedUser, id, "a wrong one")
	}
	return id
}

// TestSeedsExamples runs every curl command that the seed prints, as printed:
// only host and ids are ours. Status, envelope and members of the answers are
// those of the answer that the seed prints beside it.
func TestSeedsExamples(t *testing.T) {
	endpoints, printed := readSeed(t)
	s := newScene(t)
	ran, passed := 0, 0
	for _, endpoint := range endpoints {
		for i, command := range endpoint.Commands {
			name := fmt.Sprintf("%s #%d", endpoint.Name(), i+1)
			ran++
			if t.Run(name, func(t *testing.T) { s.run(t, name, command, printedAnswer(endpoints, endpoint)) }) {
				passed++
			}
		}
	}
	t.Logf("%d examples printed, %d run, %d passed", printed, ran, passed)
	if ran != printed {
		t.Errorf("%d of %d examples were run", ran, printed)
	}
}

// printedAnswer is the answer that the seed prints for an endpoint. For POST
// /chains it abbreviates a "full chain object", which it prints for GET.
func printedAnswer(endpoints []seedtest.Endpoint, e seedtest.Endpoint) seedtest.Answer {
	answer := e.Success
	if !answer.Abbreviated {
		return answer
	}
	full := slices.IndexFunc(endpoints, func(other seedtest.Endpoint) bool { return other.Name() == "GET /api/v1/chains/{id}" })
	answer.Body = endpoints[full].Success.Body
	return answer
}

// run runs one example on the scene.
func (s *scene) run(t *testing.T, name string, command seedtest.Command, want seedtest.Answer) {
	how := stagings[name]
	s = s.of(t)
	var ids []string
	if how.prepare != nil {
		ids = how.prepare(s)
	}
	answer := s.Send(requestOf(command, strings.NewReplacer(ids...)))
	if answer.Status != want.Status {
		t.Fatalf("line %d: status %d, want %d: %s", command.Line, answer.Status, want.Status, answer.Body)
	}
	var list struct{ Data any }
	answer.Into(t, &list)
	if items, is := list.Data.([]any); is && len(items) == 0 {
		t.Errorf("line %d: the list is empty, so that nothing was compared", command.Line)
	}
	for _, difference := range surfacetest.Differences(want.Body, answer.Body) {
		if !explained(difference, how.beyond) {
			t.Errorf("line %d: %s\nanswer: %s", command.Line, difference, answer.Body)
		}
	}
}

func explained(difference string, beyond map[string]string) bool {
	for member := range beyond {
		if strings.HasSuffix(difference, "."+member+" is not in the seed") {
			return true
		}
	}
	return false
}

func requestOf(command seedtest.Command, ids *strings.Replacer) *http.Request {
	request := httptest.NewRequest(command.Method, ids.Replace(command.URL), strings.NewReader(ids.Replace(command.Body)))
	for _, header := range command.Header {
		request.Header.Set(header[0], ids.Replace(header[1]))
	}
	return request
}
