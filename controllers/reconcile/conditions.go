package reconcile

import (
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// Condition type and reasons that every kind shares.
const (
	// ConditionPaused is True while the pause annotation keeps the operator off
	// the object; it is absent otherwise.
	ConditionPaused = "Paused"

	// ReasonRetrying stands for any transient error.
	ReasonRetrying = "Retrying"
	// ReasonForbidden says that the API server does not let the operator make a child.
	ReasonForbidden = "Forbidden"
	// ReasonNotOwned says that a child's name is taken by somebody else's object.
	ReasonNotOwned = lucidv1.ReasonNotOwned
)

// maxMessage bounds a condition's message in bytes; the API server refuses more
// than 32 768 and nobody reads more than this.
const maxMessage = 2048

// Conditions sets conditions on one object's list; Generation is stamped on each
// as its observedGeneration.
type Conditions struct {
	List       *[]metav1.Condition
	Generation int64
}

// True sets a condition to True.
func (c Conditions) True(conditionType, reason, message string) {
	c.set(conditionType, metav1.ConditionTrue, reason, message)
}

// False sets a condition to False.
func (c Conditions) False(conditionType, reason, message string) {
	c.set(conditionType, metav1.ConditionFalse, reason, message)
}

// Unknown sets a condition to Unknown.
func (c Conditions) Unknown(conditionType, reason, message string) {
	c.set(conditionType, metav1.ConditionUnknown, reason, message)
}

// FromError sets a condition to True with the given reason and message when err
// is nil, and otherwise to False with what Explain says of err.
func (c Conditions) FromError(conditionType string, err error, reason, message string) {
	if err == nil {
		c.True(conditionType, reason, message)
		return
	}
	why, text := Explain(err)
	c.False(conditionType, why, text)
}

// Remove drops a condition.
func (c Conditions) Remove(conditionType string) {
	meta.RemoveStatusCondition(c.List, conditionType)
}

// IsTrue reports whether a condition is True.
func (c Conditions) IsTrue(conditionType string) bool {
	return meta.IsStatusConditionTrue(*c.List, conditionType)
}

// Get returns a condition, or nil when it was never set.
func (c Conditions) Get(conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(*c.List, conditionType)
}

// Summarise sets the summary condition from its parts: True when all are True,
// otherwise the status, reason and message of the first that is not, in the
// order given, which is the order in which a user should look at them.
func (c Conditions) Summarise(summary, reason, message string, parts ...string) {
	for _, part := range parts {
		got := c.Get(part)
		if got == nil {
			c.Unknown(summary, "Pending", part+" has not been observed yet")
			return
		}
		if got.Status != metav1.ConditionTrue {
			c.set(summary, got.Status, got.Reason, got.Message)
			return
		}
	}
	c.True(summary, reason, message)
}

func (c Conditions) set(conditionType string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(c.List, metav1.Condition{
		Type:               conditionType,
		Status:             status,
		Reason:             reason,
		Message:            truncate(message, maxMessage),
		ObservedGeneration: c.Generation,
	})
}

// truncate cuts at a rune boundary, because the API server takes valid UTF-8 only.
func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
