package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/kubetest"
)

const (
	someUUID  = "550e8400-e29b-41d4-a716-446655441002"
	otherUUID = "650e8400-e29b-41d4-a716-446655441002"
)

func newChain(namespace, name string) *lucidv1.Chain {
	return &lucidv1.Chain{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: lucidv1.ChainSpec{
			GatewayRef: lucidv1.LocalObjectReference{Name: "main"},
			ChainName:  "My DeFi Chain",
			Token:      lucidv1.Token{Symbol: "MDFC"},
		},
	}
}

func direct(c *lucidv1.Chain) { c.Spec.Launch.Mode = lucidv1.LaunchDirect }

func applied(c *lucidv1.Chain) {
	direct(c)
	c.Spec.Application = &lucidv1.Application{Image: "names:1"}
}

// expect wants err to be a refusal that says so, or none when says is empty.
func expect(t *testing.T, err error, says, reason string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Errorf("refused: %v\nalthough: %s", err, reason)
	case says != "" && err == nil:
		t.Errorf("accepted, want a refusal with %q\nbecause: %s", says, reason)
	case says != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), says)):
		t.Errorf("refused with: %v\nwant %q\nbecause: %s", err, says, reason)
	}
}

func TestChainDefaults(t *testing.T) {
	k := kubetest.Open(t)
	chain := newChain(k.Namespace, "defaults")
	if err := k.Client.Create(t.Context(), chain); err != nil {
		t.Fatal(err)
	}
	s := chain.Spec
	got := fmt.Sprint(s.Curve.Type, s.Curve.InitialCNPYReserve, s.Curve.Slope, *s.Curve.FeeBasisPoints, s.Graduation.ThresholdCNPY,
		s.Launch.Mode, s.Launch.CreationFeeCNPY, s.Launch.CreatorInitialPurchaseCNPY, s.Network.Consensus,
		s.Network.ValidatorMinStake, s.Network.Storage.Size.String(), s.Network.Validators, s.Network.State, s.DeletionPolicy)
	want := fmt.Sprint(lucidv1.CurveConstantProduct, "10000", "0.00000001", 100, "50000",
		lucidv1.LaunchManual, "100", "0", "nestbft", "1000", "1Gi", 1, lucidv1.NetworkRunning, lucidv1.DeletionDelete)
	if got != want {
		t.Errorf("defaults:\n got %s\nwant %s (the seed's)", got, want)
	}
	if s.Token.TotalSupply != "" || s.Curve.InitialTokenSupply != "" {
		t.Error("supplies depend on the template, so the ledger fills them in")
	}
}

