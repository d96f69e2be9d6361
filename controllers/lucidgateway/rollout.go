package lucidgateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

// migrate runs the migration Job of this image and database and stops the
// rollout until it succeeded.
func (r *Reconciler) migrate(ctx context.Context, s *scope) error {
	s.migrationErr = r.migration(ctx, s)
	s.migrated = s.migrationErr == nil
	return s.migrationErr
}

func (r *Reconciler) migration(ctx context.Context, s *scope) error {
	job := &batchv1.Job{}
	key := client.ObjectKey{Namespace: s.gateway.Namespace, Name: s.input.MigrationName()}
	err := r.Client.Get(ctx, key, job)
	if apierrors.IsNotFound(err) {
		return r.startMigration(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("reading the migration Job: %w", err)
	}
	if !metav1.IsControlledBy(job, s.gateway) {
		return reconcile.Waiting(retryNotOwned, reconcile.ReasonNotOwned,
			"Job %q exists and is not owned by this gateway; delete it", job.Name)
	}
	switch {
	case finished(job, batchv1.JobComplete) != nil:
		return r.dropOldMigrations(ctx, s, job.Name)
	case finished(job, batchv1.JobFailed) != nil:
		return r.retryMigration(ctx, s, job)
	default:
		return reconcile.Waiting(resync, lucidv1.ReasonMigrating, "Job %q brings the database up to date", job.Name)
	}
}

// startMigration waits for the database first: a Job that can't reach it would
// only use up its retries.
func (r *Reconciler) startMigration(ctx context.Context, s *scope) error {
	if s.pingErr != nil {
		return s.pingErr
	}
	job := resources.MigrationJob(s.input)
	if err := r.Applier.Apply(ctx, s.gateway, job); err != nil {
		return err
	}
	r.Recorder.Eventf(s.gateway, nil, corev1.EventTypeNormal, lucidv1.ReasonMigrating, "Migrate", "started Job %q", job.Name)
	return reconcile.Waiting(resync, lucidv1.ReasonMigrating, "Job %q brings the database up to date", job.Name)
}

// retryMigration leaves a failed Job for its logs to be read, then makes room
// for another, so that a passing fault heals without a hand.
func (r *Reconciler) retryMigration(ctx context.Context, s *scope, job *batchv1.Job) error {
	since := time.Since(finished(job, batchv1.JobFailed).LastTransitionTime.Time)
	if since >= retryMigration {
		if err := r.deleteJob(ctx, job); err != nil {
			return err
		}
		return reconcile.Waiting(time.Second, lucidv1.ReasonMigrating, "the migration is tried again")
	}
	return reconcile.Waiting(retryMigration-since, lucidv1.ReasonMigrationFailed,
		"Job %q failed; its pod's log has the cause; it is tried again in a few minutes, or once the Job is deleted", job.Name)
}

// dropOldMigrations deletes the Jobs of earlier images and databases.
func (r *Reconciler) dropOldMigrations(ctx context.Context, s *scope, current string) error {
	var jobs batchv1.JobList
	err := r.Client.List(ctx, &jobs, client.InNamespace(s.gateway.Namespace), client.MatchingLabels{
		resources.LabelGateway: s.gateway.Name, resources.LabelComponent: resources.ComponentMigrate,
	})
	if err != nil {
		return fmt.Errorf("listing migration Jobs: %w", err)
	}
	var errs []error
	for i := range jobs.Items {
		job := &jobs.Items[i]
		if job.Name != current && job.DeletionTimestamp == nil && metav1.IsControlledBy(job, s.gateway) {
			errs = append(errs, r.deleteJob(ctx, job))
		}
	}
	return errors.Join(errs...)
}

func (r *Reconciler) deleteJob(ctx context.Context, job *batchv1.Job) error {
	err := r.Client.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting a migration Job: %w", err)
	}
	return nil
}

// rollOut applies the Deployment; it runs only once the database fits the image.
func (r *Reconciler) rollOut(ctx context.Context, s *scope) error {
	err := r.Applier.Apply(ctx, s.gateway, resources.Deployment(s.input))
	s.childrenErr = errors.Join(s.childrenErr, err)
	return err
}

// finished returns the Job's condition of the given type if it is true.
func finished(job *batchv1.Job, conditionType batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		condition := &job.Status.Conditions[i]
		if condition.Type == conditionType && condition.Status == corev1.ConditionTrue {
			return condition
		}
	}
	return nil
}
