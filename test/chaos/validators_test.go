//go:build e2e

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/test/platform"
)

const (
	validators = 4
	// sellers keep the swaps going, one at a time each.
	sellers = 40
)

// TestValidatorsSurvive has a chain of four validators graduate, proves every
// holder's balance, and then takes away one validator after another, two at once,
// the operator and the API pods, and rolls them all, while holders swap. In the end
// all validators have the same state and every swap happened once.
func TestValidatorsSurvive(t *testing.T) {
	p := platform.MustOpen(t)
	chain, people := fourValidators(t, p)
	n := &quorum{t: t, p: p, chain: chain}
	n.awaitSigning(validators)
	n.provePositions()
	before := n.supply()
	swaps := swapWhile(t, p, chain, people, func(swaps *swapping) {
		n.oneAtATime(swaps)
		n.twoAtOnce(swaps)
		n.others(swaps)
		n.roll(swaps)
	})
	n.awaitSigning(validators)
	swaps.check(t, p, chain)
	if after := n.supply(); after != before {
		t.Errorf("the supply was %s and is %s", before, after)
	}
	n.agree()
	verifyLedger(t)
}

// fourValidators has people buy a chain over its threshold.
func fourValidators(t *testing.T, p *platform.Platform) (*lucidv1.Chain, []*platform.User) {
	chain := p.ManualChain("quorum")
	chain.Spec.Launch.Mode = lucidv1.LaunchImmediate
	chain.Spec.Graduation.ThresholdCNPY = "15000"
	chain.Spec.Network.Validators = validators
	chain.Spec.Network.Storage.Size = resource.MustParse("256Mi")
	chain.Spec.DeletionPolicy = lucidv1.DeletionRetain
	if err := p.Create(t.Context(), chain); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Delete(context.Background(), chain) })
	platform.Eventually(t, time.Minute, "chain launched", func(ctx context.Context) error {
		return p.Ready(ctx, chain, lucidv1.ConditionLaunched)
	})
	told := &journal{accepted: map[uuid.UUID]int{}}
	var people []*platform.User
	for range sellers {
		user := p.NewUser()
		fund(t, user)
		told.trade(t, user, chain.Status.LedgerID, platform.Order{Side: "buy", CNPYAmount: "100"})
		people = append(people, user)
	}
	told.trade(t, people[0], chain.Status.LedgerID, platform.Order{Side: "buy", CNPYAmount: "2000"})
	p.WaitGraduated(t, chain)
	return chain, people
}

// quorum is a live chain with its validators.
type quorum struct {
	t     *testing.T
	p     *platform.Platform
	chain *lucidv1.Chain
}

func (n *quorum) pods() []corev1.Pod {
	n.t.Helper()
	list := &corev1.PodList{}
	if err := n.p.List(context.Background(), list, client.InNamespace(n.p.Namespace), nodePods(n.p, n.chain).labels); err != nil {
		n.t.Fatal(err)
	}
	return list.Items
}

func (n *quorum) kill(pods ...corev1.Pod) {
	n.t.Helper()
	for _, pod := range pods {
		if err := n.p.Delete(context.Background(), &pod, client.GracePeriodSeconds(0)); err != nil {
			n.t.Errorf("delete %s: %v", pod.Name, err)
		}
	}
}

// awaitSigning waits until the operator sees that many signing and none behind.
func (n *quorum) awaitSigning(want int32) {
	n.t.Helper()
	platform.Eventually(n.t, 4*time.Minute, fmt.Sprintf("%d validators signing", want), func(ctx context.Context) error {
		if err := n.p.Get(ctx, client.ObjectKeyFromObject(n.chain), n.chain); err != nil {
			return err
		}
		if n.chain.Status.Network == nil || n.chain.Status.Network.Validators == nil {
			return errors.New("no validators in the status")
		}
		if seen := *n.chain.Status.Network.Validators; seen.Signing != want || seen.Ready != want || seen.CatchingUp != 0 {
			return fmt.Errorf("validators %+v", seen)
		}
		return nil
	})
}

// height is the highest that any validator answers; 0 while none does.
func (n *quorum) height() (highest int64) {
	for _, pod := range n.pods() {
		var status struct {
			SyncInfo struct {
				Height int64 `json:"latest_block_height,string"`
			} `json:"sync_info"`
		}
		if n.ask(pod.Name, "status", nil, &status) == nil {
			highest = max(highest, status.SyncInfo.Height)
		}
	}
	return highest
}

