//go:build e2e

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/hack/images"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/test/platform"
)

const (
	validators = 4
	// sellers keep the swaps going, one at a time each.
	sellers = 40
	// leastRate is how many swaps a second the chain has to commit while nobody is
	// missing, so that what is taken away later is taken away under load.
	leastRate = 50
)

// TestValidatorsSurvive has a chain of four validators graduate, proves every
// holder's balance, and then takes away one validator after another, two at once,
// the operator and the API pods, and rolls them all to another image, while holders
// swap and move CNPY onto the chain and off it. In the end all validators have the
// same blocks, every swap happened once, and the chain's CNPY is what the ledger
// says.
func TestValidatorsSurvive(t *testing.T) {
	p := platform.MustOpen(t)
	chain, people := bought(t, p, "quorum", validators, "15000", sellers+travellers)
	n := &quorum{t: t, p: p, chain: chain}
	n.awaitSigning(validators)
	n.provePositions()
	first, before := n.height(), n.supply()
	travels := &travelling{n: n}
	swaps := swapWhile(t, p, chain, people[:sellers], func(swaps *swapping) {
		swaps.atLeast(t, leastRate)
		travels.while(people[sellers:], func() {
			n.oneAtATime(swaps)
			n.twoAtOnce(swaps)
			n.others(swaps)
			n.roll(swaps)
		})
	})
	n.awaitSigning(validators)
	swaps.check(t, p, chain)
	travels.check(before)
	n.agree(first, validators)
	verifyLedger(t)
}

