package chain

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// story is one event to tell.
type story struct{ reason, action, message string }

// happened sets a condition to True and tells of it once, when it becomes so.
func (s *scope) happened(condition, reason, action, format string, args ...any) {
	told := s.conditions.IsTrue(condition)
	message := fmt.Sprintf(format, args...)
	s.conditions.True(condition, reason, message)
	if !told {
		s.tell(reason, action, message)
	}
}

// tell keeps an event until the status that remembers it is written: a pass over
// a stale object loses that write, and must not tell again what was told before.
func (s *scope) tell(reason, action, message string) {
	s.stories = append(s.stories, story{reason, action, message})
}

// publish sends the events of a pass in the order in which they came about.
func (r *Reconciler) publish(s *scope) {
	for _, e := range s.stories {
		r.Recorder.Eventf(s.object, nil, corev1.EventTypeNormal, e.reason, e.action, "%s", e.message)
	}
}

// outcome is a client that knows whether its last write of a status was lost.
type outcome struct {
	client.Client
	lost bool
}

// Status implements client.Client.
func (o *outcome) Status() client.SubResourceWriter {
	return &outcomeWriter{SubResourceWriter: o.Client.Status(), outcome: o}
}

type outcomeWriter struct {
	client.SubResourceWriter
	outcome *outcome
}

// Patch implements client.SubResourceWriter.
func (w *outcomeWriter) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	err := w.SubResourceWriter.Patch(ctx, obj, patch, opts...)
	w.outcome.lost = err != nil
	return err
}