// ask one validator by itself.
func (n *quorum) ask(pod, path string, query map[string]string, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	content, err := n.p.Clientset.CoreV1().Pods(n.p.Namespace).ProxyGet("http", pod, "26657", path, query).DoRaw(ctx)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, &struct {
		Result any `json:"result"`
	}{result})
}

// goesOn waits for more blocks and returns how long three of them took.
func (n *quorum) goesOn() time.Duration {
	n.t.Helper()
	start, from := time.Now(), n.height()
	platform.Eventually(n.t, 3*time.Minute, "three more blocks", func(context.Context) error {
		if now := n.height(); now < from+3 {
			return fmt.Errorf("height %d after %d", now, from)
		}
		return nil
	})
	return time.Since(start)
}

func (n *quorum) oneAtATime(swaps *swapping) {
	for _, pod := range n.pods() {
		n.kill(pod)
		took := n.goesOn()
		n.awaitSigning(validators)
		n.t.Logf("without %s: three blocks in %s; %s", pod.Name, took.Round(time.Millisecond), swaps)
	}
}

// twoAtOnce leaves half of the power: no block can be made until one is back.
func (n *quorum) twoAtOnce(swaps *swapping) {
	n.kill(n.pods()[:2]...)
	took := n.goesOn()
	n.awaitSigning(validators)
	n.t.Logf("two at once: three blocks after %s, by itself; %s", took.Round(time.Millisecond), swaps)
}

func (n *quorum) others(swaps *swapping) {
	for _, v := range []victim{operatorPods(), apiPods(n.p)} {
		list := &corev1.PodList{}
		if err := n.p.List(context.Background(), list, client.InNamespace(v.namespace), v.labels); err != nil {
			n.t.Fatal(err)
		}
		n.kill(list.Items...)
		n.t.Logf("without any %s pod: three blocks in %s; %s", v.component, n.goesOn().Round(time.Millisecond), swaps)
	}
	// The operator is back when it sees the validators again.
	n.awaitSigning(validators)
}

// roll changes the pods' template, as a new image would.
func (n *quorum) roll(swaps *swapping) {
	old := map[string]bool{}
	for _, pod := range n.pods() {
		old[string(pod.UID)] = true
	}
	patch := client.MergeFrom(n.chain.DeepCopy())
	n.chain.Spec.Network.Resources = &corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("48Mi")},
	}
	if err := n.p.Patch(context.Background(), n.chain, patch); err != nil {
		n.t.Fatal(err)
	}
	start, fewest := time.Now(), int32(validators)
	platform.Eventually(n.t, 5*time.Minute, "all validators rolled", func(ctx context.Context) error {
		if err := n.p.Get(ctx, client.ObjectKeyFromObject(n.chain), n.chain); err == nil && n.chain.Status.Network.Validators != nil {
			fewest = min(fewest, n.chain.Status.Network.Validators.Signing)
		}
		for _, pod := range n.pods() {
			if old[string(pod.UID)] {
				return fmt.Errorf("%s is an old one", pod.Name)
			}
		}
		return nil
	})
	n.awaitSigning(validators)
	n.t.Logf("rolled in %s, never fewer than %d signing; %s", time.Since(start).Round(time.Millisecond), fewest, swaps)
	if fewest < validators-1 {
		n.t.Errorf("%d validators were signing at a time, want one at most missing", fewest)
	}
}

// agree wants the same app hash of all validators at one height.
func (n *quorum) agree() {
	n.t.Helper()
	pods, at := n.pods(), n.height()-2
	hashes := map[string]string{}
	for _, pod := range pods {
		var commit struct {
			Header struct {
				Header struct {
					AppHash string `json:"app_hash"`
				} `json:"header"`
			} `json:"signed_header"`
		}
		if err := n.ask(pod.Name, "commit", map[string]string{"height": fmt.Sprint(at)}, &commit); err != nil {
			n.t.Errorf("%s: %v", pod.Name, err)
		}
		hashes[commit.Header.Header.AppHash] = pod.Name
	}
	n.t.Logf("%d validators at height %d: app hashes %v", len(pods), at, hashes)
	if len(hashes) != 1 || len(pods) != validators {
		n.t.Errorf("%d validators have %d app hashes", len(pods), len(hashes))
	}
}

func (n *quorum) supply() string {
	n.t.Helper()
	var supply struct {
		Tokens platform.Decimal `json:"token_supply"`
		CNPY   platform.Decimal `json:"cnpy_supply"`
	}
	if err := n.p.LiveChain(n.chain).Query(context.Background(), "/supply", &supply); err != nil {
		n.t.Fatal(err)
	}
	return supply.Tokens.FloatString(6) + " tokens and " + supply.CNPY.FloatString(6) + " CNPY"
}

