//go:build e2e

package chaos

import (
	"context"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// chronicle is what the operator says of a chain, as it comes to be said.
type chronicle struct {
	p       *platform.Platform
	chain   *lucidv1.Chain
	cancel  context.CancelFunc
	over    chan struct{} // closed when no more will be noted
	began   time.Time
	reasons []string // of Ready
	writes  int
}

// follow notes each write of the chain's object until check.
func follow(t *testing.T, p *platform.Platform, chain *lucidv1.Chain) *chronicle {
	t.Helper()
	watching, err := client.NewWithWatch(p.Config, client.Options{Scheme: p.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	news, err := watching.Watch(ctx, &lucidv1.ChainList{}, client.InNamespace(chain.Namespace), client.MatchingFields{"metadata.name": chain.Name})
	if err != nil {
		t.Fatal(err)
	}
	c := &chronicle{p: p, chain: chain, cancel: cancel, over: make(chan struct{}), began: time.Now()}
	go func() {
		defer close(c.over)
		for one := range news.ResultChan() {
			if now, ok := one.Object.(*lucidv1.Chain); ok {
				c.note(now)
			}
		}
	}()
	return c
}

// note leaves out that the chain stands, as one of up to three validators does each time
// that a node is replaced, and as one that resumes does until its nodes are there.
func (c *chronicle) note(now *lucidv1.Chain) {
	c.writes++
	ready := meta.FindStatusCondition(now.Status.Conditions, lucidv1.ConditionReady)
	if ready.Reason == lucidv1.ReasonUnreachable || ready.Reason == lucidv1.ReasonNoBlocks {
		return
	}
	if last := len(c.reasons) - 1; last < 0 || c.reasons[last] != ready.Reason {
		c.reasons = append(c.reasons, ready.Reason)
	}
}

// check wants the whole story told in its order, each part once, and not in a storm of
// writes: that would be several in each second.
func (c *chronicle) check(t *testing.T) {
	t.Helper()
	took := time.Since(c.began)
	c.cancel()
	<-c.over
	t.Logf("%d writes of the chain's object in %s, Ready by the reasons %v", c.writes, took.Round(time.Second), c.reasons)
	const graduated, scaling = lucidv1.ReasonGraduated, lucidv1.ReasonScaling
	want := []string{graduated, scaling, graduated, scaling, graduated, scaling, graduated, lucidv1.ReasonHalting, lucidv1.ReasonHalted, graduated}
	if !slices.Equal(c.reasons, want) {
		t.Errorf("want the reasons %v", want)
	}
	if c.writes > int(took.Seconds()) {
		t.Errorf("want one write in a second at most")
	}
	told, err := c.p.EventReasons(context.Background(), c.chain)
	if err != nil {
		t.Fatal(err)
	}
	const scaled = lucidv1.ReasonScaled
	want = []string{graduated, scaled, scaled, scaled, lucidv1.ReasonHalted, lucidv1.ReasonResumed}
	if from := slices.Index(told, graduated); from < 0 || !slices.Equal(told[from:], want) {
		t.Errorf("events %v, want %v in the end", told, want)
	}
}
