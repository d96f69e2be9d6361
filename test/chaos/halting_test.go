//go:build e2e

package chaos

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// pause is a halt of the chain, and what must be the same after it.
type pause struct {
	from, to   time.Time // no node ran between these
	height     int64     // of the last block that was seen before
	hash       string    // its
	identities map[string]nodeStatus
	kept       map[string]string
}

// halt stops the chain and wants its nodes gone, all that is needed for its return kept,
// and whoever asks told so.
func (n *quorum) halt(order *lateOrder) (stopped pause) {
	n.t.Helper()
	stopped.identities, stopped.kept = n.identities(), n.keeps()
	// Of the four validators that there have been, the authority's Secret, genesis and peers.
	if want := 4 + 4 + 1 + 2; len(stopped.kept) != want {
		n.t.Errorf("the chain has %v, want %d of them", stopped.kept, want)
	}
	stopped.height = n.height() - 1
	stopped.hash = n.headers(n.chain.Name+"-0", stopped.height, stopped.height)[0].hash
	n.edit(func(network *lucidv1.Network) { network.State = lucidv1.NetworkHalted })
	start := time.Now()
	platform.Eventually(n.t, 2*time.Minute, "the chain halted", func(ctx context.Context) error {
		return n.asDeclared(ctx, lucidv1.ReasonHalted)
	})
	stopped.from = time.Now()
	if pods := n.pods(); len(pods) > 0 {
		n.t.Errorf("%d pods of a halted chain", len(pods))
	}
	network := meta.FindStatusCondition(n.chain.Status.Conditions, lucidv1.ConditionNetworkReady)
	if network.Reason != lucidv1.ReasonHalted || *n.chain.Status.Network.Validators != (lucidv1.ValidatorsStatus{Wanted: 2}) {
		n.t.Errorf("NetworkReady %+v, validators %+v of a halted chain", network, n.chain.Status.Network.Validators)
	}
	order.refused(n)
	n.settles(3 * time.Second)
	if kept := n.keeps(); !maps.Equal(kept, stopped.kept) {
		n.t.Errorf("a halted chain has kept %v of %v", kept, stopped.kept)
	}
	n.t.Logf("halted after %s with the block %d or a later one", stopped.from.Sub(start).Round(time.Millisecond), stopped.height)
	stopped.to = time.Now()
	return stopped
}

// keeps are the Secrets, ConfigMaps and claims of the chain, by what tells one from
// another that came in its place. What makes the chain what it is never changes.
func (n *quorum) keeps() map[string]string {
	n.t.Helper()
	kept := map[string]string{}
	for _, kind := range []string{"Secret", "ConfigMap", "PersistentVolumeClaim"} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind + "List"))
		err := n.p.List(context.Background(), list, client.InNamespace(n.p.Namespace), client.MatchingLabels{lucidv1.LabelChain: n.chain.Name})
		if err != nil {
			n.t.Fatal(err)
		}
		for _, object := range list.Items {
			is := string(object.UID)
			if kind == "Secret" || strings.HasSuffix(object.Name, "-genesis") {
				is += " " + object.ResourceVersion
			}
			kept[kind+" "+object.Name] = is
		}
	}
	return kept
}