// provePositions has a light client prove every holder's balance from the genesis
// hash on.
func (n *quorum) provePositions() {
	n.t.Helper()
	holders, err := n.p.NewUser().Holders(context.Background(), n.chain.Status.LedgerID)
	if err != nil || len(holders) != sellers {
		n.t.Fatalf("%d holders, %v", len(holders), err)
	}
	light, err := n.p.LiveChain(n.chain).Light(context.Background(), n.chain.Status.Network.GenesisHash)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, h := range holders {
		address, err := livechain.ParseAddress(*h.WalletAddress)
		if err != nil {
			n.t.Fatal(err)
		}
		proven, err := light.Account(context.Background(), address, 0)
		if err != nil {
			n.t.Fatal(err)
		}
		if balance, _ := new(big.Rat).SetString(proven.Balance.String()); balance == nil || balance.Cmp(h.TokenAmount.Rat) != 0 {
			n.t.Errorf("holder %s: %s proven, %s in the ledger", h.UserID, proven.Balance, h.TokenAmount.FloatString(6))
		}
	}
	n.t.Logf("%d balances proven", len(holders))
}

// swapping is holders who sell while something else happens.
type swapping struct {
	mutex      sync.Mutex
	hashes     map[string]int // of acknowledged swaps
	unanswered atomic.Int64   // which may have happened
	began      time.Time
}

func (s *swapping) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return fmt.Sprintf("%d swaps by now, %d without an answer", len(s.hashes), s.unanswered.Load())
}

func swapWhile(t *testing.T, p *platform.Platform, chain *lucidv1.Chain, people []*platform.User, something func(*swapping)) *swapping {
	s := &swapping{hashes: map[string]int{}, began: time.Now()}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, user := range people {
		all.Go(func() {
			for ctx.Err() == nil {
				s.sell(t, user, chain.Status.LedgerID)
			}
		})
	}
	something(s)
	stop()
	all.Wait()
	t.Logf("%.1f swaps a second over %s; %s", float64(len(s.hashes))/time.Since(s.began).Seconds(), time.Since(s.began).Round(time.Second), s)
	return s
}

func (s *swapping) sell(t *testing.T, user *platform.User, id string) {
	var sold struct {
		Hash *string `json:"transaction_hash"`
	}
	body := map[string]any{"chain_id": id, "side": "sell", "token_amount": "10", "min_out": "0.000001", "simulate": false}
	if err := user.Call(context.Background(), http.MethodPost, "/graduated-pools/swap", body, &sold); err != nil || sold.Hash == nil {
		s.unanswered.Add(1)
		time.Sleep(200 * time.Millisecond)
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.hashes[*sold.Hash]++; s.hashes[*sold.Hash] > 1 {
		t.Errorf("two swaps are acknowledged with %s", *sold.Hash)
	}
}

// check reads what the indexer took from the blocks: each acknowledged swap once,
// and no more than may have gone unanswered besides.
func (s *swapping) check(t *testing.T, p *platform.Platform, chain *lucidv1.Chain) {
	var seen map[string]int
	platform.Eventually(t, time.Minute, "every swap indexed", func(ctx context.Context) error {
		seen = indexed(ctx, t, p, chain)
		for hash := range s.hashes {
			if seen[hash] != 1 {
				return fmt.Errorf("swap %s is there %d times; %d of %d", hash, seen[hash], len(seen), len(s.hashes))
			}
		}
		return nil
	})
	more := int64(len(seen) - len(s.hashes))
	t.Logf("%d swaps on the chain, %d acknowledged, %d of the %d unanswered happened", len(seen), len(s.hashes), more, s.unanswered.Load())
	if more < 0 || more > s.unanswered.Load() {
		t.Errorf("%d swaps happened that nobody asked for", more-s.unanswered.Load())
	}
}

func indexed(ctx context.Context, t *testing.T, p *platform.Platform, chain *lucidv1.Chain) map[string]int {
	reader, seen := p.NewUser(), map[string]int{}
	for page := 1; ; page++ {
		path := fmt.Sprintf("/graduated-pools/%s/transactions?limit=100&page=%d", chain.Status.LedgerID, page)
		answer, err := reader.Do(ctx, http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		var rows []struct {
			Hash string `json:"transaction_hash"`
		}
		if err := answer.Into(&rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			seen[row.Hash]++
		}
		if page >= answer.Pagination.Pages {
			return seen
		}
	}
}
