package reconcile

import (
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// ClientOptions keeps Secrets out of the cache: they are read by name, so that
// the operator needs no right to list them and holds none of them in memory.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}}
}

// CacheOptions limits the cache to what is ours: of the kinds that a cluster has
// very many of, only objects that belong to a gateway.
func CacheOptions(namespaces []string) (cache.Options, error) {
	requirement, err := labels.NewRequirement(lucidv1.LabelGateway, selection.Exists, nil)
	if err != nil {
		return cache.Options{}, fmt.Errorf("building the selector: %w", err)
	}
	ours := cache.ByObject{Label: labels.NewSelector().Add(*requirement)}
	options := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.ConfigMap{}:             ours,
			&corev1.Pod{}:                   ours,
			&corev1.PersistentVolumeClaim{}: ours,
			&coordinationv1.Lease{}:         ours,
			&corev1.ServiceAccount{}:        ours,
		},
	}
	if len(namespaces) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options, nil
}
