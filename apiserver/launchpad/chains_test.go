package launchpad_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestCreateChainReportsEveryWrongField(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	for _, test := range []struct {
		reason, body string
		want         map[string]string
	}{
		{"nothing given: what the seed requires", `{}`, map[string]string{
			"chain_name": "is required", "token_symbol": "is required",
		}},
		{"the seed's own example of a wrong symbol", `{"chain_name": "A", "token_symbol": "abc"}`, map[string]string{
			"token_symbol": "must contain only uppercase letters",
		}},
		{"types, rules and unknown members in one answer",
			`{"chain_name": 7, "token_symbol": "lower", "template_id": "no", "token_total_supply": true,
			  "graduation_threshold": "much", "initial_cnpy_reserve": 1, "color": "red"}`,
			map[string]string{
				"chain_name":           "must be a string",
				"token_symbol":         "must contain only uppercase letters",
				"template_id":          "must be a valid UUID",
				"token_total_supply":   "must be a number",
				"graduation_threshold": "must be a decimal number such as 12.5",
				"initial_cnpy_reserve": "must be greater than or equal to 1000",
				"color":                "is not a known field",
			}},
		{"a name is matched exactly", `{"Chain_Name": "A", "chain_name": "A", "token_symbol": "A"}`, map[string]string{
			"Chain_Name": "is not a known field",
		}},
		{"which of two is meant?", `{"chain_name": "A", "chain_name": "B", "token_symbol": "A"}`, map[string]string{
			"chain_name": "must be given once",
		}},
		{"more places than an amount has", `{"chain_name": "A", "token_symbol": "A", "creation_fee_cnpy": 0.0000001}`,
			map[string]string{"creation_fee_cnpy": "has too many decimal places"}},
		{"the database is asked for the template", `{"chain_name": "A", "token_symbol": "A", "template_id": "` + seedTemplate + `"}`,
			map[string]string{"template_id": "must be the id of an active template"}},
		{"whatever else is wrong", `{"chain_name": "A", "token_symbol": "a", "template_id": "` + seedTemplate + `", "colour": 1}`, map[string]string{
			"template_id": "must be the id of an active template", "colour": "is not a known field",
			"token_symbol": "must contain only uppercase letters",
		}},
	} {
		got := details(t, p.as(user, http.MethodPost, "/chains", test.body))
		if !maps.Equal(got, test.want) {
			t.Errorf("%s:\n got %v\nwant %v", test.reason, got, test.want)
		}
	}
}

func TestUnreadableBodiesAreBadRequests(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	for _, test := range []struct{ body, reason string }{
		{`{"chain_name": `, "cut off"},
		{`["chain_name"]`, "no object"},
		{`{} {}`, "two values"},
		{"{\"chain_name\": \"\xff\"}", "no UTF-8"},
		{strings.Repeat(`{"a":`, 11) + "1" + strings.Repeat("}", 11), "nested deeper than ten"},
	} {
		answer := p.as(user, http.MethodPost, "/chains", test.body)
		t.Log(test.reason)
		expect(t, answer, http.StatusBadRequest, "BAD_REQUEST", "Invalid JSON payload")
	}
	form := p.as(user, http.MethodPost, "/chains", "{}", "Content-Type", "application/x-www-form-urlencoded")
	expect(t, form, http.StatusBadRequest, "BAD_REQUEST", "Content-Type must be application/json")
	packed := p.as(user, http.MethodPost, "/chains", "{}", "Content-Encoding", "gzip")
	expect(t, packed, http.StatusBadRequest, "BAD_REQUEST", "Content-Encoding is not supported")
}

func TestAmountsKeepTheirDigits(t *testing.T) {
	p := newPlatform(t)
	body := `{"chain_name": "Digits", "token_symbol": "D", "graduation_threshold": "50000.123456",
		"initial_cnpy_reserve": 1e4, "bonding_curve_slope": 0.000000001}`
	chain := p.ok(uuid.New(), http.StatusCreated, http.MethodPost, "/chains", body)
	for name, want := range map[string]json.Number{
		"graduation_threshold": "50000.123456", // a string in, a number out
		"initial_cnpy_reserve": "10000",
		"bonding_curve_slope":  "0.000000001",
		"token_total_supply":   "1000000000",
		"initial_token_supply": "800000000",
	} {
		if chain[name] != want {
			t.Errorf("%s is %v, want %v", name, chain[name], want)
		}
	}
}

