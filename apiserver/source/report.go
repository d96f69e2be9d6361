package source

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1 "k8s.io/client-go/applyconfigurations/coordination/v1"
	applyv1 "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// fieldOwner marks what a pod wrote on its Lease.
const fieldOwner = "lucid-apiserver"

// reportTimeout bounds one attempt.
const reportTimeout = 5 * time.Second

// Reporter tells the operator which generation this pod runs, by a Lease named
// after the pod and owned by it. Nothing is written while nothing changes.
type Reporter struct {
	Client    kubernetes.Interface
	Namespace string
	Gateway   string
	PodName   string
	PodUID    string
	Log       logr.Logger
}

// Run reports after each element of changed, the generation that running says
// at that moment, until it is written or a newer one is there. It returns when
// ctx is done.
func (r *Reporter) Run(ctx context.Context, changed <-chan struct{}, running func() int64) {
	reported := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		backoff := newBackoff()
		for generation := running(); generation != reported; generation = running() {
			err := r.write(ctx, generation)
			if err == nil {
				reported = generation
				continue
			}
			r.Log.Error(err, "snapshot report not written, trying again", "generation", generation)
			if !sleep(ctx, backoff.Step()) {
				return
			}
		}
	}
}

func (r *Reporter) write(ctx context.Context, generation int64) error {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	lease := coordinationv1.Lease(r.PodName, r.Namespace).
		WithLabels(map[string]string{snapshot.GatewayLabel: r.Gateway}).
		WithAnnotations(map[string]string{snapshot.GenerationAnnotation: strconv.FormatInt(generation, 10)}).
		WithSpec(coordinationv1.LeaseSpec().WithHolderIdentity(r.PodName))
	if r.PodUID != "" {
		lease.WithOwnerReferences(applyv1.OwnerReference().
			WithAPIVersion("v1").WithKind("Pod").WithName(r.PodName).WithUID(types.UID(r.PodUID)))
	}
	options := metav1.ApplyOptions{FieldManager: fieldOwner, Force: true}
	if _, err := r.Client.CoordinationV1().Leases(r.Namespace).Apply(ctx, lease, options); err != nil {
		return fmt.Errorf("write the lease: %w", err)
	}
	return nil
}
