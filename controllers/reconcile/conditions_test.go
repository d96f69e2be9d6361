package reconcile

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestConditionsStampGeneration(t *testing.T) {
	var list []metav1.Condition
	Conditions{List: &list, Generation: 3}.True("Migrated", "Migrated", "done")
	first := list[0]
	assert.EqualValues(t, 3, first.ObservedGeneration)

	Conditions{List: &list, Generation: 4}.True("Migrated", "Migrated", "done")
	assert.EqualValues(t, 4, list[0].ObservedGeneration)
	assert.Equal(t, first.LastTransitionTime, list[0].LastTransitionTime, "the time moves only with the status")
}

func TestConditionsFromError(t *testing.T) {
	var list []metav1.Condition
	c := Conditions{List: &list}
	c.FromError("DatabaseReady", nil, "Reachable", "reachable")
	assert.True(t, c.IsTrue("DatabaseReady"))
	c.FromError("DatabaseReady", Stalled("SecretMissing", "create it"), "Reachable", "reachable")
	assert.Equal(t, "SecretMissing", c.Get("DatabaseReady").Reason)
	assert.Equal(t, metav1.ConditionFalse, c.Get("DatabaseReady").Status)
	c.FromError("DatabaseReady", errors.New("boom"), "Reachable", "reachable")
	assert.Equal(t, ReasonRetrying, c.Get("DatabaseReady").Reason)
	c.Remove("DatabaseReady")
	assert.Nil(t, c.Get("DatabaseReady"))
}

func TestSummarise(t *testing.T) {
	cases := map[string]struct {
		reason string
		set    func(Conditions)
		want   metav1.ConditionStatus
		why    string
	}{
		"all true": {reason: "Ready means every part is.", want: metav1.ConditionTrue, why: "Ready",
			set: func(c Conditions) { c.True("A", "Done", ""); c.True("B", "Done", "") }},
		"first false wins": {reason: "The user should see the cause, not its consequence.", want: metav1.ConditionFalse, why: "Broken",
			set: func(c Conditions) { c.False("B", "Later", ""); c.False("A", "Broken", "") }},
		"missing": {reason: "What was never looked at is unknown.", want: metav1.ConditionUnknown, why: "Pending",
			set: func(c Conditions) { c.True("A", "Done", "") }},
		"unknown": {reason: "Unknown is passed on as unknown.", want: metav1.ConditionUnknown, why: "Polling",
			set: func(c Conditions) { c.Unknown("A", "Polling", ""); c.True("B", "Done", "") }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var list []metav1.Condition
			c := Conditions{List: &list, Generation: 1}
			tc.set(c)
			c.Summarise("Ready", "Ready", "all good", "A", "B")
			assert.Equal(t, tc.want, c.Get("Ready").Status, tc.reason)
			assert.Equal(t, tc.why, c.Get("Ready").Reason, tc.reason)
		})
	}
}

func TestMessagesAreBoundedAndValid(t *testing.T) {
	var list []metav1.Condition
	c := Conditions{List: &list}
	c.False("A", "Long", strings.Repeat("ä", maxMessage))
	assert.LessOrEqual(t, len(c.Get("A").Message), maxMessage)
	assert.True(t, utf8.ValidString(c.Get("A").Message), "a cut inside a rune would be refused by the API server")
}
