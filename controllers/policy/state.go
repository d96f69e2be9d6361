package policy

import (
	"context"
	"fmt"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// State is what the cluster shows of a gateway's snapshot.
type State struct {
	Claims []*Claim
	// Invalid is why the specs make no snapshot; empty when they do.
	Invalid string
	// Foreign is set when the snapshot's name is taken by somebody else's object.
	Foreign bool
	// Published is set when the snapshot object holds what the specs say now, so
	// that its generation stands for them.
	Published bool
	Progress  Progress
}

// Enforced reports whether every ready pod runs what the specs say now.
func (s *State) Enforced() bool { return s.Published && s.Progress.Complete() }

// Look compiles a gateway's policies and compares with what is published and
// what the pods report. It reads only.
func Look(ctx context.Context, reader client.Reader, gateway *lucidv1.LucidGateway) (*State, error) {
	var policies lucidv1.RateLimitPolicyList
	var pods corev1.PodList
	var leases coordinationv1.LeaseList
	here := client.InNamespace(gateway.Namespace)
	if err := reader.List(ctx, &policies, here); err != nil {
		return nil, fmt.Errorf("listing policies: %w", err)
	}
	if err := reader.List(ctx, &pods, here, client.MatchingLabels(resources.Selector(gateway.Name))); err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	if err := reader.List(ctx, &leases, here, client.MatchingLabels{snapshot.GatewayLabel: gateway.Name}); err != nil {
		return nil, fmt.Errorf("listing leases: %w", err)
	}
	doc, claims := Compile(gateway, policies.Items)
	state := &State{Claims: claims, Invalid: strings.Join(describe(doc.Validate()), "; ")}
	published, err := publishedBy(ctx, reader, gateway, state)
	if err != nil {
		return nil, err
	}
	generation := int64(0)
	if published != nil {
		generation = published.Generation
		state.Published = published.Hash() == doc.Hash()
	}
	state.Progress = Observe(generation, pods.Items, leases.Items)
	return state, nil
}

// publishedBy returns the gateway's own snapshot, or nil when there is none that
// can be read.
func publishedBy(ctx context.Context, reader client.Reader, gateway *lucidv1.LucidGateway, state *State) (*snapshot.Snapshot, error) {
	object := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: gateway.Namespace, Name: snapshot.ConfigMapName(gateway.Name)}
	switch err := reader.Get(ctx, key, object); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the snapshot: %w", err)
	case !metav1.IsControlledBy(object, gateway):
		state.Foreign = true
		return nil, nil
	}
	return readable([]byte(object.Data[snapshot.Key])), nil
}

// readable returns the document, or nil when somebody's edit broke it: the
// snapshot controller is then about to repair it.
func readable(raw []byte) *snapshot.Snapshot {
	if doc, err := snapshot.Parse(raw); err == nil {
		return doc
	}
	return nil
}