func TestChainRules(t *testing.T) {
	k := kubetest.Open(t)
	fee := func(n int32) *int32 { return &n }
	at := &metav1.Time{Time: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	cases := []struct {
		reason string
		mutate func(*lucidv1.Chain)
		says   string // empty: accepted
	}{
		{"the least that makes a chain", func(*lucidv1.Chain) {}, ""},
		{"Services are named after the object", func(c *lucidv1.Chain) { c.Name = strings.Repeat("a", 50) }, ""},
		{"a longer name leaves no room for a suffix", func(c *lucidv1.Chain) { c.Name = strings.Repeat("a", 51) }, "at most 50 characters"},
		{"a Service's name begins with a letter", func(c *lucidv1.Chain) { c.Name = "1st" }, "begins with a letter"},
		{"a Service's name has no dots", func(c *lucidv1.Chain) { c.Name = "a.b" }, "DNS label"},
		{"a chain lives in a gateway's ledger", func(c *lucidv1.Chain) { c.Spec.GatewayRef.Name = "" }, "gatewayRef"},

		{"people see the name", func(c *lucidv1.Chain) { c.Spec.ChainName = "" }, "chainName"},
		{"the seed's longest name", func(c *lucidv1.Chain) { c.Spec.ChainName = strings.Repeat("é", 100) }, ""},
		{"longer than the seed allows", func(c *lucidv1.Chain) { c.Spec.ChainName = strings.Repeat("a", 101) }, "may not be more than 100"},
		{"a line break in a name", func(c *lucidv1.Chain) { c.Spec.ChainName = "a\nb" }, "must not contain control characters"},
		{"the seed's longest description", func(c *lucidv1.Chain) { c.Spec.Description = strings.Repeat("a", 5000) }, ""},
		{"longer than the seed allows", func(c *lucidv1.Chain) { c.Spec.Description = strings.Repeat("a", 5001) }, "may not be more than 5000"},

		{"an id is a UUID", func(c *lucidv1.Chain) { c.Spec.ID = someUUID }, ""},
		{"one spelling of each id", func(c *lucidv1.Chain) { c.Spec.ID = strings.ToUpper(someUUID) }, "id must be a UUID"},
		{"a template is named by its id", func(c *lucidv1.Chain) { c.Spec.TemplateID = someUUID }, ""},
		{"36 characters are not enough", func(c *lucidv1.Chain) { c.Spec.TemplateID = strings.Repeat("x", 36) }, "templateID must be a UUID"},
		{"a creator is a user", func(c *lucidv1.Chain) { c.Spec.CreatorID = someUUID }, ""},
		{"and users have UUIDs", func(c *lucidv1.Chain) { c.Spec.CreatorID = strings.Repeat("x", 36) }, "creatorID must be a UUID"},

		{"digits after the first letter", func(c *lucidv1.Chain) { c.Spec.Token.Symbol = "A1" }, ""},
		{"a symbol is upper case", func(c *lucidv1.Chain) { c.Spec.Token.Symbol = "low" }, "symbol must be upper-case"},
		{"a symbol begins with a letter", func(c *lucidv1.Chain) { c.Spec.Token.Symbol = "1A" }, "symbol must be upper-case"},
		{"at most 20 characters", func(c *lucidv1.Chain) { c.Spec.Token.Symbol = strings.Repeat("A", 21) }, "may not be more than 20"},
		{"the smallest supply", func(c *lucidv1.Chain) { c.Spec.Token.TotalSupply = "1000000" }, ""},
		{"the largest supply", func(c *lucidv1.Chain) { c.Spec.Token.TotalSupply = "1000000000000" }, ""},
		{"below the smallest", func(c *lucidv1.Chain) { c.Spec.Token.TotalSupply = "999999" }, "totalSupply must be"},
		{"above the largest", func(c *lucidv1.Chain) { c.Spec.Token.TotalSupply = "1000000000001" }, "totalSupply must be"},
		{"tokens are minted whole", func(c *lucidv1.Chain) { c.Spec.Token.TotalSupply = "1000000.5" }, "totalSupply must be"},

		{"the other curve", func(c *lucidv1.Chain) { c.Spec.Curve.Type = lucidv1.CurveLinear }, ""},
		{"no such curve", func(c *lucidv1.Chain) { c.Spec.Curve.Type = "Exponential" }, "supported values"},
		{"the least reserve", func(c *lucidv1.Chain) { c.Spec.Curve.InitialCNPYReserve = "1000" }, ""},
		{"a reserve with the finest fraction", func(c *lucidv1.Chain) { c.Spec.Curve.InitialCNPYReserve = "1000.000001" }, ""},
		{"a reserve finer than the ledger's unit", func(c *lucidv1.Chain) { c.Spec.Curve.InitialCNPYReserve = "1000.0000001" }, "at most 6 decimals"},
		{"the largest reserve under its threshold", func(c *lucidv1.Chain) {
			c.Spec.Curve.InitialCNPYReserve, c.Spec.Graduation.ThresholdCNPY = "9999999.999999", "10000000"
		}, ""},
		{"a reserve above all that there is", func(c *lucidv1.Chain) { c.Spec.Curve.InitialCNPYReserve = "1000000000000.1" }, "initialCNPYReserve must be"},
		{"just below the least reserve", func(c *lucidv1.Chain) { c.Spec.Curve.InitialCNPYReserve = "999.999999" }, "initialCNPYReserve must be"},
		{"Kubernetes' suffixes are no amounts", func(c *lucidv1.Chain) { c.Spec.Curve.InitialCNPYReserve = "10k" }, "initialCNPYReserve must be"},
		{"a float's exponent is no amount", func(c *lucidv1.Chain) { c.Spec.Curve.InitialCNPYReserve = "1e4" }, "initialCNPYReserve must be"},
		{"the least that a curve sells", func(c *lucidv1.Chain) { c.Spec.Curve.InitialTokenSupply = "100000" }, ""},
		{"fewer", func(c *lucidv1.Chain) { c.Spec.Curve.InitialTokenSupply = "99999" }, "initialTokenSupply must be"},
		{"more than the largest supply", func(c *lucidv1.Chain) { c.Spec.Curve.InitialTokenSupply = "1000000000001" }, "initialTokenSupply must be"},
		{"the flattest slope", func(c *lucidv1.Chain) { c.Spec.Curve.Slope = "0.000000001" }, ""},
		{"flatter", func(c *lucidv1.Chain) { c.Spec.Curve.Slope = "0.000000000999" }, "slope must be"},
		{"the finest fraction of a slope", func(c *lucidv1.Chain) { c.Spec.Curve.Slope = "0.000000001001" }, ""},
		{"the steepest slope", func(c *lucidv1.Chain) { c.Spec.Curve.Slope = "1" }, ""},
		{"steeper", func(c *lucidv1.Chain) { c.Spec.Curve.Slope = "1.1" }, "slope must be"},
		{"limits from the first trade on", func(c *lucidv1.Chain) {
			c.Spec.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "1000", AntiSnipe: &lucidv1.AntiSnipe{Seconds: 60, MaxBuyCNPY: "50"}}
		}, ""},
		{"a limit of nothing", func(c *lucidv1.Chain) { c.Spec.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "0.0"} }, "maxBuyCNPY must be a decimal above 0"},
		{"no fee", func(c *lucidv1.Chain) { c.Spec.Curve.FeeBasisPoints = fee(0) }, ""},
		{"the highest fee", func(c *lucidv1.Chain) { c.Spec.Curve.FeeBasisPoints = fee(1000) }, ""},
		{"higher", func(c *lucidv1.Chain) { c.Spec.Curve.FeeBasisPoints = fee(1001) }, "less than or equal to 1000"},

		{"the highest threshold", func(c *lucidv1.Chain) { c.Spec.Graduation.ThresholdCNPY = "10000000" }, ""},
		{"higher", func(c *lucidv1.Chain) { c.Spec.Graduation.ThresholdCNPY = "10000000.000001" }, "thresholdCNPY must be"},
		{"under the least", func(c *lucidv1.Chain) { c.Spec.Graduation.ThresholdCNPY = "5" }, "thresholdCNPY must be"},
		{"a threshold just above the reserve", func(c *lucidv1.Chain) { c.Spec.Graduation.ThresholdCNPY = "10000.000001" }, ""},
		{"a pool that opens closed", func(c *lucidv1.Chain) { c.Spec.Graduation.ThresholdCNPY = "10000" }, "must be greater than curve.initialCNPYReserve"},
		{"the curve may sell the whole supply", func(c *lucidv1.Chain) {
			c.Spec.Token.TotalSupply, c.Spec.Curve.InitialTokenSupply = "1000000", "1000000"
		}, ""},
		{"but no more", func(c *lucidv1.Chain) {
			c.Spec.Token.TotalSupply, c.Spec.Curve.InitialTokenSupply = "1000000", "1000001"
		}, "must not be greater than token.totalSupply"},

		{"a launch by schedule", func(c *lucidv1.Chain) { c.Spec.Launch.Mode, c.Spec.Launch.Time = lucidv1.LaunchScheduled, at }, ""},
		{"needs its time", func(c *lucidv1.Chain) { c.Spec.Launch.Mode = lucidv1.LaunchScheduled }, "time must be set for mode Scheduled"},
		{"a time nobody would keep", func(c *lucidv1.Chain) { c.Spec.Launch.Mode, c.Spec.Launch.Time = lucidv1.LaunchImmediate, at }, "only for that"},
		{"no such mode", func(c *lucidv1.Chain) { c.Spec.Launch.Mode = "Someday" }, "supported values"},
		{"a free launch", func(c *lucidv1.Chain) { c.Spec.Launch.CreationFeeCNPY = "0" }, ""},
		{"the highest fee of a launch", func(c *lucidv1.Chain) { c.Spec.Launch.CreationFeeCNPY = "1000000000000" }, ""},
		{"more than there is", func(c *lucidv1.Chain) { c.Spec.Launch.CreationFeeCNPY = "1000000000000.000001" }, "creationFeeCNPY must be"},
		{"a negative fee", func(c *lucidv1.Chain) { c.Spec.Launch.CreationFeeCNPY = "-1" }, "creationFeeCNPY must be"},
		{"a first purchase", func(c *lucidv1.Chain) { c.Spec.Launch.CreatorInitialPurchaseCNPY = "12.5" }, ""},
		{"a first purchase of all there is", func(c *lucidv1.Chain) { c.Spec.Launch.CreatorInitialPurchaseCNPY = "1000000000000" }, ""},
		{"of more", func(c *lucidv1.Chain) { c.Spec.Launch.CreatorInitialPurchaseCNPY = "1000000000001" }, "creatorInitialPurchaseCNPY must be"},
		{"a first purchase that is no number", func(c *lucidv1.Chain) { c.Spec.Launch.CreatorInitialPurchaseCNPY = "all" }, "creatorInitialPurchaseCNPY must be"},

		{"a chain that never has a pool", direct, ""},
		{"which costs its creator what any other does", func(c *lucidv1.Chain) { direct(c); c.Spec.Launch.CreationFeeCNPY = "5" }, ""},
		{"with a fee for a pool on the live chain", func(c *lucidv1.Chain) { direct(c); c.Spec.Curve.FeeBasisPoints = fee(30) }, ""},
		{"and no purchase, however small", func(c *lucidv1.Chain) { direct(c); c.Spec.Launch.CreatorInitialPurchaseCNPY = "0.000001" }, "no pool to buy from"},
		{"no purchase is none in any writing", func(c *lucidv1.Chain) { direct(c); c.Spec.Launch.CreatorInitialPurchaseCNPY = "0.00" }, ""},
		{"no curve", func(c *lucidv1.Chain) { direct(c); c.Spec.Curve.Type = lucidv1.CurveLinear }, "curve and graduation must be left out"},
		{"nothing that opens one", func(c *lucidv1.Chain) { direct(c); c.Spec.Curve.InitialCNPYReserve = "20000" }, "curve and graduation must be left out"},
		{"nothing to sell on it", func(c *lucidv1.Chain) { direct(c); c.Spec.Curve.InitialTokenSupply = "100000" }, "curve and graduation must be left out"},
		{"no slope", func(c *lucidv1.Chain) { direct(c); c.Spec.Curve.Slope = "0.1" }, "curve and graduation must be left out"},
		{"no threshold", func(c *lucidv1.Chain) { direct(c); c.Spec.Graduation.ThresholdCNPY = "60000" }, "curve and graduation must be left out"},
		{"no limits", func(c *lucidv1.Chain) { direct(c); c.Spec.Limits = &lucidv1.TradeLimits{MaxBuyCNPY: "1"} }, "limits must be left out"},
		{"no time to wait for", func(c *lucidv1.Chain) { direct(c); c.Spec.Launch.Time = at }, "only for that"},

		{"an application of the image that is there", func(c *lucidv1.Chain) {
			direct(c)
			c.Spec.Application = &lucidv1.Application{Args: []string{"application", "registry"}}
		}, ""},
		{"buyers would never get their CNPY out of it", func(c *lucidv1.Chain) {
			c.Spec.Application = &lucidv1.Application{Image: "names:1"}
		}, "application needs launch.mode Direct"},
		{"one of its own image", func(c *lucidv1.Chain) {
			direct(c)
			c.Spec.Application = &lucidv1.Application{Image: "names:1", ImagePullPolicy: "Never", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "registry"}}}
		}, ""},
		{"no such pull policy", func(c *lucidv1.Chain) {
			c.Spec.Application = &lucidv1.Application{Args: []string{"a"}, ImagePullPolicy: "Sometimes"}
		}, "supported values"},
		{"more arguments than anybody reads", func(c *lucidv1.Chain) { c.Spec.Application = &lucidv1.Application{Args: make([]string, 65)} }, "at most 64"},

		{"the seeds' own network id", func(c *lucidv1.Chain) { c.Spec.Network.ChainID = "lucid_blocks" }, ""},
		{"as long as CometBFT takes it", func(c *lucidv1.Chain) { c.Spec.Network.ChainID = strings.Repeat("a", 50) }, ""},
		{"longer", func(c *lucidv1.Chain) { c.Spec.Network.ChainID = strings.Repeat("a", 51) }, "may not be more than 50"},
		{"one spelling of a network id", func(c *lucidv1.Chain) { c.Spec.Network.ChainID = "Lucid" }, "chainID must begin with a letter"},
		{"a label of the seeds", func(c *lucidv1.Chain) { c.Spec.Network.Consensus = "PoOT" }, ""},
		{"any other label that the API takes", func(c *lucidv1.Chain) { c.Spec.Network.Consensus = "proof of touch" }, ""},
		{"a line break in a label", func(c *lucidv1.Chain) { c.Spec.Network.Consensus = "a\nb" }, "consensus must not"},
		{"the least stake", func(c *lucidv1.Chain) { c.Spec.Network.ValidatorMinStake = "100" }, ""},
		{"the highest stake", func(c *lucidv1.Chain) { c.Spec.Network.ValidatorMinStake = "1000000000000" }, ""},
		{"higher", func(c *lucidv1.Chain) { c.Spec.Network.ValidatorMinStake = "1000000000000.1" }, "validatorMinStake must be"},
		{"less", func(c *lucidv1.Chain) { c.Spec.Network.ValidatorMinStake = "99.999999" }, "validatorMinStake must be"},
		{"as many validators as a chain may have", func(c *lucidv1.Chain) { c.Spec.Network.Validators = 16 }, ""},
		{"one more", func(c *lucidv1.Chain) { c.Spec.Network.Validators = 17 }, "less than or equal to 16"},
		{"nobody makes blocks", func(c *lucidv1.Chain) { c.Spec.Network.Validators = -1 }, "greater than or equal to 1"},
		{"a chain that is not to run yet", func(c *lucidv1.Chain) { c.Spec.Network.State = lucidv1.NetworkHalted }, ""},
		{"no such state", func(c *lucidv1.Chain) { c.Spec.Network.State = "Sleeping" }, "supported values"},
		{"a small volume", func(c *lucidv1.Chain) { c.Spec.Network.Storage.Size = resource.MustParse("64Mi") }, ""},
		{"too small to start", func(c *lucidv1.Chain) { c.Spec.Network.Storage.Size = resource.MustParse("63Mi") }, "size must be from"},
		{"the largest volume", func(c *lucidv1.Chain) { c.Spec.Network.Storage.Size = resource.MustParse("100Ti") }, ""},
		{"larger", func(c *lucidv1.Chain) { c.Spec.Network.Storage.Size = resource.MustParse("101Ti") }, "size must be from"},
		{"the ledger may stay", func(c *lucidv1.Chain) { c.Spec.DeletionPolicy = lucidv1.DeletionRetain }, ""},
		{"no such policy", func(c *lucidv1.Chain) { c.Spec.DeletionPolicy = "Burn" }, "supported values"},
	}
	for i, tc := range cases {
		chain := newChain(k.Namespace, fmt.Sprintf("rule-%d", i))
		tc.mutate(chain)
		expect(t, k.Client.Create(t.Context(), chain, client.DryRunAll), tc.says, tc.reason)
	}
}

