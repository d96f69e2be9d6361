package launchpad_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// A pool and a chain look on the live feed as they do when they are asked for.
func TestLivePoolsAndChains(t *testing.T) {
	p := newPlatform(t)
	user, live := uuid.New(), p.Listen()
	p.fund(user, "100000")
	chain := p.draft(user, "Watched", "")
	for _, test := range []struct{ topic, change, body, path string }{
		{"chains", "/chains/" + chain + "/launch", "", "/chains/"},
		{"pools", "/virtual-pools/" + chain + "/trades", `{"side": "buy", "cnpy_amount": 5}`, "/virtual-pools/"},
	} {
		f := p.follow(live, user)
		f.say(`{"type": "subscribe", "event": "` + test.topic + `"}`)
		if granted := f.hear(); granted["subscriptionId"] == nil {
			t.Fatalf("%s: %v", test.topic, granted)
		}
		if answer := p.as(user, http.MethodPost, test.change, test.body); answer.Status >= 300 {
			t.Fatalf("%s: %d %s", test.change, answer.Status, answer.Body)
		}
		heard, asked := f.hear(), p.ok(user, http.StatusOK, http.MethodGet, test.path+chain, "")
		data, _ := heard["data"].(map[string]any)
		if heard["event"] != test.topic || data["id"] != asked["id"] || !slices.Equal(members(data), members(asked)) {
			t.Errorf("heard %v, asked %v", heard, asked)
		}
	}
}

// What is wrong with an amount is said once: one that can't be read is not called
// missing as well.
func TestUnreadableAmountIsNotCalledMissing(t *testing.T) {
	p := newPlatform(t)
	for _, name := range []string{"cnpy_amount", "token_amount"} {
		for _, route := range []string{"quote", "trades"} {
			answer := p.as(uuid.New(), http.MethodPost, "/virtual-pools/"+uuid.NewString()+"/"+route, `{"side": "buy", "`+name+`": "much"}`)
			if got := details(t, answer); len(got) != 1 || got[name] == "" || got[name] == "is required" {
				t.Errorf("%s with a %s that is no number: %v", route, name, got)
			}
		}
	}
	both := details(t, p.as(uuid.New(), http.MethodPost, "/virtual-pools/"+uuid.NewString()+"/quote", `{"side": "buy"}`))
	const reason = "give exactly one of cnpy_amount and token_amount"
	if !maps.Equal(both, map[string]string{"cnpy_amount": reason, "token_amount": reason}) {
		t.Errorf("no amount at all: %v", both)
	}
}
