package lucidgateway

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lucid-blockchain/lucid/controllers/policy"
)

// observe reads what the status is made of. Nothing that a phase did counts
// here: only what the cluster shows.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	s.observedErr = errors.Join(r.observeDeployment(ctx, s), r.observeSnapshot(ctx, s))
	return s.observedErr
}

func (r *Reconciler) observeDeployment(ctx context.Context, s *scope) error {
	deployment := &appsv1.Deployment{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(s.gateway), deployment)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("reading the Deployment: %w", err)
	case metav1.IsControlledBy(deployment, s.gateway):
		s.deployment = deployment
	}
	return nil
}

func (r *Reconciler) observeSnapshot(ctx context.Context, s *scope) error {
	state, err := policy.Look(ctx, r.Client, s.gateway)
	if err != nil {
		return fmt.Errorf("observing the snapshot: %w", err)
	}
	s.snapshot = state
	return nil
}
