package chain

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/money"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func testChain() *lucidv1.Chain {
	return &lucidv1.Chain{
		ObjectMeta: metav1.ObjectMeta{Name: "aurora", Namespace: "lucid", UID: "550e8400-e29b-41d4-a716-446655441002"},
		Spec: lucidv1.ChainSpec{
			GatewayRef: lucidv1.LocalObjectReference{Name: "main"},
			Network:    lucidv1.Network{Storage: lucidv1.Storage{Size: resource.MustParse("2Gi"), ClassName: "fast"}},
		},
	}
}

func TestChildrenGolden(t *testing.T) {
	c := testChain()
	bare := testChain()
	bare.Spec.Network = lucidv1.Network{}
	validators := []validator{{nodeID: "node0"}, {nodeID: "node1"}, {nodeID: "node2"}, {nodeID: "node3"}}
	four := nodes{chain: c, image: "lucid:1", pullPolicy: "IfNotPresent", genesisHash: "abc", validators: 4, volume: volumeSize(c)}
	own := testChain()
	own.Spec.Application = &lucidv1.Application{
		Image: "names:1", ImagePullPolicy: "IfNotPresent", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "names"}, {Name: "shared"}}, Args: []string{"--address=$(LUCID_APPLICATION_ADDRESS)"},
	}
	cases := map[string]client.Object{
		"virtualpool":             virtualPool(c),
		"headless":                headless(c),
		"rpc":                     rpc(c),
		"genesis":                 genesisMaps(c, []byte(`{"chain_id":"aurora-55441002"}`), "abc")[0],
		"peers":                   peersMap(c, validators, change{}, false),
		"peers-live":              peersMap(c, validators, change{Key: "0a", Power: 10, Height: 7, Expires: 1_700_000_000}, true),
		"keys":                    keysSecret(c, 0, []byte("node"), []byte("validator")),
		"authority":               authoritySecret(c, bytes.Repeat([]byte{1}, ed25519.SeedSize), 4),
		"networkpolicy":           networkPolicy(c, "lucid-system"),
		"disruptionbudget":        disruptionBudget(c, equalPowers(len(validators))),
		"statefulset":             four.statefulSet(),
		"statefulset-application": nodes{chain: own, image: "lucid:1", pullSecrets: []corev1.LocalObjectReference{{Name: "shared"}}, genesisHash: "abc", validators: 1, volume: volumeSize(own)}.statefulSet(),
		"statefulset-parts":       nodes{chain: bare, image: "lucid:1", genesisHash: "abc", genesisParts: 2, validators: 1, volume: volumeSize(bare)}.statefulSet(),
		"statefulset-bare":        nodes{chain: bare, image: "lucid:1", genesisHash: "abc", validators: 1, volume: volumeSize(bare)}.statefulSet(),
	}
	for name, object := range cases {
		got, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".yaml")
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got; -update rewrites):\n%s", name, diff)
		}
	}
}

func TestDisruptionBudgetKeepsTwoThirds(t *testing.T) {
	for size := 1; size <= 16; size++ {
		away := disruptionBudget(testChain(), equalPowers(size)).Spec.MaxUnavailable.IntValue()
		switch {
		case size < 4 && away != 1:
			t.Errorf("%d validators: %d may be away, want 1: a drain must not wait for ever", size, away)
		case size >= 4 && (3*(size-away) <= 2*size || 3*(size-away-1) > 2*size):
			t.Errorf("%d validators: %d may be away, want the most that leaves more than two thirds", size, away)
		}
	}
}

