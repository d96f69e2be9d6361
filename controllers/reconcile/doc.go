// Package reconcile is what the four controllers share, so that each of them
// is only: gather, decide (pure), act, one status write.
//
//   - Phases run in order ([Sequence]) or beside each other ([Each]) over a scope.
//   - Errors have three classes: the user must act ([Stalled]), something else
//     must happen first ([Waiting]), anything else is transient and backed off.
//   - [WithStatus] sends at most one status patch a pass, and none when nothing
//     changed.
//   - [Applier] writes children by server-side apply, never adopts what is not
//     ours and sends nothing in steady state.
package reconcile
