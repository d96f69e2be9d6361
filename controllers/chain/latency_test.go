package chain_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/chain"
)

// births is how many chains of each birth are timed; the slowest of them stands
// for the 99th percentile.
const births = 25

func TestBirthsShowOnTheOtherSideWithinASecond(t *testing.T) {
	o := start(t)
	// The operator is running, as it is on a cluster.
	o.waitCondition(t, o.declare(t, "warm-up", nil), lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonManual)
	var applied, posted []time.Duration
	for i := range births {
		applied = append(applied, o.timeDeclared(t, i))
	}
	watching, err := client.NewWithWatch(o.Config, client.Options{Scheme: o.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	watcher, err := watching.Watch(t.Context(), &lucidv1.ChainList{}, client.InNamespace(o.Namespace))
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	for i := range births {
		posted = append(posted, o.timePosted(t, i, watcher))
	}
	for what, took := range map[string]time.Duration{"object to row": slices.Max(applied), "row to object": slices.Max(posted)} {
		t.Logf("%s: slowest of %d %s", what, births, took.Round(time.Millisecond))
		if took > time.Second {
			t.Errorf("%s took %s, want under 1 s", what, took)
		}
	}
}

// timeDeclared times from the applied object to its row.
func (o *operator) timeDeclared(t *testing.T, i int) time.Duration {
	c := &lucidv1.Chain{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: fmt.Sprintf("declared-%d", i)}, Spec: lucidv1.ChainSpec{
		GatewayRef: lucidv1.LocalObjectReference{Name: "main"}, ChainName: fmt.Sprintf("Declared %d", i), Token: lucidv1.Token{Symbol: "D"},
	}}
	begin := time.Now()
	o.create(t, c)
	for {
		if _, err := o.chains.Get(t.Context(), uuid.MustParse(string(c.UID))); err == nil {
			return time.Since(begin)
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatal("the row never came")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// timePosted times from the committed row to its object.
func (o *operator) timePosted(t *testing.T, i int, watcher watch.Interface) time.Duration {
	row, err := o.chains.Create(t.Context(), chain.Spec{ChainName: fmt.Sprintf("Posted %d", i), TokenSymbol: "P", CreatedBy: uuid.New()})
	begin := time.Now()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		select {
		case e := <-watcher.ResultChan():
			if c, ok := e.Object.(*lucidv1.Chain); ok && c.Spec.ID == row.ID.String() {
				return time.Since(begin)
			}
		case <-ctx.Done():
			t.Fatal("the object never came")
		}
	}
}
