// Command graduation measures how long a chain takes from the answer to the trade
// that crosses its threshold until the launchpad calls it graduated: genesis, keys,
// volume, a validator's pod and its first blocks. The image is on the node. The
// baseline is a bare pod of the same image, from its creation until it has run, on
// the same cluster in the same run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

const (
	patience = 3 * time.Minute
	often    = 10 * time.Millisecond
)

func main() {
	count := flag.Int("n", 20, "graduations")
	limit := flag.Duration("limit", 10*time.Second, "median above which the run fails")
	flag.Parse()
	if err := run(context.Background(), *count, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "graduation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, count int, limit time.Duration) error {
	p, err := platform.Open()
	if err != nil {
		return err
	}
	policy := p.OpenPolicy("graduation-" + uuid.NewString()[:8])
	if err := p.Create(ctx, policy); err != nil {
		return err
	}
	defer func() { _ = p.Delete(ctx, policy) }()
	var graduations, pods platform.Durations
	for n := range count {
		took, err := graduation(ctx, p)
		if err != nil {
			return fmt.Errorf("graduation %d: %w", n+1, err)
		}
		graduations = append(graduations, took)
		if took, err = barePod(ctx, p); err != nil {
			return fmt.Errorf("bare pod %d: %w", n+1, err)
		}
		pods = append(pods, took)
		fmt.Printf("%2d of %d: graduated after %.2f s, a bare pod ran after %.2f s\n", n+1, count, graduations[n].Seconds(), pods[n].Seconds())
	}
	pods.Print(os.Stdout, "bare pod to its end", nil)
	graduations.Print(os.Stdout, "threshold trade to graduated", pods)
	if median := graduations.Quantile(0.5); median > limit {
		return fmt.Errorf("the median of %s is over %s", median, limit)
	}
	return nil
}

// graduation launches a chain with one validator and buys it over its threshold.
func graduation(ctx context.Context, p *platform.Platform) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	chain := p.ManualChain("graduation")
	chain.Spec.Launch.Mode = lucidv1.LaunchImmediate
	chain.Spec.Graduation.ThresholdCNPY = "11000"
	chain.Spec.Network.Storage.Size = resource.MustParse("256Mi")
	chain.Spec.DeletionPolicy = lucidv1.DeletionRetain
	if err := p.Create(ctx, chain); err != nil {
		return 0, err
	}
	defer func() { _ = p.Delete(context.WithoutCancel(ctx), chain) }()
	launched := func(ctx context.Context) error { return p.Ready(ctx, chain, lucidv1.ConditionLaunched) }
	if err := platform.Poll(ctx, often, launched); err != nil {
		return 0, err
	}
	buyer := p.NewUser()
	if err := buyer.Fund(ctx, "5000"); err != nil {
		return 0, err
	}
	answer, err := buyer.Trade(ctx, chain.Status.LedgerID, uuid.NewString(), platform.Order{Side: "buy", CNPYAmount: "2000"})
	if err == nil {
		err = answer.Err()
	}
	if err != nil {
		return 0, err
	}
	crossed := time.Now()
	err = platform.Poll(ctx, often, func(ctx context.Context) error {
		found, err := buyer.Chain(ctx, chain.Status.LedgerID)
		if err == nil && !found.IsGraduated {
			err = errors.New("the chain is " + found.Status)
		}
		return err
	})
	return time.Since(crossed), err
}

// barePod runs the API pods' image once, for nothing.
func barePod(ctx context.Context, p *platform.Platform) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	running, err := p.APIPods(ctx)
	if err != nil || len(running) == 0 {
		return 0, errors.Join(errors.New("no API pod runs"), err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: "bare-" + uuid.NewString()[:8]},
		Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{
			Name: "bare", Image: running[0].Spec.Containers[0].Image, Args: []string{"version"},
		}}},
	}
	start := time.Now()
	if err := p.Create(ctx, pod); err != nil {
		return 0, err
	}
	defer func() { _ = p.Delete(context.WithoutCancel(ctx), pod) }()
	err = platform.Poll(ctx, often, func(ctx context.Context) error {
		if err := p.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if pod.Status.Phase != corev1.PodSucceeded {
			return errors.New("the pod is " + string(pod.Status.Phase))
		}
		return nil
	})
	return time.Since(start), err
}