func TestChainIDsAndQueries(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	expect(t, p.as(user, http.MethodGet, "/chains/7", ""), http.StatusBadRequest, "BAD_REQUEST", "Invalid chain ID")
	expect(t, p.as(user, http.MethodGet, "/virtual-pools/7", ""), http.StatusBadRequest, "BAD_REQUEST", "Invalid virtual pool ID")
	expect(t, p.as(user, http.MethodGet, "/chains?created_by=7", ""), http.StatusBadRequest, "BAD_REQUEST", "Invalid created_by format")
	for _, test := range []struct {
		reason, path string
		want         map[string]string
	}{
		{"seed, Virtual Pools", "/virtual-pools?limit=101", map[string]string{"limit": "must be between 1 and 100"}},
		{"seed, Templates", "/templates?limit=101", map[string]string{"limit": "must be less than or equal to 100"}},
		{"seed, Templates", "/templates?page=0", map[string]string{"page": "must be greater than or equal to 1"}},
		{"all at once", "/chains?status=new&created_by=7&page=x&limit=0&include=wallet&stauts=draft", map[string]string{
			"status":     "must be draft, pending_launch, virtual_active, graduated or failed",
			"created_by": "must be a valid UUID", "page": "must be an integer", "limit": "must be between 1 and 100",
			"include": "must be template, creator, repository, social_links, assets or virtual_pool",
			"stauts":  "is not a known parameter",
		}},
		{"a boolean is a word", "/templates?is_active=1", map[string]string{"is_active": "must be true or false"}},
		{"one page at a time", "/chains?page=1&page=2", map[string]string{"page": "must be given once"}},
		{"beyond the database's offsets", "/chains?page=99999999999", map[string]string{"page": "must be less than or equal to 1000000"}},
	} {
		if got := details(t, p.as(user, http.MethodGet, test.path, "")); !maps.Equal(got, test.want) {
			t.Errorf("%s: %s:\n got %v\nwant %v", test.reason, test.path, got, test.want)
		}
	}
}

func TestChainListFiltersIncludesAndPages(t *testing.T) {
	p := newPlatform(t)
	creator, other := uuid.New(), uuid.New()
	trading := p.launched(creator, "Trading", `, "template_id": "`+ourTemplate+`"`)
	draft := p.draft(creator, "Draft", "")

	items, pagination := p.list(creator, "/chains?limit=1")
	if len(items) != 1 || pagination["total"] != json.Number("2") || pagination["pages"] != json.Number("2") {
		t.Errorf("a page of one out of two: %d items, %v", len(items), pagination)
	}
	if items, _ := p.list(other, "/chains"); len(items) != 1 || items[0]["id"] != trading {
		t.Errorf("another user sees %v: a draft is its creator's own", items)
	}
	if items, _ := p.list(creator, "/chains?status=draft"); len(items) != 1 || items[0]["id"] != draft {
		t.Errorf("drafts: %v", items)
	}
	if items, _ := p.list(creator, "/chains?template_id="+ourTemplate+"&created_by="+creator.String()); len(items) != 1 {
		t.Errorf("by template and creator: %v", items)
	}
	if items, pagination := p.list(creator, "/chains?search=RAD"); len(items) != 1 || items[0]["id"] != trading || pagination["total"] != json.Number("1") {
		t.Errorf("by a part of the name: %v", items)
	}
	for _, query := range []string{"sort=volume", "sort=near_graduation&search=trad"} {
		if items, _ := p.list(other, "/virtual-pools?"+query); len(items) != 1 || items[0]["chain_id"] != trading {
			t.Errorf("pools by %s: %v", query, items)
		}
	}
	refused := p.as(other, http.MethodGet, "/virtual-pools?sort=price&search="+strings.Repeat("x", 101), "")
	expect(t, refused, http.StatusBadRequest, "VALIDATION_ERROR", "Validation failed")
	if items, pagination := p.list(creator, "/chains?status=failed"); items == nil || pagination["pages"] != json.Number("0") {
		t.Errorf("none is an empty array without pages: %v %v", items, pagination)
	}
	all := "?include=template&include=creator&include=repository&include=social_links&include=assets&include=virtual_pool&include=creator"
	full := p.ok(creator, http.StatusOK, http.MethodGet, "/chains/"+trading+all, "")
	if full["template"].(map[string]any)["id"] != ourTemplate || full["virtual_pool"].(map[string]any)["chain_id"] != trading {
		t.Errorf("relations of the launched chain: %v", full)
	}
	who := full["creator"].(map[string]any)
	if _, leaked := who["email"]; leaked || who["id"] != creator.String() {
		t.Errorf("creator: %v", who)
	}
	empty := p.ok(creator, http.StatusOK, http.MethodGet, "/chains/"+draft+all, "")
	for _, name := range []string{"template", "repository", "virtual_pool"} {
		if value, there := empty[name]; !there || value != nil {
			t.Errorf("%s of the draft: %v, want null", name, value)
		}
	}
}

