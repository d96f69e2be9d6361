package reconcile

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
)

func TestResult(t *testing.T) {
	transient := errors.New("connection refused")
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "chains"}, "a", errors.New("changed"))
	cases := map[string]struct {
		reason  string
		err     error
		want    ctrl.Result
		wantErr bool
	}{
		"nil":       {reason: "Success needs nothing more."},
		"stalled":   {reason: "Only the user's edit helps, so there is no retry.", err: Stalled("Missing", "create it")},
		"waiting":   {reason: "A wait says when to look again.", err: Waiting(time.Minute, "Job", "x"), want: ctrl.Result{RequeueAfter: time.Minute}},
		"transient": {reason: "Anything unknown is backed off by the queue.", err: transient, wantErr: true},
		"wrapped": {reason: "A class survives wrapping.",
			err: fmt.Errorf("phase: %w", Waiting(time.Second, "Job", "x")), want: ctrl.Result{RequeueAfter: time.Second}},
		"conflict": {reason: "A lost write is repeated quietly once the cache caught up.",
			err: fmt.Errorf("patching: %w", conflict), want: ctrl.Result{RequeueAfter: conflictRetry}},
		"shortest wait": {reason: "Of two waits the shorter decides, in whatever order they come.",
			err:  errors.Join(Waiting(time.Minute, "A", "a"), errors.Join(Waiting(time.Second, "B", "b"), Stalled("C", "c"))),
			want: ctrl.Result{RequeueAfter: time.Second}},
		"transient wins": {reason: "A failure beside a wait is still backed off.",
			err: errors.Join(Waiting(time.Minute, "A", "a"), transient), wantErr: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Result(tc.err)
			assert.Equal(t, tc.want, got, tc.reason)
			assert.Equal(t, tc.wantErr, err != nil, tc.reason)
		})
	}
}

func TestExplainHidesTransientText(t *testing.T) {
	reason, message := Explain(errors.New(`dial tcp: password "hunter2" refused`))
	assert.Equal(t, ReasonRetrying, reason)
	assert.NotContains(t, message, "hunter2", "upstream text may hold secrets and never reaches a condition")

	reason, message = Explain(errors.Join(errors.New("x"), Stalled("SecretMissing", "create Secret %q", "db")))
	assert.Equal(t, "SecretMissing", reason)
	assert.Equal(t, `create Secret "db"`, message)
}

func TestPhases(t *testing.T) {
	type scope struct{ ran []string }
	step := func(name string, err error) Phase[*scope] {
		return func(_ context.Context, s *scope) error {
			s.ran = append(s.ran, name)
			return err
		}
	}
	failure := errors.New("failed")

	sequence := &scope{}
	err := Sequence(step("a", nil), step("b", failure), step("c", nil))(t.Context(), sequence)
	assert.ErrorIs(t, err, failure)
	assert.Equal(t, []string{"a", "b"}, sequence.ran, "a sequence stops at the first failure")

	each := &scope{}
	err = Each(step("a", failure), Sequence(step("b", failure), step("c", nil)), step("d", nil))(t.Context(), each)
	assert.ErrorIs(t, err, failure)
	assert.Equal(t, []string{"a", "b", "d"}, each.ran, "independent phases run whatever the others return")

	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	idle := &scope{}
	assert.ErrorIs(t, Each(step("a", nil))(stopped, idle), context.Canceled)
	assert.Empty(t, idle.ran, "a stopped manager starts no phase")
}
