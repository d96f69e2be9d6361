package chain

import (
	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/chain"
)

// report sums the pass up in Ready: the chain does all that its spec asks for by
// now. A draft that is to stay one is Ready, a scheduled launch is not.
func report(s *scope, err error) {
	c := s.conditions
	for _, condition := range []string{lucidv1.ConditionRecorded, lucidv1.ConditionLaunched, lucidv1.ConditionGraduated, lucidv1.ConditionNetworkReady} {
		if c.Get(condition) == nil {
			c.Unknown(condition, lucidv1.ReasonReconciling, "not looked at yet")
		}
	}
	switch {
	case err != nil && !isHeight(err):
		c.FromError(lucidv1.ConditionReady, err, "", "")
	case !c.IsTrue(lucidv1.ConditionRecorded):
		c.Summarise(lucidv1.ConditionReady, "", "", lucidv1.ConditionRecorded)
	case s.row.Status == chain.Failed:
		c.False(lucidv1.ConditionReady, lucidv1.ReasonFailed, s.row.FailureReason)
	case !s.row.Launched():
		reportDraft(s)
	case s.halted():
		c.Summarise(lucidv1.ConditionReady, lucidv1.ReasonHalted, "the live chain is halted, as the spec says",
			lucidv1.ConditionVolumesReady)
	case s.due():
		c.Summarise(lucidv1.ConditionReady, lucidv1.ReasonGraduated, "the live chain produces blocks",
			lucidv1.ConditionGraduated, lucidv1.ConditionNetworkReady, lucidv1.ConditionVolumesReady)
	default:
		c.True(lucidv1.ConditionReady, lucidv1.ReasonTrading, "the token trades on its bonding curve")
	}
}

func reportDraft(s *scope) {
	launched := s.conditions.Get(lucidv1.ConditionLaunched)
	if launched.Reason == lucidv1.ReasonManual {
		s.conditions.True(lucidv1.ConditionReady, lucidv1.ReasonManual, "a draft, as the spec says")
		return
	}
	s.conditions.Summarise(lucidv1.ConditionReady, "", "", lucidv1.ConditionLaunched)
}

// reasonHeight marks the wait until the height is looked at again: all is well.
const reasonHeight = "NextHeight"

func isHeight(err error) bool {
	reason, _ := reconcile.Explain(err)
	return reason == reasonHeight
}

// before sets what follows graduation on a chain that has not come to it.
func before(s *scope) {
	if s.row.Launched() {
		s.conditions.False(lucidv1.ConditionGraduated, lucidv1.ReasonTrading, "the reserve is below the graduation threshold")
	} else {
		s.conditions.False(lucidv1.ConditionGraduated, lucidv1.ReasonNotStarted, "the chain has not launched")
	}
	s.conditions.False(lucidv1.ConditionNetworkReady, lucidv1.ReasonNotStarted, "the live chain starts when the pool crosses its threshold")
}
