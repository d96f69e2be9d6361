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

const (
	users  = 50
	trades = 10_000
)

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
	ctx := context.Background()
	live := p.GraduatedChain(t, "chaos-live")
	chain := p.LaunchedChain(t, "chaos", "1000000")
	id := chain.Status.LedgerID

	killing, stop := context.WithCancel(ctx)
	var killer sync.WaitGroup
	var killed map[string]int
	killer.Go(func() { killed = killPods(killing, t, p, live) })

	told := &journal{accepted: map[uuid.UUID]int{}}
	start := time.Now()
	tradeAll(t, p, id, told)
	took := time.Since(start)
	crossThreshold(t, p, id, told)
	p.WaitGraduated(t, chain)
	stop()
	killer.Wait()

	t.Logf("%d trades accepted, %d refused, %d answers lost and asked again, in %s; pods killed: %v",
		len(told.accepted), told.refused.Load(), told.retried.Load(), took.Round(time.Second), killed)
	checkLedger(t, p, id, told)
	checkGraduatedOnce(t, p, chain)
	verifyLedger(t)
}

// tradeAll sends the trades of all users: buys, and sells of what was bought.
func tradeAll(t *testing.T, p *platform.Platform, chainID string, told *journal) {
	var wait sync.WaitGroup
	for range users {
		user := p.NewUser()
		wait.Go(func() {
			fund(t, user)
			for i := range trades / users {
				told.trade(t, user, chainID, someOrder(i))
			}
		})
	}
	wait.Wait()
}

func someOrder(i int) platform.Order {
	if i%3 == 2 {
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

// killPods deletes a random pod about once a second, with no grace, until ctx
// ends, and returns how many of each component it killed.
func killPods(ctx context.Context, t *testing.T, p *platform.Platform, live *lucidv1.Chain) map[string]int {
	killed := map[string]int{}
	victims := []struct {
		component, namespace string
		labels               client.MatchingLabels
	}{
		{"apiserver", p.Namespace, client.MatchingLabels{lucidv1.LabelGateway: p.Gateway, "app.kubernetes.io/component": "apiserver"}},
		{"operator", "lucid-system", client.MatchingLabels{"app.kubernetes.io/component": "operator"}},
		{"node", p.Namespace, client.MatchingLabels{lucidv1.LabelChain: live.Name, "app.kubernetes.io/component": "node"}},
	}
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return killed
		case <-time.After(time.Duration(500+rand.IntN(1000)) * time.Millisecond):
		}
		victim := victims[i%len(victims)]
		if p.KillOne(ctx, victim.namespace, victim.labels) == nil {
			killed[victim.component]++
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
