package policy

import (
	"fmt"
	"strings"
	"time"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
)

// Tiers translates a policy's tiers into the limiter's, or says all that is
// wrong with them: what the schema can't express is checked here, so that a
// pod never gets a document it has to refuse.
func Tiers(policy *lucidv1.RateLimitPolicy) ([]ratelimit.Tier, *Refusal) {
	tiers := make([]ratelimit.Tier, 0, len(policy.Spec.Tiers))
	var wrong []string
	for i, spec := range policy.Spec.Tiers {
		window, err := time.ParseDuration(spec.Window)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("spec.tiers[%d].window must be a duration such as 1m", i))
		}
		tiers = append(tiers, tierOf(spec, window))
	}
	if len(wrong) == 0 {
		wrong = describe(ratelimit.Validate("spec.tiers", tiers))
	}
	if len(wrong) > 0 {
		return nil, &Refusal{Reason: lucidv1.ReasonInvalid, Message: strings.Join(wrong, "; ")}
	}
	return tiers, nil
}

func tierOf(spec lucidv1.Tier, window time.Duration) ratelimit.Tier {
	tier := ratelimit.Tier{
		Name:        spec.Name,
		Key:         ratelimit.Key{Type: ratelimit.KeyType(spec.Key.Type), Header: spec.Key.Header},
		Requests:    spec.Requests,
		Window:      ratelimit.Duration(window),
		Burst:       spec.Burst,
		Concurrency: spec.Concurrency,
		Enforcement: ratelimit.Enforcement(spec.Enforcement),
		Headers:     ratelimit.HeaderStyle(spec.Headers),
	}
	tier.Match.Paths = append(tier.Match.Paths, spec.Match.Paths...)
	tier.Match.Roles = append(tier.Match.Roles, spec.Match.Roles...)
	for _, method := range spec.Match.Methods {
		tier.Match.Methods = append(tier.Match.Methods, string(method))
	}
	return tier.WithDefaults()
}

func describe(err error) []string {
	if err == nil {
		return nil
	}
	found, ok := fault.As(err)
	if !ok {
		return []string{"the configuration can't be used"}
	}
	var wrong []string
	for _, field := range found.Fields {
		wrong = append(wrong, field.Name+" "+field.Reason)
	}
	return wrong
}
