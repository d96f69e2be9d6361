//go:build e2e

// Package chaos kills pods at random while users trade, and then asks the
// ledger whether anything that was acknowledged is missing, or anything that
// was refused is there.
package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// storm is so many users with so many trades between them.
type storm struct{ users, trades int }

// journal is what the users were told: the ids of the accepted trades and the
// number of refusals.
type journal struct {
	mutex    sync.Mutex
	accepted map[uuid.UUID]int
	refused  atomic.Int64
	retried  atomic.Int64
}

func TestTradesSurviveKilledPods(t *testing.T) {
	p := platform.MustOpen(t)
	live := p.GraduatedChain(t, "chaos-live")
	chain := p.LaunchedChain(t, "chaos", "1000000")
	id := chain.Status.LedgerID

	told := &journal{accepted: map[uuid.UUID]int{}}
	amidKilling(t, []victim{apiPods(p), operatorPods(), nodePods(p, live)}, func() {
		storm{users: 50, trades: 10_000}.blow(t, p, id, told)
		crossThreshold(t, p, id, told)
		p.WaitGraduated(t, chain)
	})
	told.report(t)
	checkLedger(t, p, id, told)
	checkGraduatedOnce(t, p, chain)
	verifyLedger(t)
}

// TestPodsShareAPool has every API pod trade on one pool while they are killed
// in turn: the pods' batches collide as well as die.
func TestPodsShareAPool(t *testing.T) {
	p := platform.MustOpen(t)
	chain := p.LaunchedChain(t, "shared", "9000000")
	told := &journal{accepted: map[uuid.UUID]int{}}
	amidKilling(t, []victim{apiPods(p)}, func() {
		storm{users: 200, trades: 20_000}.blow(t, p, chain.Status.LedgerID, told)
	})
	told.report(t)
	checkLedger(t, p, chain.Status.LedgerID, told)
	verifyLedger(t)
}

// amidKilling does something while pods die about once a second.
func amidKilling(t *testing.T, victims []victim, something func()) {
	killing, stop := context.WithCancel(context.Background())
	var killer sync.WaitGroup
	var killed map[string]int
	killer.Go(func() { killed = killPods(killing, platform.MustOpen(t), victims) })
	start := time.Now()
	something()
	stop()
	killer.Wait()
	t.Logf("pods killed in %s: %v", time.Since(start).Round(time.Second), killed)
}

// blow sends the trades of all users: buys, sells of what was bought, and now
// and then more than anybody has.
func (s storm) blow(t *testing.T, p *platform.Platform, chainID string, told *journal) {
	var wait sync.WaitGroup
	for range s.users {
		user := p.NewUser()
		wait.Go(func() {
			fund(t, user)
			for i := range s.trades / s.users {
				told.trade(t, user, chainID, someOrder(i))
			}
		})
	}
	wait.Wait()
}

func someOrder(i int) platform.Order {
	switch {
	case i%50 == 49:
		return platform.Order{Side: "buy", CNPYAmount: "2000000"}
	case i%3 == 2:
		return platform.Order{Side: "sell", TokenAmount: fmt.Sprintf("%d.5", 100+rand.IntN(900))}
	}
	return platform.Order{Side: "buy", CNPYAmount: fmt.Sprintf("%d.%06d", 1+rand.IntN(5), rand.IntN(1_000_000))}
}

// crossThreshold lets ten users cross it at the same time: one trade may, and
// the others must be refused or lie before it.
func crossThreshold(t *testing.T, p *platform.Platform, chainID string, told *journal) {
	var wait sync.WaitGroup
	for range 10 {
		user := p.NewUser()
		wait.Go(func() {
			fund(t, user)
			told.trade(t, user, chainID, platform.Order{Side: "buy", CNPYAmount: "900000"})
		})
	}
	wait.Wait()
}

// trade asks until it knows the answer: a lost connection or a 5xx says
// nothing about the trade, the same key asked again does.
func (j *journal) trade(t *testing.T, user *platform.User, chainID string, order platform.Order) {
	key := uuid.NewString()
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		answer, err := user.Trade(context.Background(), chainID, key, order)
		if err != nil || answer.Status >= 500 || answer.Status == http.StatusTooManyRequests {
			j.retried.Add(1)
			time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond)
			continue
		}
		j.note(t, answer)
		return
	}
	t.Errorf("a trade got no answer within two minutes")
}