// What counts is power: here six pods run, of which two joined and one weighs much.
func TestDisruptionBudgetWeighsVoters(t *testing.T) {
	for _, c := range []struct {
		reason string
		powers []int64
		want   int
	}{
		{"four equals spare one, whatever else runs", []int64{10, 10, 10, 10}, 1},
		{"seven equals spare two", []int64{10, 10, 10, 10, 10, 10, 10}, 2},
		{"who weighs a third can't be spared: a budget of none would block drains", []int64{50, 20, 20, 20, 20, 20}, 1},
		{"the two heaviest of these may go", []int64{10, 10, 10, 10, 10, 10, 1, 1, 1, 1, 10}, 2},
		{"nobody votes yet", nil, 1},
		{"powers beyond an integer's third", []int64{1 << 62, 1 << 62, 1 << 62, 1 << 62}, 1},
	} {
		if away := disruptionBudget(testChain(), c.powers).Spec.MaxUnavailable.IntValue(); away != c.want {
			t.Errorf("%s: %d may be away, want %d", c.reason, away, c.want)
		}
	}
}

func TestOperatorOutsideAClusterHasNoNamespace(t *testing.T) {
	peers := networkPolicy(testChain(), "").Spec.Ingress[1].From
	if selector := peers[2].NamespaceSelector; selector == nil || len(selector.MatchLabels) > 0 {
		t.Errorf("selector %+v, want any namespace", selector)
	}
}

func TestHaltedChainKeepsItsTemplate(t *testing.T) {
	c := testChain()
	running := nodes{chain: c, image: "lucid:1", genesisHash: "abc", validators: 4}.statefulSet()
	c.Spec.Network.State = lucidv1.NetworkHalted
	halted := nodes{chain: c, image: "lucid:1", genesisHash: "abc", validators: 4}.statefulSet()
	if *running.Spec.Replicas != 4 || *halted.Spec.Replicas != 0 {
		t.Errorf("replicas %d and %d, want 4 and 0", *running.Spec.Replicas, *halted.Spec.Replicas)
	}
	if diff := cmp.Diff(running.Spec.Template, halted.Spec.Template); diff != "" {
		t.Errorf("halting would roll the pods:\n%s", diff)
	}
}

// A pod carries its StatefulSet's name, a dash and ten digits in a label, and
// its own name, with an ordinal, as its host's.
func TestLongestNamesFitIntoLabels(t *testing.T) {
	c := testChain()
	c.Name = strings.Repeat("a", 50)
	const label = 63
	if name := (nodes{chain: c, validators: 16}).statefulSet().Name; len(name)+len("-1234567890") > label {
		t.Errorf("pods of %s can't carry their revision", name)
	}
	for _, name := range []string{podName(c.Name, 15), nodeName(c.Name), rpcName(c.Name)} {
		if len(name) > label {
			t.Errorf("%s is no DNS label", name)
		}
	}
}

func TestObjectName(t *testing.T) {
	id := uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")
	cases := []struct{ reason, name, want string }{
		{"letters and digits stay", "Chain 1", "chain-1-099a8057"},
		{"what is between them is one dash", "a -- b!", "a-b-099a8057"},
		{"a Service's name begins with a letter", "4ever", "chain-4ever-099a8057"},
		{"nothing that a label can say", "漢字", "chain-099a8057"},
		{"a label is bounded", strings.Repeat("x", 100), strings.Repeat("x", maxSlug) + "-099a8057"},
		{"and does not end a word in a dash", strings.Repeat("x", maxSlug-1) + " y", strings.Repeat("x", maxSlug-1) + "-099a8057"},
	}
	for _, tc := range cases {
		if got := ObjectName(tc.name, id); got != tc.want {
			t.Errorf("ObjectName(%q) = %s, want %s: %s", tc.name, got, tc.want, tc.reason)
		}
	}
}

func FuzzObjectName(f *testing.F) {
	for _, seed := range []string{"", "Chain", "-", "9", "é é", strings.Repeat("a-", 60)} {
		f.Add(seed)
	}
	label := regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	f.Fuzz(func(t *testing.T, name string) {
		got := ObjectName(name, uuid.Nil)
		if len(got) > 50 || !label.MatchString(got) {
			t.Errorf("ObjectName(%q) = %q, which the schema refuses", name, got)
		}
	})
}

