//go:build e2e

package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// trickle is how many people sell, one swap after the other each: some eight a second
// while blocks are made.
const trickle = 3

// TestChainIsScaledHaltedAndResumed has a chain of one validator grow to three and
// four, shrink to two, stop and go on, while holders swap. In the end all nodes have
// one history without a gap, every swap is in one block of it, and all balances, proven
// from the genesis hash on, add up to what the genesis gave.
func TestChainIsScaledHaltedAndResumed(t *testing.T) {
	p := platform.MustOpen(t)
	chain, people := bought(t, p, "scaled", 1, "11000", trickle+1)
	n := &quorum{t: t, p: p, chain: chain}
	n.awaitSigning(1)
	seen := follow(t, p, chain)
	late := &lateOrder{user: people[trickle], key: uuid.NewString()}
	var first, last int64 // of the blocks that the scaling is held against
	var stopped pause
	swaps := swapWhile(t, p, chain, people[:trickle], func(swaps *swapping) {
		first = n.height()
		n.scale(3, swaps)
		n.scale(4, swaps)
		n.scale(2, swaps)
		last = n.height()
		stopped = n.halt(late)
		n.resume(stopped, swaps)
		late.carriedOut(n, swaps)
	})
	swaps.check(t, p, chain)
	n.goesOn() // past the last swap
	blocks := n.agree(1, 2)
	n.onceEach(blocks, swaps)
	n.wentOn(blocks[first-1 : last])
	stopped.check(t, blocks)
	n.addsUp()
	seen.check(t)
	verifyLedger(t)
}

// edit changes the chain's network.
func (n *quorum) edit(change func(*lucidv1.Network)) {
	n.t.Helper()
	if err := n.p.Get(context.Background(), client.ObjectKeyFromObject(n.chain), n.chain); err != nil {
		n.t.Fatal(err)
	}
	patch := client.MergeFrom(n.chain.DeepCopy())
	change(&n.chain.Spec.Network)
	if err := n.p.Patch(context.Background(), n.chain, patch); err != nil {
		n.t.Fatal(err)
	}
}

// asDeclared is nil once the operator says that the chain is as its spec asks, of the
// spec as it is now.
func (n *quorum) asDeclared(ctx context.Context, reason string) error {
	if err := n.p.Ready(ctx, n.chain, lucidv1.ConditionReady); err != nil {
		return err
	}
	ready := meta.FindStatusCondition(n.chain.Status.Conditions, lucidv1.ConditionReady)
	if ready.ObservedGeneration != n.chain.Generation || ready.Reason != reason {
		return fmt.Errorf("Ready is %s of generation %d, want %s of %d", ready.Reason, ready.ObservedGeneration, reason, n.chain.Generation)
	}
	return nil
}

// scale asks for so many validators, and wants all of them, and nobody else, to vote
// and to sign. No node may be stopped before the chain has let its validator go.
func (n *quorum) scale(want int, swaps *swapping) {
	n.t.Helper()
	n.edit(func(network *lucidv1.Network) { network.Validators = int32(want) })
	start := time.Now()
	platform.Eventually(n.t, 3*time.Minute, fmt.Sprintf("%d validators", want), func(ctx context.Context) error {
		nodes, err := n.nodes(ctx)
		if err != nil {
			return err
		}
		// In this order: while they become fewer, those who vote now voted then.
		if voters := n.voters(); len(voters) > max(nodes, want) {
			n.t.Errorf("%d nodes are to run while %d vote", nodes, len(voters))
		}
		return n.asDeclared(ctx, lucidv1.ReasonGraduated)
	})
	voting := time.Since(start)
	n.awaitSigning(int32(want))
	platform.Eventually(n.t, time.Minute, "no other pod", func(context.Context) error {
		if pods := n.pods(); len(pods) != want {
			return fmt.Errorf("%d pods", len(pods))
		}
		return nil
	})
	n.signing(want)
	n.t.Logf("%d validators vote after %s and all sign after %s; %s", want, voting.Round(time.Millisecond), time.Since(start).Round(time.Millisecond), swaps)
}

// nodes is how many the StatefulSet is to run.
func (n *quorum) nodes(ctx context.Context) (int, error) {
	set := &appsv1.StatefulSet{}
	err := n.p.Get(ctx, client.ObjectKeyFromObject(n.chain), set)
	if err != nil || set.Spec.Replicas == nil {
		return 0, errors.Join(err, errors.New("no nodes"))
	}
	return int(*set.Spec.Replicas), nil
}

// voters are the addresses of those who vote by the first node, in order; none while
// it does not answer.
func (n *quorum) voters() []string {
	var answer struct {
		Validators []struct {
			Address string `json:"address"`
		} `json:"validators"`
	}
	if n.ask(n.chain.Name+"-0", "validators", map[string]string{"per_page": "100"}, &answer) != nil {
		return nil
	}
	var all []string
	for _, v := range answer.Validators {
		all = append(all, v.Address)
	}
	return slices.Sorted(slices.Values(all))
}

// identities are what the nodes call themselves, by pod.
func (n *quorum) identities() map[string]nodeStatus {
	n.t.Helper()
	all := map[string]nodeStatus{}
	for _, pod := range n.pods() {
		var status nodeStatus
		platform.Eventually(n.t, time.Minute, "an answer of "+pod.Name, func(context.Context) error {
			return n.ask(pod.Name, "status", nil, &status)
		})
		status.Sync.Height = 0
		all[pod.Name] = status
	}
	return all
}

// signing wants the validators of that many pods to be those who vote, and each of them
// to have signed one of the next blocks.
func (n *quorum) signing(want int) {
	n.t.Helper()
	var own []string
	for _, status := range n.identities() {
		own = append(own, status.Validator.Address)
	}
	slices.Sort(own)
	if voters := n.voters(); len(own) != want || !slices.Equal(own, voters) {
		n.t.Errorf("the pods have the validators %v, and %v vote, want %d", own, voters, want)
	}
	from := n.height()
	platform.Eventually(n.t, time.Minute, "a block signed by each", func(context.Context) error {
		signers := map[string]bool{}
		for _, block := range n.since(from) {
			for _, who := range block.signers {
				signers[who] = true
			}
		}
		if found := slices.Sorted(maps.Keys(signers)); !slices.Equal(found, own) {
			return fmt.Errorf("%v signed of %v", found, own)
		}
		return nil
	})
}

// wentOn wants no two blocks further apart than it takes to replace all nodes, which is
// done one after the other when their number changes. Up to three validators have none to
// spare: the chain stands each time, and may not come to a block between two of them.
func (n *quorum) wentOn(blocks []header) {
	n.t.Helper()
	const most = time.Minute
	var longest time.Duration
	for i, block := range blocks[1:] {
		longest = max(longest, block.at.Sub(blocks[i].at))
	}
	n.t.Logf("%d blocks while the validators changed, none later than %s after the one before", len(blocks), longest.Round(time.Millisecond))
	if longest > most {
		n.t.Errorf("want %s at most", most)
	}
}
