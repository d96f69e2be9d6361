package ratelimit

import "time"

// Numbers of seed gateway, Rate Limiting: requests per minute and burst size.
const (
	publicPerMinute, publicBurst               = 100, 200
	authenticatedPerMinute, authenticatedBurst = 1000, 2000
	adminPerMinute, adminBurst                 = 10000, 20000
	blocksPerMinute, blocksBurst               = 500, 1000
)

// Ours, for what costs more than an answer: a mail to whomever the caller names,
// a guess at a code, and a tenth of a second of a core for each password.
const (
	signInPerMinute, signInBurst     = 10, 20
	passwordPerMinute, passwordBurst = 60, 20
)

// The surfaces by name.
const (
	SurfaceGateway   = "gateway"
	SurfaceLaunchpad = "launchpad"
	SurfaceDocu      = "docu"
)

// DefaultTiers returns the tiers a surface has until a policy says otherwise.
// The gateway's are those of its seed in the order admin, blocks, public,
// authenticated. The other two seeds promise limits "per user/IP, different for
// authenticated and unauthenticated requests" without numbers and get the same
// two, the launchpad behind two more for signing in and for passwords. An unknown
// surface has none.
func DefaultTiers(surface string) []Tier {
	switch surface {
	case SurfaceGateway:
		return gatewayTiers()
	case SurfaceLaunchpad:
		return append(launchpadTiers(), callerTiers()...)
	case SurfaceDocu:
		return callerTiers()
	default:
		return nil
	}
}

func callerTiers() []Tier {
	return []Tier{
		perMinute("public", KeyIP, publicPerMinute, publicBurst, Match{Roles: []string{RoleAnonymous}}),
		perMinute("authenticated", KeyUser, authenticatedPerMinute, authenticatedBurst, Match{}),
	}
}

// launchpadTiers leave signing out and revoking free, and orders on graduated
// pools: most bring no password, and their paths do not tell which do.
func launchpadTiers() []Tier {
	return []Tier{
		perMinute("sign-in", KeyIP, signInPerMinute, signInBurst, Match{
			Paths: []string{"/api/v1/auth/email", "/api/v1/auth/verify"}, Methods: []string{"POST"},
		}),
		perMinute("passwords", KeyUser, passwordPerMinute, passwordBurst, Match{
			Paths: []string{"/api/v1/wallets", "/api/v1/wallets/*/decrypt"}, Methods: []string{"POST"},
		}),
	}
}

func gatewayTiers() []Tier {
	return []Tier{
		perMinute("admin", KeyUser, adminPerMinute, adminBurst, Match{Paths: []string{
			"/api/v1/admin/*", "/api/v1/meta/metrics",
		}}),
		perMinute("blocks", KeyUser, blocksPerMinute, blocksBurst, Match{Paths: []string{
			"/api/v1/chain/blocks", "/api/v1/chain/blocks/*",
		}}),
		perMinute("public", KeyIP, publicPerMinute, publicBurst, Match{Paths: []string{
			"/api/v1/meta/*", "/api/v1/auth/login", "/api/v1/auth/verify", "/api/v1/users",
		}}),
		// The seed's authenticated list (users, sessions, manifests, trust, chain,
		// wallets) names no collection itself; "/*" covers those and what is new.
		perMinute("authenticated", KeyUser, authenticatedPerMinute, authenticatedBurst, Match{Paths: []string{"/*"}}),
	}
}

func perMinute(name string, key KeyType, requests, burst int64, match Match) Tier {
	return Tier{
		Name: name, Match: match, Key: Key{Type: key},
		Requests: requests, Window: Duration(time.Minute), Burst: burst,
	}.WithDefaults()
}
