// Command chains applies many Chains at once, waits until all are Ready, and
// then counts what the operator still writes to the API server in a minute of
// steady state, by the API server's own audit log. Renewing its leader lease
// is the one write that a silent operator makes; it is counted apart.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

func main() {
	count := flag.Int("n", 1000, "chains")
	silence := flag.Duration("silence", time.Minute, "how long the steady state is watched")
	keep := flag.Bool("keep", false, "leave the chains in the cluster")
	flag.Parse()
	if err := run(context.Background(), *count, *silence, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "chains:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, count int, silence time.Duration, keep bool) error {
	p, err := platform.Open()
	if err != nil {
		return err
	}
	if p.AuditLog == "" {
		return fmt.Errorf("LUCID_AUDIT_LOG is not set: writes can't be counted on this cluster")
	}
	if !keep {
		defer remove(p)
	}
	applied, err := apply(ctx, p, count)
	if err != nil {
		return err
	}
	fmt.Printf("%d chains applied in %s (%.0f a second)\n", count, applied.Round(time.Millisecond), float64(count)/applied.Seconds())
	ready, err := allReady(ctx, p, count)
	if err != nil {
		return err
	}
	fmt.Printf("all Ready %s after the first apply (%.0f a second)\n", ready.Round(time.Millisecond), float64(count)/ready.Seconds())
	return steady(p, silence)
}

var started time.Time

func apply(ctx context.Context, p *platform.Platform, count int) (time.Duration, error) {
	started = time.Now()
	var wait sync.WaitGroup
	var next atomic.Int64
	failures := make(chan error, 16)
	for range 16 {
		wait.Go(func() {
			for next.Add(1) <= int64(count) {
				chain := p.ManualChain("load")
				chain.Labels = map[string]string{"lucid-test": "load"}
				if err := p.Create(ctx, chain); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(failures)
	return time.Since(started), <-failures
}

func allReady(ctx context.Context, p *platform.Platform, count int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	err := platform.Poll(ctx, 500*time.Millisecond, func(ctx context.Context) error {
		list := &lucidv1.ChainList{}
		if err := p.List(ctx, list, client.InNamespace(p.Namespace), client.MatchingLabels{"lucid-test": "load"}); err != nil {
			return err
		}
		ready := 0
		for i := range list.Items {
			if platform.ConditionTrue(list.Items[i].Status.Conditions, lucidv1.ConditionReady) {
				ready++
			}
		}
		if ready < count {
			return fmt.Errorf("%d of %d Ready", ready, count)
		}
		return nil
	})
	return time.Since(started), err
}

// steady lets the projection of the last changes settle, then counts.
func steady(p *platform.Platform, silence time.Duration) error {
	time.Sleep(15 * time.Second)
	from := time.Now()
	time.Sleep(silence)
	writes, leases, err := operatorWrites(p.AuditLog, from, time.Now())
	if err != nil {
		return err
	}
	fmt.Printf("steady state, %s: %d writes by the operator (and %d renewals of its leader lease)\n", silence, len(writes), leases)
	if len(writes) > 0 {
		return fmt.Errorf("steady state is not silent: %s", strings.Join(writes[:min(len(writes), 5)], "; "))
	}
	return nil
}

// auditEvent is the part of audit.k8s.io/v1 Event that tells a write.
type auditEvent struct {
	Stage      string    `json:"stage"`
	Verb       string    `json:"verb"`
	RequestURI string    `json:"requestURI"`
	Time       time.Time `json:"requestReceivedTimestamp"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource string `json:"resource"`
	} `json:"objectRef"`
}

func operatorWrites(path string, from, to time.Time) (writes []string, leases int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event auditEvent
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Stage != "ResponseComplete" {
			continue
		}
		if !strings.HasPrefix(event.User.Username, "system:serviceaccount:lucid-system:") || event.Time.Before(from) || event.Time.After(to) {
			continue
		}
		switch event.Verb {
		case "create", "update", "patch", "delete", "deletecollection":
			if event.ObjectRef.Resource == "leases" {
				leases++
				continue
			}
			writes = append(writes, event.Verb+" "+event.RequestURI)
		}
	}
	return writes, leases, lines.Err()
}

func remove(p *platform.Platform) {
	err := p.DeleteAllOf(context.Background(), &lucidv1.Chain{}, client.InNamespace(p.Namespace), client.MatchingLabels{"lucid-test": "load"})
	if err != nil {
		fmt.Fprintln(os.Stderr, "chains: clean up:", err)
	}
}
