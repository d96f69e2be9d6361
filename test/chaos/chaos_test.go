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
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// storm is so many users with so many trades between them.
type storm struct{ users, trades int }

// attempt is one trade that a user asks for, under its idempotency key.
type attempt struct {
	user       *platform.User
	chain, key string
	order      platform.Order
}

// journal is what the users were told: the ids of the accepted trades and what
// was refused.
type journal struct {
	mutex    sync.Mutex
	accepted map[uuid.UUID]int
	refused  []attempt
	retried  atomic.Int64
}

// tooMuch is more than anybody ever has.
var tooMuch = platform.Order{Side: "buy", CNPYAmount: "2000000"}

func TestTradesSurviveKilledPods(t *testing.T) {
	p := platform.MustOpen(t)
	live := p.GraduatedChain(t, "chaos-live")
	chain := p.LaunchedChain(t, "chaos", "1000000")
	id := chain.Status.LedgerID

	told := &journal{accepted: map[uuid.UUID]int{}}
	awaitReplicas(t, p)
	amidKilling(t, p, []victim{apiPods(p), operatorPods(p), nodePods(p, live)}, func() {
		storm{users: 50, trades: 10_000}.blow(t, p, id, told)
		crossThreshold(t, p, id, told)
		p.WaitGraduated(t, chain)
	})
	told.check(t)
	told.checkRefused(t)
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
	awaitReplicas(t, p)
	amidKilling(t, p, []victim{apiPods(p)}, func() {
		storm{users: 200, trades: 20_000}.blow(t, p, chain.Status.LedgerID, told)
	})
	told.check(t)
	told.checkRefused(t)
	checkLedger(t, p, chain.Status.LedgerID, told)
	verifyLedger(t)
}

// awaitReplicas waits for two API pods, without which no batch meets another's.
func awaitReplicas(t *testing.T, p *platform.Platform) {
	t.Helper()
	platform.Eventually(t, 2*time.Minute, "two ready API pods", func(ctx context.Context) error {
		pods, err := p.APIPods(ctx)
		if err != nil {
			return err
		}
		ready := slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !platform.PodReady(&pod) })
		if len(ready) < 2 {
			return fmt.Errorf("%d of %d are ready", len(ready), len(pods))
		}
		return nil
	})
}

// amidKilling does something while pods die about once a second. A storm in which
// none of a kind died, or in which one API pod did all the work, shows nothing.
func amidKilling(t *testing.T, p *platform.Platform, victims []victim, something func()) {
	t.Helper()
	killing, stop := context.WithCancel(context.Background())
	var besides sync.WaitGroup
	var killed map[string]int
	var traded map[string]int64
	before := tradesByPod(killing, p)
	besides.Go(func() { killed = killPods(killing, p, victims) })
	besides.Go(func() { traded = watchTrades(killing, p, before) })
	start := time.Now()
	func() {
		defer besides.Wait() // also when the test fails in the midst
		defer stop()
		something()
	}()
	t.Logf("pods killed in %s: %v; trades seen by API pod: %v", time.Since(start).Round(time.Second), killed, traded)
	for _, v := range victims {
		if killed[v.component] == 0 {
			t.Errorf("no pod of the %s was killed", v.component)
		}
	}
	if len(traded) < 2 {
		t.Errorf("%d API pods were seen to trade, want two or more", len(traded))
	}
}

