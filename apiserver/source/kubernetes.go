package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// watchTimeout ends a healthy watch now and then, so that one whose connection
// died without a word is replaced too.
const watchTimeout = 5 * time.Minute

// listTimeout bounds the list that starts each watch.
const listTimeout = 10 * time.Second

// errWatchEnded is a watch that ran its course or lost its connection.
var errWatchEnded = errors.New("the watch ended")

// Kubernetes watches the ConfigMap of one gateway by name; the pod's role allows
// no other.
type Kubernetes struct {
	Client    kubernetes.Interface
	Namespace string
	Gateway   string
	Log       logr.Logger
}

// Run implements Source.
func (k *Kubernetes) Run(ctx context.Context, deliver Deliver) {
	backoff := newBackoff()
	for {
		began := time.Now()
		err := k.listAndWatch(ctx, deliver)
		if ctx.Err() != nil {
			return
		}
		// A watch that lasted is no failure; its successor starts at once.
		if errors.Is(err, errWatchEnded) && time.Since(began) > time.Second {
			backoff = newBackoff()
		} else {
			k.Log.Info("snapshot source interrupted, serving on with the last snapshot", "reason", err.Error())
		}
		if !sleep(ctx, backoff.Step()) {
			return
		}
	}
}

// listAndWatch reads the object, then follows it until the watch ends.
func (k *Kubernetes) listAndWatch(ctx context.Context, deliver Deliver) error {
	version, err := k.list(ctx, deliver)
	if err != nil {
		return err
	}
	options := k.options()
	options.ResourceVersion = version
	options.AllowWatchBookmarks = true
	seconds := int64(watchTimeout.Seconds())
	options.TimeoutSeconds = &seconds
	watcher, err := k.Client.CoreV1().ConfigMaps(k.Namespace).Watch(ctx, options)
	if err != nil {
		return fmt.Errorf("watch the snapshot: %w", err)
	}
	defer watcher.Stop()
	return k.follow(ctx, watcher, deliver)
}

func (k *Kubernetes) list(ctx context.Context, deliver Deliver) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, err := k.Client.CoreV1().ConfigMaps(k.Namespace).List(ctx, k.options())
	if err != nil {
		return "", fmt.Errorf("list the snapshot: %w", err)
	}
	for i := range list.Items {
		k.take(&list.Items[i], deliver)
	}
	return list.ResourceVersion, nil
}

func (k *Kubernetes) options() metav1.ListOptions {
	name := snapshot.ConfigMapName(k.Gateway)
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()}
}

func (k *Kubernetes) follow(ctx context.Context, watcher watch.Interface, deliver Deliver) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, open := <-watcher.ResultChan():
			if !open {
				return errWatchEnded
			}
			if err := k.handle(event, deliver); err != nil {
				return err
			}
		}
	}
}

func (k *Kubernetes) handle(event watch.Event, deliver Deliver) error {
	switch event.Type {
	case watch.Error:
		return fmt.Errorf("watch the snapshot: %w", apierrors.FromObject(event.Object))
	case watch.Deleted:
		k.Log.Info("the snapshot was deleted, serving on with the last one")
	case watch.Added, watch.Modified:
		if object, ok := event.Object.(*corev1.ConfigMap); ok {
			k.take(object, deliver)
		}
	}
	return nil
}

// take hands one version over. One that can't be read is skipped: the pod's
// report stays behind, which the operator shows as not programmed.
func (k *Kubernetes) take(object *corev1.ConfigMap, deliver Deliver) {
	s, err := snapshot.Parse([]byte(object.Data[snapshot.Key]))
	if err == nil {
		err = deliver(string(object.UID), s)
	}
	if err != nil {
		k.Log.Error(err, "snapshot refused, serving on with the last one", "resourceVersion", object.ResourceVersion)
	}
}