func TestChainTransitions(t *testing.T) {
	k := kubetest.Open(t)
	network := &lucidv1.NetworkStatus{ChainID: "a"}
	cases := []struct {
		reason string
		before func(*lucidv1.Chain)
		status lucidv1.ChainStatus
		mutate func(*lucidv1.Chain)
		says   string
	}{
		{"a chain lives in one ledger", nil, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.GatewayRef.Name = "other" }, "gatewayRef is immutable"},
		{"the name is the identity", nil, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.ChainName = "Other" }, "chainName is immutable"},
		{"the symbol too", nil, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.Token.Symbol = "OTHER" }, "symbol is immutable"},
		{"an id can't be added", nil, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.ID = someUUID }, "id is immutable"},
		{"an id can't be changed", func(c *lucidv1.Chain) { c.Spec.ID = someUUID }, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.ID = otherUUID }, "id is immutable"},
		{"an id can't be removed", func(c *lucidv1.Chain) { c.Spec.ID = someUUID }, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.ID = "" }, "id is immutable"},
		{"a template can't be added", nil, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.TemplateID = someUUID }, "templateID is immutable"},
		{"a template can't be changed", func(c *lucidv1.Chain) { c.Spec.TemplateID = someUUID }, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.TemplateID = otherUUID }, "templateID is immutable"},
		{"a creator can't be added", nil, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.CreatorID = someUUID }, "creatorID is immutable"},
		{"a creator can't be changed", func(c *lucidv1.Chain) { c.Spec.CreatorID = someUUID }, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.CreatorID = otherUUID }, "creatorID is immutable"},
		{"a draft's numbers may change", nil, lucidv1.ChainStatus{Status: lucidv1.ChainDraft}, func(c *lucidv1.Chain) { c.Spec.Graduation.ThresholdCNPY = "60000" }, ""},
		{"before the first look as well", nil, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.Curve.Slope = "0.1" }, ""},
		{"not those of a launched chain", nil, lucidv1.ChainStatus{Status: lucidv1.ChainVirtualActive}, func(c *lucidv1.Chain) { c.Spec.Graduation.ThresholdCNPY = "60000" }, "immutable once the chain has launched"},
		{"nor its curve", nil, lucidv1.ChainStatus{Status: lucidv1.ChainVirtualActive}, func(c *lucidv1.Chain) { c.Spec.Curve.Slope = "0.1" }, "immutable once the chain has launched"},
		{"nor its supply", nil, lucidv1.ChainStatus{Status: lucidv1.ChainGraduated}, func(c *lucidv1.Chain) { c.Spec.Token.TotalSupply = "2000000" }, "immutable once the chain has launched"},
		{"nor what never came to trade", nil, lucidv1.ChainStatus{Status: lucidv1.ChainFailed}, func(c *lucidv1.Chain) { c.Spec.Curve.Slope = "0.1" }, "immutable once the chain has launched"},
		{"a launch that waits may change", nil, lucidv1.ChainStatus{Status: lucidv1.ChainPendingLaunch}, func(c *lucidv1.Chain) { c.Spec.Graduation.ThresholdCNPY = "60000" }, ""},
		{"a volume can be chosen until it is made", nil, lucidv1.ChainStatus{Status: lucidv1.ChainVirtualActive}, func(c *lucidv1.Chain) { c.Spec.Network.Storage.Size = resource.MustParse("2Gi") }, ""},
		{"afterwards it may grow", nil, lucidv1.ChainStatus{Status: lucidv1.ChainGraduated, Network: network}, func(c *lucidv1.Chain) { c.Spec.Network.Storage.Size = resource.MustParse("1025Mi") }, ""},
		{"but no volume shrinks", nil, lucidv1.ChainStatus{Status: lucidv1.ChainGraduated, Network: network}, func(c *lucidv1.Chain) { c.Spec.Network.Storage.Size = resource.MustParse("1023Mi") }, "size can only grow"},
		{"nor moves to another class", nil, lucidv1.ChainStatus{Status: lucidv1.ChainGraduated, Network: network}, func(c *lucidv1.Chain) { c.Spec.Network.Storage.ClassName = "fast" }, "className is immutable"},
		{"a class that was chosen stays", func(c *lucidv1.Chain) { c.Spec.Network.Storage.ClassName = "fast" }, lucidv1.ChainStatus{Status: lucidv1.ChainGraduated, Network: network}, func(c *lucidv1.Chain) { c.Spec.Network.Storage.ClassName = "slow" }, "className is immutable"},
		{"and is not taken back", func(c *lucidv1.Chain) { c.Spec.Network.Storage.ClassName = "fast" }, lucidv1.ChainStatus{Status: lucidv1.ChainGraduated, Network: network}, func(c *lucidv1.Chain) { c.Spec.Network.Storage.ClassName = "" }, "className is immutable"},
		{"before the network starts it may be", func(c *lucidv1.Chain) { c.Spec.Network.Storage.ClassName = "fast" }, lucidv1.ChainStatus{Status: lucidv1.ChainVirtualActive}, func(c *lucidv1.Chain) { c.Spec.Network.Storage.ClassName = "slow" }, ""},
		{"validators come and go", nil, lucidv1.ChainStatus{Status: lucidv1.ChainGraduated, Network: network}, func(c *lucidv1.Chain) { c.Spec.Network.Validators = 4 }, ""},
		{"a live chain may be halted", nil, lucidv1.ChainStatus{Status: lucidv1.ChainGraduated, Network: network}, func(c *lucidv1.Chain) { c.Spec.Network.State = lucidv1.NetworkHalted }, ""},
		{"what never had a pool never gets one", direct, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.Launch.Mode = lucidv1.LaunchManual }, "to or from Direct"},
		{"and what is to have one does", nil, lucidv1.ChainStatus{Status: lucidv1.ChainDraft}, direct, "to or from Direct"},
		{"one application can't read another's state", direct, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.Application = &lucidv1.Application{Image: "names:1"} }, "application is immutable"},
		{"and is not taken away", applied, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.Application = nil }, "application is immutable"},
		{"a new version of it may come", applied, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.Application.Image = "names:2" }, ""},
		{"transactions name the network", func(c *lucidv1.Chain) { c.Spec.Network.ChainID = "one" }, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.Network.ChainID = "two" }, "chainID is immutable"},
		{"a network id can't be added", nil, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.Network.ChainID = "one" }, "chainID is immutable"},
		{"nor removed", func(c *lucidv1.Chain) { c.Spec.Network.ChainID = "one" }, lucidv1.ChainStatus{}, func(c *lucidv1.Chain) { c.Spec.Network.ChainID = "" }, "chainID is immutable"},
		{"the policy of deletion may always change", nil, lucidv1.ChainStatus{Status: lucidv1.ChainGraduated, Network: network}, func(c *lucidv1.Chain) { c.Spec.DeletionPolicy = lucidv1.DeletionRetain }, ""},
	}
	for i, tc := range cases {
		chain := newChain(k.Namespace, fmt.Sprintf("transition-%d", i))
		if tc.before != nil {
			tc.before(chain)
		}
		if err := k.Client.Create(t.Context(), chain); err != nil {
			t.Fatal(err)
		}
		chain.Status = tc.status
		if err := k.Client.Status().Update(t.Context(), chain); err != nil {
			t.Fatal(err)
		}
		tc.mutate(chain)
		expect(t, k.Client.Update(t.Context(), chain), tc.says, tc.reason)
	}
}