// A chain from the API, declared and read back, is the same definition: so the
// object never rewrites the row it came from.
func TestDeclarationRoundTrip(t *testing.T) {
	definition := chain.Definition{
		ChainName: "Aurora", TokenSymbol: "AUR", Description: "one line\nand another", TemplateID: ptr.To(uuid.New()),
		ConsensusMechanism: "proof of touch", TokenTotalSupply: 1_000_000 * money.Unit,
		GraduationThreshold: 20_000_000_001, CreationFee: 1, InitialCNPYReserve: 10_000_500_000,
		InitialTokenSupply: 500_000 * money.Unit, CurveType: curve.Linear, BondingCurveSlope: 1_001, FeeBasisPoints: 0,
		ValidatorMinStake: 123_456_789, CreatorInitialPurchase: 7,
		Limits: chain.Limits{MaxBuy: 1, AntiSnipe: chain.AntiSnipe{Seconds: 30, MaxBuy: 2_500_000}},
	}
	for _, creator := range []uuid.UUID{uuid.New(), identity.PlatformUserID} {
		object := Declaration(chain.Chain{ID: uuid.New(), Definition: definition, CreatedBy: creator}, "main")
		spec, err := declared(&object)
		if err != nil {
			t.Fatal(err)
		}
		got := chain.Definition{
			ChainName: spec.ChainName, TokenSymbol: spec.TokenSymbol, Description: spec.Description, TemplateID: spec.TemplateID,
			ConsensusMechanism: spec.ConsensusMechanism, TokenTotalSupply: *spec.TokenTotalSupply,
			GraduationThreshold: *spec.GraduationThreshold, CreationFee: *spec.CreationFee, InitialCNPYReserve: *spec.InitialCNPYReserve,
			InitialTokenSupply: *spec.InitialTokenSupply, CurveType: spec.CurveType, BondingCurveSlope: *spec.BondingCurveSlope,
			FeeBasisPoints: *spec.FeeBasisPoints, ValidatorMinStake: *spec.ValidatorMinStake, CreatorInitialPurchase: *spec.CreatorInitialPurchase,
			Limits: spec.Limits,
		}
		if diff := cmp.Diff(definition, got); diff != "" || spec.CreatedBy != creator || spec.ScheduledLaunchTime != nil {
			t.Errorf("declared back with creator %s:\n%s", spec.CreatedBy, diff)
		}
	}
}

func TestDeclaredReportsEveryField(t *testing.T) {
	_, err := declared(&lucidv1.ChainSpec{CreatorID: "x", Curve: lucidv1.Curve{Slope: "steep", InitialCNPYReserve: "much"}})
	for _, field := range []string{"spec.creatorID", "spec.curve.slope", "spec.curve.initialCNPYReserve"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("error %v does not name %s", err, field)
		}
	}
}

type fixedAddresses struct{ failure error }

func (f fixedAddresses) EnsureAddresses(_ context.Context, users []uuid.UUID) (map[uuid.UUID]livechain.Address, error) {
	all := map[uuid.UUID]livechain.Address{}
	for _, user := range users {
		all[user] = hashed("u" + user.String())
	}
	return all, f.failure
}

func (f fixedAddresses) EnsureTreasury(_ context.Context, id uuid.UUID) (livechain.Address, error) {
	return hashed("t" + id.String()), f.failure
}

func hashed(text string) livechain.Address {
	digest := sha256.Sum256([]byte(text))
	return livechain.Address(digest[:livechain.AddressLength])
}