func (j *journal) report(t *testing.T) {
	t.Logf("%d trades accepted, %d refused, %d answers lost and asked again",
		len(j.accepted), j.refused.Load(), j.retried.Load())
}

func (j *journal) note(t *testing.T, answer *platform.Answer) {
	if answer.Status == http.StatusUnprocessableEntity {
		j.refused.Add(1)
		return
	}
	var trade platform.Trade
	if err := answer.Into(&trade); err != nil {
		t.Errorf("trade: %v", err)
		return
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.accepted[trade.ID]++
}

func fund(t *testing.T, user *platform.User) {
	platform.Eventually(t, time.Minute, "faucet", func(ctx context.Context) error { return user.Fund(ctx, "1000000") })
}

// victim is a kind of pod to kill.
type victim struct {
	component, namespace string
	labels               client.MatchingLabels
}

func apiPods(p *platform.Platform) victim {
	return victim{"apiserver", p.Namespace, client.MatchingLabels{
		lucidv1.LabelGateway: p.Gateway, "app.kubernetes.io/component": "apiserver",
	}}
}

func operatorPods() victim {
	return victim{"operator", "lucid-system", client.MatchingLabels{"app.kubernetes.io/component": "operator"}}
}

func nodePods(p *platform.Platform, chain *lucidv1.Chain) victim {
	return victim{"node", p.Namespace, client.MatchingLabels{
		lucidv1.LabelChain: chain.Name, "app.kubernetes.io/component": "node",
	}}
}

// killPods deletes a random pod of each kind in turn, with no grace, until ctx
// ends, and returns how many of each it killed.
func killPods(ctx context.Context, p *platform.Platform, victims []victim) map[string]int {
	killed := map[string]int{}
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return killed
		case <-time.After(time.Duration(500+rand.IntN(1000)) * time.Millisecond):
		}
		v := victims[i%len(victims)]
		if p.KillOne(ctx, v.namespace, v.labels) == nil {
			killed[v.component]++
		}
	}
}

// checkLedger pages through the chain's transactions and compares them with
// what the users were told.
func checkLedger(t *testing.T, p *platform.Platform, chainID string, told *journal) {
	reader := p.NewUser()
	seen := map[uuid.UUID]int{}
	for page := 1; ; page++ {
		answer, err := reader.Do(context.Background(), http.MethodGet, fmt.Sprintf("/chains/%s/transactions?limit=100&page=%d", chainID, page), nil)
		if err != nil {
			t.Fatal(err)
		}
		var list []platform.Trade
		if err := answer.Into(&list); err != nil {
			t.Fatal(err)
		}
		for _, trade := range list {
			seen[trade.ID]++
		}
		if page >= answer.Pagination.Pages {
			break
		}
	}
	for id, times := range told.accepted {
		if times != 1 || seen[id] != 1 {
			t.Errorf("trade %s: acknowledged %d times, %d times in the ledger", id, times, seen[id])
		}
	}
	if len(seen) != len(told.accepted) {
		t.Errorf("%d trades in the ledger, %d were acknowledged", len(seen), len(told.accepted))
	}
}

func checkGraduatedOnce(t *testing.T, p *platform.Platform, chain *lucidv1.Chain) {
	reasons, err := p.EventReasons(context.Background(), chain)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, reason := range reasons {
		count[reason]++
	}
	if count["Graduated"] != 1 {
		t.Errorf("events %v: Graduated %d times, want once", reasons, count["Graduated"])
	}
	row, err := p.NewUser().Chain(context.Background(), chain.Status.LedgerID)
	if err != nil || row.Status != "graduated" {
		t.Errorf("chain = %+v, %v, want graduated", row, err)
	}
}

// verifyLedger runs `lucid ledger verify` against the live database.
func verifyLedger(t *testing.T) {
	command := exec.Command("go", "run", "../..", "ledger", "verify")
	command.Env = os.Environ()
	output, err := command.CombinedOutput()
	t.Logf("lucid ledger verify:\n%s", output)
	if err != nil {
		t.Errorf("lucid ledger verify: %v", err)
	}
}