// YAML has numbers without quotes, which a size may be: bytes.
func TestSizeMayBeANumber(t *testing.T) {
	k := kubetest.Open(t)
	for i, tc := range []struct {
		reason string
		size   int64
		says   string
	}{
		{"as many bytes as a volume needs", 1 << 30, ""},
		{"fewer", 1 << 20, "size must be from 64Mi to 100Ti"},
	} {
		object := &unstructured.Unstructured{}
		object.SetUnstructuredContent(map[string]any{
			"apiVersion": lucidv1.GroupVersion.String(), "kind": "Chain",
			"metadata": map[string]any{"namespace": k.Namespace, "name": fmt.Sprintf("size-%d", i)},
			"spec": map[string]any{
				"gatewayRef": map[string]any{"name": "main"}, "chainName": "Numbers", "token": map[string]any{"symbol": "NUM"},
				"network": map[string]any{"storage": map[string]any{"size": tc.size}},
			},
		})
		expect(t, k.Client.Create(t.Context(), object), tc.says, tc.reason)
		if tc.says != "" {
			continue
		}
		chain := &lucidv1.Chain{}
		if err := k.Client.Get(t.Context(), client.ObjectKeyFromObject(object), chain); err != nil {
			t.Fatal(err)
		}
		chain.Status = lucidv1.ChainStatus{Status: lucidv1.ChainGraduated, Network: &lucidv1.NetworkStatus{ChainID: "a"}}
		if err := k.Client.Status().Update(t.Context(), chain); err != nil {
			t.Fatal(err)
		}
		chain.Spec.Network.Storage.Size = resource.MustParse("2Gi")
		expect(t, k.Client.Update(t.Context(), chain), "", "it may grow all the same")
	}
}
