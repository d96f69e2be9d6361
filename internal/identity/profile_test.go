package identity_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func ptr(s string) *string { return &s }

func TestChangeRules(t *testing.T) {
	long := func(n int) *string { return ptr(strings.Repeat("é", n)) }
	link := func(n int) *string { return ptr("https://example.com/" + strings.Repeat("a", n-20)) }
	const tooShort, alphanumeric = "must be between 3 and 50 characters", "must contain only letters and numbers"
	const url = "must be a valid URL"
	for _, test := range []struct {
		reason string
		change identity.Change
		want   map[string]string
	}{
		{"nothing is right", identity.Change{}, nil},
		{"the shortest name", identity.Change{Username: ptr("abc")}, nil},
		{"the longest name", identity.Change{Username: ptr(strings.Repeat("a", 50))}, nil},
		{"a name too short", identity.Change{Username: ptr("ab")}, map[string]string{"username": tooShort}},
		{"a name can't be given up", identity.Change{Username: ptr("")}, map[string]string{"username": tooShort}},
		{"a name too long", identity.Change{Username: ptr(strings.Repeat("a", 51))}, map[string]string{"username": tooShort}},
		{"a name with a sign", identity.Change{Username: ptr("john_doe")}, map[string]string{"username": alphanumeric}},
		{"a name of letters that look alike", identity.Change{Username: ptr("jоhn")}, map[string]string{"username": alphanumeric}},
		{"texts at their limits, in characters", identity.Change{
			DisplayName: long(100), Bio: long(500), AvatarURL: link(500), WebsiteURL: link(500),
			TwitterHandle: long(50), GithubUsername: ptr(strings.Repeat("g", 100)), TelegramHandle: long(50),
		}, nil},
		{"all beyond them, told at once", identity.Change{
			Username: ptr("a"), DisplayName: long(101), Bio: long(501), AvatarURL: link(501), WebsiteURL: link(501),
			TwitterHandle: long(51), GithubUsername: ptr(strings.Repeat("g", 101)), TelegramHandle: long(51),
		}, map[string]string{
			"username": tooShort, "display_name": "must be at most 100 characters", "bio": "must be at most 500 characters",
			"avatar_url": "must be at most 500 characters", "website_url": "must be at most 500 characters",
			"twitter_handle": "must be at most 50 characters", "github_username": "must be at most 100 characters",
			"telegram_handle": "must be at most 50 characters",
		}},
		{"texts may be emptied", identity.Change{
			DisplayName: ptr(""), Bio: ptr(""), AvatarURL: ptr(""), WebsiteURL: ptr(""),
			TwitterHandle: ptr(""), GithubUsername: ptr(""), TelegramHandle: ptr(""),
		}, nil},
		{"a bio of two lines", identity.Change{Bio: ptr("a\nb")}, nil},
		{"a name of two lines", identity.Change{DisplayName: ptr("a\nb")}, map[string]string{"display_name": "must not contain control characters"}},
		{"what the database can't keep", identity.Change{Bio: ptr("a\x00")}, map[string]string{"bio": "must not contain control characters"}},
		{"a hyphen of GitHub's, which the seed refuses", identity.Change{GithubUsername: ptr("john-doe")}, map[string]string{"github_username": alphanumeric}},
		{"no scheme", identity.Change{AvatarURL: ptr("example.com/a.jpg")}, map[string]string{"avatar_url": url}},
		{"no host", identity.Change{AvatarURL: ptr("https:///a.jpg")}, map[string]string{"avatar_url": url}},
		{"a script", identity.Change{WebsiteURL: ptr("javascript:alert(1)")}, map[string]string{"website_url": url}},
		{"a script with a host", identity.Change{WebsiteURL: ptr("javascript://example.com/%0aalert(1)")}, map[string]string{"website_url": url}},
		{"a name that hides the host", identity.Change{WebsiteURL: ptr("https://lucid.example@evil.example/")}, map[string]string{"website_url": url}},
		{"a space", identity.Change{WebsiteURL: ptr("https://example.com/a b")}, map[string]string{"website_url": url}},
		{"no URL at all", identity.Change{WebsiteURL: ptr("https://%zz")}, map[string]string{"website_url": url}},
	} {
		got := map[string]string{}
		if refusal, ok := fault.As(test.change.Validate()); ok {
			for _, field := range refusal.Fields {
				got[field.Name] = field.Reason
			}
		}
		if len(got) != len(test.want) {
			t.Errorf("%s: %v, want %v", test.reason, got, test.want)
		}
		for name, want := range test.want {
			if got[name] != want {
				t.Errorf("%s: %s %q, want %q", test.reason, name, got[name], want)
			}
		}
	}
}

func TestUpdateChangesWhatIsGiven(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		service := pod(t, s)
		id := signIn(t, service, alice).User
		if _, err := service.UpdateProfile(t.Context(), id, identity.Change{Username: ptr("Alice"), Bio: ptr("one"), WebsiteURL: ptr("https://a.example")}); err != nil {
			t.Fatal(err)
		}
		user, err := service.UpdateProfile(t.Context(), id, identity.Change{Bio: ptr(""), DisplayName: ptr("Alice A.")})
		if err != nil {
			t.Fatal(err)
		}
		if user.Username == nil || *user.Username != "Alice" || user.WebsiteURL == nil || *user.Email != alice {
			t.Errorf("what was not given is changed: %+v", user)
		}
		if user.Bio != nil || user.DisplayName == nil || *user.DisplayName != "Alice A." {
			t.Errorf("what was given is not: %+v", user)
		}
		again, err := service.Profile(t.Context(), id)
		if err != nil || *again.DisplayName != "Alice A." || again.WalletAddress != user.WalletAddress {
			t.Errorf("read again: %+v, %v", again, err)
		}
	})
}

func TestUsernamesAreUniqueInAnyCase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		service := pod(t, s)
		one, two := signIn(t, service, alice).User, signIn(t, service, "bob@example.com").User
		if _, err := service.UpdateProfile(t.Context(), one, identity.Change{Username: ptr("Alice")}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Alice", "alice", "ALICE"} {
			_, err := service.UpdateProfile(t.Context(), two, identity.Change{Username: &name})
			refused(t, err, fault.Conflict, "Username is already taken", name)
		}
		if _, err := service.UpdateProfile(t.Context(), one, identity.Change{Username: ptr("aLICE")}); err != nil {
			t.Errorf("one's own name in another case: %v", err)
		}
	})
}

func TestUnknownUser(t *testing.T) {
	service := pod(t, storetest.Open(t))
	_, err := service.Profile(t.Context(), uuid.New())
	refused(t, err, fault.NotFound, "User not found", "reading")
	_, err = service.UpdateProfile(t.Context(), uuid.New(), identity.Change{Bio: ptr("x")})
	refused(t, err, fault.NotFound, "User not found", "writing")
}

// TestOwnAddressIsShown: who brought an address keeps it, and gets no wallet.
func TestOwnAddressIsShown(t *testing.T) {
	s := storetest.Open(t)
	service := pod(t, s)
	id := signIn(t, service, alice).User
	const own = "0x1234567890abcdef1234567890abcdef12345678"
	if err := s.Exec(t.Context(), "UPDATE users SET wallet_address = $2 WHERE id = $1", id, own); err != nil {
		t.Fatal(err)
	}
	user, err := service.Profile(t.Context(), id)
	if err != nil || user.WalletAddress != own {
		t.Errorf("address %s, %v", user.WalletAddress, err)
	}
	if _, err := s.Queries().GetPlatformWallet(t.Context(), &id); !store.NotFound(err) {
		t.Errorf("a wallet was made: %v", err)
	}
}