// settles wants that soon nobody writes the chain, or what belongs to it, for a while.
func (n *quorum) settles(over time.Duration) {
	n.t.Helper()
	versions := func() map[string]string {
		now := map[string]string{}
		for _, object := range []client.Object{
			n.chain.DeepCopy(), &appsv1.StatefulSet{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
		} {
			if err := n.p.Get(context.Background(), client.ObjectKeyFromObject(n.chain), object); err != nil {
				n.t.Fatal(err)
			}
			now[fmt.Sprintf("%T", object)] = object.GetResourceVersion()
		}
		return now
	}
	platform.Eventually(n.t, 4*over, "nothing is written", func(context.Context) error {
		before := versions()
		time.Sleep(over)
		if after := versions(); !maps.Equal(before, after) {
			return fmt.Errorf("versions %v became %v", before, after)
		}
		return nil
	})
}

// resume has the chain go on, as the nodes that it had, each with its own blocks.
func (n *quorum) resume(stopped pause, swaps *swapping) {
	n.t.Helper()
	n.edit(func(network *lucidv1.Network) { network.State = lucidv1.NetworkRunning })
	start := time.Now()
	platform.Eventually(n.t, 2*time.Minute, "the chain resumed", func(ctx context.Context) error {
		return n.asDeclared(ctx, lucidv1.ReasonGraduated)
	})
	n.awaitSigning(2)
	n.signing(2)
	if now := n.identities(); !maps.Equal(now, stopped.identities) {
		n.t.Errorf("the nodes were %+v and are %+v", stopped.identities, now)
	}
	if kept := n.keeps(); !maps.Equal(kept, stopped.kept) {
		n.t.Errorf("the chain had %v and has %v", stopped.kept, kept)
	}
	n.t.Logf("goes on after %s; %s", time.Since(start).Round(time.Millisecond), swaps)
}

// check finds the halt in the blocks: one gap, with the block after it at the next
// height, and those before it as they were.
func (stopped pause) check(t *testing.T, blocks []header) {
	t.Helper()
	if got := blocks[stopped.height-1]; got.height != stopped.height || got.hash != stopped.hash {
		t.Errorf("block %d was %s, and is %+v", stopped.height, stopped.hash, got)
	}
	i := slices.IndexFunc(blocks, func(b header) bool { return b.at.After(stopped.from) })
	if i < 1 || blocks[i].at.Before(stopped.to) || blocks[i].height != blocks[i-1].height+1 || blocks[i-1].height < stopped.height {
		t.Fatalf("the first block after the halt from %s to %s is %+v", stopped.from, stopped.to, blocks[i])
	}
	t.Logf("block %d follows %d after a halt of %s", blocks[i].height, blocks[i-1].height, blocks[i].at.Sub(blocks[i-1].at).Round(time.Millisecond))
}

// lateOrder is one that somebody gives while the chain is halted.
type lateOrder struct {
	user *platform.User
	key  string
}

func (o *lateOrder) give(n *quorum) (*platform.Answer, error) {
	return o.user.Do(context.Background(), http.MethodPost, "/graduated-pools/swap", sale(n.chain.Status.LedgerID), "Idempotency-Key", o.key)
}

// refused wants whoever needs the chain to be told that it does not answer, and whoever
// asks for what has been read from it to be answered.
func (o *lateOrder) refused(n *quorum) {
	n.t.Helper()
	answer, err := o.give(n)
	const away = "The chain does not answer at present"
	if err != nil || answer.Status != http.StatusServiceUnavailable || answer.Error.Code != "SERVICE_UNAVAILABLE" || answer.Error.Message != away {
		n.t.Errorf("an order is answered with %+v, %v", answer, err)
	}
	if err := o.user.Call(context.Background(), http.MethodGet, "/graduated-pools/"+n.chain.Status.LedgerID, nil, nil); err != nil {
		n.t.Error(err)
	}
}

// carriedOut wants the same order to be carried out by the chain that is back, once.
func (o *lateOrder) carriedOut(n *quorum, swaps *swapping) {
	n.t.Helper()
	var first, again struct {
		Hash string `json:"transaction_hash"`
	}
	platform.Eventually(n.t, time.Minute, "the late order", func(context.Context) error {
		answer, err := o.give(n)
		if err != nil {
			return err
		}
		return answer.Into(&first)
	})
	answer, err := o.give(n)
	if err == nil {
		err = answer.Into(&again)
	}
	if err != nil || again != first || answer.Header.Get("Idempotency-Replayed") != "true" {
		n.t.Errorf("the late order was %+v and is %+v, %v", first, again, err)
	}
	swaps.mutex.Lock()
	defer swaps.mutex.Unlock()
	swaps.hashes[first.Hash]++
}
