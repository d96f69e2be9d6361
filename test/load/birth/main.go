// Command birth measures both ways in which a chain is born: how long after
// POST /chains a Chain object exists, and how long after an applied Chain
// object GET /chains/{id} shows it. The baseline is a bare object seen by a
// bare watch on the same API server in the same run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

func main() {
	count := flag.Int("n", 50, "chains of each birth")
	limit := flag.Duration("limit", time.Second, "p99 above which the run fails")
	flag.Parse()
	if err := run(context.Background(), *count, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "birth:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, count int, limit time.Duration) error {
	p, err := platform.Open()
	if err != nil {
		return err
	}
	baseline, err := bareWatch(ctx, p, count)
	if err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	byREST, err := bornByREST(ctx, p, count)
	if err != nil {
		return fmt.Errorf("born by REST: %w", err)
	}
	byObject, err := bornByObject(ctx, p, count)
	if err != nil {
		return fmt.Errorf("born by object: %w", err)
	}
	baseline.Print(os.Stdout, "bare object to bare watch", nil)
	byREST.Print(os.Stdout, "POST /chains to Chain object", baseline)
	byObject.Print(os.Stdout, "Chain object to GET /chains/{id}", baseline)
	if worst := max(byREST.Quantile(0.99), byObject.Quantile(0.99)); worst > limit {
		return fmt.Errorf("p99 %s is over %s", worst, limit)
	}
	return nil
}

// sightings remembers when a watch first showed a key.
type sightings struct {
	mutex sync.Mutex
	seen  map[string]time.Time
}

func (s *sightings) follow(events <-chan watch.Event, key func(watch.Event) string) {
	for event := range events {
		now, name := time.Now(), key(event)
		s.mutex.Lock()
		if _, known := s.seen[name]; !known {
			s.seen[name] = now
		}
		s.mutex.Unlock()
	}
}

func (s *sightings) wait(ctx context.Context, key string, since time.Time) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var at time.Time
	err := platform.Poll(ctx, time.Millisecond, func(context.Context) error {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		var known bool
		if at, known = s.seen[key]; !known {
			return errors.New("the watch never showed " + key)
		}
		return nil
	})
	return at.Sub(since), err
}

func bareWatch(ctx context.Context, p *platform.Platform, count int) (platform.Durations, error) {
	watcher, err := p.Clientset.CoreV1().ConfigMaps(p.Namespace).Watch(ctx, metav1.ListOptions{LabelSelector: "lucid-test=birth"})
	if err != nil {
		return nil, err
	}
	defer watcher.Stop()
	seen := &sightings{seen: map[string]time.Time{}}
	go seen.follow(watcher.ResultChan(), nameOf)
	var sample platform.Durations
	for range count {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: p.Namespace, Name: "birth-" + uuid.NewString()[:8], Labels: map[string]string{"lucid-test": "birth"},
		}}
		start := time.Now()
		if err := p.Create(ctx, object); err != nil {
			return nil, err
		}
		took, err := seen.wait(ctx, object.Name, start)
		if err != nil {
			return nil, err
		}
		sample = append(sample, took)
		if err := p.Delete(ctx, object); err != nil {
			return nil, err
		}
	}
	return sample, nil
}

func nameOf(e watch.Event) string {
	object, ok := e.Object.(metav1.Object)
	if !ok {
		return ""
	}
	return object.GetName()
}

func bornByREST(ctx context.Context, p *platform.Platform, count int) (platform.Durations, error) {
	watching, err := client.NewWithWatch(p.Config, client.Options{Scheme: p.Scheme()})
	if err != nil {
		return nil, err
	}
	watcher, err := watching.Watch(ctx, &lucidv1.ChainList{}, client.InNamespace(p.Namespace))
	if err != nil {
		return nil, err
	}
	defer watcher.Stop()
	seen := &sightings{seen: map[string]time.Time{}}
	go seen.follow(watcher.ResultChan(), func(e watch.Event) string {
		if chain, ok := e.Object.(*lucidv1.Chain); ok {
			return chain.Spec.ID
		}
		return ""
	})
	user := p.NewUser()
	var sample platform.Durations
	for range count {
		start := time.Now()
		chain, err := user.CreateChain(ctx, map[string]any{"chain_name": "Birth " + uuid.NewString()[:8], "token_symbol": "BRTH"})
		if err != nil {
			return nil, err
		}
		took, err := seen.wait(ctx, chain.ID.String(), start)
		if err != nil {
			return nil, err
		}
		sample = append(sample, took)
		pause()
	}
	return sample, nil
}

func bornByObject(ctx context.Context, p *platform.Platform, count int) (platform.Durations, error) {
	user := p.NewUser()
	var sample platform.Durations
	for range count {
		chain := p.ManualChain("birth")
		start := time.Now()
		if err := p.Create(ctx, chain); err != nil {
			return nil, err
		}
		limited, cancel := context.WithTimeout(ctx, 30*time.Second)
		err := platform.Poll(limited, 10*time.Millisecond, func(ctx context.Context) error {
			_, err := user.Chain(ctx, string(chain.UID))
			return err
		})
		cancel()
		if err != nil {
			return nil, err
		}
		sample = append(sample, time.Since(start))
		pause()
	}
	return sample, nil
}

// pause spreads the births over the relay's polling phase: a fixed rhythm
// would sample only one point of it.
func pause() { time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond) }
