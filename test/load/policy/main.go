// Command policy edits a RateLimitPolicy again and again under a steady load
// and measures how long it takes until every API pod enforces each edit. Pods
// are asked one by one, through the API server's pod proxy, for the limit that
// they announce. No request of the load may fail, no pod may restart.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

func main() {
	edits := flag.Int("n", 50, "edits")
	rate := flag.Int("rate", 500, "requests a second of the load")
	limit := flag.Duration("limit", time.Second, "p99 above which the run fails")
	flag.Parse()
	if err := run(context.Background(), *edits, *rate, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "policy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, edits, rate int, limit time.Duration) error {
	p, err := platform.Open()
	if err != nil {
		return err
	}
	policy := p.OpenPolicy("policy-bench")
	if err := p.Create(ctx, policy); err != nil {
		return err
	}
	defer func() { _ = p.Delete(context.Background(), policy) }()
	pods, err := p.APIPods(ctx)
	if err != nil {
		return err
	}
	if _, err := enforced(ctx, p, pods, policy.Spec.Tiers[0].Burst); err != nil {
		return fmt.Errorf("the first policy is never enforced: %w", err)
	}
	load, began := startLoad(ctx, p, rate), time.Now()
	sample, err := edit(ctx, p, policy, pods, edits)
	sent, failed := load.stop()
	if err != nil {
		return err
	}
	sample.Print(os.Stdout, fmt.Sprintf("policy edit enforced on %d pods", len(pods)), nil)
	fmt.Printf("load: %d requests, %.0f a second, %d failed\n", sent, float64(sent)/time.Since(began).Seconds(), failed)
	return errors.Join(judge(sample, limit, failed), unrestarted(ctx, p, pods))
}

func judge(sample platform.Durations, limit time.Duration, failed int64) error {
	if failed > 0 {
		return fmt.Errorf("%d requests of the load failed", failed)
	}
	if p99 := sample.Quantile(0.99); p99 > limit {
		return fmt.Errorf("p99 %s is over %s", p99, limit)
	}
	return nil
}

// edit changes the burst of the policy's tier n times: it is the limit that
// pods announce.
func edit(ctx context.Context, p *platform.Platform, policy *lucidv1.RateLimitPolicy, pods []corev1.Pod, n int) (platform.Durations, error) {
	var sample platform.Durations
	for i := range n {
		patch := client.MergeFrom(policy.DeepCopy())
		policy.Spec.Tiers[0].Burst = 2*platform.OpenLimit + int64(i) + 1
		start := time.Now()
		if err := p.Patch(ctx, policy, patch); err != nil {
			return nil, err
		}
		at, err := enforced(ctx, p, pods, policy.Spec.Tiers[0].Burst)
		if err != nil {
			return nil, fmt.Errorf("edit %d: %w", i, err)
		}
		sample = append(sample, at.Sub(start))
		time.Sleep(100 * time.Millisecond)
	}
	return sample, nil
}

// enforced waits until every pod announces the limit and returns when the last
// one did.
func enforced(ctx context.Context, p *platform.Platform, pods []corev1.Pod, limit int64) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var wait sync.WaitGroup
	failures := make([]error, len(pods))
	for i := range pods {
		wait.Go(func() {
			failures[i] = platform.Poll(ctx, 5*time.Millisecond, func(ctx context.Context) error {
				announced, err := announcedLimit(ctx, p, &pods[i])
				if err == nil && announced != strconv.FormatInt(limit, 10) {
					err = fmt.Errorf("pod %s announces %q, want %d", pods[i].Name, announced, limit)
				}
				return err
			})
		})
	}
	wait.Wait()
	return time.Now(), errors.Join(failures...)
}

// prober is one user for all probes, so that probing makes no users.
var prober = uuid.New()

func announcedLimit(ctx context.Context, p *platform.Platform, pod *corev1.Pod) (string, error) {
	httpClient, err := rest.HTTPClientFor(p.Config)
	if err != nil {
		return "", err
	}
	url := fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s:3001/proxy/api/v1/templates", p.Config.Host, pod.Namespace, pod.Name)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("X-User-ID", prober.String())
	response, err := httpClient.Do(request)
	if err != nil {
		return "", err
	}
	_ = response.Body.Close()
	return response.Header.Get("X-RateLimit-Limit"), nil
}

// load is a steady stream of requests from a few users.
type load struct {
	cancel       context.CancelFunc
	done         sync.WaitGroup
	sent, failed atomic.Int64
}

func startLoad(ctx context.Context, p *platform.Platform, rate int) *load {
	// So many that a slow answer does not slow the stream.
	const users = 100
	ctx, cancel := context.WithCancel(ctx)
	l := &load{cancel: cancel}
	for range users {
		l.done.Go(func() { l.stream(ctx, p.NewUser(), time.Second*users/time.Duration(rate)) })
	}
	return l
}

func (l *load) stream(ctx context.Context, user *platform.User, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// Not ctx: a request under way when the load stops is answered, not failed.
		answer, err := user.Do(context.WithoutCancel(ctx), http.MethodGet, "/templates", nil)
		l.sent.Add(1)
		if err != nil || answer.Err() != nil {
			l.failed.Add(1)
			fmt.Fprintln(os.Stderr, "load:", err, answer)
		}
	}
}

func (l *load) stop() (sent, failed int64) {
	l.cancel()
	l.done.Wait()
	return l.sent.Load(), l.failed.Load()
}

func unrestarted(ctx context.Context, p *platform.Platform, before []corev1.Pod) error {
	after, err := p.APIPods(ctx)
	if err != nil {
		return err
	}
	if len(after) != len(before) {
		return fmt.Errorf("%d pods before, %d after", len(before), len(after))
	}
	for i := range after {
		if after[i].UID != before[i].UID || platform.Restarts(&after[i]) != platform.Restarts(&before[i]) {
			return fmt.Errorf("pod %s was restarted or replaced", before[i].Name)
		}
	}
	return nil
}