func TestChainRefusals(t *testing.T) {
	p := newPlatform(t)
	creator, other := uuid.New(), uuid.New()
	draft := p.draft(creator, "Taken", "")
	taken := p.as(other, http.MethodPost, "/chains", `{"chain_name": "Taken", "token_symbol": "T"}`)
	expect(t, taken, http.StatusConflict, "CONFLICT", "Chain name already exists")
	expect(t, p.as(other, http.MethodGet, "/chains/"+draft, ""), http.StatusNotFound, "NOT_FOUND", "Chain not found")
	expect(t, p.as(creator, http.MethodGet, "/chains/"+draft+"/virtual-pool", ""), http.StatusNotFound, "NOT_FOUND", "Virtual pool not found")
	if items, _ := p.list(creator, "/chains/"+draft+"/transactions"); items == nil || len(items) != 0 {
		t.Errorf("transactions of a draft: %v, want none", items)
	}
	if broke := p.as(creator, http.MethodPost, "/chains/"+draft+"/launch", ""); broke.Status != http.StatusUnprocessableEntity {
		t.Errorf("launch without CNPY: %d %s", broke.Status, broke.Body)
	}

	running := p.launched(creator, "Running", "")
	expect(t, p.as(other, http.MethodDelete, "/chains/"+running, ""), http.StatusForbidden, "FORBIDDEN", "Access denied")
	expect(t, p.as(other, http.MethodPost, "/chains/"+running+"/launch", ""), http.StatusForbidden, "FORBIDDEN", "Access denied")
	if gone := p.as(creator, http.MethodDelete, "/chains/"+running, ""); gone.Status != http.StatusUnprocessableEntity {
		t.Errorf("delete a launched chain: %d %s", gone.Status, gone.Body)
	}
	expect(t, p.Do(http.MethodGet, "/api/v1/chains", ""), http.StatusUnauthorized, "UNAUTHORIZED", "Authentication required")
	expect(t, p.as(creator, http.MethodGet, "/nothing", ""), http.StatusNotFound, "NOT_FOUND", "Resource not found")
	expect(t, p.as(creator, http.MethodPatch, "/chains", ""), http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "Method not allowed")
}

func TestScheduledLaunch(t *testing.T) {
	p := newPlatform(t)
	user := uuid.New()
	id := p.draft(user, "Later", "")
	chain := p.ok(user, http.StatusOK, http.MethodPost, "/chains/"+id+"/launch", `{"scheduled_launch_time": "2999-01-01T02:00:00+02:00"}`)
	if chain["status"] != "pending_launch" || chain["scheduled_launch_time"] != "2999-01-01T00:00:00Z" {
		t.Errorf("status %v at %v", chain["status"], chain["scheduled_launch_time"])
	}
	got := details(t, p.as(user, http.MethodPost, "/chains/"+id+"/launch", `{"scheduled_launch_time": "tomorrow"}`))
	if !strings.HasPrefix(got["scheduled_launch_time"], "must be an RFC 3339 timestamp") {
		t.Errorf("got %v", got)
	}
	if err := p.store.Exec(t.Context(), "UPDATE chains SET failure_reason = 'no CNPY' WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	if pending := p.ok(user, http.StatusOK, http.MethodGet, "/chains/"+id, ""); pending["failure_reason"] != "no CNPY" {
		t.Errorf("why it can't be launched: %v", pending["failure_reason"])
	}
	draft := p.ok(user, http.StatusOK, http.MethodDelete, "/chains/"+id+"/launch", "")
	if _, reason := draft["failure_reason"]; draft["status"] != "draft" || draft["scheduled_launch_time"] != nil || reason {
		t.Errorf("cancelled, it is a draft again: %v", draft)
	}
	expect(t, p.as(user, http.MethodDelete, "/chains/"+id+"/launch", ""), http.StatusUnprocessableEntity,
		"UNPROCESSABLE_ENTITY", "The chain has no scheduled launch to cancel")
}