// The issue's own numbers: 40 000 CNPY bought without a fee on the default pool.
func closedPool(kind curve.Kind) (chain.GenesisInput, book.Pool) {
	id := uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")
	in := chain.GenesisInput{
		Chain: chain.Chain{ID: id, Definition: chain.Definition{
			ChainName: "Aurora", CurveType: kind, FeeBasisPoints: 100, InitialTokenSupply: 800_000_000 * money.Unit,
			InitialCNPYReserve: 10_000 * money.Unit, BondingCurveSlope: 10_000,
		}},
		CNPYReserve: 50_000 * money.Unit, TokenReserve: 160_000_000 * money.Unit, Raised: 40_000 * money.Unit,
		Unsold: 160_000_000 * money.Unit, Treasury: 200_000_000 * money.Unit, TotalSupply: 1_000_000_000 * money.Unit,
		Holders: []chain.Holder{{UserID: uuid.MustParse("550e8400-e29b-41d4-a716-446655441002"), Amount: 640_000_000 * money.Unit}},
	}
	at := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	return in, book.Pool{ClosedAt: &at, Price: money.NewRatio(50_000, 160_000_000)}
}

func TestGenesisIsRebuiltIdentically(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	for _, kind := range []curve.Kind{curve.ConstantProduct, curve.Linear} {
		in, pool := closedPool(kind)
		hashes := map[string]bool{}
		for range 3 {
			input, err := genesisInput(t.Context(), fixedAddresses{}, in, pool, []validator{{key: key}, {key: other}}, livechain.Address{7})
			if err != nil {
				t.Fatal(err)
			}
			input.ChainID = "aurora"
			_, hash, err := genesis.BuildGenesis(input)
			if err != nil {
				t.Fatal(err)
			}
			hashes[hash] = true
		}
		if len(hashes) != 1 {
			t.Errorf("%s: hashes %v, want one", kind, hashes)
		}
	}
}

func TestConsensusLabelIsThePolicy(t *testing.T) {
	in, pool := closedPool(curve.ConstantProduct)
	in.Chain.ValidatorMinStake = 1_000 * money.Unit
	for label, want := range map[string]genesis.Policy{"PoOT": genesis.PolicyOperational, "nestbft": genesis.PolicyStake} {
		in.Chain.ConsensusMechanism = label
		input, err := genesisInput(t.Context(), fixedAddresses{}, in, pool, nil, livechain.Address{})
		if err != nil || input.Policy != want || input.ValidatorMinStake != in.Chain.ValidatorMinStake {
			t.Errorf("%s gives the policy %q with the least stake %s, error %v", label, input.Policy, input.ValidatorMinStake, err)
		}
	}
}

// Who votes is the operator's to change, and not with how much power: that may
// follow from work, or from stakes.
func TestNextChangeLeavesPowersAlone(t *testing.T) {
	one, two := validator{key: bytes.Repeat([]byte{1}, 32)}, validator{key: bytes.Repeat([]byte{2}, 32)}
	voting := []Member{{Key: one.key, Power: 700}, {Key: two.key, Power: 1}}
	if change, _, found := nextChange(voting, []validator{one, two}); found {
		t.Errorf("%+v is to change", change)
	}
	if change, ordinal, found := nextChange(voting[:1], []validator{one, two}); !found || ordinal != 1 || !change.Key.Equal(two.key) {
		t.Errorf("change %+v of validator %d, want the second to join", change, ordinal)
	}
	if change, _, found := nextChange(voting, []validator{one}); !found || change.Power != 0 || !change.Key.Equal(two.key) {
		t.Errorf("change %+v, want the second to leave", change)
	}
}

func TestGenesisInputRefuses(t *testing.T) {
	in, pool := closedPool(curve.ConstantProduct)
	failure := errors.New("sealed")
	if _, err := genesisInput(t.Context(), fixedAddresses{failure: failure}, in, pool, nil, livechain.Address{}); !errors.Is(err, failure) {
		t.Errorf("error %v, want the keystore's", err)
	}
	pool.ClosedAt = nil
	if _, err := genesisInput(t.Context(), fixedAddresses{}, in, pool, nil, livechain.Address{}); err == nil {
		t.Error("a genesis of an open pool was built")
	}
}