// bought is a chain of so many validators that so many people have bought over its
// threshold.
func bought(t *testing.T, p *platform.Platform, prefix string, validators int32, threshold string, count int) (*lucidv1.Chain, []*platform.User) {
	chain := p.ManualChain(prefix)
	chain.Spec.Launch.Mode = lucidv1.LaunchImmediate
	chain.Spec.Graduation.ThresholdCNPY = threshold
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
	for range count {
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
		err := n.p.Delete(context.Background(), &pod, client.GracePeriodSeconds(0))
		if client.IgnoreNotFound(err) != nil {
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

// nodeStatus is what a validator says of itself.
type nodeStatus struct {
	Node struct {
		ID string `json:"id"`
	} `json:"node_info"`
	Sync struct {
		Height int64 `json:"latest_block_height,string"`
	} `json:"sync_info"`
	Validator struct {
		Address string `json:"address"`
	} `json:"validator_info"`
}

// height is the highest that any validator answers; 0 while none does.
func (n *quorum) height() (highest int64) {
	for _, pod := range n.pods() {
		var status nodeStatus
		if n.ask(pod.Name, "status", nil, &status) == nil {
			highest = max(highest, status.Sync.Height)
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

// signed is a block as its commit shows it.
type signed struct {
	at      time.Time
	signers []string // addresses of validators
}

// block asks one validator for a block of its own.
func (n *quorum) block(pod string, height int64) (signed, error) {
	var answer struct {
		Header struct {
			Header struct {
				Time time.Time `json:"time"`
			} `json:"header"`
			Commit struct {
				Signatures []struct {
					Flag    int    `json:"block_id_flag"`
					Address string `json:"validator_address"`
				} `json:"signatures"`
			} `json:"commit"`
		} `json:"signed_header"`
	}
	if err := n.ask(pod, "commit", map[string]string{"height": fmt.Sprint(height)}, &answer); err != nil {
		return signed{}, err
	}
	const forTheBlock = 2 // CometBFT's BlockIDFlagCommit
	found := signed{at: answer.Header.Header.Time}
	for _, s := range answer.Header.Commit.Signatures {
		if s.Flag == forTheBlock {
			found.signers = append(found.signers, s.Address)
		}
	}
	return found, nil
}

// header is a block as a validator keeps it.
type header struct {
	height       int64
	at           time.Time
	hash         string // of the block
	app          string // of the state before it
	transactions int
}

// headers asks one validator for the blocks from one height to another.
func (n *quorum) headers(pod string, first, last int64) (all []header) {
	n.t.Helper()
	const most = 20 // that a node answers at once
	for from := first; from <= last; from += most {
		var answer struct {
			Metas []struct {
				ID struct {
					Hash string `json:"hash"`
				} `json:"block_id"`
				Header struct {
					Height int64     `json:"height,string"`
					Time   time.Time `json:"time"`
					App    string    `json:"app_hash"`
				} `json:"header"`
				Transactions int `json:"num_txs,string"`
			} `json:"block_metas"`
		}
		query := map[string]string{"minHeight": fmt.Sprint(from), "maxHeight": fmt.Sprint(min(from+most-1, last))}
		if err := n.ask(pod, "blockchain", query, &answer); err != nil {
			n.t.Fatalf("%s: %v", pod, err)
		}
		for _, meta := range slices.Backward(answer.Metas) { // the newest comes first
			all = append(all, header{meta.Header.Height, meta.Header.Time, meta.ID.Hash, meta.Header.App, meta.Transactions})
		}
	}
	if int64(len(all)) != last-first+1 {
		n.t.Fatalf("%s has %d blocks from %d to %d", pod, len(all), first, last)
	}
	return all
}

// since reads the blocks after a height, as any validator has them. The last one is
// left out: its commit may still gain signatures.
func (n *quorum) since(height int64) []signed {
	n.t.Helper()
	var all []signed
	for at := height + 1; at < n.height(); at++ {
		platform.Eventually(n.t, time.Minute, fmt.Sprintf("block %d", at), func(context.Context) (err error) {
			for _, pod := range n.pods() {
				var found signed
				if found, err = n.block(pod.Name, at); err == nil {
					all = append(all, found)
					return nil
				}
			}
			return err
		})
	}
	return all
}

// oneAtATime keeps each validator away, killing it again as it comes back, until the
// other three have made three blocks without it.
func (n *quorum) oneAtATime(swaps *swapping) {
	for _, pod := range n.pods() {
		from, start := n.height(), time.Now()
		platform.Eventually(n.t, 2*time.Minute, "three blocks without "+pod.Name, func(context.Context) error {
			n.kill(corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}})
			time.Sleep(time.Second)
			without := 0
			for _, block := range n.since(from) {
				if len(block.signers) == validators-1 {
					without++
				}
			}
			if without < 3 {
				return fmt.Errorf("%d blocks of three", without)
			}
			return nil
		})
		n.t.Logf("without %s: three blocks of the others within %s; %s", pod.Name, time.Since(start).Round(time.Millisecond), swaps)
		n.awaitSigning(validators)
	}
}

// twoAtOnce leaves half of the power: no block can be made until one is back. Both are
// killed again as they come back, until the chain has stood for a while, which shows as
// a gap between two blocks that is longer than any other.
func (n *quorum) twoAtOnce(swaps *swapping) {
	const stands = 3 * time.Second // twice as long as a chain at rest waits between two blocks
	from, at := n.height(), time.Now()
	pods, last, since := n.pods()[:2], from, at
	platform.Eventually(n.t, 2*time.Minute, "no block without two", func(context.Context) error {
		for _, pod := range pods {
			n.kill(corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}})
		}
		time.Sleep(500 * time.Millisecond)
		if height := n.height(); height != last {
			last, since = height, time.Now()
		}
		if time.Since(since) < stands {
			return fmt.Errorf("block %d was made %s ago", last, time.Since(since))
		}
		return nil
	})
	took := n.goesOn()
	n.awaitSigning(validators)
	halt, before := time.Duration(0), at
	for _, block := range n.since(from) {
		halt, before = max(halt, block.at.Sub(before)), block.at
	}
	n.t.Logf("two at once: halted for %s, three blocks %s after they may stay, by itself; %s", halt.Round(time.Millisecond), took.Round(time.Millisecond), swaps)
	if halt < stands {
		n.t.Errorf("blocks never stopped for longer than %s, though half of the validators were away", halt)
	}
}

func (n *quorum) others(swaps *swapping) {
	for _, v := range []victim{operatorPods(n.p), apiPods(n.p)} {
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

// roll gives the gateway, and with it the chain, another image.
func (n *quorum) roll(swaps *swapping) {
	old := map[string]bool{}
	for _, pod := range n.pods() {
		old[string(pod.UID)] = true
	}
	next := n.pods()[0].Spec.Containers[0].Image + images.AgainSuffix
	from := n.height()
	n.setImage(next)
	n.t.Cleanup(func() { n.setImage("") })
	start := time.Now()
	platform.Eventually(n.t, 8*time.Minute, "all validators rolled", func(context.Context) error {
		for _, pod := range n.pods() {
			if old[string(pod.UID)] {
				return fmt.Errorf("%s is an old one", pod.Name)
			}
			if image := pod.Spec.Containers[0].Image; image != next {
				return fmt.Errorf("%s runs %s", pod.Name, image)
			}
		}
		return nil
	})
	n.awaitSigning(validators)
	fewest := validators
	for _, block := range n.since(from) {
		fewest = min(fewest, len(block.signers))
	}
	n.t.Logf("rolled to %s in %s, no block of fewer than %d; %s", next, time.Since(start).Round(time.Millisecond), fewest, swaps)
}

func (n *quorum) setImage(image string) {
	gateway := &lucidv1.LucidGateway{}
	key := client.ObjectKey{Namespace: n.p.Namespace, Name: n.p.Gateway}
	if err := n.p.Get(context.Background(), key, gateway); err != nil {
		n.t.Fatal(err)
	}
	patch := client.MergeFrom(gateway.DeepCopy())
	gateway.Spec.Image = image
	if err := n.p.Patch(context.Background(), gateway, patch); err != nil {
		n.t.Fatal(err)
	}
}

// agree wants the same blocks, and so the same states, of that many validators at all
// heights from the first on. It returns them.
func (n *quorum) agree(first int64, validators int) []header {
	n.t.Helper()
	pods, last := n.pods(), n.height()-2
	if len(pods) != validators {
		n.t.Fatalf("%d pods, want %d", len(pods), validators)
	}
	blocks := n.headers(pods[0].Name, first, last)
	for _, pod := range pods[1:] {
		for i, block := range n.headers(pod.Name, first, last) {
			if block != blocks[i] {
				n.t.Fatalf("%s has block %+v, %s %+v", pods[0].Name, blocks[i], pod.Name, block)
			}
		}
	}
	n.t.Logf("%d validators have the same blocks and app hashes from %d to %d", len(pods), first, last)
	return blocks
}

func (n *quorum) supply() supply {
	n.t.Helper()
	var seen supply
	platform.Eventually(n.t, time.Minute, "supply", func(ctx context.Context) error {
		return n.p.LiveChain(n.chain).Query(ctx, "/supply", &seen)
	})
	return seen
}

// supply is what a live chain counts.
type supply struct {
	Tokens platform.Decimal `json:"token_supply"`
	CNPY   platform.Decimal `json:"cnpy_supply"`
}

// provePositions has a light client prove every holder's balance from the genesis
// hash on.
func (n *quorum) provePositions() {
	n.t.Helper()
	holders, err := n.p.NewUser().Holders(context.Background(), n.chain.Status.LedgerID)
	if err != nil || len(holders) != sellers+travellers {
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