// watchTrades looks until ctx ends which API pods have granted more trades than
// before, and returns how many those had when they were last seen.
func watchTrades(ctx context.Context, p *platform.Platform, before map[string]int64) map[string]int64 {
	traded := map[string]int64{}
	for {
		for pod, n := range tradesByPod(ctx, p) {
			if n > before[pod] {
				traded[pod] = n
			}
		}
		select {
		case <-ctx.Done():
			return traded
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// tradesByPod leaves out the pods that do not answer: they are dying, or not up yet.
func tradesByPod(ctx context.Context, p *platform.Platform) map[string]int64 {
	granted := map[string]int64{}
	pods, _ := p.APIPods(ctx)
	for _, pod := range pods {
		if n, err := p.TradesGranted(ctx, pod.Name); err == nil {
			granted[pod.Name] = n
		}
	}
	return granted
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
		return tooMuch
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

// trade asks for a trade and notes what the user is told.
func (j *journal) trade(t *testing.T, user *platform.User, chainID string, order platform.Order) {
	a := attempt{user: user, chain: chainID, key: uuid.NewString(), order: order}
	if answer := j.ask(t, a); answer != nil {
		j.note(t, a, answer)
	}
}

// ask asks until it knows the answer: a lost connection or a 5xx says nothing
// about the trade, the same key asked again does.
func (j *journal) ask(t *testing.T, a attempt) *platform.Answer {
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		answer, err := a.user.Trade(context.Background(), a.chain, a.key, a.order)
		if err != nil || answer.Status >= 500 || answer.Status == http.StatusTooManyRequests {
			j.retried.Add(1)
			time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond)
			continue
		}
		return answer
	}
	t.Errorf("a trade got no answer within two minutes")
	return nil
}

func (j *journal) note(t *testing.T, a attempt, answer *platform.Answer) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if answer.Status == http.StatusUnprocessableEntity {
		j.refused = append(j.refused, a)
		return
	}
	var trade platform.Trade
	if err := answer.Into(&trade); err != nil {
		t.Errorf("trade: %v", err)
		return
	}
	if a.order == tooMuch {
		t.Errorf("trade %s pays with more than anybody has", trade.ID)
	}
	j.accepted[trade.ID]++
}

// check makes sure that both answers were given: a storm that is refused whole
// loses nothing either.
func (j *journal) check(t *testing.T) {
	t.Helper()
	t.Logf("%d trades accepted, %d refused, %d answers lost and asked again", len(j.accepted), len(j.refused), j.retried.Load())
	if len(j.accepted) == 0 || len(j.refused) == 0 {
		t.Errorf("%d trades accepted and %d refused, want some of each", len(j.accepted), len(j.refused))
	}
}

// checkRefused asks again for what never could be granted: had a pod that was
// killed carried one out, its key would now be answered with the trade.
func (j *journal) checkRefused(t *testing.T) {
	t.Helper()
	hopeless := slices.DeleteFunc(slices.Clone(j.refused), func(a attempt) bool { return a.order != tooMuch })
	if len(hopeless) == 0 {
		t.Error("nobody was refused for paying with more than they have")
	}
	for _, a := range hopeless {
		if again := j.ask(t, a); again != nil && again.Status != http.StatusUnprocessableEntity {
			t.Errorf("a refused trade is answered with %d: %s", again.Status, again.Data)
		}
	}
}

func fund(t *testing.T, user *platform.User) {
	platform.Eventually(t, time.Minute, "faucet", func(ctx context.Context) error { return user.Fund(ctx, "1000000") })
}

// victim is a kind of pod to kill.
type victim struct {
	component, namespace string
	labels               client.MatchingLabels
	// spared says that none is to be killed at present; nil never does.
	spared func(context.Context) bool
}

func apiPods(p *platform.Platform) victim {
	return victim{component: "apiserver", namespace: p.Namespace, labels: client.MatchingLabels{
		lucidv1.LabelGateway: p.Gateway, "app.kubernetes.io/component": "apiserver",
	}}
}

// operatorPods are killed once one of them works. One that is killed before it can give
// the lease back leaves the next one waiting for 15 s: killed meanwhile again and again,
// no operator would ever work, and nothing be learnt of what becomes of its work.
func operatorPods(p *platform.Platform) victim {
	return victim{
		component: "operator", namespace: "lucid-system", labels: client.MatchingLabels{"app.kubernetes.io/component": "operator"},
		spared: func(ctx context.Context) bool { return !p.OperatorLeads(ctx) },
	}
}

func nodePods(p *platform.Platform, chain *lucidv1.Chain) victim {
	return victim{component: "node", namespace: p.Namespace, labels: client.MatchingLabels{
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
		if v.spared != nil && v.spared(ctx) {
			continue
		}
		if p.KillOne(ctx, v.namespace, v.labels) == nil {
			killed[v.component]++
		}
	}
}

// checkLedger pages through the chain's transactions and compares them with
// what the users were told: each that was accepted is there once, and none more,
// so that nothing is there of what was refused.
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
